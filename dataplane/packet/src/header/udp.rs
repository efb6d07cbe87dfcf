//! The UDP header.
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A UDP header (RFC 768).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Source port          |       Destination port        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |            Length             |           Checksum            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Length: of header and payload in bytes.
/// - Checksum: RFC 1071, over pseudo-header, header and payload; 0 says that there is none (IPv4 only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Udp {
    source_port: U16,
    destination_port: U16,
    len: U16,
    checksum: U16,
}

impl Udp {
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

    /// The length field: header and payload in bytes.
    #[inline]
    pub const fn datagram_len(&self) -> u16 {
        self.len.get()
    }

    /// The checksum; 0 where there is none.
    #[inline]
    pub const fn checksum(&self) -> u16 {
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

    /// Writes the length of header and payload in bytes.
    #[inline]
    pub const fn set_datagram_len(&mut self, len: u16) {
        self.len = U16::new(len);
    }

    /// Writes the checksum.
    #[inline]
    pub const fn set_checksum(&mut self, checksum: u16) {
        self.checksum = U16::new(checksum);
    }
}
