//! Schedulers: which real a new connection goes to. One file each; the state is one lcore's and one service's.
mod least;
mod rr;
mod wrr;

use crate::config::{Real, SchedulerKind};
use crate::real::{RealCounts, RealTable};

/// A scheduler at work for one service on one lcore.
///
/// Reals are walked in list order, the last added first; of equals the first wins, as in the kernel.
#[derive(Clone, Debug)]
pub(crate) enum Scheduler {
    Rr(rr::RoundRobin),
    Wrr(wrr::WeightedRoundRobin),
    Lc,
    Wlc,
}

/// A real that a scheduler looks at: its place in the list is the scheduler's answer.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) at: usize,
    pub(crate) weight: u32,
    pub(crate) counts: &'a RealCounts,
}

/// The reals of a service with their live counts.
#[derive(Clone, Copy)]
pub(crate) struct Reals<'a> {
    pub(crate) list: &'a [Real],
    pub(crate) table: &'a RealTable,
}

impl<'a> Reals<'a> {
    fn len(self) -> usize {
        self.list.len()
    }

    fn get(self, at: usize) -> Option<Candidate<'a>> {
        let real = self.list.get(at)?;
        Some(Candidate { at, weight: real.config.weight, counts: self.table.get(real.id)? })
    }

    /// The real at `at`, if it may take a new connection.
    fn eligible(self, at: usize) -> Option<Candidate<'a>> {
        self.get(at).filter(|real| real.weight > 0 && !real.counts.overloaded())
    }

    fn all_eligible(self) -> impl Iterator<Item = Candidate<'a>> {
        (0..self.len()).filter_map(move |at| self.eligible(at))
    }
}

impl Scheduler {
    /// A scheduler bound to a service that has the reals of `list`.
    pub(crate) fn bind(kind: SchedulerKind, list: &[Real]) -> Self {
        match kind {
            SchedulerKind::Rr => Self::Rr(rr::RoundRobin::default()),
            SchedulerKind::Wrr => Self::Wrr(wrr::WeightedRoundRobin::bind(list)),
            SchedulerKind::Lc => Self::Lc,
            SchedulerKind::Wlc => Self::Wlc,
        }
    }

    /// The list of reals has changed.
    pub(crate) fn update(&mut self, old: &[Real], new: &[Real]) {
        match self {
            Self::Rr(state) => state.update(old, new),
            Self::Wrr(state) => state.update(old, new),
            Self::Lc | Self::Wlc => {}
        }
    }

    /// Chooses a real for a new connection: its place in the list. `None` where no real can take it.
    pub(crate) fn pick(&mut self, reals: Reals<'_>) -> Option<usize> {
        match self {
            Self::Rr(state) => state.pick(reals),
            Self::Wrr(state) => state.pick(reals),
            Self::Lc => least::pick(reals),
            Self::Wlc => least::pick_weighted(reals),
        }
    }

    /// Whether this is the scheduler of that kind.
    pub(crate) fn is(&self, kind: SchedulerKind) -> bool {
        matches!(
            (self, kind),
            (Self::Rr(_), SchedulerKind::Rr)
                | (Self::Wrr(_), SchedulerKind::Wrr)
                | (Self::Lc, SchedulerKind::Lc)
                | (Self::Wlc, SchedulerKind::Wlc)
        )
    }
}

#[cfg(test)]
mod tests;
