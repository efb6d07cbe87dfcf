//! A worker's sign of life: loops done, cycles spent. Written by the worker, read by watchdog and status.

use sluice_core::Counter;

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
}

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
}
