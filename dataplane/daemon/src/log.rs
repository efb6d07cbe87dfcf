//! Logging to stderr, DPDK's messages included.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice_dpdk::LogLevel;
use tracing_subscriber::EnvFilter;

/// Starts logging what `filter` lets through.
///
/// # Errors
/// A filter that is not understood, as one line.
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("log level `{filter}` is not understood: {error}"))?;
    // Only the first start of a process counts; a second, in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    Ok(())
}

static RUNNING: AtomicBool = AtomicBool::new(false);

/// The start is over.
pub(crate) fn running() {
    RUNNING.store(true, Ordering::Relaxed);
}

/// DPDK's messages, as the daemon's own. During the start they are for debugging only: what fails then is told by the
/// error of the call that failed, and drivers complain of much that does not matter.
pub(crate) fn dpdk(level: LogLevel, message: &str) {
    match level {
        _ if !RUNNING.load(Ordering::Relaxed) => tracing::debug!(target: "dpdk", "{message}"),
        LogLevel::Emergency | LogLevel::Alert | LogLevel::Critical => {
            tracing::error!(target: "dpdk", "{message}")
        }
        LogLevel::Error | LogLevel::Warning => tracing::warn!(target: "dpdk", "{message}"),
        _ => tracing::debug!(target: "dpdk", "{message}"),
    }
}
