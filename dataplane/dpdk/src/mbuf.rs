//! The packet buffer. The only file that knows the fields of an mbuf.
use std::ptr::NonNull;

use dpdk_sys as sys;
use sluice_packet::PacketBuf;

/// A packet: one mbuf, or a chain of them, owned. Freed when dropped, on whichever thread that is.
///
/// It has one owner at a time: it can be neither copied nor looked at from two threads.
///
/// ```compile_fail,E0599
/// fn copy(packet: &sluice_dpdk::Mbuf) -> sluice_dpdk::Mbuf {
///     packet.clone()
/// }
/// ```
/// ```compile_fail,E0277
/// fn share(packet: &'static sluice_dpdk::Mbuf) {
///     std::thread::spawn(move || packet.segment_count());
/// }
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf(NonNull<sys::rte_mbuf>);

// SAFETY: an mbuf belongs to no thread; its pool takes it back from any (see `Mempool`).
unsafe impl Send for Mbuf {}

// Bursts hand arrays of `Mbuf` to drivers as arrays of pointers.
const _: () = assert!(size_of::<Mbuf>() == size_of::<*mut sys::rte_mbuf>());

impl Mbuf {
    /// # Safety
    /// `raw` must be a valid packet of a pool's, direct (no clone of another), and nobody else may have it.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<sys::rte_mbuf>) -> Self {
        Self(raw)
    }

    #[inline]
    fn fields(&self) -> &sys::rte_mbuf {
        // SAFETY: valid by the contract of `from_raw`, and borrowed from the sole owner.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn fields_mut(&mut self) -> &mut sys::rte_mbuf {
        // SAFETY: as in `fields`, borrowed for writing.
        unsafe { self.0.as_mut() }
    }

    /// The bytes free in front of the data.
    #[inline]
    pub fn headroom(&self) -> usize {
        usize::from(self.fields().data_off)
    }

    /// The bytes free behind the data of the last segment.
    #[inline]
    pub fn tailroom(&self) -> usize {
        let last = self.segment_fields().last().unwrap_or(self.fields());
        usize::from(last.buf_len).saturating_sub(usize::from(last.data_off) + usize::from(last.data_len))
    }

    /// The number of segments in the chain; at least 1.
    #[inline]
    pub fn segment_count(&self) -> usize {
        usize::from(self.fields().nb_segs)
    }

    /// The data of each segment in order; put together they are the frame.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.segment_fields().map(data_of)
    }

    /// Adds `n` bytes of undefined content behind the last segment's data and returns them; `None` without the room.
    #[inline]
    pub fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let added = u16::try_from(n).ok()?;
        let head = self.fields_mut();
        head.pkt_len = head.pkt_len.checked_add(u32::from(added))?;
        let last = self.last_segment();
        let end = usize::from(last.data_len);
        last.data_len += added;
        data_of_mut(last).get_mut(end..)
    }

    /// Appends `bytes`; `false`, with nothing changed, without the room.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> bool {
        match self.append(bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }

    /// Takes `n` bytes, such as Ethernet padding, off the end; `false`, with nothing changed, where the last segment is
    /// shorter.
    #[inline]
    pub fn trim_back(&mut self, n: usize) -> bool {
        let last = self.last_segment();
        let Some(rest) = u16::try_from(n).ok().and_then(|n| last.data_len.checked_sub(n)) else {
            return false;
        };
        last.data_len = rest;
        let head = self.fields_mut();
        head.pkt_len = head.pkt_len.saturating_sub(n as u32);
        true
    }

    /// Hangs `tail` behind this packet, as further segments.
    ///
    /// # Errors
    /// Gives `tail` back where the chain would have too many segments (65,535).
    pub fn chain(&mut self, tail: Self) -> Result<(), Self> {
        // SAFETY: both are valid and owned here; on success the chain owns `tail`.
        let code = unsafe { sys::sluice_mbuf_chain(self.0.as_ptr(), tail.0.as_ptr()) };
        if code == 0 {
            std::mem::forget(tail);
            Ok(())
        } else {
            Err(tail)
        }
    }

    /// The port it came in by; `None` on a packet made here.
    #[inline]
    pub fn port(&self) -> Option<u16> {
        let port = self.fields().port;
        (port != u16::MAX).then_some(port)
    }

    /// The hash by which the device chose the rx queue, where it told.
    #[inline]
    pub fn rss_hash(&self) -> Option<u32> {
        let fields = self.fields();
        // SAFETY: every member of the union is made of plain integers.
        let hash = unsafe { fields.__bindgen_anon_2.hash };
        // SAFETY: as above; the value counts only where the flag is set.
        let rss = unsafe { hash.rss };
        (fields.ol_flags & sys::SLUICE_MBUF_RX_RSS_HASH != 0).then_some(rss)
    }

    /// Asks the CPU to load the mbuf's own first line, which [`PacketBuf::prefetch`] and all others read.
    #[inline]
    pub fn prefetch_header(&self) {
        prefetch_line(self.0.as_ptr().cast_const().cast());
    }

    fn segment_fields(&self) -> impl Iterator<Item = &sys::rte_mbuf> {
        // SAFETY: `next` is null or the next segment, which the chain's owner owns.
        std::iter::successors(Some(self.fields()), |segment| unsafe { segment.next.as_ref() })
    }

    #[inline]
    fn last_segment(&mut self) -> &mut sys::rte_mbuf {
        let mut last = self.0;
        // SAFETY: `last` is a segment of the chain, which is owned here.
        while let Some(next) = NonNull::new(unsafe { last.as_ref() }.next) {
            last = next;
        }
        // SAFETY: as above; the borrow of `self` keeps every other access to the chain away.
        unsafe { last.as_mut() }
    }
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: owned here, and never used again.
        unsafe { sys::sluice_mbuf_free(self.0.as_ptr()) };
    }
}

