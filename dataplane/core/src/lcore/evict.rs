//! What happens when the flow table is full: flows that are no connection yet, or no longer, make room.
//!
//! As the kernel's drop_entry does under memory pressure, but at the moment of need: half-open TCP and SCTP flows, closing
//! ones, and UDP flows of a single packet go; established flows never do.
use super::Lcore;
use crate::config::Protocol;
use crate::family::Family;
use crate::flow::{Flow, FlowId};
use crate::persist::End;
use crate::proto::{sctp, tcp};
use crate::time::Jiffies;

/// Slots looked at for one victim: bounds what a packet costs when all flows are established.
const LOOK: u32 = 32;

/// Why a flow may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    HalfOpen,
    Closing,
}

impl Lcore {
    /// Ends one flow that may go, if one is near; `false` where none is.
    #[cold]
    pub(super) fn make_room(&mut self, now: Jiffies) -> bool {
        let capacity = u32::try_from(self.flows.capacity()).unwrap_or(u32::MAX);
        for _ in 0..LOOK.min(capacity) {
            let slot = FlowId(self.rover);
            self.rover = if self.rover + 1 < capacity { self.rover + 1 } else { 0 };
            let Some(victim) = self.flows.get(slot).and_then(victim) else { continue };
            match victim {
                Victim::HalfOpen => self.stats.evicted_half_open.add(1),
                Victim::Closing => self.stats.evicted_closing.add(1),
            }
            self.end(slot, End::Forced, now);
            return true;
        }
        false
    }
}

fn victim<F: Family>(flow: &Flow<F>) -> Option<Victim> {
    const TCP: u8 = Protocol::Tcp as u8;
    const SCTP: u8 = Protocol::Sctp as u8;
    match (flow.protocol(), flow.state) {
        (TCP, tcp::ESTABLISHED) | (SCTP, sctp::ESTABLISHED) => None,
        (TCP, tcp::NONE | tcp::SYN_SENT | tcp::SYN_RECV | tcp::SYNACK) => Some(Victim::HalfOpen),
        (SCTP, state) if state < sctp::ESTABLISHED => Some(Victim::HalfOpen),
        (TCP | SCTP, _) => Some(Victim::Closing),
        _ => (flow.in_packets <= 1).then_some(Victim::HalfOpen),
    }
}
