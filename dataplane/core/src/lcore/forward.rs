//! A packet of a known flow, the general way: reuse and availability, counters, protocol state, next hop, rewriting.
use sluice_packet::Kind;

use super::Lcore;
use super::burst::Packet;
use crate::drop::DropReason;
use crate::family::V4;
use crate::fib::{Fib, Lookup, NextHop, NextHopId};
use crate::flow::{Direction, Flow, FlowId, flags};
use crate::persist::End;
use crate::proto::{self, Activity};
use crate::real::RealCounts;
use crate::stats::{RealLine, line};
use crate::transmit;
use crate::verdict::Verdict;

/// Where a packet goes, once that is known.
pub(super) enum Next {
    Hop(NextHop),
    Local,
    Nowhere,
}

impl Lcore {
    /// A packet of flow `id`, confirmed. Kernel order (reference 4.4): reuse, availability, counters, state, transmit.
    pub(super) fn known(&mut self, packet: &mut Packet<'_>, id: FlowId, direction: Direction) -> Verdict {
        let Some(flow) = self.flows.get(id) else { return self.pass(packet.ingress) };
        let real = self.stats.real(flow.real);
        // A bypass has no real that could be gone.
        let available = real.is_none_or(RealLine::is_available);
        let opens = proto::opens(packet.parsed.protocol, packet.parsed.flags);
        if direction == Direction::In && (opens || !available) {
            return self.opening_or_real_gone(packet, id, opens);
        }
        if let Some(real) = real.filter(|_| available) {
            real.count(direction, packet.parsed.ip_len);
        }
        self.forward(packet, id, direction)
    }

    /// The two cases in which a request may not follow its flow.
    #[cold]
    fn opening_or_real_gone(&mut self, packet: &mut Packet<'_>, id: FlowId, opens: bool) -> Verdict {
        let Some(flow) = self.flows.get(id) else { return self.pass(packet.ingress) };
        let real = self.stats.real(flow.real);
        let switches = self.snapshot.switches;
        let available = real.is_none_or(RealLine::is_available);
        let quiesced = real.is_some_and(|real| real.flags() & line::WEIGHTED == 0);
        // A flow under a template stays with its real (reference 4.4, step 5).
        let controlled = flow.wheel.template.is_some();
        let reusable = opens && !controlled && proto::may_be_reused(flow, switches.conn_reuse_mode);
        if reusable || (switches.expire_nodest_conn && (!available || (opens && quiesced))) {
            self.end(id, End::Expired, packet.now);
            return self.schedule(packet);
        }
        if !available {
            return self.drop(DropReason::RealGone);
        }
        if let Some(real) = real {
            real.count(Direction::In, packet.parsed.ip_len);
        }
        self.forward(packet, id, Direction::In)
    }

    /// State, rewriting and next hop of a packet that follows flow `id` and has been counted.
    pub(super) fn forward(&mut self, packet: &mut Packet<'_>, id: FlowId, direction: Direction) -> Verdict {
        let Some(flow) = self.flows.get_mut(id) else { return self.pass(packet.ingress) };
        let expires = flow.expires;
        let activity = proto::advance(flow, direction, packet.parsed.flags, &self.timeouts, packet.now);
        let sooner = flow.expires.since(expires) < 0;
        flow.in_packets = flow.in_packets.wrapping_add(u32::from(direction == Direction::In));
        let assured = flow.flags & flags::UNASSURED != 0 && proto::assures(flow, direction);
        if activity != Activity::Same || sooner {
            self.follow_up(id, activity, sooner);
        }
        if assured {
            self.assure(id);
        }
        self.send(packet, id, direction)
    }

    /// What a change of state brings with it, outside the flow's first line.
    #[cold]
    pub(super) fn follow_up(&mut self, id: FlowId, activity: Activity, sooner: bool) {
        if sooner {
            self.flows.hasten(id);
        }
        let Some(real) = self.flows.get(id).map(|flow| flow.real) else { return };
        match activity {
            Activity::Began => self.count(real, RealCounts::activate),
            Activity::Ended => self.count(real, RealCounts::deactivate),
            Activity::Same => {}
        }
    }

