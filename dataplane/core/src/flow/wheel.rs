//! The lazy timer wheel: packets only write a flow's deadline, the wheel finds out when it gets there.
use super::entry::{Flow, NONE};
use crate::time::Jiffies;

/// Jiffies per slot: 256 ms, so that a flow ends at most that much late.
const SHIFT: u32 = 6;
/// Slots: 17 minutes ahead, past the longest usual timeout. What ends later is filed at the far end and filed anew.
const SLOTS: u32 = 4096;

/// Lists of flows by the time at which to look at them again. The links lie in the flows' second lines.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: Box<[u32]>,
    /// The next slot to look at, counted since start.
    at: u32,
}

#[inline]
fn slot_of(time: Jiffies) -> u32 {
    time.0 >> SHIFT
}

/// Slots counted since start wrap with the jiffies.
const WRAP: u32 = u32::MAX >> SHIFT;

impl Wheel {
    pub(crate) fn new(now: Jiffies) -> Self {
        Self { heads: vec![NONE; SLOTS as usize].into_boxed_slice(), at: slot_of(now) }
    }

    /// Files flow `id` by its deadline.
    pub(crate) fn file(&mut self, flows: &mut [Flow], id: u32) {
        let Some(flow) = flows.get(id as usize) else { return };
        let ahead = slot_of(flow.expires).wrapping_sub(self.at) & WRAP;
        // A deadline that has passed looks like one very far ahead.
        // The far end is one short of a whole turn, so that filing later never meets the slot being emptied.
        let ahead = if ahead > WRAP / 2 { 0 } else { ahead.min(SLOTS - 2) };
        let slot = (self.at.wrapping_add(ahead)) % SLOTS;
        let Some(head) = self.heads.get_mut(slot as usize) else { return };
        let next = std::mem::replace(head, id);
        if let Some(flow) = flows.get_mut(id as usize) {
            flow.wheel.next = next;
            flow.wheel.prev = NONE;
            flow.wheel.slot = slot;
        }
        if let Some(after) = flows.get_mut(next as usize) {
            after.wheel.prev = id;
        }
    }

    /// Takes flow `id` out of its list.
    pub(crate) fn unfile(&mut self, flows: &mut [Flow], id: u32) {
        let Some(flow) = flows.get_mut(id as usize) else { return };
        let (next, prev, slot) = (flow.wheel.next, flow.wheel.prev, flow.wheel.slot);
        (flow.wheel.next, flow.wheel.prev, flow.wheel.slot) = (NONE, NONE, NONE);
        if slot == NONE {
            return;
        }
        if let Some(after) = flows.get_mut(next as usize) {
            after.wheel.prev = prev;
        }
        match flows.get_mut(prev as usize) {
            Some(before) => before.wheel.next = next,
            None => {
                if let Some(head) = self.heads.get_mut(slot as usize) {
                    *head = next;
                }
            }
        }
    }

    /// The next flow whose deadline has come, taken out of the wheel; looks at no more than `budget` flows and empty
    /// slots, and files those anew that have moved on.
    pub(crate) fn next_due(&mut self, flows: &mut [Flow], now: Jiffies, budget: &mut usize) -> Option<u32> {
        while *budget > 0 && self.at != slot_of(now) {
            *budget -= 1;
            let id = *self.heads.get((self.at % SLOTS) as usize)?;
            if id == NONE {
                self.at = self.at.wrapping_add(1) & WRAP;
                continue;
            }
            self.unfile(flows, id);
            let Some(flow) = flows.get(id as usize) else { continue };
            if flow.expires.is_due(now) {
                return Some(id);
            }
            self.file_later(flows, id);
        }
        None
    }

    /// As [`file`](Self::file), but not in the slot that is being emptied.
    fn file_later(&mut self, flows: &mut [Flow], id: u32) {
        let at = self.at;
        self.at = at.wrapping_add(1) & WRAP;
        self.file(flows, id);
        self.at = at;
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(wheel: &mut Wheel, flows: &mut [Flow], now: Jiffies) -> Vec<u32> {
        let mut budget = usize::MAX;
        std::iter::from_fn(|| wheel.next_due(flows, now, &mut budget)).collect()
    }

    proptest! {
        /// Whatever deadlines do, a flow ends neither before its last deadline nor more than a slot after it.
        #[test]
        fn ends_each_flow_on_time(start in any::<u32>(), moves in prop::collection::vec((0u32..32, 0u32..400_000), 32..200)) {
            let mut now = Jiffies(start);
            let mut wheel = Wheel::new(now);
            let mut flows = vec![Flow::EMPTY; 32];
            let mut live = [false; 32];
            for (id, ahead) in moves {
                let flow = &mut flows[id as usize];
                // A filed flow may put its deadline off without telling the wheel.
                let later = now.after(ahead);
                if !live[id as usize] {
                    flow.expires = later;
                    live[id as usize] = true;
                    wheel.file(&mut flows, id);
                } else if later.since(flow.expires) > 0 {
                    flow.expires = later;
                } else {
                    wheel.unfile(&mut flows, id);
                    flows[id as usize].expires = later;
                    wheel.file(&mut flows, id);
                }
                now = now.after(1 + ahead % 977);
                for due in drain(&mut wheel, &mut flows, now) {
                    prop_assert!(flows[due as usize].expires.is_due(now));
                    prop_assert!(std::mem::take(&mut live[due as usize]));
                }
                for (id, live) in live.iter().enumerate() {
                    prop_assert!(!live || now.since(flows[id].expires) < 128, "late by {}", now.since(flows[id].expires));
                }
            }
        }
    }
}
