//! The one trait through which the packet path touches a frame, so that it runs on mbufs and on byte arrays
//! alike.

/// A frame from its Ethernet header on.
///
/// Only the bytes that lie in one piece of memory (the first segment of a chained mbuf) are reachable; all
/// headers must lie there.
pub trait PacketBuf {
    /// The contiguous bytes of the frame, from the Ethernet header on.
    fn data(&self) -> &[u8];

    /// As [`data`](Self::data), for rewriting in place.
    fn data_mut(&mut self) -> &mut [u8];

    /// The length of the whole frame in bytes, all segments counted; at least `data().len()`.
    fn frame_len(&self) -> usize;

    /// Makes room for `n` more bytes in front and returns them; `None` where the headroom is too small.
    fn prepend(&mut self, n: usize) -> Option<&mut [u8]>;

    /// Takes `n` bytes off the front; `false`, with nothing changed, where the first segment is shorter.
    fn trim_front(&mut self, n: usize) -> bool;

    /// Cuts the frame off after `len` bytes; `false`, with nothing changed, where the first segment has not so many. Further
    /// segments go.
    fn truncate(&mut self, len: usize) -> bool;

    /// Asks the CPU to load the first bytes of the frame; a hint that may do nothing.
    fn prefetch(&self) {}

    /// Whether the device has verified the IPv4 header checksum and found it right.
    fn ip_checksum_good(&self) -> bool {
        false
    }
}
