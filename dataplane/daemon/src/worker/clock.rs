//! Jiffies from the time stamp counter, the same on all threads.

use sluice_core::Jiffies;
use sluice_dpdk::clock::{tsc, tsc_hz};

/// A clock; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: u64,
    per_jiffy: u64,
    next: u64,
    now: Jiffies,
}

impl Clock {
    /// A clock that starts now. The EAL must run.
    #[must_use]
    pub fn new() -> Self {
        Self::with(tsc(), tsc_hz())
    }

    fn with(start: u64, hz: u64) -> Self {
        let per_jiffy = (hz / u64::from(Jiffies::HZ)).max(1);
        Self { start, per_jiffy, next: start.wrapping_add(per_jiffy), now: Jiffies(0) }
    }

    /// The time at a reading of the counter that is not before the last. Divides once a jiffy only.
    #[inline]
    pub fn at(&mut self, tsc: u64) -> Jiffies {
        if tsc >= self.next {
            let jiffies = tsc.wrapping_sub(self.start) / self.per_jiffy;
            self.next = self.start.wrapping_add((jiffies + 1).wrapping_mul(self.per_jiffy));
            #[expect(clippy::cast_possible_truncation, reason = "jiffies wrap")]
            let low = jiffies as u32;
            self.now = Jiffies(low);
        }
        self.now
    }

    /// The time now.
    pub fn now(&mut self) -> Jiffies {
        self.at(tsc())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jiffy_is_four_milliseconds() {
        let mut clock = Clock::with(1_000, 250_000);
        assert_eq!(clock.at(1_999), Jiffies(0));
        assert_eq!(clock.at(2_000), Jiffies(1));
        assert_eq!(clock.at(2_999), Jiffies(1));
        assert_eq!(clock.at(1_000 + 250_000), Jiffies(250));
        assert_eq!(clock.at(1_000 + 250_000 + 1_000), Jiffies(251));
    }
}
