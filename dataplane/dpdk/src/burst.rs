//! A burst: up to 32 packets that travel together.
use arrayvec::ArrayVec;
use dpdk_sys as sys;

use crate::mbuf::Mbuf;

/// The most packets in a burst; what drivers are tuned for.
pub const BURST: usize = 32;

/// Up to [`BURST`] packets, in order, owned. What is left in it when it is dropped is freed, in bulk.
#[derive(Debug, Default)]
pub struct Burst(ArrayVec<Mbuf, BURST>);

impl Burst {
    /// An empty burst.
    #[inline]
    pub fn new() -> Self {
        Self(ArrayVec::new())
    }

    /// The number of packets.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is no room for another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Adds a packet behind the others.
    ///
    /// # Errors
    /// Gives the packet back where the burst is full.
    #[inline]
    pub fn push(&mut self, mbuf: Mbuf) -> Result<(), Mbuf> {
        self.0.try_push(mbuf).map_err(|full| full.element())
    }

    /// Takes the last packet out.
    #[inline]
    pub fn pop(&mut self) -> Option<Mbuf> {
        self.0.pop()
    }

    /// Takes all packets out, in order; those not taken are freed when the iterator goes.
    #[inline]
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = Mbuf> {
        self.0.drain(..)
    }

    /// Frees all packets, in bulk.
    #[inline]
    pub fn clear(&mut self) {
        if self.is_empty() {
            return;
        }
        let (mbufs, len) = self.as_raw();
        // SAFETY: the burst owns these `len` packets, and `forget_front` gives them up.
        unsafe { sys::rte_pktmbuf_free_bulk(mbufs, u32::from(len)) };
        // SAFETY: all were freed above.
        unsafe { self.forget_front(len) };
    }

    /// The packets.
    #[inline]
    pub fn as_slice(&self) -> &[Mbuf] {
        &self.0
    }

    /// The packets, for writing.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [Mbuf] {
        &mut self.0
    }

    /// The packets as the drivers see them.
    #[inline]
    pub(crate) fn as_raw(&mut self) -> (*mut *mut sys::rte_mbuf, u16) {
        (self.0.as_mut_ptr().cast(), self.0.len() as u16)
    }

    /// The room behind the packets as the drivers see it, in number of packets.
    #[inline]
    pub(crate) fn spare(&mut self) -> (*mut *mut sys::rte_mbuf, u16) {
        let (mbufs, len) = self.as_raw();
        (mbufs.wrapping_add(usize::from(len)), BURST as u16 - len)
    }

    /// Takes over the first `n` pointers that were written to [`spare`](Self::spare).
    ///
    /// # Safety
    /// `n` is at most the spare room, and each of the pointers fulfils the contract of [`Mbuf::from_raw`].
    #[inline]
    pub(crate) unsafe fn assume_filled(&mut self, n: u16) {
        let len = self.0.len() + usize::from(n);
        // SAFETY: the caller vouches for the room and the elements.
        unsafe { self.0.set_len(len) };
    }

    /// Gives up the first `n` packets without freeing them and moves the rest to the front.
    ///
    /// # Safety
    /// `n` is at most `len()`, and somebody else owns those packets now, or they are freed.
    #[inline]
    pub(crate) unsafe fn forget_front(&mut self, n: u16) {
        let (len, n) = (self.0.len(), usize::from(n));
        // SAFETY: no element is dropped by this; the length is set to what is moved to the front below.
        unsafe { self.0.set_len(len - n) };
        if n != len {
            let mbufs = self.0.as_mut_ptr();
            // SAFETY: `n` is less than the length, so this is an element.
            let rest = unsafe { mbufs.add(n) };
            // SAFETY: `rest` has `len - n` elements, and the front has the room; the ranges may overlap.
            unsafe { std::ptr::copy(rest, mbufs, len - n) };
        }
    }
}

impl Drop for Burst {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}

impl<'a> IntoIterator for &'a Burst {
    type Item = &'a Mbuf;
    type IntoIter = std::slice::Iter<'a, Mbuf>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Burst {
    type Item = &'a mut Mbuf;
    type IntoIter = std::slice::IterMut<'a, Mbuf>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}
