//! The SCTP common header.
use zerocopy::byteorder::little_endian::U32 as LittleU32;
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The SCTP common header (RFC 9260 section 3.1); chunks follow, each beginning with its type.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Source port          |       Destination port        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                       Verification tag                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                           Checksum                            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Verification tag: names the association; 0 in a packet that carries INIT.
/// - Checksum: CRC32c over the packet with this field 0, least significant byte first (RFC 9260 appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Sctp {
    source_port: U16,
    destination_port: U16,
    tag: U32,
    checksum: LittleU32,
}

impl Sctp {
    /// The source port.
    #[inline]
    pub const fn source_port(&self) -> u16 {
        self.source_port.get()
    }

    /// The destination port.
    #[inline]
    pub const fn destination_port(&self) -> u16 {
        self.destination_port.get()
    }

    /// The verification tag.
    #[inline]
    pub const fn tag(&self) -> u32 {
        self.tag.get()
    }

    /// The CRC32c, as [`checksum::sctp`](crate::checksum::sctp) gives it.
    #[inline]
    pub const fn checksum(&self) -> u32 {
        self.checksum.get()
    }

    /// Writes the source port.
    #[inline]
    pub const fn set_source_port(&mut self, port: u16) {
        self.source_port = U16::new(port);
    }

    /// Writes the destination port.
    #[inline]
    pub const fn set_destination_port(&mut self, port: u16) {
        self.destination_port = U16::new(port);
    }

    /// Writes the verification tag.
    #[inline]
    pub const fn set_tag(&mut self, tag: u32) {
        self.tag = U32::new(tag);
    }

    /// Writes the CRC32c.
    #[inline]
    pub const fn set_checksum(&mut self, checksum: u32) {
        self.checksum = LittleU32::new(checksum);
    }
}