    fn send(&mut self, packet: &mut Packet<'_>, id: FlowId, direction: Direction) -> Verdict {
        let next = self.route(id, direction);
        let Some(flow) = self.flows.get(id) else { return self.pass(packet.ingress) };
        self.leave(packet, flow, direction, next)
    }

    /// Rewrites the packet as its flow says and lets it leave, if it may.
    pub(super) fn leave(
        &self,
        packet: &mut Packet<'_>,
        flow: &Flow<V4>,
        direction: Direction,
        next: Next,
    ) -> Verdict {
        let hop = match next {
            Next::Hop(hop) => hop,
            Next::Local => {
                if flow.is_masq() {
                    translate(packet, flow, direction, false);
                }
                return self.to_kernel();
            }
            Next::Nowhere => return self.drop(DropReason::NoRoute),
        };
        if flow.is_tunnelled() {
            return self.enter_tunnel(packet, flow, &hop);
        }
        if let Some(reason) = refusal(packet, &hop) {
            return self.drop(reason);
        }
        rewrite(packet, flow, direction);
        match hop.macs {
            Some(macs) => {
                transmit::ethernet(packet.frame, macs);
                Verdict::Transmit { port: hop.port }
            }
            None => Verdict::Resolve { port: hop.port, address: hop.address },
        }
    }

    /// Asks the FIB and remembers what it says: in the real's line for requests, in the flow for replies.
    pub(super) fn route(&mut self, id: FlowId, direction: Direction) -> Next {
        if let Some(flow) = self.flows.get(id)
            && flow.is_tunnelled()
        {
            self.prepare_tunnel(flow.real, flow.destination().0);
        }
        let fib = &self.fib;
        let Some(flow) = self.flows.get_mut(id) else { return Next::Nowhere };
        let (destination, _) = match direction {
            Direction::In if flow.is_bypass() => flow.vip(),
            Direction::In => flow.destination(),
            Direction::Out => flow.client(),
        };
        let id = match resolved(fib, destination) {
            Ok(id) => id,
            Err(next) => return next,
        };
        match direction {
            Direction::In => {
                if let Some(real) = self.stats.real(flow.real) {
                    real.set_hop(id, fib.version());
                }
            }
            Direction::Out => (flow.hop_out, flow.fib_version) = (id.0, fib.version()),
        }
        fib.hop(id).map_or(Next::Nowhere, |hop| Next::Hop(*hop))
    }
}

/// Why a packet may not leave by a next hop.
pub(super) fn refusal(packet: &Packet<'_>, hop: &NextHop) -> Option<DropReason> {
    if transmit::time_to_live(packet.frame, packet.parsed) <= 1 {
        return Some(DropReason::TtlExpired);
    }
    (packet.parsed.ip_len > hop.mtu).then_some(DropReason::MtuExceeded)
}

/// The slot of the next hop to an address, or where its packets go without one.
pub(super) fn resolved(fib: &Fib, destination: u32) -> Result<NextHopId, Next> {
    match fib.lookup(destination) {
        Lookup::Hop(id) => Ok(id),
        Lookup::Unknown { port, address } => {
            let mtu = fib.ports().get(usize::from(port)).map_or(0, |port| port.mtu);
            Err(Next::Hop(NextHop { port, address, macs: None, mtu }))
        }
        Lookup::Local => Err(Next::Local),
        Lookup::None => Err(Next::Nowhere),
    }
}

/// What the flow's method does to a packet.
fn rewrite(packet: &mut Packet<'_>, flow: &Flow<V4>, direction: Direction) {
    if flow.is_masq() {
        translate(packet, flow, direction, true);
    } else {
        transmit::direct(packet.frame, packet.parsed);
    }
}

/// Network address translation, by protocol; `forwarded` as for [`transmit::nat`].
fn translate(packet: &mut Packet<'_>, flow: &Flow<V4>, direction: Direction, forwarded: bool) {
    let nat = match packet.parsed.kind {
        Kind::Sctp4 => transmit::nat_sctp,
        Kind::Ipsec4 => transmit::nat_addresses,
        Kind::IcmpError4 => transmit::nat_icmp,
        _ => transmit::nat,
    };
    nat(packet.frame, packet.parsed, flow, direction, forwarded);
}
