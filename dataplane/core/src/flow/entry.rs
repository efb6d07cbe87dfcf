//! One flow, laid out so that an established packet touches one cache line over IPv4 and two over IPv6.
use std::mem::offset_of;
use std::net::SocketAddr;

use sluice_packet::checksum::Delta;

use super::hash::FlowKey;
use crate::config::{Forward, Protocol};
use crate::cpu::prefetch;
use crate::family::{Family, V4, V6};
use crate::persist::TemplateId;
use crate::real::RealId;
use crate::time::Jiffies;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    /// From the client.
    In = 0,
    /// From the real server.
    Out = 1,
}

/// Flag bits of a flow, as the kernel numbers them (reference 3.1); the low three bits are the forwarding method.
pub(crate) mod flags {
    /// The forwarding method.
    pub(crate) const FORWARD: u16 = 0x0007;
    /// No packet from the real server has been seen.
    pub(crate) const NO_OUTPUT: u16 = 0x0080;
    /// Counted as inactive.
    pub(crate) const INACTIVE: u16 = 0x0100;
    /// Sluice's own: it has a template that does not know yet that the client is answered.
    pub(crate) const UNASSURED: u16 = 0x4000;
    /// Sluice's own: the slot holds a flow.
    pub(crate) const IN_USE: u16 = 0x8000;
}

const TUNNEL: u16 = Forward::Tunnel as u16;
const ROUTE: u16 = Forward::Route as u16;
const BYPASS: u16 = Forward::Bypass as u16;

/// No such slot, next hop or place in a list.
pub(crate) const NONE: u32 = u32::MAX;

/// A flow in its slot.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Flow<F: Family> {
    /// The keys of its packets as they arrive: client to virtual service, and real server to client.
    keys: [F::Key; 2],
    pub(crate) state: u8,
    pub(crate) flags: u16,
    /// What the request direction's change of address adds to a checksum; the reply direction takes it away.
    pub(crate) l3_delta: Delta,
    /// The same for addresses and ports: the transport checksum.
    pub(crate) l4_delta: Delta,
    pub(crate) real: RealId,
    pub(crate) expires: Jiffies,
    /// Slot of the next hop towards the client, right while `fib_version` is.
    pub(crate) hop_out: u32,
    pub(crate) fib_version: u32,
    pub(crate) in_packets: u32,
    /// The last line: what only set-up, listing and expiry touch.
    pub(crate) wheel: LastLine,
}

/// Where the wheel has filed the flow.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct LastLine {
    /// Slot of the wheel, counted since start.
    pub(crate) slot: u32,
    /// Place in the slot's list; [`NONE`] where the flow is not filed.
    pub(crate) place: u32,
    /// The template it was made under.
    pub(crate) template: Option<TemplateId>,
}

/// What an IPv4 flow takes in its table.
pub const FLOW_BYTES: usize = 128;
/// What an IPv6 flow takes in its table.
pub const FLOW6_BYTES: usize = 192;

const LINE: usize = 64;

const _: () = {
    assert!(size_of::<Flow<V4>>() == FLOW_BYTES && offset_of!(Flow<V4>, wheel) == LINE);
    assert!(size_of::<Flow<V6>>() == FLOW6_BYTES && offset_of!(Flow<V6>, wheel) == 2 * LINE);
    assert!(offset_of!(Flow<V6>, in_packets) >= LINE);
};

/// What a new flow is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFlow<F: Family> {
    pub(crate) protocol: u8,
    pub(crate) client: F::Address,
    pub(crate) client_port: u16,
    pub(crate) vip: F::Address,
    pub(crate) vport: u16,
    pub(crate) real_address: F::Address,
    pub(crate) real_port: u16,
    pub(crate) forward: Forward,
    pub(crate) real: RealId,
    pub(crate) expires: Jiffies,
    pub(crate) template: Option<TemplateId>,
}

impl<F: Family> Flow<F> {
    pub(crate) const EMPTY: Self = Self {
        keys: [F::Key::ZERO; 2],
        state: 0,
        flags: 0,
        l3_delta: Delta::ZERO,
        l4_delta: Delta::ZERO,
        real: RealId(NONE),
        expires: Jiffies(0),
        hop_out: NONE,
        fib_version: 0,
        in_packets: 0,
        wheel: LastLine { slot: 0, place: NONE, template: None },
    };

