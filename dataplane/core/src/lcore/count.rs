//! The connection counts of reals, as this lcore changes them.
use super::Lcore;
use super::load::ServiceState;
use crate::family::Family;
use crate::flow::Flow;
use crate::persist::{End, Templates};
use crate::real::{RealCounts, RealId, RealTable};
use crate::stats::{LcoreStats, line};
use crate::time::Jiffies;

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

/// What the end of a flow reaches outside its table.
pub(super) struct Bonds<'a> {
    pub(super) stats: &'a LcoreStats,
    pub(super) table: &'a RealTable,
    pub(super) services: &'a mut [ServiceState],
    pub(super) templates: &'a Templates,
}

impl Bonds<'_> {
    /// A flow has ended.
    #[inline]
    pub(super) fn unbind<F: Family>(&mut self, flow: &Flow<F>, how: End, at: Jiffies) {
        count(self.stats, self.table, self.services, flow.real, |counts| counts.unbind(!flow.is_inactive()));
        if let Some(template) = flow.wheel.template {
            self.templates.release(template, how, at);
        }
    }
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
    if let Some(line) = stats.real(real).filter(|line| line.flags() & line::LOADED != 0)
        && let Some((service, at)) = line.place()
        && let Some(scheduler) = services.get_mut(service).and_then(|state| state.scheduler.as_mut())
    {
        scheduler.counted(at, counts);
    }
}
