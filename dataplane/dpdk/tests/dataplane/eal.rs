//! The EAL and its lcores; what takes a process of its own runs in a child.
use std::ffi::OsStr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::sched::sched_getaffinity;
use nix::unistd::Pid;
use sluice_dpdk::{
    Eal, Error, LcoreId, Memory, Mempool, MempoolConfig, Port, PortConfig, RegisteredThread, clock,
};

use crate::support::{Case, Lab, eal_args, first_cpu};

/// Names the scenario for a child process.
pub(crate) const CHILD: &str = "SLUICE_DPDK_TEST_CHILD";

pub(crate) const CASES: &[Case] = &[
    ("eal::calling_thread_keeps_its_cpus", calling_thread_keeps_its_cpus),
    ("eal::clock_runs_at_its_rate", clock_runs_at_its_rate),
    ("eal::missing_interface_at_start_is_named", missing_interface_at_start_is_named),
    ("eal::bad_argument_is_quoted", bad_argument_is_quoted),
    ("eal::handles_in_any_order", handles_in_any_order),
    ("lcore::jobs_run_one_at_a_time", jobs_run_one_at_a_time),
    ("lcore::panic_reaches_the_one_who_joins", panic_reaches_the_one_who_joins),
    ("lcore::registered_thread_is_a_lcore", registered_thread_is_a_lcore),
];

fn calling_thread_keeps_its_cpus(_: &Lab) {
    // The process was started with all its CPUs; the EAL alone would have left one lcore's.
    let mine = sched_getaffinity(Pid::from_raw(0)).expect("own affinity");
    let fresh = Command::new("nproc").env_remove("OMP_NUM_THREADS").output().expect("nproc runs");
    let cpus = (0..1024).filter(|&cpu| mine.is_set(cpu).unwrap_or(false)).count();
    assert_eq!(String::from_utf8_lossy(&fresh.stdout).trim(), cpus.to_string());
    assert_eq!(LcoreId::current(), Some(LcoreId(0)));
}

fn clock_runs_at_its_rate(_: &Lab) {
    let agree = |_| {
        let (wall, ticks) = (Instant::now(), clock::tsc());
        std::thread::sleep(Duration::from_millis(20));
        let (ticks, wall) = (clock::tsc() - ticks, wall.elapsed());
        clock::to_duration(ticks, clock::tsc_hz()).abs_diff(wall) < wall / 50
    };
    // On a busy machine the two clocks may be read some time apart.
    assert!((0..10).any(agree), "the TSC and the kernel's clock disagree, at {} Hz", clock::tsc_hz());
}

fn jobs_run_one_at_a_time(lab: &Lab) {
    let worker = &lab.eal.workers()[0];
    assert_eq!((worker.id(), worker.cpu()), (LcoreId(1), first_cpu()));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut job = worker.launch(move || wait.recv().map(|()| LcoreId::current())).expect("idle");
    assert!(!job.is_finished());
    assert_eq!(worker.launch(|| ()).expect_err("busy"), Error::LcoreBusy { lcore: 1 });
    go.send(()).expect("the job waits");
    assert_eq!(job.join(), Ok(Some(LcoreId(1))));
    for round in 0..1000 {
        assert_eq!(worker.launch(move || round + 1).expect("joined means idle").join(), round + 1);
    }
    drop(worker.launch(|| std::thread::sleep(Duration::from_millis(5))).expect("idle"));
    assert_eq!(worker.launch(|| 7).expect("a dropped handle has waited").join(), 7);
}

fn panic_reaches_the_one_who_joins(lab: &Lab) {
    let worker = &lab.eal.workers()[0];
    let job = worker.launch(|| std::panic::resume_unwind(Box::new("lost"))).expect("idle");
    let join = std::panic::AssertUnwindSafe(|| -> () { job.join() });
    let panic = std::panic::catch_unwind(join).expect_err("the job panicked");
    assert_eq!(panic.downcast_ref(), Some(&"lost"));
    assert_eq!(worker.launch(|| 1).expect("the lcore lives on").join(), 1);
}

fn registered_thread_is_a_lcore(lab: &Lab) {
    let (eal, pool) = (lab.eal.clone(), lab.pool.clone());
    let thread = std::thread::spawn(move || {
        assert_eq!(LcoreId::current(), None);
        let registered = RegisteredThread::register(&eal).expect("lcore numbers are left");
        assert_eq!(LcoreId::current(), Some(registered.id()));
        assert!(registered.id() > LcoreId(1));
        let again = RegisteredThread::register(&eal).expect_err("once is enough");
        assert!(matches!(again, Error::Register { errno: nix::errno::Errno::EEXIST, .. }));
        drop(pool.alloc().expect("an mbuf, by way of the thread's own cache"));
        drop(registered);
        assert_eq!(LcoreId::current(), None);
    });
    thread.join().expect("no panic");
}

/// Runs this program again with a scenario of its own and returns what it wrote to stderr.
fn run_child(scenario: &str, succeeds: bool) -> String {
    let program = std::env::current_exe().expect("own path");
    let output = Command::new(program).env(CHILD, scenario).output().expect("the child runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), succeeds, "{:?}: {text}", output.status);
    text
}

fn missing_interface_at_start_is_named(_: &Lab) {
    let text = run_child("missing interface", false);
    assert!(text.contains("interface `nope0` does not exist"), "{text}");
}

fn bad_argument_is_quoted(_: &Lab) {
    let text = run_child("bad argument", false);
    assert!(text.contains("the EAL did not start"), "{text}");
}

fn handles_in_any_order(_: &Lab) {
    run_child("any order", true);
}

/// The child's side.
#[allow(clippy::print_stderr, reason = "the parent reads it")]
pub(crate) fn child(scenario: &OsStr) -> ExitCode {
    let result = match scenario.to_str() {
        Some("missing interface") => Eal::init(&eal_args().vdev("net_af_packet0,iface=nope0")).map(drop),
        Some("bad argument") => Eal::init(&eal_args().extra("--iova-mode=sideways")).map(drop),
        Some("any order") => any_order(),
        other => panic!("no scenario {other:?}"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever goes first, what is left still works.
fn any_order() -> Result<(), Error> {
    let eal = Eal::init(&eal_args().memory(Memory::NoHuge { megabytes: 64 }))?;
    let pool = Mempool::new(&eal, &MempoolConfig::new("any", 1023))?;
    let mut null = Port::attach(&eal, "net_null0")?.start(&PortConfig::default(), &pool)?;
    drop(eal);
    let mut burst = sluice_dpdk::Burst::new();
    assert_eq!(null.rx[0].rx_burst(&mut burst), 32);
    drop(pool);
    assert_eq!(null.tx[0].tx_burst(&mut burst), 32);
    assert_eq!(null.rx[0].rx_burst(&mut burst), 32);
    drop(null);
    // The EAL is gone by now; the packets are not.
    burst.as_mut_slice().iter_mut().for_each(|mbuf| assert!(mbuf.append(4).is_some()));
    drop(burst);
    Ok(())
}
