//! CRC32c (Castagnoli), the checksum of SCTP, eight bytes at a time.
use crate::header::{Header, Sctp};

/// The generator polynomial of RFC 9260 appendix A, bit-reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Where the SCTP common header holds its checksum, in its last four bytes.
const FIELD: usize = 8;

/// `TABLES[n][b]`: what byte `b` adds to the remainder when `n` more bytes follow it in the same step.
static TABLES: [[u32; 256]; 8] = tables();

/// A CRC32c over bytes that may come in several pieces.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c(u32);

impl Default for Crc32c {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc32c {
    /// The CRC with `bytes` added at the end.
    #[inline]
    #[must_use]
    pub fn plus(self, bytes: &[u8]) -> Self {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let crc = chunks.iter().fold(self.0, |crc, chunk| step8(crc, u64::from_le_bytes(*chunk)));
        Self(rest.iter().fold(crc, |crc, byte| (crc >> 8) ^ look_up(0, crc as u8 ^ byte)))
    }

    /// The CRC of all bytes so far.
    #[inline]
    pub const fn value(self) -> u32 {
        !self.0
    }
}

/// The checksum of an SCTP packet (common header and chunks), its field taken as 0; `None` where it is
/// shorter than the common header.
#[inline]
pub fn sctp(packet: &[u8]) -> Option<u32> {
    let (header, chunks) = packet.split_at_checked(Sctp::LEN)?;
    let (before, _) = header.split_at_checked(FIELD)?;
    Some(Crc32c::default().plus(before).plus(&[0; 4]).plus(chunks).value())
}

/// The checksum of an SCTP packet of `len` bytes after the word at `offset`, one of its ports, has changed: right if
/// `checksum` was, and wrong by as much if it was not. For packets that do not lie in one piece.
///
/// A CRC is linear: the change adds what its bits alone, with as many zero bytes behind them, would have.
#[must_use]
pub fn sctp_changed(checksum: u32, len: usize, offset: usize, old: u16, new: u16) -> u32 {
    let change = (old ^ new).to_be_bytes();
    let alone = change.iter().fold(0_u32, |crc, byte| (crc >> 8) ^ look_up(0, crc as u8 ^ byte));
    checksum ^ append_zeros(alone, len.saturating_sub(offset).saturating_sub(change.len()))
}

/// The remainder after `count` more zero bytes: times x^8 each, the powers of which come by squaring.
fn append_zeros(mut crc: u32, mut count: usize) -> u32 {
    let mut power = ONE >> 8;
    while count != 0 {
        if count & 1 == 1 {
            crc = product(crc, power);
        }
        power = product(power, power);
        count >>= 1;
    }
    crc
}

/// The polynomial 1: the lowest power is the highest bit.
const ONE: u32 = 1 << 31;

/// The product of two remainders modulo the generator polynomial.
fn product(a: u32, mut b: u32) -> u32 {
    let mut sum = 0;
    for power in 0..32 {
        if a & (ONE >> power) != 0 {
            sum ^= b;
        }
        b = if b & 1 == 0 { b >> 1 } else { (b >> 1) ^ POLYNOMIAL };
    }
    sum
}

/// Eight lookups that do not wait for each other, instead of eight steps that do.
#[inline]
fn step8(crc: u32, chunk: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = (chunk ^ u64::from(crc)).to_le_bytes();
    let low = look_up(7, a) ^ look_up(6, b) ^ look_up(5, c) ^ look_up(4, d);
    low ^ look_up(3, e) ^ look_up(2, f) ^ look_up(1, g) ^ look_up(0, h)
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "the callers name tables 0 to 7, and a byte is under 256")]
fn look_up(table: usize, byte: u8) -> u32 {
    TABLES[table][usize::from(byte)]
}

#[expect(clippy::indexing_slicing, reason = "runs at compile time, where a wrong index is an error")]
#[expect(clippy::arithmetic_side_effects, reason = "runs at compile time, where an overflow is an error")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::{Crc32c, sctp};

    /// The check value and the vectors of RFC 3720 section B.4.
    #[test]
    fn gives_the_published_values() {
        let crc = |bytes: &[u8]| Crc32c::default().plus(bytes).value();
        assert_eq!(crc(b"123456789"), 0xe306_9283);
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc(&core::array::from_fn::<u8, 32, _>(|i| i as u8)), 0x46dd_794e);
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let bytes: [u8; 61] = core::array::from_fn(|i| (i * 37) as u8);
        let whole = Crc32c::default().plus(&bytes).value();
        for cut in 0..=bytes.len() {
            let (a, b) = bytes.split_at(cut);
            assert_eq!(Crc32c::default().plus(a).plus(b).value(), whole);
        }
    }

    #[test]
    fn the_field_does_not_count() {
        let mut packet = [7; 20];
        let before = sctp(&packet);
        packet[8..12].fill(0xee);
        assert_eq!(sctp(&packet), before);
        assert_eq!(sctp(&packet[..11]), None);
    }
}
