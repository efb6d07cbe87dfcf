//! The builder of a whole frame.
use super::fragments;
use super::network::{Extension, Network, V4, V6};
use super::transport::{Tcp, Transport};
use crate::header::{Ethernet, Header, Ipv4, Vlan, ethertype, protocol};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A frame in the making. Layers are named from the outside in; what is not said has a plain default (TTL 64,
/// no options, an empty payload), and lengths and checksums come out right.
///
/// # Panics
///
/// A setter for a layer that was not named, such as [`seq`](Self::seq) without [`tcp`](Self::tcp), panics.
#[derive(Clone, Debug)]
#[must_use]
pub struct Frame {
    destination: [u8; 6],
    source: [u8; 6],
    tags: Vec<(u16, u16)>,
    network: Network,
    transport: Transport,
    payload: Vec<u8>,
    wrong_transport_checksum: bool,
    min_len: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Frame {
    /// The destination MAC address unless [`eth`](Self::eth) says otherwise.
    pub const DESTINATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
    /// The source MAC address unless [`eth`](Self::eth) says otherwise.
    pub const SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

    /// An empty frame from [`SOURCE`](Self::SOURCE) to [`DESTINATION`](Self::DESTINATION).
    pub const fn new() -> Self {
        Self {
            destination: Self::DESTINATION,
            source: Self::SOURCE,
            tags: Vec::new(),
            network: Network::Raw(0),
            transport: Transport::Raw(0),
            payload: Vec::new(),
            wrong_transport_checksum: false,
            min_len: 0,
        }
    }

    /// The MAC addresses, destination first as on the wire.
    pub const fn eth(mut self, destination: [u8; 6], source: [u8; 6]) -> Self {
        self.destination = destination;
        self.source = source;
        self
    }

    /// Adds an 802.1Q tag inside those already there.
    pub fn vlan(self, tag: u16) -> Self {
        self.tag(ethertype::VLAN, tag)
    }

    /// Adds an 802.1ad service tag inside those already there.
    pub fn service_vlan(self, tag: u16) -> Self {
        self.tag(ethertype::SERVICE_VLAN, tag)
    }

    /// Carries the payload right after the Ethernet header and tags, under this ethertype.
    pub fn ethertype(mut self, ethertype: u16) -> Self {
        self.network = Network::Raw(ethertype);
        self
    }

    /// Carries IPv4.
    pub fn ipv4(mut self, source: impl Into<Ipv4Addr>, destination: impl Into<Ipv4Addr>) -> Self {
        self.network = Network::V4(V4::new(source.into(), destination.into()));
        self
    }

    /// Carries IPv6.
    pub fn ipv6(mut self, source: impl Into<Ipv6Addr>, destination: impl Into<Ipv6Addr>) -> Self {
        self.network = Network::V6(V6::new(source.into(), destination.into()));
        self
    }

    /// The TTL or hop limit.
    pub fn ttl(mut self, ttl: u8) -> Self {
        match &mut self.network {
            Network::V4(ip) => ip.ttl = ttl,
            Network::V6(ip) => ip.hop_limit = ttl,
            Network::Raw(_) => panic!("ttl() needs ipv4() or ipv6()"),
        }
        self
    }

    /// The TOS byte or traffic class: DSCP and ECN.
    pub fn tos(mut self, tos: u8) -> Self {
        match &mut self.network {
            Network::V4(ip) => ip.tos = tos,
            Network::V6(ip) => ip.class = tos,
            Network::Raw(_) => panic!("tos() needs ipv4() or ipv6()"),
        }
        self
    }

    /// The identification that ties fragments together; IPv4 takes its low half.
    pub fn ident(mut self, ident: u32) -> Self {
        match &mut self.network {
            Network::V4(ip) => ip.ident = ident as u16,
            Network::V6(ip) => ip.ident = ident,
            Network::Raw(_) => panic!("ident() needs ipv4() or ipv6()"),
        }
        self
    }

    /// IPv4: sets the don't-fragment bit.
    pub fn dont_fragment(mut self) -> Self {
        self.v4().flags_offset |= Ipv4::DONT_FRAGMENT;
        self
    }

    /// IPv4: header options, at most 40 bytes, padded to a multiple of four with end-of-options.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.v4().options = options.to_vec();
        self
    }

    /// IPv4: makes the header checksum wrong.
    pub fn wrong_ip_checksum(mut self) -> Self {
        self.v4().wrong_checksum = true;
        self
    }

    /// IPv6: adds an extension header after those already there. `kind` is its protocol number and `body`
    /// what follows its two fixed bytes, padded with zeros to a multiple of eight.
    pub fn extension(mut self, kind: u8, body: &[u8]) -> Self {
        self.v6().extensions.push(Extension::Other(kind, body.to_vec()));
        self
    }

    /// Makes this one fragment: `offset` bytes (a multiple of eight) into the packet, `more` to follow. Over
    /// IPv6 this adds a fragment header after the extension headers already there.
    ///
    /// With an offset the payload is all it carries, without a transport header. See
    /// [`fragments`](Self::fragments) for all fragments of a packet, the checksum of the first covering the
    /// others.
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        assert!(offset.is_multiple_of(8), "a fragment starts at a multiple of eight bytes");
        match &mut self.network {
            Network::V4(ip) => ip.flags_offset = offset >> 3 | if more { Ipv4::MORE_FRAGMENTS } else { 0 },
            Network::V6(ip) => ip.extensions.push(Extension::Fragment { offset, more }),
            Network::Raw(_) => panic!("fragment() needs ipv4() or ipv6()"),
        }
        self
    }

    /// Carries TCP with these ports and flags byte (see [`flags`](crate::header::flags)).
    pub fn tcp(mut self, sport: u16, dport: u16, flags: u8) -> Self {
        self.transport = Transport::Tcp(Tcp::new(sport, dport, flags));
        self
    }

    /// TCP: the sequence number.
    pub fn seq(mut self, seq: u32) -> Self {
        self.as_tcp().seq = seq;
        self
    }

    /// TCP: the acknowledgement number.
    pub fn ack(mut self, ack: u32) -> Self {
        self.as_tcp().ack = ack;
        self
    }

    /// TCP: the receive window.
    pub fn window(mut self, window: u16) -> Self {
        self.as_tcp().window = window;
        self
    }

    /// TCP: options, at most 40 bytes, padded to a multiple of four with end-of-options.
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.as_tcp().options = options.to_vec();
        self
    }

    /// Carries UDP.
    pub fn udp(mut self, sport: u16, dport: u16) -> Self {
        self.transport = Transport::Udp { sport, dport, checksum: true };
        self
    }

    /// UDP: no checksum, the field 0.
    pub fn no_udp_checksum(mut self) -> Self {
        let Transport::Udp { checksum, .. } = &mut self.transport else {
            panic!("no_udp_checksum() needs udp()")
        };
        *checksum = false;
        self
    }

    /// Carries SCTP: the payload in one chunk of this type.
    pub fn sctp(mut self, sport: u16, dport: u16, chunk: u8) -> Self {
        self.transport = Transport::Sctp { sport, dport, chunk, tag: 0 };
        self
    }

    /// SCTP: the verification tag.
    pub fn verification_tag(mut self, value: u32) -> Self {
        let Transport::Sctp { tag, .. } = &mut self.transport else {
            panic!("verification_tag() needs sctp()")
        };
        *tag = value;
        self
    }

    /// Carries ICMP, or ICMPv6 over IPv6; `rest` is the second half of the header.
    pub fn icmp(mut self, kind: u8, code: u8, rest: u32) -> Self {
        self.transport = Transport::Icmp { kind, code, rest };
        self
    }

    /// Carries an ICMP error that quotes `packet`, from its IP header on (see [`packet`](Self::packet)).
    pub fn icmp_error(self, kind: u8, code: u8, rest: u32, packet: &[u8]) -> Self {
        self.icmp(kind, code, rest).payload(packet)
    }

    /// Carries the payload right after the IP header, under this protocol number.
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.transport = Transport::Raw(protocol);
        self
    }

    /// Makes the transport checksum wrong.
    pub fn wrong_transport_checksum(mut self) -> Self {
        self.wrong_transport_checksum = true;
        self
    }

    /// What the innermost layer carries.
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Pads the frame with zeros to at least `len` bytes, as Ethernet does to 60.
    pub fn pad_to(mut self, len: usize) -> Self {
        self.min_len = len;
        self
    }

    /// The bytes of the frame.
    pub fn build(&self) -> Vec<u8> {
        self.around(&self.packet())
    }

    /// The bytes from the IP header on.
    pub fn packet(&self) -> Vec<u8> {
        match &self.network {
            Network::Raw(_) => self.payload.clone(),
            Network::V4(ip) => ip.around(self.protocol_number(), &self.segment(ip.is_later_fragment())),
            Network::V6(ip) => ip.around(self.protocol_number(), &self.segment(ip.is_later_fragment())),
        }
    }

    /// The frames of the packet cut into fragments, none with an IP packet of more than `mtu` bytes. Over
    /// IPv6 the fragment header comes after all extension headers.
    pub fn fragments(&self, mtu: usize) -> Vec<Vec<u8>> {
        let packets = match &self.network {
            Network::V4(ip) => fragments::of_v4(ip, self.protocol_number(), &self.segment(false), mtu),
            Network::V6(ip) => fragments::of_v6(ip, self.protocol_number(), &self.segment(false), mtu),
            Network::Raw(_) => panic!("fragments() needs ipv4() or ipv6()"),
        };
        packets.iter().map(|packet| self.around(packet)).collect()
    }

    fn tag(mut self, kind: u16, tag: u16) -> Self {
        self.tags.push((kind, tag));
        self
    }

    fn v4(&mut self) -> &mut V4 {
        let Network::V4(ip) = &mut self.network else { panic!("this needs ipv4()") };
        ip
    }

    fn v6(&mut self) -> &mut V6 {
        let Network::V6(ip) = &mut self.network else { panic!("this needs ipv6()") };
        ip
    }

    fn as_tcp(&mut self) -> &mut Tcp {
        let Transport::Tcp(tcp) = &mut self.transport else { panic!("this needs tcp()") };
        tcp
    }

    fn protocol_number(&self) -> u8 {
        match (&self.transport, &self.network) {
            (Transport::Icmp { .. }, Network::V6(_)) => protocol::ICMPV6,
            (transport, _) => transport.protocol(),
        }
    }

    /// Transport header and payload; of a later fragment the payload alone.
    fn segment(&self, is_later_fragment: bool) -> Vec<u8> {
        if is_later_fragment {
            return self.payload.clone();
        }
        let protocol = self.protocol_number();
        self.transport
            .around(&self.payload, self.wrong_transport_checksum, |len| self.network.pseudo(protocol, len))
    }

    /// The frame around an IP packet.
    fn around(&self, packet: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; Ethernet::LEN + self.tags.len() * Vlan::LEN];
        let mut next = self.network.ethertype();
        for (i, (kind, tag)) in self.tags.iter().enumerate().rev() {
            let vlan = Vlan::at_mut(&mut bytes, Ethernet::LEN + i * Vlan::LEN).expect("room was made");
            vlan.set_tag(*tag);
            vlan.set_ethertype(next);
            next = *kind;
        }
        let ethernet = Ethernet::at_mut(&mut bytes, 0).expect("room was made");
        ethernet.set_addresses(self.destination, self.source);
        ethernet.set_ethertype(next);
        bytes.extend_from_slice(packet);
        bytes.resize(bytes.len().max(self.min_len), 0);
        bytes
    }
}
