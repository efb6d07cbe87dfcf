//! Live connection counts of real servers, shared by all lcores, and the threshold rule that follows them.
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A real server's slot in the shared tables; free for another real only when no flow refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RealId(pub u32);

/// What lc, wlc, lblc, lblcr and twos take for the load of a real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overhead {
    /// 256 for each active flow and 1 for each flow, active ones included: kernels since 6.12.104.
    #[default]
    Current,
    /// 256 for each active flow and 1 for each other: older kernels.
    Classic,
}

/// The connection counts of one real. Written when a flow is made, ends or changes between active and inactive,
/// never per packet. All accesses are relaxed: each count stands for itself, nothing is published through it.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct RealCounts {
    active: AtomicU32,
    total: AtomicU32,
    persistent: AtomicU32,
    upper: AtomicU32,
    lower: AtomicU32,
    overloaded: AtomicBool,
    overhead: Overhead,
}

impl RealCounts {
    /// Flows in an active state (TCP: ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK; UDP: none).
    #[inline]
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// All flows.
    #[inline]
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total.load(Relaxed)
    }

    /// Flows that are not active: derived, as in kernels since 6.12.104.
    #[must_use]
    pub fn inactive(&self) -> u32 {
        self.total().saturating_sub(self.active())
    }

    /// Persistence templates that name it.
    #[must_use]
    pub fn persistent(&self) -> u32 {
        self.persistent.load(Relaxed)
    }

    /// Whether a flow or a template is bound to it.
    pub(crate) fn in_use(&self) -> bool {
        self.total() > 0 || self.persistent() > 0
    }

    /// Whether its upper threshold was reached and the lower one not yet undercut.
    #[inline]
    #[must_use]
    pub fn overloaded(&self) -> bool {
        self.overloaded.load(Relaxed)
    }

    /// The load that lc and wlc compare, by [`Overhead`] (ip_vs_dest_conn_overhead).
    #[inline]
    #[must_use]
    pub fn overhead(&self) -> u64 {
        let others = match self.overhead {
            Overhead::Current => self.total(),
            Overhead::Classic => self.inactive(),
        };
        (u64::from(self.active()) << 8) + u64::from(others)
    }

    /// A flow was bound to the real.
    pub(crate) fn bind(&self) {
        let total = self.total.fetch_add(1, Relaxed).wrapping_add(1);
        let upper = self.upper.load(Relaxed);
        if upper != 0 && total >= upper {
            self.overloaded.store(true, Relaxed);
        }
    }

    /// A flow of the real has ended.
    pub(crate) fn unbind(&self, was_active: bool) {
        if was_active {
            self.active.fetch_sub(1, Relaxed);
        }
        let total = self.total.fetch_sub(1, Relaxed).wrapping_sub(1);
        if self.overloaded() && total < self.low_water() {
            self.overloaded.store(false, Relaxed);
        }
    }

    /// A flow of the real has become active.
    pub(crate) fn activate(&self) {
        self.active.fetch_add(1, Relaxed);
    }

    /// A flow of the real is active no more.
    pub(crate) fn deactivate(&self) {
        self.active.fetch_sub(1, Relaxed);
    }

    /// A template names the real. Templates count for nothing else (reference 3.3).
    pub(crate) fn bind_template(&self) {
        self.persistent.fetch_add(1, Relaxed);
    }

    /// A template of the real is gone.
    pub(crate) fn unbind_template(&self) {
        self.persistent.fetch_sub(1, Relaxed);
    }

    /// Sets the thresholds; the overload state is evaluated anew, between the two marks it stays (reference 3.3).
    pub(crate) fn set_thresholds(&self, upper: u32, lower: u32) {
        let (old_upper, old_lower) = (self.upper.swap(upper, Relaxed), self.lower.swap(lower, Relaxed));
        if (old_upper, old_lower) == (upper, lower) {
            return;
        }
        if upper != 0 && self.total() >= upper {
            self.overloaded.store(true, Relaxed);
        } else if upper == 0 || self.total() < self.low_water() {
            self.overloaded.store(false, Relaxed);
        }
    }

    fn low_water(&self) -> u32 {
        let upper = self.upper.load(Relaxed);
        match self.lower.load(Relaxed) {
            0 => upper - upper / 4,
            lower => lower,
        }
    }
}

/// The counts of every real, by [`RealId`]; of fixed size, shared by control and lcores.
#[derive(Debug)]
pub struct RealTable {
    counts: Box<[RealCounts]>,
}

impl RealTable {
    /// A table for `capacity` reals, those that still drain counted.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_overhead(capacity, Overhead::default())
    }

    /// The same, whose reals count their load so.
    #[must_use]
    pub fn with_overhead(capacity: usize, overhead: Overhead) -> Self {
        let counts = || RealCounts { overhead, ..RealCounts::default() };
        Self { counts: (0..capacity).map(|_| counts()).collect() }
    }

    /// How many reals it has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.counts.len()
    }

    /// The counts of `id`; `None` for an id beyond the table.
    #[inline]
    #[must_use]
    pub fn get(&self, id: RealId) -> Option<&RealCounts> {
        self.counts.get(id.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::RealCounts;

    fn with(upper: u32, lower: u32, flows: u32) -> RealCounts {
        let counts = RealCounts::default();
        counts.set_thresholds(upper, lower);
        for _ in 0..flows {
            counts.bind();
        }
        counts
    }

    #[test]
    fn overload_clears_under_three_quarters_of_the_upper_threshold() {
        let counts = with(4, 0, 4);
        assert!(counts.overloaded());
        counts.unbind(false);
        assert!(counts.overloaded(), "3 is not under 4 - 4/4");
        counts.unbind(false);
        assert!(!counts.overloaded());
    }

    #[test]
    fn edits_evaluate_overload_anew() {
        let counts = with(2, 0, 2);
        counts.set_thresholds(3, 0);
        assert!(!counts.overloaded(), "2 is under 3 - 3/4");
        counts.set_thresholds(0, 0);
        assert!(!counts.overloaded());
        counts.set_thresholds(2, 0);
        assert!(counts.overloaded());
        counts.set_thresholds(100, 1);
        assert!(counts.overloaded(), "between the marks it stays");
    }

    #[test]
    fn overhead_weighs_an_active_flow_257() {
        let counts = with(0, 0, 2);
        counts.activate();
        assert_eq!((counts.active(), counts.inactive(), counts.overhead()), (1, 1, 258));
    }
}
