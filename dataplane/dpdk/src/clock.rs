//! The CPU's time stamp counter, the packet path's clock.
use std::time::Duration;

use dpdk_sys as sys;

/// The time stamp counter now. Cheap and the same on all CPUs of a machine with an invariant counter.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: reads a register.
    unsafe { sys::sluice_tsc() }
}

/// Ticks of [`tsc`] in a second. Measured when the EAL starts; 0 before.
pub fn tsc_hz() -> u64 {
    // SAFETY: reads a variable that is written once, when the EAL starts.
    unsafe { sys::rte_get_tsc_hz() }
}

/// The ticks that a time takes at `hz`; saturates after centuries.
pub fn to_ticks(time: Duration, hz: u64) -> u64 {
    let ticks = time.as_nanos().saturating_mul(u128::from(hz)) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The time that ticks take at `hz`; zero where `hz` is 0.
pub fn to_duration(ticks: u64, hz: u64) -> Duration {
    let nanos = (u128::from(ticks) * 1_000_000_000).checked_div(u128::from(hz)).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Tells the CPU that the caller polls, which saves power and lets a sibling thread run.
#[inline]
pub fn pause() {
    std::hint::spin_loop();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_times_convert_both_ways() {
        let hz = 2_596_140_000;
        for millis in [0, 1, 999, 86_400_000] {
            let time = Duration::from_millis(millis);
            let back = to_duration(to_ticks(time, hz), hz);
            assert!(time.abs_diff(back) <= Duration::from_nanos(1), "{time:?} came back as {back:?}");
        }
        assert_eq!(to_ticks(Duration::MAX, u64::MAX), u64::MAX);
        assert_eq!(to_duration(5, 0), Duration::ZERO);
    }

    #[test]
    fn the_counter_counts() {
        let before = tsc();
        std::thread::sleep(Duration::from_millis(1));
        assert!(tsc() > before);
    }
}
