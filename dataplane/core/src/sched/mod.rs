//! Schedulers: which real a new connection goes to. One file each; the state is one lcore's and one service's.
//!
//! rr and wrr keep a place in their sequence of choices. The first lcore begins where the kernel does, the others evenly
//! spread over the sequence, so that lcores that have each chosen once or twice have not all chosen the same real.
//! However choices fall to the lcores, a real is off its share of them by no more than its weight for each lcore, and
//! where all lcores have chosen equally often, by no more than its weight (in units of what all weights share: 1 for rr).
mod destinations;
mod dh;
mod fo;
mod hash;
mod lblc;
mod lblcr;
mod least;
pub(crate) mod mh;
mod ovf;
mod rr;
mod sh;
mod shared;
mod tournament;
mod twos;
mod walk;
mod wrr;

use std::net::IpAddr;

use crate::config::{Real, SchedulerKind};
use crate::real::{RealCounts, RealTable};
use crate::time::Jiffies;

pub(crate) use shared::Shared;

/// A scheduler at work for one service on one lcore.
///
/// Reals are walked in list order, the last added first; of equals the first wins, as in the kernel.
#[derive(Clone, Debug)]
pub(crate) enum Scheduler {
    Rr(rr::RoundRobin),
    Wrr(wrr::WeightedRoundRobin),
    Lc(least::LeastLoad),
    Wlc(least::LeastLoad),
    Sed(least::LeastLoad),
    Nq(least::LeastLoad),
    Fo,
    Ovf,
    Dh(dh::DestinationHash),
    Sh(sh::SourceHash),
    Mh,
    Lblc,
    Lblcr,
    Twos,
    None,
}

/// Which lcore of how many a scheduler works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) lcore: u16,
    pub(crate) lcores: u16,
}

impl Share {
    /// Where in a sequence of that length, under 2^47, this lcore begins.
    fn start(self, length: u64) -> u64 {
        length * u64::from(self.lcore) / u64::from(self.lcores.max(1))
    }
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
    /// What the lcores share of the service's scheduler.
    pub(crate) shared: &'a Shared,
}

/// What a scheduler may go by, of the packet that asks for a connection and of its service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) destination: IpAddr,
    /// The service's scheduler flags, as they are now.
    pub(crate) flags: u8,
    pub(crate) random: u64,
    pub(crate) now: Jiffies,
    /// In seconds.
    pub(crate) lblcr_expiration: u32,
}

impl Request {
    /// sh and mh: flag-1, another real is looked for where the client's own cannot take it (`sh-fallback`).
    const FALLBACK: u8 = 1;
    /// sh and mh: flag-2, the source port is hashed too (`sh-port`).
    const PORT: u8 = 2;

    fn falls_back(&self) -> bool {
        self.flags & Self::FALLBACK != 0
    }

    fn hashed_port(&self) -> u16 {
        if self.flags & Self::PORT != 0 { self.source_port } else { 0 }
    }
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
    pub(crate) fn bind(kind: SchedulerKind, list: &[Real], share: Share) -> Self {
        match kind {
            SchedulerKind::Rr => Self::Rr(rr::RoundRobin::new(share)),
            SchedulerKind::Wrr => Self::Wrr(wrr::WeightedRoundRobin::bind(list, share)),
            SchedulerKind::Lc => Self::Lc(least::LeastLoad::new(least::Rule::Lc)),
            SchedulerKind::Wlc => Self::Wlc(least::LeastLoad::new(least::Rule::Wlc)),
            SchedulerKind::Sed => Self::Sed(least::LeastLoad::new(least::Rule::Sed)),
            SchedulerKind::Nq => Self::Nq(least::LeastLoad::new(least::Rule::Nq)),
            SchedulerKind::Fo => Self::Fo,
            SchedulerKind::Ovf => Self::Ovf,
            SchedulerKind::Dh => Self::Dh(dh::DestinationHash::fill(list)),
            SchedulerKind::Sh => Self::Sh(sh::SourceHash::fill(list)),
            SchedulerKind::Mh => Self::Mh,
            SchedulerKind::Lblc => Self::Lblc,
            SchedulerKind::Lblcr => Self::Lblcr,
            SchedulerKind::Twos => Self::Twos,
            SchedulerKind::None => Self::None,
        }
    }

