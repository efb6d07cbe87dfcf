//! The frame of both test programs: one EAL, one pool, named cases, and no mbuf missing after any of them.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use sluice_dpdk::{Eal, EalArgs, Mbuf, Memory, Mempool, MempoolConfig};

/// What every case works with.
pub(crate) struct Lab {
    /// The process's EAL.
    pub(crate) eal: Eal,
    /// The pool of all ports; all its mbufs must be back when a case ends.
    pub(crate) pool: Mempool,
}

/// A test case: its name and what it does.
pub(crate) type Case = (&'static str, fn(&Lab));

/// The arguments of a test's EAL: no hugepages, no root, one worker on a CPU that the process has.
pub(crate) fn eal_args() -> EalArgs {
    let megabytes = 192;
    EalArgs::new("sluice-dpdk-test").workers(&[first_cpu()]).memory(Memory::NoHuge { megabytes })
}

/// The first CPU that the process may use.
pub(crate) fn first_cpu() -> usize {
    let mine = sched_getaffinity(Pid::from_raw(0)).expect("own affinity");
    (0..CpuSet::count()).find(|&cpu| mine.is_set(cpu) == Ok(true)).expect("a running process has a CPU")
}

impl Lab {
    pub(crate) fn new() -> Self {
        let eal = Eal::init(&eal_args()).unwrap_or_else(|error| panic!("{error}"));
        let pool =
            Mempool::new(&eal, &MempoolConfig::new("lab", 8191)).unwrap_or_else(|error| panic!("{error}"));
        Self { eal, pool }
    }

    /// A packet of these bytes.
    pub(crate) fn packet(&self, bytes: &[u8]) -> Mbuf {
        let mut mbuf = self.pool.alloc().expect("the pool has mbufs");
        assert!(mbuf.extend_from_slice(bytes));
        mbuf
    }
}

/// Runs the cases whose names contain the first argument, if there is one, and reports.
#[allow(clippy::print_stdout, reason = "a test program's report")]
pub(crate) fn run(lab: &Lab, cases: &[Case]) -> ExitCode {
    let filter = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases.iter().filter(|(name, _)| name.contains(&filter)) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            case(lab);
            assert_eq!(lab.pool.in_use(), 0, "mbufs not given back");
        }));
        match outcome {
            Ok(()) => passed += 1,
            Err(_) => failed += 1,
        }
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
    }
    println!("\n{passed} passed, {failed} failed");
    // A filter that matches nothing is no success.
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
