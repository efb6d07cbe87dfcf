//! A packet without a flow: whose is it, may it start one, and with which real (reference 4.4, steps 7 and 8).
use std::net::Ipv4Addr;

use sluice_packet::Kind;
use sluice_packet::header::SctpChunk;

use super::Lcore;
use super::burst::Packet;
use super::forward::{Next, resolved};
use crate::config::{FTP, FTP_DATA, Protocol, Real, ServiceKey};
use crate::drop::DropReason;
use crate::family::{Family, V4};
use crate::flow::{Direction, FlowId, FlowKey, Key4, NewFlow, flags};
use crate::persist::{End, TemplateId};
use crate::proto;
use crate::real::RealId;
use crate::sched::{Reals, Request};
use crate::time::Jiffies;
use crate::verdict::Verdict;

/// The connection that a packet starts.
pub(super) struct Chosen {
    pub(super) new: NewFlow<V4>,
    /// Whether it ends with the packet (reference 6).
    pub(super) one_packet: bool,
}

impl Lcore {
    /// No flow has the packet's key.
    pub(super) fn unknown(&mut self, packet: &mut Packet<'_>) -> Verdict {
        self.without_flow(packet, Self::call_or_reply, Self::schedule)
    }

    /// Takes a packet without a flow to its owner, and does there with a request what `request` says. What else there is
    /// may be a real's, if `from_real` knows what to do with it; the rest is the kernel's.
    pub(super) fn without_flow(
        &mut self,
        packet: &mut Packet<'_>,
        from_real: impl FnOnce(&mut Self, &mut Packet<'_>) -> Option<Verdict>,
        request: impl FnOnce(&mut Self, &mut Packet<'_>) -> Verdict,
    ) -> Verdict {
        let parsed = packet.parsed;
        let snapshot = &self.snapshot;
        if snapshot.may_have_flows((parsed.protocol, parsed.dst, parsed.dport)) {
            return match self.steer(packet, parsed.src, parsed.sport) {
                Some(verdict) => verdict,
                None => request(self, packet),
            };
        }
        let from = (parsed.protocol, parsed.src, parsed.sport);
        let may_be_reply = snapshot.is_masq_real(from) || snapshot.service_at(from).is_some();
        if may_be_reply && let Some(verdict) = self.steer(packet, parsed.dst, parsed.dport) {
            return verdict;
        }
        if let Some(verdict) = from_real(self, packet) {
            return verdict;
        }
        if packet.ingress.from_kernel {
            return self.pass(packet.ingress);
        }
        if self.snapshot.may_have_marked_flows() {
            return match self.steer_to_marked(packet, may_be_reply) {
                Some(verdict) => verdict,
                None => request(self, packet),
            };
        }
        self.pass(packet.ingress)
    }

    /// Nobody's packet by its addresses, but with fwmark services any may be a request: its client's lcore may have a flow
    /// for it, whatever the mark rules say by now, and only there it meets them. Mark rules are for what comes in by a
    /// port, not for what the director itself sends.
    #[cold]
    fn steer_to_marked(&self, packet: &Packet<'_>, may_be_reply: bool) -> Option<Verdict> {
        let parsed = packet.parsed;
        // What was steered here because it might be a reply is none. The client's lcore does not send it back: it does
        // not own the replies, or it is this one.
        let came_as_reply = may_be_reply && self.ownership.owner(parsed.dst, parsed.dport) == self.id;
        let stays = packet.ingress.steered && !came_as_reply;
        self.steer_unless(stays, parsed.src, parsed.sport)
    }

    /// To the lcore that owns this client, where that is another.
    fn steer(&self, packet: &Packet<'_>, client: u32, port: u16) -> Option<Verdict> {
        self.steer_unless(packet.ingress.steered, client, port)
    }

    fn steer_unless(&self, stays: bool, client: u32, port: u16) -> Option<Verdict> {
        if self.lcores == 1 || stays {
            return None;
        }
        let lcore = self.ownership.owner(client, port);
        if lcore == self.id {
            return None;
        }
        self.stats.steered.add(1);
        Some(Verdict::Steer { lcore })
    }

    fn call_or_reply(&mut self, packet: &mut Packet<'_>) -> Option<Verdict> {
        if !self.snapshot.callers.is_empty()
            && let Some(verdict) = self.call_out(packet)
        {
            return Some(verdict);
        }
        self.reply_of_the_virtual_service(packet).then(|| self.pass(packet.ingress))
    }

    /// A reply with the virtual service as its source may pass the director under direct routing: it is counted, it moves
    /// the state, and the kernel forwards it unchanged (reference 3.2). Says whether the packet is one.
    fn reply_of_the_virtual_service(&mut self, packet: &mut Packet<'_>) -> bool {
        let parsed = *packet.parsed;
        let request = Key4::new(parsed.protocol, parsed.dst, parsed.dport, parsed.src, parsed.sport);
        let found = self.flows.find(request, self.flows.hash(request));
        if let Some((id, Direction::In)) = found
            && let Some(flow) = self.flows.get_mut(id)
            && !flow.is_masq()
        {
            // The kernel's turn to forward it: it was counted when it came, unless a real server here has made it.
            if packet.ingress.from_kernel
                && !matches!(resolved(&self.fib, flow.destination().0), Err(Next::Local))
            {
                return true;
            }
            let before = flow.expires;
            let activity = proto::advance(flow, Direction::Out, parsed.flags, &self.timeouts, packet.now);
            let sooner = flow.expires.since(before) < 0;
            let assured = flow.flags & flags::UNASSURED != 0 && proto::assures(flow, Direction::Out);
            if let Some(real) = self.stats.real(flow.real)
                && real.is_available()
            {
                real.count(Direction::Out, parsed.ip_len);
            }
            self.follow_up(id, activity, sooner);
            if assured {
                self.assure(id);
            }
            return true;
        }
        false
    }

    /// Starts a flow, if the packet may start one, and sends the packet along it.
    pub(super) fn schedule(&mut self, packet: &mut Packet<'_>) -> Verdict {
        let parsed = packet.parsed;
        if parsed.kind == Kind::Sctp4 && parsed.flags == SctpChunk::NONE {
            return self.drop(DropReason::SctpNoChunk);
        }
        let may_start = proto::may_start(parsed.protocol, parsed.flags, &self.snapshot.switches);
        if !may_start || parsed.kind == Kind::Ipsec4 {
            return self.pass(packet.ingress);
        }
        let made = match self.choose(packet) {
            Ok(Some(Chosen { new, one_packet: true })) => {
                return self.one_packet(packet, &new, Direction::In);
            }
            Ok(Some(Chosen { new, .. })) => self.make(packet.hash, packet.now, &new).map(Some),
            Ok(None) => Ok(None),
            Err(reason) => Err(reason),
        };
        match made {
            Ok(Some(id)) => self.first_packet(packet, id, Direction::In),
            Ok(None) => self.pass(packet.ingress),
            Err(reason) => self.drop(reason),
        }
    }

    /// Counts the connection and its first packet, and sends that.
    pub(super) fn first_packet(
        &mut self,
        packet: &mut Packet<'_>,
        id: FlowId,
        direction: Direction,
    ) -> Verdict {
        let Some(real) = self.flows.get(id).map(|flow| flow.real) else { return self.pass(packet.ingress) };
        self.begun(real);
        if let Some(line) = self.stats.real(real) {
            line.count(direction, packet.parsed.ip_len);
        }
        let verdict = self.forward(packet, id, direction);
        self.flows.file(id);
        // Only now: if the flow has become active, the scheduler knows already.
        self.counted(real);
        verdict
    }

    /// Counts a new connection.
    pub(super) fn begun(&self, real: RealId) {
        if let Some(counts) = self.table.get(real) {
            counts.bind();
        }
        if let Some(line) = self.stats.real(real) {
            line.conns.add(1);
        }
        self.stats.flows_made.add(1);
    }

    /// Chooses a real; `None` where the packet is the kernel's.
    pub(super) fn choose(&mut self, packet: &Packet<'_>) -> Result<Option<Chosen>, DropReason> {
        let Some((slot, service)) = self.service_of(packet) else { return Ok(None) };
        let (port, persistence) = (service.config.key.port(), service.config.persistence);
        let is_marked = matches!(service.config.key, ServiceKey::Fwmark { .. });
        let one_packet = service.config.one_packet && packet.parsed.protocol == Protocol::Udp as u8;
        if self.defence.turns_away(self.snapshot.switches.drop_rate) {
            return Err(DropReason::DropPacket);
        }
        // The kernel never schedules clients that call from the port of FTP's data connections (reference 4.2).
        if packet.parsed.sport == FTP_DATA {
            return Ok(None);
        }
        let dport = packet.parsed.dport;
        let new = match persistence {
            Some(persistence) => self.choose_persistent(packet, slot, persistence, one_packet)?,
            // Without persistence a service is of one port, port 0 and FTP's data included, unless it is of a mark (reference
            // 4.4, step 8).
            None if port != dport && !is_marked => None,
            None => self.pick(packet, slot).and_then(|at| {
                let real = self.snapshot.service(slot)?.reals.get(at)?;
                describe(packet, real, true, None)
            }),
        };
        match new {
            Some(new) => Ok(Some(Chosen { new, one_packet })),
            // FTP's service takes far more ports than are its (reference 4.5).
            None if port == FTP && dport != FTP => Ok(None),
            None if is_marked && let Some(new) = self.bypass(packet) => Ok(Some(Chosen { new, one_packet })),
            None => Err(DropReason::NoReal),
        }
    }

    /// What the service's scheduler says: a place in its list of reals.
    pub(super) fn pick(&mut self, packet: &Packet<'_>, slot: u32) -> Option<usize> {
        let parsed = packet.parsed;
        let service = self.snapshot.service(slot)?;
        let scheduler = self.services.get_mut(slot as usize)?.scheduler.as_mut()?;
        let reals = Reals { list: &service.reals, table: &self.table, shared: &service.shared };
        let request = Request {
            source: Ipv4Addr::from_bits(parsed.src).into(),
            source_port: parsed.sport,
            destination: Ipv4Addr::from_bits(parsed.dst).into(),
            flags: service.config.flags,
            random: self.random.next(),
            now: packet.now,
            lblcr_expiration: self.snapshot.switches.lblcr_expiration,
        };
        scheduler.pick(reals, &request)
    }

    /// Makes the flow, in another's place if need be; `hash` is that of its requests.
    pub(super) fn make(&mut self, hash: u64, now: Jiffies, new: &NewFlow<V4>) -> Result<FlowId, DropReason> {
        let mut made = self.flows.insert(new, hash);
        if made.is_none() && self.make_room(now) {
            made = self.flows.insert(new, hash);
        }
        if made.is_none()
            && let Some(template) = new.template
        {
            self.templates.release(template, End::Expired, now);
        }
        made.ok_or(DropReason::FlowTableFull)
    }
}

/// A flow to `real`; the real's own port, where it has one, stands for that of the service only (`is_port`).
pub(super) fn describe(
    packet: &Packet<'_>,
    real: &Real,
    is_port: bool,
    template: Option<TemplateId>,
) -> Option<NewFlow<V4>> {
    let parsed = packet.parsed;
    let real_address = V4::address(real.config.address)?;
    let real_port = if real.config.port == 0 || !is_port { parsed.dport } else { real.config.port };
    Some(NewFlow {
        protocol: parsed.protocol,
        client: parsed.src,
        client_port: parsed.sport,
        vip: parsed.dst,
        vport: parsed.dport,
        real_address,
        real_port,
        forward: real.config.forward,
        real: real.id,
        expires: packet.now.after(proto::CREATION),
        template,
    })
}
