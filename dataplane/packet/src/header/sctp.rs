//! The SCTP common header and the header of a chunk.
use super::Header;
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

/// The header of a chunk (RFC 9260 section 3.2); its value follows, padded to whole words.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     Type      |     Flags     |            Length             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Type: what the chunk says.
/// - Flags: by type.
/// - Length: bytes of header and value, padding not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SctpChunk {
    kind: u8,
    flags: u8,
    length: U16,
}

impl SctpChunk {
    /// User data.
    pub const DATA: u8 = 0;
    /// Asks for an association.
    pub const INIT: u8 = 1;
    /// Answers INIT.
    pub const INIT_ACK: u8 = 2;
    /// Ends an association at once.
    pub const ABORT: u8 = 6;
    /// Asks for an orderly end.
    pub const SHUTDOWN: u8 = 7;
    /// Answers SHUTDOWN.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// Reports an error.
    pub const ERROR: u8 = 9;
    /// Brings the cookie of INIT ACK back.
    pub const COOKIE_ECHO: u8 = 10;
    /// Answers COOKIE ECHO.
    pub const COOKIE_ACK: u8 = 11;
    /// Answers SHUTDOWN ACK.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
    /// In place of a type: the packet has no whole chunk header. As a type it is reserved (RFC 9260 section 3.2).
    pub const NONE: u8 = 255;

    /// The type.
    #[inline]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// Bytes of header and value.
    #[inline]
    pub const fn length(&self) -> u16 {
        self.length.get()
    }

    /// Of the chunks of a packet, the type of the one that tells what the packet does to its association, as IPVS
    /// reads it: the first chunk's, or ABORT where that is the second behind COOKIE ECHO or COOKIE ACK. Types that
    /// RFC 9260 does not define are taken for [`DATA`](Self::DATA); [`NONE`](Self::NONE) where there is no whole
    /// chunk header.
    pub fn telling(chunks: &[u8]) -> u8 {
        let Some(first) = Self::at(chunks, 0) else { return Self::NONE };
        match first.kind {
            Self::COOKIE_ECHO | Self::COOKIE_ACK if usize::from(first.length()) >= Self::LEN => {
                let second = usize::from(first.length()).next_multiple_of(4);
                let aborts = Self::at(chunks, second).is_some_and(|chunk| chunk.kind == Self::ABORT);
                if aborts { Self::ABORT } else { first.kind }
            }
            kind if kind <= Self::SHUTDOWN_COMPLETE => kind,
            _ => Self::DATA,
        }
    }
}
