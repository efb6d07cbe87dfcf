//! A worker's sign of life and where its cycles go. Written by the worker, read by watchdog and status.

use sluice_core::{BURST, Counter};

/// Counters of the loop itself.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Pulse {
    /// Loops done. Standing still, the worker is stuck.
    pub loops: Counter,
    /// TSC cycles of loops that found something to do.
    pub busy: Counter,
    /// TSC cycles of all loops.
    pub cycles: Counter,
    /// Bursts processed, by size: of 1, 2, 3-4, 5-8, 9-16, 17-31 and 32 packets.
    pub sizes: [Counter; SIZES],
}

/// Classes of burst sizes.
pub const SIZES: usize = 7;

// A full burst has a class of its own: it says that the worker is behind.
const _: () = assert!(BURST == 32 && size_class(BURST as u32) == SIZES - 1);

impl Pulse {
    /// Counts a loop that took `cycles`.
    #[inline]
    pub(super) fn count(&self, cycles: u64, worked: bool) {
        self.loops.add(1);
        self.cycles.add(cycles);
        if worked {
            self.busy.add(cycles);
        }
    }

    /// Counts a burst of `packets`.
    #[inline]
    pub(super) fn count_burst(&self, packets: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "a burst has at most 32 packets")]
        if let Some(class) = self.sizes.get(size_class(packets as u32)) {
            class.add(1);
        }
    }
}

/// The class of a burst: the binary logarithm rounded up, and one more for a full burst. No branch, no table.
#[inline(always)]
const fn size_class(packets: u32) -> usize {
    (u32::BITS - packets.saturating_sub(1).leading_zeros() + packets / 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_its_class() {
        let pulse = Pulse::default();
        (1..=BURST).for_each(|packets| pulse.count_burst(packets));
        let bursts: Vec<u64> = pulse.sizes.iter().map(Counter::get).collect();
        assert_eq!(bursts, [1, 1, 2, 4, 8, 15, 1], "1, 2, 3-4, 5-8, 9-16, 17-31, 32");
    }

    #[test]
    fn only_loops_that_worked_are_busy() {
        let pulse = Pulse::default();
        pulse.count(100, true);
        pulse.count(900, false);
        assert_eq!((pulse.loops.get(), pulse.busy.get(), pulse.cycles.get()), (2, 100, 1000));
    }
}