impl PacketBuf for Mbuf {
    #[inline]
    fn data(&self) -> &[u8] {
        data_of(self.fields())
    }

    #[inline]
    fn data_mut(&mut self) -> &mut [u8] {
        data_of_mut(self.fields_mut())
    }

    #[inline]
    fn frame_len(&self) -> usize {
        self.fields().pkt_len as usize
    }

    #[inline]
    fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        let fields = self.fields_mut();
        let added = u16::try_from(n).ok()?;
        let data_off = fields.data_off.checked_sub(added)?;
        let data_len = fields.data_len.checked_add(added)?;
        fields.pkt_len = fields.pkt_len.checked_add(u32::from(added))?;
        fields.data_off = data_off;
        fields.data_len = data_len;
        self.data_mut().get_mut(..n)
    }

    #[inline]
    fn trim_front(&mut self, n: usize) -> bool {
        let fields = self.fields_mut();
        let Some((taken, rest)) =
            u16::try_from(n).ok().and_then(|n| Some((n, fields.data_len.checked_sub(n)?)))
        else {
            return false;
        };
        fields.data_len = rest;
        fields.data_off += taken;
        fields.pkt_len = fields.pkt_len.saturating_sub(u32::from(taken));
        true
    }

    #[inline]
    fn truncate(&mut self, len: usize) -> bool {
        let fields = self.fields_mut();
        let Some(kept) = u16::try_from(len).ok().filter(|len| *len <= fields.data_len) else { return false };
        let rest = NonNull::new(std::mem::replace(&mut fields.next, std::ptr::null_mut()));
        (fields.data_len, fields.pkt_len, fields.nb_segs) = (kept, u32::from(kept), 1);
        // Freed as a chain of its own: nobody else has it any more.
        drop(rest.map(Self));
        true
    }

    #[inline]
    fn prefetch(&self) {
        let fields = self.fields();
        prefetch_line(fields.buf_addr.cast_const().cast::<u8>().wrapping_add(usize::from(fields.data_off)));
    }

    #[inline]
    fn ip_checksum_good(&self) -> bool {
        self.fields().ol_flags & sys::SLUICE_MBUF_RX_IP_CKSUM_MASK == sys::SLUICE_MBUF_RX_IP_CKSUM_GOOD
    }
}

#[inline]
fn data_of(segment: &sys::rte_mbuf) -> &[u8] {
    let buffer = segment.buf_addr.cast_const().cast::<u8>();
    // SAFETY: `data_off` lies within the buffer.
    let start = unsafe { buffer.add(usize::from(segment.data_off)) };
    // SAFETY: `data_len` bytes from `data_off` on lie within the buffer, which came zeroed; the borrow of the segment
    // keeps writers away.
    unsafe { std::slice::from_raw_parts(start, usize::from(segment.data_len)) }
}

#[inline]
fn data_of_mut(segment: &mut sys::rte_mbuf) -> &mut [u8] {
    let buffer = segment.buf_addr.cast::<u8>();
    // SAFETY: `data_off` lies within the buffer.
    let start = unsafe { buffer.add(usize::from(segment.data_off)) };
    // SAFETY: as in `data_of`; the packet is direct, so its buffer is its own.
    unsafe { std::slice::from_raw_parts_mut(start, usize::from(segment.data_len)) }
}

#[inline]
fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing architecturally and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
