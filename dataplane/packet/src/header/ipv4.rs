//! The IPv4 header.
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The fixed part of an IPv4 header (RFC 791).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Version|  IHL  |      TOS      |         Total length          |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Identification         |Flags|     Fragment offset     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Time to live  |   Protocol    |        Header checksum        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                        Source address                         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      Destination address                      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Version: 4. IHL: length of the header in 4-byte words, 5 to 15.
/// - TOS: DSCP (RFC 2474) and, in the low two bits, ECN (RFC 3168).
/// - Total length: header and payload in bytes.
/// - Identification: ties the fragments of a packet together.
/// - Flags: reserved, don't fragment, more fragments. Fragment offset: in 8-byte units.
/// - Time to live: hops left. Protocol: of the payload. Header checksum: RFC 1071, over the header with its
///   options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ipv4 {
    version_ihl: u8,
    tos: u8,
    total_len: U16,
    ident: U16,
    flags_offset: U16,
    ttl: u8,
    protocol: u8,
    checksum: U16,
    source: U32,
    destination: U32,
}

impl Ipv4 {
    /// The first byte of a header without options.
    pub const PLAIN: u8 = 0x45;
    /// The don't-fragment bit of [`flags_offset`](Self::flags_offset).
    pub const DONT_FRAGMENT: u16 = 0x4000;
    /// The more-fragments bit of [`flags_offset`](Self::flags_offset).
    pub const MORE_FRAGMENTS: u16 = 0x2000;
    /// The fragment-offset bits of [`flags_offset`](Self::flags_offset).
    pub const OFFSET: u16 = 0x1fff;

    /// The byte that holds the version and the header length.
    #[inline]
    pub const fn version_ihl(&self) -> u8 {
        self.version_ihl
    }

    /// The version: 4 in a sound packet.
    #[inline]
    pub const fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Length of the header in bytes as its IHL field says: 0 to 60, at least 20 in a sound packet.
    #[inline]
    pub const fn header_len(&self) -> usize {
        ((self.version_ihl & 0x0f) << 2) as usize
    }

    /// DSCP and ECN.
    #[inline]
    pub const fn tos(&self) -> u8 {
        self.tos
    }

    /// Length of header and payload in bytes.
    #[inline]
    pub const fn total_len(&self) -> u16 {
        self.total_len.get()
    }

    /// The identification.
    #[inline]
    pub const fn ident(&self) -> u16 {
        self.ident.get()
    }

    /// The three flags and the fragment offset, as one word.
    #[inline]
    pub const fn flags_offset(&self) -> u16 {
        self.flags_offset.get()
    }

    /// Whether the packet must not be fragmented.
    #[inline]
    pub const fn dont_fragment(&self) -> bool {
        self.flags_offset.get() & Self::DONT_FRAGMENT != 0
    }

    /// Whether more fragments follow this one.
    #[inline]
    pub const fn more_fragments(&self) -> bool {
        self.flags_offset.get() & Self::MORE_FRAGMENTS != 0
    }

    /// Where in the packet's payload this fragment belongs, in bytes: 0 to 65,528.
    #[inline]
    pub const fn fragment_offset(&self) -> u16 {
        // The shift drops the three flags off the top.
        self.flags_offset.get() << 3
    }

    /// Whether this is a fragment, the first included.
    #[inline]
    pub const fn is_fragment(&self) -> bool {
        self.flags_offset.get() & (Self::MORE_FRAGMENTS | Self::OFFSET) != 0
    }

    /// Hops left.
    #[inline]
    pub const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// The protocol of the payload.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The header checksum.
    #[inline]
    pub const fn checksum(&self) -> u16 {
        self.checksum.get()
    }

    /// The source address.
    #[inline]
    pub const fn source(&self) -> u32 {
        self.source.get()
    }

    /// The destination address.
    #[inline]
    pub const fn destination(&self) -> u32 {
        self.destination.get()
    }

    /// Writes the version and the header length in one byte.
    #[inline]
    pub const fn set_version_ihl(&mut self, version_ihl: u8) {
        self.version_ihl = version_ihl;
    }

    /// Writes DSCP and ECN.
    #[inline]
    pub const fn set_tos(&mut self, tos: u8) {
        self.tos = tos;
    }

    /// Writes the length of header and payload in bytes.
    #[inline]
    pub const fn set_total_len(&mut self, len: u16) {
        self.total_len = U16::new(len);
    }

    /// Writes the identification.
    #[inline]
    pub const fn set_ident(&mut self, ident: u16) {
        self.ident = U16::new(ident);
    }

    /// Writes the three flags and the fragment offset as one word.
    #[inline]
    pub const fn set_flags_offset(&mut self, flags_offset: u16) {
        self.flags_offset = U16::new(flags_offset);
    }

    /// Writes the hops left.
    #[inline]
    pub const fn set_ttl(&mut self, ttl: u8) {
        self.ttl = ttl;
    }

    /// Writes the protocol of the payload.
    #[inline]
    pub const fn set_protocol(&mut self, protocol: u8) {
        self.protocol = protocol;
    }

    /// Writes the header checksum.
    #[inline]
    pub const fn set_checksum(&mut self, checksum: u16) {
        self.checksum = U16::new(checksum);
    }

    /// Writes the source address.
    #[inline]
    pub const fn set_source(&mut self, source: u32) {
        self.source = U32::new(source);
    }

    /// Writes the destination address.
    #[inline]
    pub const fn set_destination(&mut self, destination: u32) {
        self.destination = U32::new(destination);
    }
}
