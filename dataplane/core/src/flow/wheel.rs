//! The lazy timer wheel: packets only write a flow's deadline, the wheel finds out when it gets there.
//!
//! Each slot of the wheel lists flows by number in blocks of one cache line, so that the flows to look at are known
//! before any of them is touched, and their memory can be asked for all at once.
use super::entry::{Flow, NONE};
use super::index::filled;
use crate::cpu::prefetch;
use crate::family::Family;
use crate::time::Jiffies;

/// Jiffies per slot: 256 ms, so that a flow ends at most that much late.
const SHIFT: u32 = 6;
/// Slots: 17 minutes ahead, past the longest usual timeout. What ends later is filed at the far end and filed anew.
const SLOTS: u32 = 4096;
/// Flows that a block lists.
const LANES: usize = 15;
/// Flows taken out of the wheel at a time.
pub(crate) const BATCH: usize = 32;

/// Part of a slot's list. Every block but the slot's first is full.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Block {
    flows: [u32; LANES],
    next: u32,
}

/// A slot's first block, and how many flows that lists; the block is [`NONE`] where the list is empty.
#[derive(Clone, Copy, Debug)]
struct Head {
    block: u32,
    used: u32,
}

const EMPTY: Head = Head { block: NONE, used: 0 };

/// Lists of flows by the time at which to look at them again.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: Box<[Head]>,
    blocks: Box<[Block]>,
    /// First of the free blocks.
    free: u32,
    /// The next slot to look at, counted since start.
    at: u32,
}

#[inline]
fn slot_of(time: Jiffies) -> u32 {
    time.0 >> SHIFT
}

/// Slots counted since start wrap with the jiffies.
const WRAP: u32 = u32::MAX >> SHIFT;

/// A flow's place in the wheel: block and lane.
fn place(block: u32, lane: usize) -> u32 {
    block << 4 | lane as u32
}

impl Wheel {
    /// A wheel for `flows` flows. Only the first block of a slot is not full, and none is empty: that bounds how many
    /// there are.
    pub(crate) fn new(now: Jiffies, flows: usize, advise: &dyn Fn(*mut u8, usize)) -> Self {
        let blocks = (flows / LANES + SLOTS as usize).min(flows);
        let mut blocks = filled(blocks, Block { flows: [NONE; LANES], next: NONE }, advise);
        let count = blocks.len() as u32;
        for (block, next) in blocks.iter_mut().zip(1..) {
            block.next = if next < count { next } else { NONE };
        }
        Self { heads: vec![EMPTY; SLOTS as usize].into_boxed_slice(), blocks, free: 0, at: slot_of(now) }
    }

    /// How far ahead of the slot that is looked at a deadline lies. One that has passed looks like one very far ahead.
    /// The far end is one short of a whole turn, so that filing later never meets the slot being emptied.
    fn ahead(&self, slot: u32) -> u32 {
        let ahead = slot.wrapping_sub(self.at) & WRAP;
        if ahead > WRAP / 2 { 0 } else { ahead.min(SLOTS - 2) }
    }

    /// Files flow `id` by its deadline; it must not be in the wheel.
    pub(crate) fn file<F: Family>(&mut self, flows: &mut [Flow<F>], id: u32) {
        let Some(flow) = flows.get_mut(id as usize) else { return };
        let slot = self.at.wrapping_add(self.ahead(slot_of(flow.expires))) & WRAP;
        let Some(head) = self.heads.get_mut((slot % SLOTS) as usize) else { return };
        if head.block == NONE || head.used as usize == LANES {
            let Some(block) = self.blocks.get_mut(self.free as usize) else { return };
            let next = std::mem::replace(&mut block.next, head.block);
            *head = Head { block: std::mem::replace(&mut self.free, next), used: 0 };
        }
        let (block, lane) = (head.block, head.used as usize);
        head.used += 1;
        flow.wheel.slot = slot;
        flow.wheel.place = place(block, lane);
        if let Some(entry) = self.entry(block, lane) {
            *entry = id;
        }
    }

    /// Takes flow `id` out of its list, if it is in one. The list's newest takes its place.
    pub(crate) fn unfile<F: Family>(&mut self, flows: &mut [Flow<F>], id: u32) {
        let Some(flow) = flows.get_mut(id as usize) else { return };
        let slot = flow.wheel.slot;
        let place = std::mem::replace(&mut flow.wheel.place, NONE);
        if place == NONE {
            return;
        }
        let Some(newest) = self.pop(slot) else { return };
        if newest == id {
            return;
        }
        if let Some(entry) = self.entry(place >> 4, (place & 15) as usize) {
            *entry = newest;
        }
        if let Some(flow) = flows.get_mut(newest as usize) {
            flow.wheel.place = place;
        }
    }

    /// The deadline of flow `id` has come nearer: files it anew, unless it is looked at soon enough. A flow that is not
    /// in the wheel stays out of it.
    pub(crate) fn hasten<F: Family>(&mut self, flows: &mut [Flow<F>], id: u32) {
        let Some(flow) = flows.get(id as usize) else { return };
        let late = self.ahead(flow.wheel.slot) > self.ahead(slot_of(flow.expires));
        if flow.wheel.place != NONE && late {
            self.unfile(flows, id);
            self.file(flows, id);
        }
    }

