//! The SIP engine (reference 4.2): what it reads of a packet, and calls that a real makes to clients, which start a flow.
use std::net::IpAddr;

use sluice_packet::sip;

use super::Lcore;
use super::burst::Packet;
use super::persistent::template;
use crate::config::{Persistence, Protocol, Real, Service, ServiceKey};
use crate::drop::DropReason;
use crate::family::V4;
use crate::flow::{Direction, FlowKey, Key4, NewFlow};
use crate::persist::{Bound, End, Held, TemplateKey};
use crate::proto;
use crate::time::Jiffies;
use crate::verdict::Verdict;

/// Bytes of a UDP header.
const UDP_HEADER: usize = 8;

/// Where an IPv4 header has its protocol.
const PROTOCOL: usize = 9;

/// The packet's Call-ID, if it is UDP's and has one. It has to lie in the first segment, as all headers. An ICMP error about
/// such a packet has none, as in the kernel.
pub(super) fn call_id<'a>(packet: &'a Packet<'_>) -> Option<&'a [u8]> {
    let parsed = packet.parsed;
    if *packet.frame.get(usize::from(parsed.l3) + PROTOCOL)? != Protocol::Udp as u8 {
        return None;
    }
    let end = usize::from(parsed.l3) + usize::from(parsed.ip_len);
    let message = packet.frame.get(usize::from(parsed.l4) + UDP_HEADER..end.min(packet.frame.len()))?;
    sip::call_id(message)
}

/// Whom a real calls in a service's name.
struct Call<'a> {
    service: &'a Service,
    real: &'a Real,
    address: u32,
    vip: u32,
    vport: u16,
}

impl Lcore {
    /// A packet of a real to a client with whom it has no flow. With the SIP engine it starts one, so that the client sees
    /// the virtual service and can answer; without a Call-ID that persistence would go by, it does not.
    #[cold]
    pub(super) fn call_out(&mut self, packet: &mut Packet<'_>) -> Option<Verdict> {
        let call = self.call(packet)?;
        let one_packet = call.service.config.one_packet;
        let held = match call.service.config.persistence {
            Some(persistence) => match self.hold_for(packet, &call, persistence, one_packet)? {
                Ok(held) => Some(held),
                Err(reason) => return Some(self.drop(reason)),
            },
            None => None,
        };
        let new = NewFlow {
            protocol: packet.parsed.protocol,
            client: packet.parsed.dst,
            client_port: packet.parsed.dport,
            vip: call.vip,
            vport: call.vport,
            real_address: call.address,
            real_port: packet.parsed.sport,
            forward: call.real.config.forward,
            real: call.real.id,
            expires: packet.now.after(proto::CREATION),
            template: held.filter(|_| !one_packet).map(|held| held.id),
        };
        if one_packet {
            if let Some(held) = held {
                self.templates.assure(held.id);
            }
            return Some(self.one_packet(packet, &new, Direction::Out));
        }
        Some(self.start_call(packet, &new))
    }

    fn call(&self, packet: &Packet<'_>) -> Option<Call<'_>> {
        let parsed = packet.parsed;
        let id = *self.snapshot.callers.get(&(parsed.protocol, parsed.src, parsed.sport))?;
        let (service, real) = self.service_and_real(id)?;
        let ServiceKey::Address { address: IpAddr::V4(vip), port, .. } = service.config.key else {
            return None;
        };
        let IpAddr::V4(address) = real.config.address else { return None };
        Some(Call { service, real, address: address.to_bits(), vip: vip.to_bits(), vport: port })
    }

    /// The client's template of this call, which has to name the real.
    fn hold_for(
        &self,
        packet: &Packet<'_>,
        call: &Call<'_>,
        persistence: Persistence,
        one_packet: bool,
    ) -> Option<Result<Held, DropReason>> {
        let parsed = packet.parsed;
        let client = parsed.dst & persistence.netmask;
        let key = TemplateKey {
            tuple: Key4::new(parsed.protocol, client, 0, call.vip, call.vport),
            call_id: call_id(packet)?,
        };
        let bound = if one_packet { Bound::Answer } else { Bound::Flow };
        let usable = |real| real == call.real.id && self.keeps(real);
        if let Some(held) = self.templates.hold(key, bound, packet.now, usable) {
            return Some(Ok(held));
        }
        let new = template(key, call.real, true, Jiffies::ticks(persistence.timeout))?;
        Some(self.add_template(&new, bound, packet.now, usable))
    }

    fn start_call(&mut self, packet: &mut Packet<'_>, new: &NewFlow<V4>) -> Verdict {
        let key = Key4::new(new.protocol, new.client, new.client_port, new.vip, new.vport);
        let hash = self.flows.hash(key);
        // The client may have a flow with another real. This one takes its place: requests would meet the newer in the
        // kernel too, and a reply of the other's makes a flow of its own again.
        if let Some((older, _)) = self.flows.find(key, hash) {
            self.end(older, End::Expired, packet.now);
        }
        match self.make(hash, packet.now, new) {
            Ok(id) => self.first_packet(packet, id, Direction::Out),
            Err(reason) => self.drop(reason),
        }
    }
}
