//! The CPU time that a program's forwarding thread has had, as the scheduler counts it.
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// What DPDK calls its worker threads: up to 22.11, and since 23.11.
const NAMES: [&str; 2] = ["rte-worker-", "dpdk-worker"];

/// The CPU time so far of the one worker thread of process `pid`.
///
/// A poll-mode thread is always busy: where it had less time than went by, something else ran on its CPU.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    for task in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let path = task.context("a thread")?.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        if NAMES.iter().any(|known| name.starts_with(known)) {
            let text = fs::read_to_string(path.join("schedstat")).context("cannot read schedstat")?;
            let nanos = text.split_whitespace().next().and_then(|word| word.parse().ok());
            return Ok(Duration::from_nanos(nanos.context("no number in schedstat")?));
        }
    }
    anyhow::bail!("process {pid} has no worker lcore")
}
