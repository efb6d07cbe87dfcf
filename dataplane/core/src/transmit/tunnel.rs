//! Tunnels: the packet goes to the real inside another one (reference 5.4).
//!
//! What a tunnel puts in front of packets is made once, when the route to the real is known; of a packet only its length,
//! class, time to live and don't-fragment bit are added, and the outer header's checksum by what they add.
use sluice_packet::checksum::{self, Delta, Sum};
use sluice_packet::header::{Ethernet, Gre, Gue, Header, Ipv4, Udp, ethertype, protocol};
use sluice_packet::{PacketBuf, Parsed};

use super::{put, step_ttl, u16_at};
use crate::config::{Encapsulation, TunnelChecksum, TunnelKind};
use crate::drop::DropReason;

/// The longest headers in front of the packet inside, less the Ethernet header: IPv6, UDP and GUE.
const HEAD: usize = 52;

/// Where a frame says what follows.
const ETHERTYPE: usize = 12;

/// The ports of UDP that tunnels send from: Linux's ephemeral ones.
const PORTS: std::ops::Range<u16> = 32_768..61_000;

/// A tunnel to one real.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Tunnel {
    /// The outer headers without what differs by packet. The checksum field of the IPv4 header holds the plain sum over it.
    head: [u8; HEAD],
    /// Length of the outer headers.
    len: u8,
    shape: Shape,
    /// The version of the FIB that the headers were made by; 0 where there are none.
    fib_version: u32,
}

const _: () = assert!(size_of::<Tunnel>() == 64);

/// What lies between the outer IP header and the packet inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Shape {
    Ipip,
    Gue,
    GueSummed,
    Gre,
    GreSummed,
}

/// The identifications of packets that may be fragmented on their way: those of one lcore, and no other's.
#[derive(Debug)]
pub(crate) struct Idents {
    next: u16,
    step: u16,
}

impl Idents {
    /// Those of lcore `id` of `lcores`, beginning where `random` says.
    pub(crate) fn new(id: u16, lcores: u16, random: u64) -> Self {
        let step = lcores.max(1).next_power_of_two();
        Self { next: (random as u16).wrapping_mul(step).wrapping_add(id), step }
    }

    #[inline(always)]
    fn next(&mut self) -> u16 {
        self.next = self.next.wrapping_add(self.step);
        self.next
    }
}

/// What the outer header takes over from the packet inside.
#[derive(Clone, Copy, Debug)]
struct Inner {
    class: u8,
    ttl: u8,
    dont_fragment: u16,
}

/// How a packet is to be wrapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrapping {
    /// Destination and source MAC address of the frame.
    pub(crate) macs: [u8; 12],
    /// The hash of its flow: chooses the source port of UDP.
    pub(crate) hash: u64,
    /// The don't-fragment bit where the outer header is to have the inner one's, else 0.
    pub(crate) dont_fragment: u16,
}

impl Tunnel {
    pub(crate) const NONE: Self = Self { head: [0; HEAD], len: 0, shape: Shape::Ipip, fib_version: 0 };

    /// Makes the headers of an IPv4 tunnel; `fib_version` is not 0.
    pub(crate) fn make(&mut self, how: Encapsulation, source: u32, destination: u32, fib_version: u32) {
        let summed = how.checksum != TunnelChecksum::None;
        let (shape, len, protocol) = match how.kind {
            TunnelKind::Ipip => (Shape::Ipip, 0, protocol::IPIP),
            TunnelKind::Gue if summed => (Shape::GueSummed, Udp::LEN + Gue::LEN, protocol::UDP),
            TunnelKind::Gue => (Shape::Gue, Udp::LEN + Gue::LEN, protocol::UDP),
            TunnelKind::Gre if summed => (Shape::GreSummed, 2 * Gre::LEN, protocol::GRE),
            TunnelKind::Gre => (Shape::Gre, Gre::LEN, protocol::GRE),
        };
        let mut head = [0; HEAD];
        if let Some(ip) = Ipv4::at_mut(&mut head, 0) {
            ip.set_version_ihl(Ipv4::PLAIN);
            ip.set_protocol(protocol);
            ip.set_source(source);
            ip.set_destination(destination);
            let sum = !checksum::ipv4_header(ip, &[]);
            ip.set_checksum(sum);
        }
        if let Shape::Gue | Shape::GueSummed = shape {
            if let Some(udp) = Udp::at_mut(&mut head, Ipv4::LEN) {
                udp.set_destination_port(how.port);
            }
            if let Some(gue) = Gue::at_mut(&mut head, Ipv4::LEN + Udp::LEN) {
                gue.set_data(protocol::IPIP);
            }
        }
        if let (Shape::Gre | Shape::GreSummed, Some(gre)) = (shape, Gre::at_mut(&mut head, Ipv4::LEN)) {
            gre.set(if summed { Gre::CHECKSUM } else { 0 }, ethertype::IPV4);
        }
        *self = Self { head, len: (Ipv4::LEN + len) as u8, shape, fib_version };
    }

    /// Forgets the headers.
    pub(crate) fn forget(&mut self) {
        // Most reals have no tunnel: their lines are not to be written.
        if self.fib_version != 0 {
            *self = Self::NONE;
        }
    }

    /// Whether the headers were made by that version of the FIB.
    #[inline(always)]
    pub(crate) fn is_made_by(&self, fib_version: u32) -> bool {
        self.fib_version == fib_version
    }

    /// Whether a packet of so many bytes fits inside, on a port that takes `mtu`.
    #[inline(always)]
    pub(crate) fn has_room_for(&self, ip_len: u16, mtu: u16) -> bool {
        u32::from(ip_len) + u32::from(self.len) <= u32::from(mtu)
    }