    /// Takes flows out of the slots whose time has passed, up to a batch, and returns how many. Each flow and each empty
    /// slot takes one off the `budget`. The flows' own places are left as they were.
    pub(crate) fn take(&mut self, now: Jiffies, budget: &mut usize, batch: &mut [u32; BATCH]) -> usize {
        let mut count = 0;
        while *budget > 0 && self.at != slot_of(now) {
            let Some(place) = batch.get_mut(count) else { break };
            *budget -= 1;
            match self.pop(self.at) {
                Some(id) => {
                    *place = id;
                    count += 1;
                }
                // What was taken so far may be filed anew, which must not be in the slot that has been emptied.
                None if count > 0 => break,
                None => self.at = self.at.wrapping_add(1) & WRAP,
            }
        }
        count
    }

    /// As [`file`](Self::file), but not in the slot that is being emptied.
    pub(crate) fn file_later<F: Family>(&mut self, flows: &mut [Flow<F>], id: u32) {
        let at = self.at;
        self.at = at.wrapping_add(1) & WRAP;
        self.file(flows, id);
        self.at = at;
    }

    /// Takes the newest flow off a slot's list.
    #[inline]
    fn pop(&mut self, slot: u32) -> Option<u32> {
        let head = self.heads.get_mut((slot % SLOTS) as usize)?;
        let block = self.blocks.get_mut(head.block as usize)?;
        head.used = head.used.saturating_sub(1);
        let id = block.flows.get(head.used as usize).copied();
        if head.used == 0 {
            let next = std::mem::replace(&mut block.next, self.free);
            self.free = std::mem::replace(&mut head.block, next);
            head.used = LANES as u32;
            if let Some(block) = self.blocks.get(next as usize) {
                prefetch(block);
            }
        }
        id
    }

    fn entry(&mut self, block: u32, lane: usize) -> Option<&mut u32> {
        self.blocks.get_mut(block as usize)?.flows.get_mut(lane)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::V4;

    const FLOWS: u32 = 32;

    /// The flows that are due, taken out; the others are filed anew.
    fn drain(wheel: &mut Wheel, flows: &mut [Flow<V4>], now: Jiffies) -> Vec<u32> {
        let (mut budget, mut batch, mut due) = (usize::MAX, [NONE; BATCH], Vec::new());
        loop {
            let count = wheel.take(now, &mut budget, &mut batch);
            if count == 0 {
                return due;
            }
            for &id in &batch[..count] {
                if flows[id as usize].expires.is_due(now) {
                    flows[id as usize].wheel.place = NONE;
                    due.push(id);
                } else {
                    wheel.file_later(flows, id);
                }
            }
        }
    }

    /// Each flow that is filed is where it says, and every block is free or in one list.
    fn check(wheel: &Wheel, flows: &[Flow<V4>]) {
        let filed = flows.iter().zip(0..).filter(|(flow, _)| flow.wheel.place != NONE);
        let mut listed = 0;
        for (flow, id) in filed {
            let place = flow.wheel.place;
            assert_eq!(wheel.blocks[(place >> 4) as usize].flows[(place & 15) as usize], id);
            listed += 1;
        }
        let lists = wheel.heads.iter().map(|head| (head.block, head.used as usize));
        let (mut blocks, mut entries) = (0, 0);
        for (mut block, mut used) in lists {
            while block != NONE {
                (blocks, entries) = (blocks + 1, entries + used);
                (block, used) = (wheel.blocks[block as usize].next, LANES);
            }
        }
        let mut free = wheel.free;
        while free != NONE {
            (blocks, free) = (blocks + 1, wheel.blocks[free as usize].next);
        }
        assert_eq!((entries, blocks), (listed, wheel.blocks.len()));
    }

    proptest! {
        /// Whatever deadlines do, a flow ends neither before its last deadline nor more than a slot after it.
        #[test]
        fn ends_each_flow_on_time(
            start in any::<u32>(),
            moves in prop::collection::vec((0..FLOWS, prop_oneof![0u32..400_000, 0u32..2000], any::<bool>()), 32..200),
        ) {
            let mut now = Jiffies(start);
            let mut wheel = Wheel::new(now, FLOWS as usize, &|_, _| ());
            let mut flows = vec![Flow::<V4>::EMPTY; FLOWS as usize];
            let mut live = [false; FLOWS as usize];
            for (id, ahead, wait) in moves {
                let flow = &mut flows[id as usize];
                // A filed flow may put its deadline off without telling the wheel.
                let later = now.after(ahead);
                let sooner = later.since(flow.expires) < 0;
                flow.expires = later;
                if !std::mem::replace(&mut live[id as usize], true) {
                    wheel.file(&mut flows, id);
                } else if sooner {
                    wheel.hasten(&mut flows, id);
                }
                check(&wheel, &flows);
                if wait {
                    now = now.after(1 + ahead % 977);
                }
                for due in drain(&mut wheel, &mut flows, now) {
                    prop_assert!(flows[due as usize].expires.is_due(now));
                    prop_assert!(std::mem::take(&mut live[due as usize]));
                }
                check(&wheel, &flows);
                for (id, live) in live.iter().enumerate() {
                    prop_assert!(!live || now.since(flows[id].expires) < 128, "late by {}", now.since(flows[id].expires));
                }
            }
            for id in 0..FLOWS {
                wheel.unfile(&mut flows, id);
                check(&wheel, &flows);
            }
        }
    }
}
