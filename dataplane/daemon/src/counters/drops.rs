//! Dropped packets by reason, summed over lcores and the slow thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sluice_core::{DropReason, LcoreStats};

/// Drop counters of the slow thread: several readers, any writer.
#[derive(Debug)]
pub struct SharedDrops([AtomicU64; DropReason::COUNT]);

impl Default for SharedDrops {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl SharedDrops {
    /// Counts `n` dropped packets.
    pub fn add(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(n, Relaxed);
        }
    }

    /// How many packets were dropped for `reason`.
    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).map_or(0, |counter| counter.load(Relaxed))
    }
}

/// Every reason's name with its count, those never met included.
#[must_use]
pub fn drops(lcores: &[Arc<LcoreStats>], slow: &SharedDrops) -> BTreeMap<String, u64> {
    let sum = |reason| lcores.iter().map(|lcore| lcore.dropped(reason)).sum::<u64>() + slow.get(reason);
    DropReason::ALL.iter().map(|reason| (reason.name().to_owned(), sum(*reason))).collect()
}
