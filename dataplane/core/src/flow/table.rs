//! The flow table of one lcore: a slab of flows, the index over both directions, the wheel.
use super::entry::{Direction, Flow, NONE, NewFlow, flags};
use super::hash::{Key4, Seed};
use super::index::{Index, filled};
use super::wheel::Wheel;
use crate::cpu::prefetch;
use crate::time::Jiffies;

/// A flow's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId(pub(crate) u32);

/// The table. Its memory is taken once, at start.
#[derive(Debug)]
pub(crate) struct FlowTable {
    flows: Box<[Flow]>,
    index: Index,
    wheel: Wheel,
    seed: Seed,
    free: u32,
    used: usize,
}

/// A flow that a packet may belong to, by its tag alone: an index value, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate(u32);

impl Candidate {
    pub(crate) const NONE: Self = Self(NONE);
}

/// An index value: slot and direction.
#[inline(always)]
fn value(id: FlowId, direction: Direction) -> u32 {
    id.0 << 1 | direction as u32
}

#[inline(always)]
fn split(value: u32) -> (FlowId, Direction) {
    (FlowId(value >> 1), if value & 1 == 0 { Direction::In } else { Direction::Out })
}

impl FlowTable {
    /// A table for `capacity` flows, at most 2^31 - 1; its memory is shown to `advise` before the first touch.
    pub(crate) fn new(capacity: usize, seed: Seed, now: Jiffies, advise: &dyn Fn(*mut u8, usize)) -> Self {
        let capacity = capacity.clamp(1, (u32::MAX >> 1) as usize);
        let mut flows = filled(capacity, Flow::EMPTY, advise);
        for (flow, next) in flows.iter_mut().zip(1..) {
            flow.wheel.next = if (next as usize) < capacity { next } else { NONE };
        }
        Self {
            flows,
            index: Index::new(capacity * 2, advise),
            wheel: Wheel::new(now),
            seed,
            free: 0,
            used: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, key: Key4) -> u64 {
        key.hash(self.seed)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.flows.len()
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Stage one of a lookup: asks for the bucket.
    #[inline(always)]
    pub(crate) fn prefetch_bucket(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Stage two: names the likely flow and asks for its first line.
    #[inline(always)]
    pub(crate) fn candidate(&self, hash: u64) -> Candidate {
        let Some(value) = self.index.candidate(hash) else { return Candidate::NONE };
        if let Some(flow) = self.flows.get((value >> 1) as usize) {
            prefetch(flow);
        }
        Candidate(value)
    }

    /// Stage three: the candidate, if it is the key's flow.
    #[inline(always)]
    pub(crate) fn confirm(&mut self, candidate: Candidate, key: Key4) -> Option<(&mut Flow, Direction)> {
        let (id, direction) = split(candidate.0);
        let flow = self.flows.get_mut(id.0 as usize)?;
        (flow.in_use() && flow.key(direction) == key).then_some((flow, direction))
    }

    /// The flow of a packet, in one go.
    pub(crate) fn find(&self, key: Key4, hash: u64) -> Option<(FlowId, Direction)> {
        let confirmed = self.index.find(hash, |value| {
            let (id, direction) = split(value);
            self.flows.get(id.0 as usize).is_some_and(|flow| flow.in_use() && flow.key(direction) == key)
        })?;
        Some(split(confirmed))
    }

    #[inline(always)]
    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0 as usize).filter(|flow| flow.in_use())
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.flows.get_mut(id.0 as usize).filter(|flow| flow.in_use())
    }

    /// Makes a flow and indexes it: NAT in both directions, the others in the client's. `None` where the table
    /// is full.
    pub(crate) fn insert(&mut self, new: &NewFlow) -> Option<FlowId> {
        let id = FlowId(self.free);
        let next_free = self.flows.get(id.0 as usize)?.wheel.next;
        let flow = Flow::new(new);
        let forth = self.hash(flow.key(Direction::In));
        if !self.index.insert(forth, value(id, Direction::In)) {
            return None;
        }
        if flow.is_masq() && !self.index_replies(id, flow.key(Direction::Out)) {
            self.index.remove(forth, value(id, Direction::In));
            return None;
        }
        *self.flows.get_mut(id.0 as usize)? = flow;
        self.free = next_free;
        self.used += 1;
        self.wheel.file(&mut self.flows, id.0);
        Some(id)
    }

    /// Two services that share a real can have flows whose replies look alike: the newer is found, as in the kernel.
    fn index_replies(&mut self, id: FlowId, key: Key4) -> bool {
        let hash = self.hash(key);
        match self.find(key, hash) {
            Some((older, direction)) => {
                self.index.insert_before(hash, value(id, Direction::Out), value(older, direction))
            }
            None => self.index.insert(hash, value(id, Direction::Out)),
        }
    }

    /// Ends a flow at once and returns what it was.
    pub(crate) fn remove(&mut self, id: FlowId) -> Option<Flow> {
        self.wheel.unfile(&mut self.flows, id.0);
        self.release(id)
    }

    /// Tells the wheel that a flow's deadline has come nearer.
    pub(crate) fn hasten(&mut self, id: FlowId) {
        self.wheel.unfile(&mut self.flows, id.0);
        self.wheel.file(&mut self.flows, id.0);
    }

    /// Ends the next flow whose deadline has come and returns what it was; `budget` bounds the work.
    pub(crate) fn expire_next(&mut self, now: Jiffies, budget: &mut usize) -> Option<Flow> {
        let id = self.wheel.next_due(&mut self.flows, now, budget)?;
        self.release(FlowId(id))
    }

    /// Flows from slot `from` on.
    pub(crate) fn scan(&self, from: u32) -> impl Iterator<Item = (FlowId, &Flow)> {
        let slots = self.flows.iter().zip(0u32..).skip(from as usize);
        slots.filter(|(flow, _)| flow.in_use()).map(|(flow, slot)| (FlowId(slot), flow))
    }

    /// Frees the slot of a flow that is not in the wheel. A pair of index entries dies together.
    fn release(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.get(id)?.clone();
        self.index.remove(self.hash(flow.key(Direction::In)), value(id, Direction::In));
        if flow.is_masq() {
            self.index.remove(self.hash(flow.key(Direction::Out)), value(id, Direction::Out));
        }
        let slot = self.flows.get_mut(id.0 as usize)?;
        slot.flags &= !flags::IN_USE;
        slot.wheel.next = self.free;
        self.free = id.0;
        self.used -= 1;
        Some(flow)
    }
}
