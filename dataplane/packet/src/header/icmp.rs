//! The ICMP and ICMPv6 header.
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes of an ICMP (RFC 792) or ICMPv6 (RFC 4443) message; an error quotes the packet after
/// them.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Type      |     Code      |           Checksum            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      Rest of the header                       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Type and code: what the message says.
/// - Checksum: RFC 1071, over the message, in ICMPv6 over the pseudo-header too.
/// - Rest: by type; in "fragmentation needed" its low half, in "packet too big" the whole of it is an MTU in
///   bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Icmp {
    kind: u8,
    code: u8,
    checksum: U16,
    rest: U32,
}

impl Icmp {
    /// ICMP destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// ICMP source quench.
    pub const SOURCE_QUENCH: u8 = 4;
    /// ICMP time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The first ICMPv6 type that is not an error (RFC 4443 section 2.1).
    pub const V6_INFORMATIONAL: u8 = 128;

    /// The type of the message.
    #[inline]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// The code within the type.
    #[inline]
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// The checksum.
    #[inline]
    pub const fn checksum(&self) -> u16 {
        self.checksum.get()
    }

    /// The rest of the header.
    #[inline]
    pub const fn rest(&self) -> u32 {
        self.rest.get()
    }

    /// Writes type and code.
    #[inline]
    pub const fn set_kind(&mut self, kind: u8, code: u8) {
        self.kind = kind;
        self.code = code;
    }

    /// Writes the checksum.
    #[inline]
    pub const fn set_checksum(&mut self, checksum: u16) {
        self.checksum = U16::new(checksum);
    }

    /// Writes the rest of the header.
    #[inline]
    pub const fn set_rest(&mut self, rest: u32) {
        self.rest = U32::new(rest);
    }
}
