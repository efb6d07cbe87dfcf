//! The connection counts of reals, as this lcore changes them.
use super::Lcore;
use super::load::ServiceState;
use crate::flow::Flow;
use crate::real::{RealCounts, RealId, RealTable};
use crate::stats::{LcoreStats, RealLine};

impl Lcore {
    /// Changes the counts of a real.
    #[inline]
    pub(super) fn count(&mut self, real: RealId, change: impl FnOnce(&RealCounts)) {
        count(&self.stats, &self.table, &mut self.services, real, change);
    }

    /// This lcore has changed the counts of a real: the scheduler may keep its load.
    #[inline]
    pub(super) fn counted(&mut self, real: RealId) {
        count(&self.stats, &self.table, &mut self.services, real, |_| ());
    }
}

/// A flow has ended.
#[inline]
pub(super) fn unbind(stats: &LcoreStats, table: &RealTable, services: &mut [ServiceState], flow: &Flow) {
    count(stats, table, services, flow.real, |counts| counts.unbind(!flow.is_inactive()));
}

/// Changes the counts of a real and tells its scheduler, where that keeps loads.
#[inline]
fn count(
    stats: &LcoreStats,
    table: &RealTable,
    services: &mut [ServiceState],
    real: RealId,
    change: impl FnOnce(&RealCounts),
) {
    let Some(counts) = table.get(real) else { return };
    change(counts);
    if let Some((service, at)) = stats.real(real).and_then(RealLine::place)
        && let Some(scheduler) = services.get_mut(service).and_then(|state| state.scheduler.as_mut())
    {
        scheduler.counted(at, counts);
    }
}
