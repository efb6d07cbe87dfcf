//! The TCP header.
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bits of the TCP flags byte.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// The fixed part of a TCP header (RFC 9293 section 3.1).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |          Source port          |       Destination port        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                        Sequence number                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                    Acknowledgement number                     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |Offset | Rsrvd |C|E|U|A|P|R|S|F|            Window             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           Checksum            |        Urgent pointer         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Sequence and acknowledgement numbers: of the first byte sent, and of the next byte expected.
/// - Offset: length of the header in 4-byte words, 5 to 15.
/// - CWR, ECE, URG, ACK, PSH, RST, SYN, FIN: see [`flags`].
/// - Window: bytes the sender of this segment will take.
/// - Checksum: RFC 1071, over pseudo-header, header and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Tcp {
    source_port: U16,
    destination_port: U16,
    seq: U32,
    ack: U32,
    offset: u8,
    flags: u8,
    window: U16,
    checksum: U16,
    urgent: U16,
}

impl Tcp {
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

    /// The sequence number.
    #[inline]
    pub const fn seq(&self) -> u32 {
        self.seq.get()
    }

    /// The acknowledgement number.
    #[inline]
    pub const fn ack(&self) -> u32 {
        self.ack.get()
    }

    /// Length of the header in bytes as its offset field says: 0 to 60, at least 20 in a sound segment.
    #[inline]
    pub const fn header_len(&self) -> usize {
        ((self.offset >> 4) << 2) as usize
    }

    /// The flags byte, CWR in its highest bit, FIN in its lowest.
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// The receive window.
    #[inline]
    pub const fn window(&self) -> u16 {
        self.window.get()
    }

    /// The checksum.
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

    /// Writes the sequence number.
    #[inline]
    pub const fn set_seq(&mut self, seq: u32) {
        self.seq = U32::new(seq);
    }

    /// Writes the acknowledgement number.
    #[inline]
    pub const fn set_ack(&mut self, ack: u32) {
        self.ack = U32::new(ack);
    }

    /// Writes the header length in 4-byte words (5 to 15) and clears the reserved bits.
    #[inline]
    pub const fn set_offset(&mut self, words: u8) {
        self.offset = words << 4;
    }

    /// Writes the flags byte.
    #[inline]
    pub const fn set_flags(&mut self, flags: u8) {
        self.flags = flags;
    }

    /// Writes the receive window.
    #[inline]
    pub const fn set_window(&mut self, window: u16) {
        self.window = U16::new(window);
    }

    /// Writes the checksum.
    #[inline]
    pub const fn set_checksum(&mut self, checksum: u16) {
        self.checksum = U16::new(checksum);
    }
}
