//! Waiting for a condition with a deadline; the labs never just sleep and hope.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to wait for what should happen at once, on a machine that is busy with other things.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks `probe` every 10 ms until it answers `Some`.
///
/// # Errors
/// `limit` passes first (`what` says what did not happen), or the probe itself fails.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {limit:?} in vain: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
