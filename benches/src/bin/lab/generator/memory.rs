//! The memory that this process has in use.
use std::fs;

use anyhow::{Context, Result};

/// Bytes resident now, transparent huge pages included.
pub(crate) fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.context("no VmRSS in /proc/self/status")? << 10)
}
