//! Time in cycles of the time stamp counter, and what one of them is worth.
use std::time::{Duration, Instant};

use sluice_dpdk::clock;

/// The time stamp counter now.
#[inline]
#[must_use]
pub fn now() -> u64 {
    clock::tsc()
}

/// Ticks of the counter in a second, measured against the system's clock over 50 ms: right to about 1 in 10,000. (The
/// EAL measures it too, but only for a process that starts one.)
#[must_use]
pub fn per_second() -> f64 {
    let (start, begun) = (now(), Instant::now());
    std::thread::sleep(Duration::from_millis(50));
    let (end, elapsed) = (now(), begun.elapsed());
    (end - start) as f64 / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counter_runs_at_a_cpu_s_pace() {
        let hz = super::per_second();
        assert!((5e8..1e10).contains(&hz), "{hz} ticks a second");
    }
}