    /// Asks for what an established packet touches.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(self);
        // A constant: over IPv4 it lies in the first line.
        if offset_of!(Self, in_packets) >= LINE {
            prefetch(&self.in_packets);
        }
    }

    /// Makes the slot a new flow, which counts as inactive until its first state says otherwise (reference 3.3).
    #[inline]
    pub(crate) fn begin(&mut self, new: &NewFlow<F>) {
        let l3_delta = F::delta(new.vip, new.real_address);
        let unassured = if new.template.is_some() { flags::UNASSURED } else { 0 };
        // Of UDP under a template, NAT's first reply tells too: it has to go the general way.
        let tells = unassured != 0 && new.protocol == Protocol::Udp as u8;
        // A bypass has no real that would say otherwise: its replies count as seen.
        let seen = matches!(new.forward, Forward::Masq | Forward::Bypass) && !tells;
        let no_output = if seen { 0 } else { flags::NO_OUTPUT };
        *self = Self {
            keys: [
                F::Key::new(new.protocol, new.client, new.client_port, new.vip, new.vport),
                F::Key::new(new.protocol, new.real_address, new.real_port, new.client, new.client_port),
            ],
            flags: new.forward as u16 | no_output | unassured | flags::INACTIVE | flags::IN_USE,
            l3_delta,
            l4_delta: l3_delta.plus(Delta::of_u16(new.vport, new.real_port)),
            real: new.real,
            expires: new.expires,
            wheel: LastLine { template: new.template, ..Self::EMPTY.wheel },
            ..Self::EMPTY
        };
    }

    #[inline(always)]
    pub(crate) fn in_use(&self) -> bool {
        self.flags & flags::IN_USE != 0
    }

    fn forward(&self) -> Forward {
        match self.flags & flags::FORWARD {
            ROUTE => Forward::Route,
            TUNNEL => Forward::Tunnel,
            BYPASS => Forward::Bypass,
            _ => Forward::Masq,
        }
    }

    #[inline(always)]
    pub(crate) fn is_masq(&self) -> bool {
        self.flags & flags::FORWARD == Forward::Masq as u16
    }

    #[inline(always)]
    pub(crate) fn is_tunnelled(&self) -> bool {
        self.flags & flags::FORWARD == TUNNEL
    }

    /// Whether it goes past all reals.
    pub(crate) fn is_bypass(&self) -> bool {
        self.flags & flags::FORWARD == BYPASS
    }

    #[inline(always)]
    pub(crate) fn is_inactive(&self) -> bool {
        self.flags & flags::INACTIVE != 0
    }

    /// The key of the flow's packets in a direction, as they arrive.
    #[inline(always)]
    pub(crate) fn key(&self, direction: Direction) -> F::Key {
        let [request, reply] = self.keys;
        match direction {
            Direction::In => request,
            Direction::Out => reply,
        }
    }

    #[inline(always)]
    pub(crate) fn protocol(&self) -> u8 {
        self.keys[0].protocol()
    }

    /// The client's address and port.
    pub(crate) fn client(&self) -> (F::Address, u16) {
        self.keys[0].source()
    }

    /// The virtual service's address and port.
    #[inline(always)]
    pub(crate) fn vip(&self) -> (F::Address, u16) {
        self.keys[0].destination()
    }

    /// The real server's address and port.
    #[inline(always)]
    pub(crate) fn destination(&self) -> (F::Address, u16) {
        self.keys[1].source()
    }
}

/// A flow as listings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowView {
    /// IP protocol.
    pub protocol: u8,
    /// The client.
    pub client: SocketAddr,
    /// The virtual endpoint.
    pub virtual_endpoint: SocketAddr,
    /// The real server.
    pub destination: SocketAddr,
    /// The real's slot; of a bypass no slot.
    pub real: RealId,
    /// The method it was made with; an edit of the real does not change it.
    pub forward: Forward,
    /// The state's name as `ipvsadm -Lc` prints it.
    pub state: &'static str,
    /// Whole seconds until it expires, 0 where it is due.
    pub expires: u32,
}

impl FlowView {
    pub(crate) fn of<F: Family>(flow: &Flow<F>, now: Jiffies) -> Self {
        let endpoint = |(address, port)| SocketAddr::new(F::ip(address), port);
        Self {
            protocol: flow.protocol(),
            client: endpoint(flow.client()),
            virtual_endpoint: endpoint(flow.vip()),
            destination: endpoint(flow.destination()),
            real: flow.real,
            forward: flow.forward(),
            state: crate::proto::state_name(flow.protocol(), flow.state),
            expires: u32::try_from(flow.expires.since(now)).unwrap_or(0) / Jiffies::HZ,
        }
    }
}
