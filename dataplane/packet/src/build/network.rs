//! The network layer of a frame in the making.
use crate::checksum::{self, Sum};
use crate::header::{Header, Ipv4, Ipv6, ethertype, protocol};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug)]
pub(super) enum Network {
    /// No IP: the ethertype of the payload.
    Raw(u16),
    V4(V4),
    V6(V6),
}

impl Network {
    pub(super) fn ethertype(&self) -> u16 {
        match self {
            Self::Raw(ethertype) => *ethertype,
            Self::V4(_) => ethertype::IPV4,
            Self::V6(_) => ethertype::IPV6,
        }
    }

    /// The sum over the pseudo-header of a segment of `len` bytes; ICMP over IPv4 has none.
    pub(super) fn pseudo(&self, protocol: u8, len: usize) -> Sum {
        let len = u16::try_from(len).expect("a segment fits an IP packet");
        match self {
            Self::Raw(_) => Sum::default(),
            Self::V4(_) if protocol == protocol::ICMP => Sum::default(),
            Self::V4(ip) => checksum::pseudo_v4(ip.source.to_bits(), ip.destination.to_bits(), protocol, len),
            Self::V6(ip) => {
                checksum::pseudo_v6(&ip.source.octets(), &ip.destination.octets(), protocol, u32::from(len))
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct V4 {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) ident: u16,
    pub(super) flags_offset: u16,
    pub(super) options: Vec<u8>,
    pub(super) wrong_checksum: bool,
}

impl V4 {
    pub(super) fn new(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        let options = Vec::new();
        Self {
            source,
            destination,
            ttl: 64,
            tos: 0,
            ident: 0,
            flags_offset: 0,
            options,
            wrong_checksum: false,
        }
    }

    pub(super) fn is_later_fragment(&self) -> bool {
        self.flags_offset & Ipv4::OFFSET != 0
    }

    pub(super) fn header_len(&self) -> usize {
        assert!(self.options.len() <= 40, "an IPv4 header holds 40 bytes of options");
        Ipv4::LEN + self.options.len().next_multiple_of(4)
    }

    /// The packet around a segment.
    pub(super) fn around(&self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let header_len = self.header_len();
        let mut bytes = vec![0; header_len];
        bytes[Ipv4::LEN..][..self.options.len()].copy_from_slice(&self.options);
        let options = bytes[Ipv4::LEN..].to_vec();
        let ip = Ipv4::at_mut(&mut bytes, 0).expect("room was made");
        ip.set_version_ihl(0x40 | (header_len / 4) as u8);
        ip.set_tos(self.tos);
        ip.set_total_len(
            u16::try_from(header_len + segment.len()).expect("an IPv4 packet has 16 bits of length"),
        );
        ip.set_ident(self.ident);
        ip.set_flags_offset(self.flags_offset);
        ip.set_ttl(self.ttl);
        ip.set_protocol(protocol);
        ip.set_source(self.source.to_bits());
        ip.set_destination(self.destination.to_bits());
        let right = checksum::ipv4_header(ip, &options);
        ip.set_checksum(if self.wrong_checksum { super::transport::wrong(right) } else { right });
        bytes.extend_from_slice(segment);
        bytes
    }
}

#[derive(Clone, Debug)]
pub(super) enum Extension {
    /// Any but a fragment header: its protocol number, and what follows the two fixed bytes.
    Other(u8, Vec<u8>),
    Fragment {
        offset: u16,
        more: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct V6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    pub(super) hop_limit: u8,
    pub(super) class: u8,
    pub(super) ident: u32,
    pub(super) extensions: Vec<Extension>,
}

impl V6 {
    pub(super) fn new(source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        Self { source, destination, hop_limit: 64, class: 0, ident: 0, extensions: Vec::new() }
    }

    pub(super) fn is_later_fragment(&self) -> bool {
        self.extensions.iter().any(|header| matches!(header, Extension::Fragment { offset: 1.., .. }))
    }

    /// Length of the IPv6 header and all extension headers.
    pub(super) fn headers_len(&self) -> usize {
        self.around(protocol::NO_NEXT, &[]).len()
    }

    /// The packet around a segment.
    pub(super) fn around(&self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let mut next = protocol;
        let mut payload = segment.to_vec();
        // Each header names what follows it, so they are put on from the inside out.
        for extension in self.extensions.iter().rev() {
            let (kind, mut header) = self.extension(extension, next);
            header.append(&mut payload);
            (next, payload) = (kind, header);
        }
        let mut bytes = vec![0; Ipv6::LEN];
        let ip = Ipv6::at_mut(&mut bytes, 0).expect("room was made");
        ip.set_class_label(self.class, 0);
        ip.set_payload_len(u16::try_from(payload.len()).expect("an IPv6 packet has 16 bits of length"));
        ip.set_next_header(next);
        ip.set_hop_limit(self.hop_limit);
        ip.set_source(self.source.octets());
        ip.set_destination(self.destination.octets());
        bytes.append(&mut payload);
        bytes
    }

    /// The kind and the bytes of an extension header that `next` follows.
    fn extension(&self, extension: &Extension, next: u8) -> (u8, Vec<u8>) {
        match extension {
            Extension::Fragment { offset, more } => {
                let mut bytes = vec![next, 0];
                bytes.extend_from_slice(&(offset | u16::from(*more)).to_be_bytes());
                bytes.extend_from_slice(&self.ident.to_be_bytes());
                (protocol::FRAGMENT, bytes)
            }
            Extension::Other(kind, body) => {
                let len = (2 + body.len()).next_multiple_of(8);
                let field = if *kind == protocol::AH { len / 4 - 2 } else { len / 8 - 1 };
                let mut bytes =
                    vec![next, u8::try_from(field).expect("an extension header has 8 bits of length")];
                bytes.extend_from_slice(body);
                bytes.resize(len, 0);
                (*kind, bytes)
            }
        }
    }
}
