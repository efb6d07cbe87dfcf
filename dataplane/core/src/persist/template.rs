//! One template: a group of a service's clients, and the real they keep.
use std::net::{Ipv4Addr, SocketAddr};

use sluice_packet::Parsed;

use super::CallId;
use crate::config::{FTP, Forward, ServiceConfig, ServiceKey};
use crate::flow::{FlowKey, Key4, Seed, with_bytes};
use crate::real::RealId;
use crate::time::Jiffies;

/// The timeout, for good, of a template whose time came while connections were under it: 60 s (reference 3.4).
const DEFERRED: u32 = Jiffies::ticks(60);
/// The port that a template out of use shows.
const OUT_OF_USE: u16 = 0xffff;
/// The protocol of marks' templates, which is all of them.
const ANY_PROTOCOL: u8 = 0;

/// A template as a flow remembers it. What has since become another's place is known by its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TemplateId {
    pub(super) at: u32,
    pub(super) serial: u32,
}

/// What a template is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A flow, which will be released.
    Flow,
    /// One packet of one-packet scheduling, whose connection ends with it.
    Packet,
    /// A real's packet to a client of one-packet scheduling, which is not counted.
    Answer,
}

/// How a flow has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By its timer, or to make way for a new one of the same client port.
    Expired,
    /// Its time was cut short: for want of room, or because its real is gone.
    Forced,
}

/// What drop_entry makes of a template (reference 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    /// Idle after so many packets: every so-many-th goes.
    Test(u32),
    Drop,
}

/// A template whose timer was started within this time is left alone, if packets are all it ever had.
const IDLE: i64 = Jiffies::ticks(60) as i64;

/// What a template is found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemplateKey<'a> {
    /// The clients' network, port 0, and what of the service counts as one.
    pub(crate) tuple: Key4,
    /// What the SIP engine goes by besides; empty without it.
    pub(crate) call_id: &'a [u8],
}

impl TemplateKey<'_> {
    pub(super) fn hash(&self, seed: Seed) -> u64 {
        let hash = self.tuple.hash(seed);
        if self.call_id.is_empty() { hash } else { with_bytes(hash, self.call_id, seed) }
    }
}

/// What a template is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTemplate<'a> {
    pub(crate) key: TemplateKey<'a>,
    pub(crate) real: RealId,
    pub(crate) address: u32,
    pub(crate) port: u16,
    pub(crate) forward: Forward,
    /// In jiffies.
    pub(crate) timeout: u32,
}

/// A template in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) key: Key4,
    pub(super) real: RealId,
    address: u32,
    port: u16,
    forward: Forward,
    /// Whether a connection under it was answered.
    pub(super) assured: bool,
    /// Whether nothing finds it any more: it only waits for its end.
    pub(super) out_of_use: bool,
    /// Bytes of its Call-ID.
    pub(super) call_id: u8,
    pub(super) serial: u32,
    /// Connections under it.
    pub(super) controls: u32,
    /// Packets of one-packet scheduling.
    in_packets: u32,
    timeout: u32,
    expires: Jiffies,
}

/// The key of a client's template: its network, port 0, and what of the service counts as one (reference 4.1).
pub(crate) fn template_key(service: &ServiceConfig, netmask: u32, parsed: &Parsed) -> Key4 {
    let client = parsed.src & netmask;
    match service.key {
        ServiceKey::Fwmark { mark, .. } => Key4::new(ANY_PROTOCOL, client, 0, mark, 0),
        ServiceKey::Address { port, .. } => {
            // FTP's data connections must find the control connection's.
            let port = if parsed.dport == port && port != FTP { port } else { 0 };
            Key4::new(parsed.protocol, client, 0, parsed.dst, port)
        }
    }
}

impl Template {
    pub(super) fn new(new: &NewTemplate<'_>, serial: u32) -> Self {
        Self {
            key: new.key.tuple,
            real: new.real,
            address: new.address,
            port: new.port,
            forward: new.forward,
            assured: false,
            out_of_use: false,
            call_id: 0,
            serial,
            controls: 0,
            in_packets: 0,
            timeout: new.timeout,
            expires: Jiffies::default(),
        }
    }

    /// A connection is made under it.
    pub(super) fn restart(&mut self, bound: Bound, now: Jiffies) {
        match bound {
            Bound::Flow => self.controls += 1,
            Bound::Packet => self.in_packets = self.in_packets.wrapping_add(1),
            Bound::Answer => {}
        }
        self.expires = now.after(self.timeout);
    }

    /// Lets the timer do what it would have done until now; to be called before its connections change. `false` where
    /// the template has ended.
    pub(super) fn settle(&mut self, now: Jiffies) -> bool {
        if !self.expires.is_due(now) {
            return true;
        }
        if self.controls == 0 {
            return false;
        }
        let late = now.since(self.expires).unsigned_abs();
        self.timeout = DEFERRED;
        self.expires = self.expires.after((late / DEFERRED + 1) * DEFERRED);
        true
    }

    /// What drop_entry makes of it, settled; `one_packet` says whether its real's service is scheduled by the packet.
    pub(super) fn fate(&self, now: Jiffies, one_packet: impl Fn(RealId) -> bool) -> Fate {
        if self.controls > 0 {
            return Fate::Keep;
        }
        if one_packet(self.real) {
            let idle = i64::from(self.timeout) - i64::from(self.expires.since(now));
            return if idle >= IDLE { Fate::Test(self.in_packets) } else { Fate::Keep };
        }
        if self.assured { Fate::Keep } else { Fate::Drop }
    }

    /// Its real can take no connection of the client: it is found no more, and shows so.
    pub(super) fn put_out_of_use(&mut self) {
        self.out_of_use = true;
        let (client, _) = self.key.source();
        let (service, _) = self.key.destination();
        self.key = Key4::new(self.key.protocol(), client, 0, service, OUT_OF_USE);
        self.port = OUT_OF_USE;
    }

    /// As listings show it, with its Call-ID; `None` where it has ended.
    pub(super) fn view(&self, call_id: &[u8], now: Jiffies) -> Option<TemplateView> {
        let mut settled = *self;
        if !settled.settle(now) {
            return None;
        }
        let endpoint = |(address, port)| SocketAddr::from((Ipv4Addr::from_bits(address), port));
        Some(TemplateView {
            protocol: self.key.protocol(),
            client: endpoint(self.key.source()),
            virtual_endpoint: endpoint(self.key.destination()),
            destination: endpoint((self.address, self.port)),
            real: self.real,
            forward: self.forward,
            state: if self.assured { "ASSURED" } else { "NONE" },
            expires: u32::try_from(settled.expires.since(now)).unwrap_or(0) / Jiffies::HZ,
            controls: self.controls,
            in_packets: self.in_packets,
            call_id: CallId::of(call_id),
        })
    }
}

/// A template as listings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateView {
    /// IP protocol; 0 for a mark's.
    pub protocol: u8,
    /// The clients' network, port 0.
    pub client: SocketAddr,
    /// The virtual endpoint; of a mark's the mark in place of the address.
    pub virtual_endpoint: SocketAddr,
    /// The real server.
    pub destination: SocketAddr,
    /// The real's slot.
    pub real: RealId,
    /// The real's method when it was made.
    pub forward: Forward,
    /// The state's name as `ipvsadm -Lc` prints it.
    pub state: &'static str,
    /// Whole seconds until it expires, or until its timer starts anew where connections are under it.
    pub expires: u32,
    /// Flows under it.
    pub controls: u32,
    /// Packets of one-packet scheduling.
    pub in_packets: u32,
    /// What the SIP engine goes by; empty without it.
    pub call_id: CallId,
}
