//! The kernel's defences (reference 4.8), as the control side switches them: drop_packet turns away every n-th new
//! flow, drop_entry ends flows that are half open, or idle after a few packets, and templates that were never answered.
use super::Lcore;
use crate::config::{Protocol, Switches};
use crate::family::Family;
use crate::flow::{Flow, FlowId};
use crate::persist::{End, Walk};
use crate::proto::{StateTimeouts, sctp, tcp};
use crate::stats::RealLine;
use crate::time::Jiffies;

/// Of the tables of flows and templates, drop_entry visits this part each second.
const PART: usize = 32;
/// A flow that saw a packet within this time is left alone.
const IDLE: i64 = Jiffies::ticks(60) as i64;
/// A flow of more packets from its client is left alone.
const FEW: usize = 8;

/// What one lcore keeps for its defences.
#[derive(Debug)]
pub(super) struct Defence {
    /// Until the next attempt to start a flow is dropped: 0 and 1 mean this one.
    attempts: u32,
    tested: Tested,
    /// The slot to visit next.
    at: u32,
    /// Slots still to visit in this second.
    left: usize,
    /// When the next second begins; `None` while drop_entry is off.
    next: Option<Jiffies>,
    templates: Walk,
}

/// By their packets: until the next flow or template that is tested ends.
#[derive(Debug, Default)]
struct Tested([u8; FEW + 1]);

/// What drop_entry makes of a flow, by its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    Test,
    Drop,
}

impl Defence {
    pub(super) fn new(templates: Walk) -> Self {
        Self { attempts: 0, tested: Tested::default(), at: 0, left: 0, next: None, templates }
    }

    /// Takes over new switches. Where the operator has set the rate (mode 3) the kernel drops the first attempt, where it
    /// is automatic the n-th.
    pub(super) fn follow(&mut self, old: &Switches, new: &Switches) {
        if !new.drop_at_once && new.drop_rate != old.drop_rate {
            self.attempts = new.drop_rate;
        } else if old.drop_rate == 0 {
            self.attempts = 0;
        }
        if !new.drop_entry {
            self.next = None;
        }
    }

    /// Whether drop_packet drops this attempt to start a flow.
    #[inline]
    pub(super) fn turns_away(&mut self, rate: u32) -> bool {
        if rate == 0 {
            return false;
        }
        if self.attempts > 1 {
            self.attempts -= 1;
            return false;
        }
        self.attempts = rate;
        true
    }
}

impl Tested {
    /// Whether what has been tested is the i-th of those with `packets`, i being their number itself.
    fn is_ith(&mut self, packets: u32) -> bool {
        let Some(left) = usize::try_from(packets).ok().and_then(|i| self.0.get_mut(i)) else {
            return false;
        };
        if packets == 0 {
            return false;
        }
        if *left > 1 {
            *left -= 1;
            return false;
        }
        *left = u8::try_from(packets).unwrap_or(u8::MAX);
        true
    }
}

impl Lcore {
    /// Does drop_entry's work of this loop: visits no more than `budget` slots and as many templates, and each second no
    /// more than a part of the tables.
    #[cold]
    pub(super) fn drop_entries(&mut self, now: Jiffies, budget: usize) {
        let capacity = self.flows.capacity();
        if self.defence.next.is_none_or(|next| next.is_due(now)) {
            self.defence.left = capacity.div_ceil(PART);
            self.defence.next = Some(now.after(Jiffies::HZ));
        }
        let visits = budget.min(self.defence.left);
        self.defence.left -= visits;
        for _ in 0..visits {
            let slot = FlowId(self.defence.at);
            self.defence.at = if (slot.0 as usize) + 1 < capacity { slot.0 + 1 } else { 0 };
            if self.may_go(slot, now) {
                self.stats.dropped_entries.add(1);
                self.end(slot, End::Forced, now);
            }
        }
        self.drop_templates(now, budget);
    }

    fn drop_templates(&mut self, now: Jiffies, budget: usize) {
        let Self { templates, defence, stats, snapshot, .. } = self;
        let one_packet = |real| {
            let place = stats.real(real).and_then(RealLine::place);
            let service = place.and_then(|(slot, _)| snapshot.service(u32::try_from(slot).ok()?));
            service.is_some_and(|service| service.config.one_packet)
        };
        let Defence { templates: walk, tested, .. } = defence;
        let dropped =
            templates.drop_some(walk, now, (budget, PART), one_packet, |packets| tested.is_ith(packets));
        stats.dropped_entries.add(dropped);
    }

    fn may_go(&mut self, slot: FlowId, now: Jiffies) -> bool {
        let Some(flow) = self.flows.get(slot) else { return false };
        match fate(flow) {
            Fate::Keep => false,
            Fate::Drop => true,
            Fate::Test => {
                idle(flow, &self.timeouts, now) >= IDLE && self.defence.tested.is_ith(flow.in_packets)
            }
        }
    }
}

fn fate<F: Family>(flow: &Flow<F>) -> Fate {
    const TCP: u8 = Protocol::Tcp as u8;
    const SCTP: u8 = Protocol::Sctp as u8;
    match (flow.protocol(), flow.state) {
        (TCP, tcp::SYN_RECV | tcp::SYNACK) | (SCTP, sctp::INIT1 | sctp::INIT) => Fate::Drop,
        (TCP, tcp::ESTABLISHED) | (SCTP, sctp::ESTABLISHED) => Fate::Test,
        (TCP | SCTP, _) => Fate::Keep,
        _ => Fate::Test,
    }
}

/// Jiffies since the flow's last packet.
fn idle<F: Family>(flow: &Flow<F>, timeouts: &StateTimeouts, now: Jiffies) -> i64 {
    i64::from(timeouts.of(flow)) - i64::from(flow.expires.since(now))
}