    /// Wraps the packet, whose time to live is at least 2, or says why it cannot be, with nothing changed but padding
    /// cut off.
    #[inline(always)]
    pub(crate) fn wrap<B: PacketBuf>(
        &self,
        packet: &mut B,
        parsed: &Parsed,
        wrapping: &Wrapping,
        idents: &mut Idents,
    ) -> Result<(), DropReason> {
        let end = usize::from(parsed.l3) + usize::from(parsed.ip_len);
        if packet.frame_len() > end {
            // Padding, which would lie within the outer frame. Where it begins in a later segment it stays.
            packet.truncate(end);
        }
        if self.is_summed() && packet.data().len() < end {
            return Err(DropReason::TunnelChecksum);
        }
        let inside = Ethernet::LEN + usize::from(self.len);
        let more = inside.saturating_sub(usize::from(parsed.l3));
        if packet.prepend(more).is_none() {
            return Err(DropReason::NoHeadroom);
        }
        let frame = packet.data_mut();
        let inner = Inner::step(frame, inside);
        super::ethernet(frame, wrapping.macs);
        put(frame, ETHERTYPE, ethertype::IPV4.to_be_bytes());
        if let Some(head) = self.head.first_chunk::<{ Ipv4::LEN }>() {
            put(frame, Ethernet::LEN, *head);
        }
        let len = u16::from(self.len).wrapping_add(parsed.ip_len);
        if let Some(ip) = Ipv4::at_mut(frame, Ethernet::LEN) {
            inner.complete(ip, len, wrapping.dont_fragment, idents);
        }
        if self.shape != Shape::Ipip {
            self.write_encapsulation(frame, wrapping.hash);
        }
        Ok(())
    }

    #[inline(always)]
    fn is_summed(&self) -> bool {
        matches!(self.shape, Shape::GueSummed | Shape::GreSummed)
    }

    /// What follows the IP header.
    #[inline(never)]
    fn write_encapsulation(&self, frame: &mut [u8], hash: u64) {
        let (at, end) = (Ipv4::LEN, usize::from(self.len));
        let Some(packet) = frame.get_mut(Ethernet::LEN..) else { return };
        if let Some((place, head)) = packet.get_mut(at..end).zip(self.head.get(at..end)) {
            place.copy_from_slice(head);
        }
        let Some(ip) = Ipv4::at(packet, 0).copied() else { return };
        let Some(carried) = packet.get_mut(at..) else { return };
        let len = ip.total_len().wrapping_sub(Ipv4::LEN as u16);
        if let Shape::Gue | Shape::GueSummed = self.shape
            && let Some(udp) = Udp::at_mut(carried, 0)
        {
            udp.set_source_port(source_port(hash));
            udp.set_datagram_len(len);
        }
        match self.shape {
            Shape::GueSummed => {
                let pseudo = checksum::pseudo_v4(ip.source(), ip.destination(), protocol::UDP, len);
                if let Some((sum, udp)) = checksum::udp(pseudo, carried).zip(Udp::at_mut(carried, 0)) {
                    udp.set_checksum(sum);
                }
            }
            Shape::GreSummed => put(carried, Gre::LEN, Sum::of_bytes(carried).checksum().to_be_bytes()),
            Shape::Ipip | Shape::Gue | Shape::Gre => {}
        }
    }
}

impl Inner {
    /// Takes one off the time to live of the packet that begins at `at`, and says what its header does.
    #[inline(always)]
    fn step(frame: &mut [u8], at: usize) -> Self {
        let Some(header) = frame.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else {
            return Self { class: 0, ttl: 0, dont_fragment: 0 };
        };
        step_ttl(header, Delta::ZERO);
        let [_, class, .., ttl, _, _, _, _, _, _, _, _, _, _, _] = *header;
        let dont_fragment = u16_at(header, 6) & Ipv4::DONT_FRAGMENT;
        Self { class, ttl, dont_fragment }
    }

    /// The class of the outer header: the same, but for congestion, which is the inner one's to report (RFC 3168, section
    /// 9.1.1, with full functionality).
    #[inline(always)]
    fn outer_class(self) -> u8 {
        /// Congestion experienced, both bits of the field; the upper one alone says that the transport can be told.
        const CONGESTED: u8 = 3;
        if self.class & CONGESTED == CONGESTED { self.class ^ 1 } else { self.class }
    }

    /// Completes an outer header whose checksum field holds the sum over what it has already.
    #[inline(always)]
    fn complete(self, ip: &mut Ipv4, len: u16, dont_fragment: u16, idents: &mut Idents) {
        let class = self.outer_class();
        let flags = self.dont_fragment & dont_fragment;
        // A packet that is never cut needs no identification (RFC 6864).
        let ident = if flags == 0 { idents.next() } else { 0 };
        let words = [u16::from(class), len, ident, flags, u16::from(self.ttl) << 8];
        let sum = words.iter().fold(u32::from(ip.checksum()), |sum, word| sum + u32::from(*word));
        ip.set_tos(class);
        ip.set_total_len(len);
        ip.set_ident(ident);
        ip.set_flags_offset(flags);
        ip.set_ttl(self.ttl);
        ip.set_checksum(Sum::of_u32(sum).checksum());
    }
}

/// One of [`PORTS`], the same for all packets of a flow.
fn source_port(hash: u64) -> u16 {
    let count = u64::from(PORTS.end - PORTS.start);
    // The upper half of a product with 32 bits of the hash: evenly spread, and less than the count.
    PORTS.start + (((hash >> 32) * count) >> 32) as u16
}
