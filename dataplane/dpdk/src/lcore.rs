//! Lcores: running a job on a worker, and letting a thread of one's own become a lcore.
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use dpdk_sys as sys;
use nix::errno::Errno;

use crate::eal::Eal;
use crate::error::{Error, errno_of, last_errno};
use crate::log;

/// What DPDK says of a thread that is no lcore.
const LCORE_ID_ANY: u32 = u32::MAX;

/// The number of a lcore: 0 is the main one, workers count from 1. Not the number of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LcoreId(pub u32);

impl LcoreId {
    /// The calling thread's lcore; `None` on a thread that is neither the EAL's nor registered.
    pub fn current() -> Option<Self> {
        // SAFETY: reads a thread-local of the calling thread.
        let id = unsafe { sys::sluice_lcore_id() };
        (id != LCORE_ID_ANY).then_some(Self(id))
    }
}

/// What all handles on a worker share.
#[derive(Debug)]
pub(crate) struct LcoreState {
    id: u32,
    cpu: usize,
    busy: AtomicBool,
}

impl LcoreState {
    pub(crate) fn new(id: u32, cpu: usize) -> Self {
        Self { id, cpu, busy: AtomicBool::new(false) }
    }
}

/// A worker lcore: a thread of the EAL's, pinned to one CPU, asleep until it is given a job.
#[derive(Debug, Clone)]
pub struct Worker {
    state: Arc<LcoreState>,
    eal: Eal,
}

impl Worker {
    pub(crate) fn new(state: Arc<LcoreState>, eal: Eal) -> Self {
        Self { state, eal }
    }

    /// The lcore's number.
    pub fn id(&self) -> LcoreId {
        LcoreId(self.state.id)
    }

    /// The CPU it is pinned to.
    pub fn cpu(&self) -> usize {
        self.state.cpu
    }

    /// The NUMA node of its CPU, from which its memory should come.
    pub fn socket(&self) -> u32 {
        // SAFETY: reads a table of the EAL's that does not change after start; `self` proves the start.
        unsafe { sys::rte_lcore_to_socket_id(self.state.id) }
    }

    /// Runs `work` on the lcore.
    ///
    /// # Errors
    /// [`Error::LcoreBusy`] while an earlier job runs. `work` is dropped then.
    pub fn launch<F, T>(&self, work: F) -> Result<Job<T>, Error>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Acquire pairs with the Release at the end of the job before: its effects are seen by this one.
        if self.state.busy.swap(true, Ordering::Acquire) {
            return Err(Error::LcoreBusy { lcore: self.state.id });
        }
        let (result, handle) = mpsc::sync_channel(1);
        let state = Arc::clone(&self.state);
        let job = move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            state.busy.store(false, Ordering::Release);
            // Nobody left to tell means a dropped handle that did not wait, which does not exist.
            let _ = result.send(outcome);
        };
        start(self.state.id, job).inspect_err(|_| self.state.busy.store(false, Ordering::Release))?;
        Ok(Job { result: handle, outcome: None, _eal: self.eal.clone() })
    }
}

/// Hands `job` to the lcore's thread. The caller holds the lcore's `busy` flag.
fn start<J: FnOnce() + Send + 'static>(lcore: u32, job: J) -> Result<(), Error> {
    let raw = Box::into_raw(Box::new(job));
    // The job before may have cleared `busy` an instant ago and still be on its way back into the EAL.
    // SAFETY: `lcore` is a worker of the running EAL.
    unsafe { sys::rte_eal_wait_lcore(lcore) };
    // SAFETY: `run::<J>` takes back the box that `raw` came from, once.
    let code = unsafe { sys::rte_eal_remote_launch(Some(run::<J>), raw.cast(), lcore) };
    if code == 0 {
        return Ok(());
    }
    // SAFETY: the launch failed, so nobody else has or will have the box.
    drop(unsafe { Box::from_raw(raw) });
    Err(Error::LcoreBusy { lcore })
}

/// The lcore's entry point for a job of type `J`.
extern "C" fn run<J: FnOnce()>(job: *mut c_void) -> c_int {
    // SAFETY: `start` passes a box of this very type and gives it up.
    let job = unsafe { Box::from_raw(job.cast::<J>()) };
    job();
    0
}

/// A job on a worker lcore. Dropping the handle waits for the job's end, as a running job needs the EAL.
#[derive(Debug)]
pub struct Job<T> {
    result: mpsc::Receiver<thread::Result<T>>,
    outcome: Option<thread::Result<T>>,
    _eal: Eal,
}

impl<T> Job<T> {
    /// Waits, asleep, for the job's end and returns its result.
    ///
    /// # Panics
    /// Where the job panicked, with its panic.
    pub fn join(mut self) -> T {
        self.wait();
        match self.outcome.take() {
            Some(Ok(value)) => value,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("a job sends its outcome, whatever it is"),
        }
    }

    /// Whether the job has ended.
    pub fn is_finished(&mut self) -> bool {
        if self.outcome.is_none() {
            self.outcome = self.result.try_recv().ok();
        }
        self.outcome.is_some()
    }

    fn wait(&mut self) {
        if self.outcome.is_none() {
            self.outcome = self.result.recv().ok();
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Makes the calling thread a lcore for as long as this lives, which gives it mempool caches of its own.
#[derive(Debug)]
pub struct RegisteredThread {
    id: LcoreId,
    _eal: Eal,
    /// Not `Send`: the thread that registered has to take itself off.
    _this_thread: PhantomData<*const ()>,
}

impl RegisteredThread {
    /// Registers the calling thread.
    ///
    /// # Errors
    /// [`Error::Register`] where the thread is a lcore already (`EEXIST`) or all of DPDK's lcore numbers are taken.
    pub fn register(eal: &Eal) -> Result<Self, Error> {
        if LcoreId::current().is_some() {
            return Err(Error::Register { errno: Errno::EEXIST, said: Default::default() });
        }
        // SAFETY: the EAL runs, and the thread is no lcore yet.
        let (code, said) = log::capture(|| unsafe { sys::rte_thread_register() });
        match LcoreId::current() {
            Some(id) if code == 0 => Ok(Self { id, _eal: eal.clone(), _this_thread: PhantomData }),
            _ => Err(Error::Register { errno: if code < -1 { errno_of(code) } else { last_errno() }, said }),
        }
    }

    /// The lcore number given to the thread.
    pub fn id(&self) -> LcoreId {
        self.id
    }
}

impl Drop for RegisteredThread {
    fn drop(&mut self) {
        // SAFETY: runs on the thread that registered, as the guard is not `Send`.
        unsafe { sys::rte_thread_unregister() };
    }
}
