//! ICMP errors belong to the flow whose packet they quote, and go where its packets do (reference 4.7).
use sluice_packet::header::protocol;
use sluice_packet::{Kind, Parsed, Quoted4};

use super::Lcore;
use super::burst::{Packet, in_the_name_of_its_key_exchange};
use super::forward::{Next, refusal};
use super::miss::Chosen;
use crate::config::{Forward, Protocol};
use crate::drop::DropReason;
use crate::family::V4;
use crate::flow::{Direction, Flow, FlowId, FlowKey, Key4};
use crate::transmit;
use crate::verdict::Verdict;

impl Lcore {
    /// An ICMP error. A packet of the flow that goes the error's way has the quoted endpoints the other way round: that one
    /// is looked up, and its owner is the error's.
    pub(super) fn icmp_error(&mut self, packet: &mut Packet<'_>) -> Verdict {
        let error = packet.parsed;
        let Some(akin) = Quoted4::of(packet.frame, error).and_then(|quoted| going_its_way(error, &quoted))
        else {
            return self.pass(packet.ingress);
        };
        let key = Key4::new(akin.protocol, akin.src, akin.sport, akin.dst, akin.dport);
        let hash = self.flows.hash(key);
        match self.flows.find(key, hash) {
            Some((id, Direction::In)) => self.error_to_real(packet, id),
            Some((id, Direction::Out)) => self.error_to_client(packet, id),
            None => self.without_flow(
                &mut Packet { frame: packet.frame, parsed: &akin, hash, ..*packet },
                |lcore, akin| lcore.error_from_direct_real(akin).then(|| lcore.pass(akin.ingress)),
                |lcore, akin| lcore.error_starts_flow(akin, error),
            ),
        }
    }

    /// From the client's side to the real. Neither state nor timer of the flow moves.
    fn error_to_real(&mut self, packet: &mut Packet<'_>, id: FlowId) -> Verdict {
        if !transmit::icmp_checksum_is_right(packet.frame, packet.parsed) {
            return self.drop(DropReason::IcmpChecksum);
        }
        let next = self.route(id, Direction::In);
        let Some(flow) = self.flows.get_mut(id) else { return self.pass(packet.ingress) };
        // The kernel counts it as the flow's where it sends it like data (ip_vs_icmp_xmit).
        flow.in_packets = flow.in_packets.wrapping_add(u32::from(!flow.is_masq()));
        let Some(flow) = self.flows.get(id) else { return self.pass(packet.ingress) };
        self.count_error(flow, Direction::In, packet.parsed);
        self.leave(packet, flow, Direction::In, next)
    }

    /// From the real's side to the client, of a masqueraded flow. The kernel's router comes before IPVS, and so its
    /// refusals before all that is counted (ip_forward).
    fn error_to_client(&mut self, packet: &mut Packet<'_>, id: FlowId) -> Verdict {
        let next = self.route(id, Direction::Out);
        if let Next::Hop(hop) = &next
            && let Some(reason) = refusal(packet, hop)
        {
            return self.drop(reason);
        }
        if !transmit::icmp_checksum_is_right(packet.frame, packet.parsed) {
            return self.drop(DropReason::IcmpChecksum);
        }
        let Some(flow) = self.flows.get(id) else { return self.pass(packet.ingress) };
        self.count_error(flow, Direction::Out, packet.parsed);
        self.leave(packet, flow, Direction::Out, next)
    }

    fn count_error(&self, flow: &Flow<V4>, direction: Direction, error: &Parsed) {
        if let Some(real) = self.stats.real(flow.real).filter(|real| real.is_available()) {
            real.count(direction, error.ip_len);
        }
    }

    /// An error about a request that went to its real by direct routing is counted, unverified; the kernel forwards it as
    /// it is. Says whether this is one.
    fn error_from_direct_real(&mut self, akin: &mut Packet<'_>) -> bool {
        let parsed = akin.parsed;
        let request = Key4::new(parsed.protocol, parsed.dst, parsed.dport, parsed.src, parsed.sport);
        let found = self.flows.find(request, self.flows.hash(request));
        if let Some((id, Direction::In)) = found
            && let Some(flow) = self.flows.get(id).filter(|flow| !flow.is_masq())
        {
            self.count_error(flow, Direction::Out, parsed);
            return true;
        }
        false
    }

    /// An error about a service's packet whose flow is not known: with schedule_icmp it makes one, of three seconds.
    fn error_starts_flow(&mut self, akin: &mut Packet<'_>, error: &Parsed) -> Verdict {
        if !self.snapshot.switches.schedule_icmp || akin.parsed.kind == Kind::Ipsec4 {
            return self.pass(akin.ingress);
        }
        let chosen = match self.choose(akin) {
            Ok(Some(chosen)) => chosen,
            Ok(None) => return self.pass(akin.ingress),
            Err(reason) => return self.drop(reason),
        };
        let Chosen { new, one_packet } = chosen;
        if new.forward == Forward::Bypass {
            return self.drop(DropReason::NoReal);
        }
        if one_packet {
            if !transmit::icmp_checksum_is_right(akin.frame, error) {
                return self.drop(DropReason::IcmpChecksum);
            }
            return self.one_packet(
                &mut Packet { frame: akin.frame, parsed: error, ..*akin },
                &new,
                Direction::In,
            );
        }
        let id = match self.make(akin.hash, akin.now, &new) {
            Ok(id) => id,
            Err(reason) => return self.drop(reason),
        };
        self.begun(new.real);
        // As in the kernel, the flow is there before the checksum is looked at.
        let verdict = self.error_to_real(&mut Packet { frame: akin.frame, parsed: error, ..*akin }, id);
        self.flows.file(id);
        self.counted(new.real);
        verdict
    }
}

/// The packet of the quoted one's flow that goes the way of the error about it; `None` where IPVS knows no flows of the
/// protocol.
fn going_its_way(error: &Parsed, quoted: &Quoted4) -> Option<Parsed> {
    let Quoted4 { protocol, src, dst, sport, dport, .. } = *quoted;
    let turned = Parsed { flags: 0, protocol, src: dst, sport: dport, dst: src, dport: sport, ..*error };
    if Protocol::has_ports(protocol) {
        return Some(Parsed { kind: Kind::Flow4, ..turned });
    }
    matches!(protocol, protocol::ESP | protocol::AH)
        .then(|| in_the_name_of_its_key_exchange(&Parsed { kind: Kind::Ipsec4, ..turned }))
}
