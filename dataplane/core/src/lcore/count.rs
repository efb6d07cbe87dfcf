//! The connection counts of reals, as this lcore changes them.
use super::Lcore;
use crate::flow::Flow;
use crate::real::{RealCounts, RealId};
use crate::stats::RealLine;

impl Lcore {
    /// Changes the counts of a real.
    #[inline]
    pub(super) fn count(&mut self, real: RealId, change: impl FnOnce(&RealCounts)) {
        if let Some(counts) = self.table.get(real) {
            change(counts);
            self.counted(real);
        }
    }

    /// This lcore has changed the counts of a real: the scheduler may keep its load.
    #[inline]
    pub(super) fn counted(&mut self, real: RealId) {
        let Some((service, at)) = self.stats.real(real).and_then(RealLine::place) else { return };
        let state = self.services.get_mut(service);
        if let (Some(state), Some(counts)) = (state, self.table.get(real))
            && let Some(scheduler) = &mut state.scheduler
        {
            scheduler.counted(at, counts);
        }
    }

    /// A flow has ended.
    pub(super) fn unbind(&mut self, flow: &Flow) {
        self.count(flow.real, |counts| counts.unbind(!flow.is_inactive()));
    }
}
