//! The flow table of one lcore and address family: a slab of flows, the index over both directions, the wheel.
use std::ops::Range;

use super::entry::{Direction, Flow, NONE, NewFlow, flags};
use super::hash::{FlowKey, Seed};
use super::index::{Index, filled};
use super::replies::Replies;
use super::wheel::{BATCH, Wheel};
use crate::cpu::prefetch;
use crate::family::Family;
use crate::time::Jiffies;

/// How many slots ahead a scan asks for.
const SCAN_AHEAD: usize = 16;

/// How many new flows ahead a slot is asked for.
const AHEAD: usize = 3;

/// A flow that is to end, and the hashes of its keys.
#[derive(Clone, Copy, Debug)]
struct Dying {
    id: FlowId,
    forth: u64,
    back: Option<u64>,
}

impl Dying {
    const NOTHING: Self = Self { id: FlowId(NONE), forth: 0, back: None };
}

/// A flow's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId(pub(crate) u32);

/// The table. Its memory is taken once, at start.
#[derive(Debug)]
pub(crate) struct FlowTable<F: Family> {
    flows: Box<[Flow<F>]>,
    index: Index,
    replies: Replies,
    wheel: Wheel,
    seed: Seed,
    /// Slots that hold no flow; the last `capacity - used` of them are right, the next to be taken at the end.
    free: Box<[u32]>,
    used: usize,
    touched: u32,
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

impl<F: Family> FlowTable<F> {
    /// A table for `capacity` flows, at most 2^31 - 1; its memory is shown to `advise` before the first touch.
    pub(crate) fn new(capacity: usize, seed: Seed, now: Jiffies, advise: &dyn Fn(*mut u8, usize)) -> Self {
        let capacity = capacity.clamp(1, (u32::MAX >> 1) as usize);
        let mut free = filled(capacity, NONE, advise);
        for (entry, slot) in free.iter_mut().rev().zip(0..) {
            *entry = slot;
        }
        Self {
            flows: filled(capacity, Flow::EMPTY, advise),
            index: Index::new(capacity * 2, advise),
            replies: Replies::NONE,
            wheel: Wheel::new(now, capacity, advise),
            seed,
            free,
            used: 0,
            touched: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, key: F::Key) -> u64 {
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

    /// Stage two: names the likely flow and asks for its lines.
    #[inline(always)]
    pub(crate) fn candidate(&self, hash: u64) -> Candidate {
        let Some(value) = self.index.candidate(hash) else { return Candidate::NONE };
        if let Some(flow) = self.flows.get((value >> 1) as usize) {
            flow.prefetch();
        }
        Candidate(value)
    }

    /// Stage three: the candidate, if it is the key's flow.
    #[inline(always)]
    pub(crate) fn confirm(&mut self, candidate: Candidate, key: F::Key) -> Option<(&mut Flow<F>, Direction)> {
        let (id, direction) = split(candidate.0);
        let flow = self.flows.get_mut(id.0 as usize)?;
        (flow.in_use() && flow.key(direction) == key).then_some((flow, direction))
    }

    /// The flow of a packet, in one go.
    pub(crate) fn find(&self, key: F::Key, hash: u64) -> Option<(FlowId, Direction)> {
        let is_it = |value| {
            let (id, direction) = split(value);
            self.flows.get(id.0 as usize).is_some_and(|flow| flow.in_use() && flow.key(direction) == key)
        };
        if !self.replies.is_empty()
            && let Some(value) = self.replies.find(hash, is_it)
        {
            return Some(split(value));
        }
        self.index.find(hash, is_it).map(split)
    }

    #[inline(always)]
    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow<F>> {
        self.flows.get(id.0 as usize).filter(|flow| flow.in_use())
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow<F>> {
        self.flows.get_mut(id.0 as usize).filter(|flow| flow.in_use())
    }

    /// The slot that the flow after `ahead` others will take.
    #[inline]
    fn free_slot(&self, ahead: usize) -> Option<u32> {
        let count = self.free.len() - self.used;
        self.free.get(count.checked_sub(ahead + 1)?).copied()
    }

    /// Makes a flow and indexes it: NAT in both directions, the others in the client's. It is to be filed once its first
    /// packet has given it a deadline. `None` where the table is full.
    pub(crate) fn insert(&mut self, new: &NewFlow<F>, hash: u64) -> Option<FlowId> {
        let id = FlowId(self.free_slot(0)?);
        if let Some(later) = self.free_slot(AHEAD).and_then(|slot| self.flows.get(slot as usize)) {
            later.prefetch();
            prefetch(&later.wheel);
        }
        // There is room: the index is made for two keys of every flow.
        if !self.index.insert(hash, value(id, Direction::In)) {
            return None;
        }
        let flow = self.flows.get_mut(id.0 as usize)?;
        flow.begin(new);
        self.used += 1;
        self.touched = self.touched.max(id.0 + 1);
        if flow.is_masq() {
            let key = flow.key(Direction::Out);
            self.index_later(key, value(id, Direction::Out));
        }
        Some(id)
    }

    fn index_later(&mut self, key: F::Key, value: u32) {
        let hash = self.hash(key);
        self.index.prefetch(hash);
        if !self.replies.push(hash, value) {
            self.settle();
            self.replies.push(hash, value);
        }
    }

    /// Puts the reply keys of this burst's flows into the index; to be called at the end of each burst.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.replies.is_empty() {
            self.index_replies();
        }
    }

    /// Two services that share a real can have flows whose replies look alike: the newer is found, as in the kernel.
    fn index_replies(&mut self) {
        for (hash, value) in self.replies.take().iter() {
            let (id, direction) = split(value);
            let Some(key) = self.flows.get(id.0 as usize).map(|flow| flow.key(direction)) else { continue };
            match self.find(key, hash) {
                Some((older, direction)) => {
                    self.index.insert_before(hash, value, self::value(older, direction))
                }
                None => self.index.insert(hash, value),
            };
        }
    }

    /// Files a new flow by its deadline.
    #[inline]
    pub(crate) fn file(&mut self, id: FlowId) {
        self.wheel.file(&mut self.flows, id.0);
    }

    /// Tells the wheel that a flow's deadline has come nearer.
    pub(crate) fn hasten(&mut self, id: FlowId) {
        self.wheel.hasten(&mut self.flows, id.0);
    }

    /// Ends a flow at once and shows it to `each`.
    pub(crate) fn remove(&mut self, id: FlowId, each: impl FnOnce(&Flow<F>)) {
        self.settle();
        self.wheel.unfile(&mut self.flows, id.0);
        let Some(dying) = self.get(id).map(|flow| self.dying(id, flow)) else { return };
        self.release(&dying, each);
    }

    /// Ends the flows whose deadline has come, a batch at a time, and shows each to `each`; `budget` bounds the work.
    pub(crate) fn expire(&mut self, now: Jiffies, budget: &mut usize, mut each: impl FnMut(&Flow<F>)) {
        self.settle();
        let mut batch = [NONE; BATCH];
        loop {
            let count = self.wheel.take(now, budget, &mut batch);
            let Some(taken) = batch.get(..count).filter(|taken| !taken.is_empty()) else { return };
            for flow in taken.iter().filter_map(|&id| self.flows.get(id as usize)) {
                flow.prefetch();
                prefetch(&flow.wheel);
            }
            let mut dying = [Dying::NOTHING; BATCH];
            let mut places = dying.iter_mut();
            for &id in taken {
                match self.flows.get(id as usize) {
                    Some(flow) if flow.expires.is_due(now) => {
                        if let Some(place) = places.next() {
                            *place = self.dying(FlowId(id), flow);
                        }
                    }
                    _ => self.wheel.file_later(&mut self.flows, id),
                }
            }
            for dying in dying.iter().take_while(|dying| dying.id.0 != NONE) {
                self.release(dying, &mut each);
            }
        }
    }

    /// What it takes to end a flow, its index buckets asked for.
    #[inline]
    fn dying(&self, id: FlowId, flow: &Flow<F>) -> Dying {
        let forth = self.hash(flow.key(Direction::In));
        self.index.prefetch(forth);
        let back = flow.is_masq().then(|| self.hash(flow.key(Direction::Out)));
        if let Some(hash) = back {
            self.index.prefetch(hash);
        }
        Dying { id, forth, back }
    }

    /// The end of the slots that have ever held a flow: a walk need not go on from there.
    pub(crate) fn touched(&self) -> u32 {
        self.touched
    }

    /// The flows in these slots.
    pub(crate) fn scan(&self, slots: Range<u32>) -> impl Iterator<Item = (FlowId, &Flow<F>)> {
        let range = slots.start as usize..(slots.end as usize).min(self.flows.len());
        let slots = self.flows.get(range).unwrap_or_default().iter().zip(slots.start..);
        let asked = slots.inspect(|(_, slot)| {
            if let Some(later) = self.flows.get(*slot as usize + SCAN_AHEAD) {
                later.prefetch();
            }
        });
        asked.filter(|(flow, _)| flow.in_use()).map(|(flow, slot)| (FlowId(slot), flow))
    }

    /// Frees the slot of a flow that is not in the wheel. A pair of index entries dies together.
    #[inline]
    fn release(&mut self, dying: &Dying, each: impl FnOnce(&Flow<F>)) {
        let id = dying.id;
        let Some(flow) = self.flows.get_mut(id.0 as usize).filter(|flow| flow.in_use()) else { return };
        flow.flags &= !flags::IN_USE;
        flow.wheel.place = NONE;
        each(flow);
        self.index.remove(dying.forth, value(id, Direction::In));
        if let Some(hash) = dying.back {
            self.index.remove(hash, value(id, Direction::Out));
        }
        self.used -= 1;
        let last = self.free.len() - self.used - 1;
        if let Some(entry) = self.free.get_mut(last) {
            *entry = id.0;
        }
    }
}
