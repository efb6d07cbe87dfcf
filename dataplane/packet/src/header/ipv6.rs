//! The IPv6 header and its extension headers.
use super::protocol;
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An IPv6 header (RFC 8200 section 3).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Version| Traffic class |              Flow label               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Payload length         |  Next header  |   Hop limit   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                                                               |
/// +                   Source address (16 bytes)                   +
/// |                                                               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                                                               |
/// +                Destination address (16 bytes)                 +
/// |                                                               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Version: 6. Traffic class: DSCP and, in the low two bits, ECN.
/// - Flow label: 20 bits, chosen by the source.
/// - Payload length: what follows these 40 bytes, extension headers included; 0 in a jumbogram (RFC 2675).
/// - Next header: kind of the first extension header, or the protocol. Hop limit: hops left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv6 {
    version_class_label: U32,
    payload_len: U16,
    next_header: u8,
    hop_limit: u8,
    source: [u8; 16],
    destination: [u8; 16],
}

impl Ipv6 {
    /// The version: 6 in a sound packet.
    #[inline]
    pub const fn version(&self) -> u8 {
        (self.version_class_label.get() >> 28) as u8
    }

    /// DSCP and ECN.
    #[inline]
    pub const fn traffic_class(&self) -> u8 {
        (self.version_class_label.get() >> 20) as u8
    }

    /// The flow label: 0 to 0xfffff.
    #[inline]
    pub const fn flow_label(&self) -> u32 {
        self.version_class_label.get() & 0x000f_ffff
    }

    /// Length of what follows the header, in bytes.
    #[inline]
    pub const fn payload_len(&self) -> u16 {
        self.payload_len.get()
    }

    /// What follows the header.
    #[inline]
    pub const fn next_header(&self) -> u8 {
        self.next_header
    }

    /// Hops left.
    #[inline]
    pub const fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// The source address.
    #[inline]
    pub const fn source(&self) -> &[u8; 16] {
        &self.source
    }

    /// The destination address.
    #[inline]
    pub const fn destination(&self) -> &[u8; 16] {
        &self.destination
    }

    /// Writes version 6, the traffic class and the flow label (its low 20 bits).
    #[inline]
    pub const fn set_class_label(&mut self, class: u8, label: u32) {
        self.version_class_label = U32::new(6 << 28 | (class as u32) << 20 | label & 0x000f_ffff);
    }

    /// Writes the length of what follows the header, in bytes.
    #[inline]
    pub const fn set_payload_len(&mut self, len: u16) {
        self.payload_len = U16::new(len);
    }

    /// Writes what follows the header.
    #[inline]
    pub const fn set_next_header(&mut self, next_header: u8) {
        self.next_header = next_header;
    }

    /// Writes the hops left.
    #[inline]
    pub const fn set_hop_limit(&mut self, hop_limit: u8) {
        self.hop_limit = hop_limit;
    }

    /// Writes the source address.
    #[inline]
    pub const fn set_source(&mut self, source: [u8; 16]) {
        self.source = source;
    }

    /// Writes the destination address.
    #[inline]
    pub const fn set_destination(&mut self, destination: [u8; 16]) {
        self.destination = destination;
    }
}

/// The start of an extension header: hop-by-hop, routing or destination options (RFC 8200 sections 4.3, 4.4,
/// 4.6), authentication (RFC 4302 section 2) or fragment (see [`Ipv6Fragment`]).
///
/// ```text
///  0                   1
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
/// |  Next header  | Length field  | ...
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
/// ```
///
/// - Next header: what follows this extension header.
/// - Length field: in 8-byte units, the first 8 bytes not counted; for authentication in 4-byte units, less
///   2; in a fragment header reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv6Extension {
    next_header: u8,
    len: u8,
}

impl Ipv6Extension {
    /// What follows this extension header.
    #[inline]
    pub const fn next_header(&self) -> u8 {
        self.next_header
    }

    /// Length of the whole extension header in bytes (8 to 2048), it being of this kind (its protocol
    /// number).
    #[inline]
    pub const fn header_len(&self, kind: u8) -> usize {
        let field = self.len as usize;
        match kind {
            protocol::FRAGMENT => size_of::<Ipv6Fragment>(),
            protocol::AH => field.wrapping_add(2) << 2,
            _ => field.wrapping_add(1) << 3,
        }
    }
}

/// A fragment header (RFC 8200 section 4.5).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Next header  |   Reserved    |     Fragment offset     |Res|M|
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                        Identification                         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Next header: what follows, in the first fragment of the packet.
/// - Fragment offset: in 8-byte units. M: more fragments follow.
/// - Identification: ties the fragments of a packet together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv6Fragment {
    next_header: u8,
    reserved: u8,
    offset_more: U16,
    ident: U32,
}

impl Ipv6Fragment {
    /// What follows this header in the first fragment.
    #[inline]
    pub const fn next_header(&self) -> u8 {
        self.next_header
    }

    /// Where in the packet's fragmentable part this fragment belongs, in bytes: 0 to 65,528.
    #[inline]
    pub const fn fragment_offset(&self) -> u16 {
        // The field counts 8-byte units in its high 13 bits: masked, it is the offset in bytes.
        self.offset_more.get() & 0xfff8
    }

    /// Whether more fragments follow this one.
    #[inline]
    pub const fn more_fragments(&self) -> bool {
        self.offset_more.get() & 1 != 0
    }

    /// The identification.
    #[inline]
    pub const fn ident(&self) -> u32 {
        self.ident.get()
    }
}
