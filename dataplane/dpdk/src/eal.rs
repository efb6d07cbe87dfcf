//! The EAL, DPDK's environment: started once per process, shared by handle.
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use dpdk_sys as sys;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::args::{EalArgs, Memory};
use crate::device;
use crate::error::{Error, last_errno};
use crate::lcore::{LcoreState, Worker};
use crate::log;

/// Whether `rte_eal_init` has been called: it works once per process.
static STARTED: AtomicBool = AtomicBool::new(false);

/// One for the main lcore.
const MAX_WORKERS: usize = sys::RTE_MAX_LCORE as usize - 1;

/// A handle on the running EAL; clones share it.
///
/// The EAL is cleaned up when the last handle is gone, and with it every port, pool and job, as they all hold one.
#[derive(Debug, Clone)]
pub struct Eal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hugepages: bool,
    workers: Vec<Arc<LcoreState>>,
    /// The ports that a [`Port`](crate::Port) or its queues hold, one bit each.
    claimed: Mutex<u64>,
}

const _: () = assert!(sys::RTE_MAX_ETHPORTS <= u64::BITS);

impl Eal {
    /// Starts the EAL. The calling thread becomes the main lcore and keeps its CPU affinity.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`] on the second call; an error that names the argument at fault where that is known;
    /// otherwise [`Error::Eal`] with what DPDK logged. After an error of the last kind the process cannot try again.
    pub fn init(args: &EalArgs) -> Result<Self, Error> {
        let this_thread = Pid::from_raw(0);
        let affinity =
            sched_getaffinity(this_thread).map_err(|errno| Error::Affinity { operation: "read", errno })?;
        let main_cpus = cpus_of(&affinity);
        check_workers(&args.workers, &main_cpus)?;
        let hugepages = matches!(args.memory, Memory::HugePages { .. });
        if hugepages && !hugepages_free() {
            return Err(Error::NoHugePages);
        }
        let argv = args.to_argv(&main_cpus)?;
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(Error::AlreadyInitialised);
        }
        log::redirect(args.log_sink)?;
        // The EAL keeps pointers to its arguments and reorders the list.
        let mut argv = argv.into_iter().map(|arg| arg.into_raw()).collect::<Vec<_>>().leak().to_vec();
        argv.push(std::ptr::null_mut());
        let argc = i32::try_from(argv.len() - 1).unwrap_or(i32::MAX);
        // SAFETY: `argv` holds `argc` C strings that live for ever, and a closing null.
        let (code, said) = log::capture(|| unsafe { sys::rte_eal_init(argc, argv.as_mut_ptr()) });
        let restored = sched_setaffinity(this_thread, &affinity);
        if code < 0 {
            return Err(Error::Eal { errno: last_errno(), said });
        }
        restored.map_err(|errno| Error::Affinity { operation: "restore", errno })?;
        let workers = (1..).zip(&args.workers).map(|(id, &cpu)| Arc::new(LcoreState::new(id, cpu))).collect();
        // Not by --vdev: the EAL starts without the devices that fail.
        args.vdevs.iter().try_for_each(|devargs| device::attach(devargs).map(drop))?;
        Ok(Self(Arc::new(Shared { hugepages, workers, claimed: Mutex::new(0) })))
    }

    /// The worker lcores, in the order of the CPUs they were asked for on.
    pub fn workers(&self) -> Vec<Worker> {
        self.0.workers.iter().map(|state| Worker::new(Arc::clone(state), self.clone())).collect()
    }

    /// Takes sole ownership of a port; `false` where it is taken.
    pub(crate) fn claim_port(&self, port: u16) -> bool {
        let mut claimed = lock(&self.0.claimed);
        let free = *claimed & (1 << port) == 0;
        *claimed |= 1 << port;
        free
    }

    /// Gives a port back.
    pub(crate) fn release_port(&self, port: u16) {
        *lock(&self.0.claimed) &= !(1 << port);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // With ordinary pages the clean-up unmaps all packet memory, and an mbuf may still be on its way back into it from
        // another thread. As there are no files either, there is nothing to clean that the process's end does not.
        // With --in-memory nothing is unmapped.
        if self.hugepages {
            // SAFETY: the last handle is going, so no port, job or queue is left that could call into DPDK.
            unsafe { sys::rte_eal_cleanup() };
        }
    }
}

/// A poisoned lock is no reason to fail here: the data are a bit set, valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn cpus_of(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect()
}

/// The EAL panics where a worker cannot be pinned, so this is found out before.
fn check_workers(cpus: &[usize], main_cpus: &[usize]) -> Result<(), Error> {
    if cpus.len() > MAX_WORKERS {
        return Err(Error::TooManyWorkers { asked: cpus.len(), max: MAX_WORKERS });
    }
    let pin = |cpu: usize| {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        // On a thread of its own, as it changes the caller's affinity.
        let tried = thread::spawn(move || sched_setaffinity(Pid::from_raw(0), &set)).join();
        tried.unwrap_or(Err(Errno::EINVAL))
    };
    match cpus.iter().find(|&&cpu| pin(cpu).is_err()) {
        None => Ok(()),
        Some(&cpu) => Err(Error::CpuUnavailable {
            cpu,
            allowed: main_cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(","),
        }),
    }
}

/// Whether the kernel has a free hugepage of any size. Asked beforehand, as the EAL's own message names no remedy.
fn hugepages_free() -> bool {
    let Ok(sizes) = fs::read_dir("/sys/kernel/mm/hugepages") else { return false };
    let free = |size: fs::DirEntry| fs::read_to_string(size.path().join("free_hugepages")).ok();
    sizes.flatten().filter_map(free).any(|count| count.trim().parse::<u64>().is_ok_and(|count| count > 0))
}