    /// The list of reals has changed.
    pub(crate) fn update(&mut self, old: &[Real], new: &[Real]) {
        match self {
            Self::Rr(state) => state.update(old, new),
            Self::Wrr(state) => state.update(old, new),
            Self::Dh(state) => *state = dh::DestinationHash::fill(new),
            Self::Sh(state) => *state = sh::SourceHash::fill(new),
            Self::Lc(_) | Self::Wlc(_) | Self::Sed(_) | Self::Nq(_) | Self::Fo | Self::Ovf => {}
            Self::Mh | Self::Lblc | Self::Lblcr | Self::Twos | Self::None => {}
        }
    }

    /// Takes the counts of all reals as they are now: the list was bound or updated.
    pub(crate) fn count_all(&mut self, reals: Reals<'_>) {
        if let Self::Lc(state) | Self::Wlc(state) | Self::Sed(state) | Self::Nq(state) = self {
            state.count_all(reals);
        }
    }

    /// Whether it wants to know of every change of a real's counts.
    pub(crate) fn keeps_loads(&self) -> bool {
        match self {
            Self::Lc(state) | Self::Wlc(state) | Self::Sed(state) | Self::Nq(state) => state.keeps_loads(),
            _ => false,
        }
    }

    /// This lcore has changed the counts of the real at `at`.
    #[inline]
    pub(crate) fn counted(&mut self, at: usize, counts: &RealCounts) {
        if let Self::Lc(state) | Self::Wlc(state) | Self::Sed(state) | Self::Nq(state) = self {
            state.counted(at, counts);
        }
    }

    /// Chooses a real for a new connection: its place in the list. `None` where no real can take it.
    pub(crate) fn pick(&mut self, reals: Reals<'_>, request: &Request) -> Option<usize> {
        match self {
            Self::Rr(state) => state.pick(reals),
            Self::Wrr(state) => state.pick(reals),
            Self::Lc(state) | Self::Wlc(state) | Self::Sed(state) | Self::Nq(state) => {
                state.pick(reals, request.now)
            }
            Self::Fo => fo::pick(reals),
            Self::Ovf => ovf::pick(reals),
            Self::Dh(state) => state.pick(reals, request),
            Self::Sh(state) => state.pick(reals, request),
            Self::Mh => mh::pick(reals, request),
            Self::Lblc => lblc::pick(reals, request),
            Self::Lblcr => lblcr::pick(reals, request),
            Self::Twos => twos::pick(reals, request.random),
            Self::None => None,
        }
    }

    /// Whether this is the scheduler of that kind.
    pub(crate) fn is(&self, kind: SchedulerKind) -> bool {
        self.kind() == kind
    }

    fn kind(&self) -> SchedulerKind {
        match self {
            Self::Rr(_) => SchedulerKind::Rr,
            Self::Wrr(_) => SchedulerKind::Wrr,
            Self::Lc(_) => SchedulerKind::Lc,
            Self::Wlc(_) => SchedulerKind::Wlc,
            Self::Sed(_) => SchedulerKind::Sed,
            Self::Nq(_) => SchedulerKind::Nq,
            Self::Fo => SchedulerKind::Fo,
            Self::Ovf => SchedulerKind::Ovf,
            Self::Dh(_) => SchedulerKind::Dh,
            Self::Sh(_) => SchedulerKind::Sh,
            Self::Mh => SchedulerKind::Mh,
            Self::Lblc => SchedulerKind::Lblc,
            Self::Lblcr => SchedulerKind::Lblcr,
            Self::Twos => SchedulerKind::Twos,
            Self::None => SchedulerKind::None,
        }
    }
}

#[cfg(test)]
mod tests;
