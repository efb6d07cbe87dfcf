//! Counters of one lcore: written by it alone, read by the control side.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::drop::DropReason;
use crate::fib::NextHopId;
use crate::flow::Direction;
use crate::real::RealId;

/// A counter with one writer: a plain load and store, no locked instruction. Readers see each value whole.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Adds `n`; for the one writer only, another's would be lost.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Sets the value; for the one writer only.
    #[inline(always)]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// What one lcore counts for one real, and what it must know of it per packet: one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct RealLine {
    /// Connections.
    pub conns: Counter,
    /// Packets from clients.
    pub in_packets: Counter,
    /// Packets from the real.
    pub out_packets: Counter,
    /// IP bytes from clients.
    pub in_bytes: Counter,
    /// IP bytes from the real.
    pub out_bytes: Counter,
    /// [`line`] flags, kept by the lcore.
    pub(crate) flags: AtomicU32,
    /// Next hop towards the real, kept by the lcore; right while `fib_version` is.
    pub(crate) hop: AtomicU32,
    /// The version of the FIB that named the hop.
    pub(crate) fib_version: AtomicU32,
    /// Slot of the service, right while `place` is not 0.
    service: AtomicU32,
    /// The real's place in the service's list, from 1; 0 where it is not available. Kept by the lcore.
    place: AtomicU32,
}

const _: () = assert!(size_of::<RealLine>() == 64);

/// Flags in a [`RealLine`].
pub(crate) mod line {
    /// The real is one of its service's.
    pub(crate) const AVAILABLE: u32 = 1;
    /// Its weight is not 0.
    pub(crate) const WEIGHTED: u32 = 2;
    /// The service's scheduler keeps its load.
    pub(crate) const LOADED: u32 = 4;
}

impl RealLine {
    #[inline(always)]
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn is_available(&self) -> bool {
        self.flags() & line::AVAILABLE != 0
    }

    pub(crate) fn set_flags(&self, flags: u32) {
        self.flags.store(flags, Relaxed);
    }

    /// The next hop, if that version of the FIB named it.
    #[inline(always)]
    pub(crate) fn hop(&self, fib_version: u32) -> Option<NextHopId> {
        (self.fib_version.load(Relaxed) == fib_version).then(|| NextHopId(self.hop.load(Relaxed)))
    }

    pub(crate) fn set_hop(&self, hop: NextHopId, fib_version: u32) {
        self.hop.store(hop.0, Relaxed);
        self.fib_version.store(fib_version, Relaxed);
    }

    /// Forgets the next hop: the slot has become another real's.
    pub(crate) fn forget_hop(&self) {
        self.fib_version.store(0, Relaxed);
        self.hop.store(u32::MAX, Relaxed);
    }

    /// The service's slot and the real's place in its list, while it is available.
    #[inline]
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        let place = self.place.load(Relaxed).checked_sub(1)?;
        Some((self.service.load(Relaxed) as usize, place as usize))
    }

    /// Sets or, with `None`, forgets the place.
    pub(crate) fn set_place(&self, place: Option<(u32, u32)>) {
        let (service, place) = place.map_or((0, 0), |(service, at)| (service, at + 1));
        self.service.store(service, Relaxed);
        self.place.store(place, Relaxed);
    }

    /// Counts one packet of `bytes` IP bytes.
    #[inline(always)]
    pub(crate) fn count(&self, direction: Direction, bytes: u16) {
        let (packets, total) = match direction {
            Direction::In => (&self.in_packets, &self.in_bytes),
            Direction::Out => (&self.out_packets, &self.out_bytes),
        };
        packets.add(1);
        total.add(u64::from(bytes));
    }
}

/// A real's counters over one or several lcores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealStats {
    /// Connections.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets from the real.
    pub out_packets: u64,
    /// IP bytes from clients.
    pub in_bytes: u64,
    /// IP bytes from the real.
    pub out_bytes: u64,
}

/// All counters of one lcore.
#[derive(Debug)]
pub struct LcoreStats {
    reals: Box<[RealLine]>,
    /// By slot of the mark rule.
    marks: Box<[Counter]>,
    drops: [Counter; DropReason::COUNT],
    /// Packets taken in.
    pub packets: Counter,
    /// Bursts that held at least one packet.
    pub bursts: Counter,
    /// Packets handed to another lcore.
    pub steered: Counter,
    /// Packets handed to the kernel.
    pub to_kernel: Counter,
    /// Flows in the table now.
    pub flows: Counter,
    /// Flows made.
    pub flows_made: Counter,
    /// Flows ended by their timer.
    pub flows_expired: Counter,
    /// Half-open flows, and UDP flows of one packet, ended because the table was full.
    pub evicted_half_open: Counter,
    /// Closing flows ended because the table was full.
    pub evicted_closing: Counter,
    /// Flows and templates that the drop_entry defence ended.
    pub dropped_entries: Counter,
    /// Persistence templates of unanswered clients freed because their table was full.
    pub evicted_templates: Counter,
}

impl LcoreStats {
    /// Counters for `reals` reals, all 0.
    #[must_use]
    pub fn new(reals: usize) -> Self {
        Self {
            reals: (0..reals).map(|_| RealLine::default()).collect(),
            marks: Box::default(),
            drops: std::array::from_fn(|_| Counter::default()),
            packets: Counter::default(),
            bursts: Counter::default(),
            steered: Counter::default(),
            to_kernel: Counter::default(),
            flows: Counter::default(),
            flows_made: Counter::default(),
            flows_expired: Counter::default(),
            evicted_half_open: Counter::default(),
            evicted_closing: Counter::default(),
            dropped_entries: Counter::default(),
            evicted_templates: Counter::default(),
        }
    }

    /// With counters for mark rules, as many as [`Director::mark_slots`](crate::Director::mark_slots) says.
    #[must_use]
    pub fn with_marks(mut self, slots: usize) -> Self {
        self.marks = (0..slots).map(|_| Counter::default()).collect();
        self
    }

    /// Counts a packet that met the mark rule in this slot.
    #[inline]
    pub(crate) fn count_mark(&self, slot: u32) {
        if let Some(counter) = self.marks.get(slot as usize) {
            counter.add(1);
        }
    }

    /// How many packets without a flow have met the mark rule in this slot.
    #[must_use]
    pub fn mark_hits(&self, slot: u32) -> u64 {
        self.marks.get(slot as usize).map_or(0, Counter::get)
    }

    /// The line of a real.
    #[inline(always)]
    #[must_use]
    pub fn real(&self, id: RealId) -> Option<&RealLine> {
        self.reals.get(id.0 as usize)
    }

    /// Counts a dropped packet.
    #[inline]
    pub fn count_drop(&self, reason: DropReason) {
        self.count_drops(reason, 1);
    }

    /// Counts `n` dropped packets.
    #[inline]
    pub fn count_drops(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.drops.get(reason as usize) {
            counter.add(n);
        }
    }

    /// How many packets were dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).map_or(0, Counter::get)
    }

    /// A real's counters on this lcore.
    #[must_use]
    pub fn real_stats(&self, id: RealId) -> RealStats {
        self.real(id).map_or_else(RealStats::default, |line| RealStats {
            conns: line.conns.get(),
            in_packets: line.in_packets.get(),
            out_packets: line.out_packets.get(),
            in_bytes: line.in_bytes.get(),
            out_bytes: line.out_bytes.get(),
        })
    }
}
