//! The header of Generic UDP Encapsulation.
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first four bytes of GUE (draft-ietf-intarea-gue-09 section 3), which follow a UDP header.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Ver|C|  Hlen   |   Protocol    |             Flags             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Version: 0. C: the message is one of control, not a packet. Hlen: length of what the flags announce, in 4-byte words.
/// - Protocol: IP protocol number of the packet inside.
/// - Flags: which optional fields follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Gue {
    version_control_len: u8,
    protocol: u8,
    flags: U16,
}

impl Gue {
    /// Whether this is version 0 and carries a packet.
    #[inline]
    pub const fn is_data(&self) -> bool {
        self.version_control_len & 0xe0 == 0
    }

    /// Length of the header with its optional fields, in bytes: 4 to 128.
    #[inline]
    pub const fn header_len(&self) -> usize {
        (((self.version_control_len & 0x1f) as usize) << 2).saturating_add(4)
    }

    /// The protocol of the packet inside.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Which optional fields there are.
    #[inline]
    pub const fn flags(&self) -> u16 {
        self.flags.get()
    }

    /// Makes it the header of a packet of this protocol, without optional fields.
    #[inline]
    pub const fn set_data(&mut self, protocol: u8) {
        self.version_control_len = 0;
        self.protocol = protocol;
        self.flags = U16::new(0);
    }
}
