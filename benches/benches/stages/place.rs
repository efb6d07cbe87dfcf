//! Where the benches run: which CPU, which pages.
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// What has glibc's malloc ask for transparent huge pages.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
/// Counts the starts of this program.
const STARTS: &str = "SLUICE_STAGES_STARTS";
const MAX_STARTS: u32 = 20;

/// Sees to it that large tables lie on huge pages: a process whose malloc does not ask for them is started anew.
///
/// More than one new start may be needed. glibc 2.36 reads the kernel's setting into a string that it does not end, so
/// that it depends on what was on the stack whether it heeds the tunable.
pub(crate) fn on_huge_pages() {
    let starts = std::env::var(STARTS).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if starts == MAX_STARTS || has_huge_pages() {
        return;
    }
    let program = std::env::current_exe().expect("a path to this program");
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).env(TUNABLES.0, TUNABLES.1).env(STARTS, (starts + 1).to_string());
    panic!("cannot start anew: {}", again.exec());
}

/// Whether a large table, once written to, lies on huge pages.
pub(crate) fn has_huge_pages() -> bool {
    let table = black_box(vec![1u8; 8 << 20]);
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    drop(table);
    let line = rollup.lines().find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.is_some_and(|kilobytes| kilobytes >= 4 << 10)
}

/// Keeps the thread on the last CPU it may use (the first is the busiest of most machines) and returns its number.
pub(crate) fn on_the_last_cpu() -> usize {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).expect("this thread's CPUs");
    let last = (0..CpuSet::count()).rev().find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let cpu = last.expect("a CPU to run on");
    let mut one = CpuSet::new();
    one.set(cpu).expect("a number of a CPU");
    sched_setaffinity(this, &one).expect("to stay on a CPU that is allowed");
    cpu
}
