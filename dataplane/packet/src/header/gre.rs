//! The header of Generic Routing Encapsulation.
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first four bytes of GRE (RFC 2784, RFC 2890).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |C| |K|S|     Reserved    | Ver |           Protocol            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |       Checksum (if C)         |           Reserved            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - C, K, S: a checksum with a reserved word, a key, a sequence number follow, four bytes each, in this order.
/// - Version: 0. Protocol: ethertype of the packet inside.
/// - Checksum: RFC 1071, over the GRE header and the packet inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Gre {
    flags_version: U16,
    protocol: U16,
}

impl Gre {
    /// A checksum and a reserved word follow.
    pub const CHECKSUM: u16 = 0x8000;
    /// A key follows.
    pub const KEY: u16 = 0x2000;
    /// A sequence number follows.
    pub const SEQUENCE: u16 = 0x1000;

    /// Flags and version.
    #[inline]
    pub const fn flags_version(&self) -> u16 {
        self.flags_version.get()
    }

    /// Length of the header with its optional fields in bytes, 4 to 16; `None` where it is not of version 0 or has flags
    /// beyond C, K and S: routing as in RFC 1701, which nobody uses.
    #[inline]
    pub const fn header_len(&self) -> Option<usize> {
        let flags = self.flags_version.get();
        let known = Self::CHECKSUM | Self::KEY | Self::SEQUENCE;
        if flags & !known != 0 {
            return None;
        }
        Some((flags.count_ones() as usize).saturating_add(1) << 2)
    }

    /// The ethertype of the packet inside.
    #[inline]
    pub const fn protocol(&self) -> u16 {
        self.protocol.get()
    }

    /// Writes flags (version 0) and ethertype.
    #[inline]
    pub const fn set(&mut self, flags: u16, protocol: u16) {
        self.flags_version = U16::new(flags);
        self.protocol = U16::new(protocol);
    }
}
