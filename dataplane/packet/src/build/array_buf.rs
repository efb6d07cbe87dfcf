//! A [`PacketBuf`] on a byte array.
use crate::PacketBuf;

/// What new room holds: as with an mbuf, not zeros, so that a header not wholly written shows.
const STALE: u8 = 0xa5;

/// A frame in an array, with headroom in front: what an mbuf is to the packet path, without DPDK.
#[derive(Clone, Debug)]
pub struct ArrayBuf {
    bytes: [u8; Self::CAPACITY],
    start: usize,
    end: usize,
    /// Bytes that a chained frame has in further pieces.
    chained: usize,
    ip_checksum_good: bool,
}

impl ArrayBuf {
    /// Size of the array in bytes: the headroom and 2 KiB, as in an mbuf of default size.
    pub const CAPACITY: usize = Self::HEADROOM + 2048;
    /// Bytes of headroom in front of a new frame, as DPDK leaves by default.
    pub const HEADROOM: usize = 128;

    /// Holds `frame`, with [`HEADROOM`](Self::HEADROOM) bytes in front.
    ///
    /// # Panics
    ///
    /// Where `frame` is longer than 2048 bytes.
    pub fn new(frame: &[u8]) -> Self {
        Self::with_headroom(frame, Self::HEADROOM)
    }

    /// Holds `frame`, with `headroom` bytes in front.
    ///
    /// # Panics
    ///
    /// Where `frame` is longer than [`CAPACITY`](Self::CAPACITY) less `headroom`.
    pub fn with_headroom(frame: &[u8], headroom: usize) -> Self {
        let end = headroom + frame.len();
        assert!(end <= Self::CAPACITY, "a frame of {} bytes after {headroom} does not fit", frame.len());
        let mut bytes = [STALE; Self::CAPACITY];
        bytes[headroom..end].copy_from_slice(frame);
        Self { bytes, start: headroom, end, chained: 0, ip_checksum_good: false }
    }

    /// Lets the frame go on for `len` bytes in further pieces, which cannot be reached.
    #[must_use]
    pub const fn chained(mut self, len: usize) -> Self {
        self.chained = len;
        self
    }

    /// Lets the device vouch for the IPv4 header checksum.
    #[must_use]
    pub const fn vouched(mut self) -> Self {
        self.ip_checksum_good = true;
        self
    }
}

impl PacketBuf for ArrayBuf {
    fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    fn frame_len(&self) -> usize {
        self.end - self.start + self.chained
    }

    fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        let start = self.start.checked_sub(n)?;
        self.bytes[start..self.start].fill(STALE);
        let room = start..self.start;
        self.start = start;
        Some(&mut self.bytes[room])
    }

    fn trim_front(&mut self, n: usize) -> bool {
        let enough = n <= self.end - self.start;
        if enough {
            self.start += n;
        }
        enough
    }

    fn truncate(&mut self, len: usize) -> bool {
        let enough = len <= self.end - self.start;
        if enough {
            self.end = self.start + len;
            self.chained = 0;
        }
        enough
    }

    fn ip_checksum_good(&self) -> bool {
        self.ip_checksum_good
    }
}
