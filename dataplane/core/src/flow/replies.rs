//! Reply keys of flows that this burst has made, on their way into the index.
//!
//! A flow's reply key is known only once its real is chosen, too late to have asked for its bucket with the rest of the
//! burst. So the bucket is asked for then, and the key filed at the end of the burst, when the bucket has arrived.
use crate::verdict::BURST;

/// Keys that wait, by their hashes, and the index values to be filed under them.
#[derive(Debug)]
pub(super) struct Replies {
    hashes: [u64; BURST],
    values: [u32; BURST],
    count: usize,
}

impl Replies {
    pub(super) const NONE: Self = Self { hashes: [0; BURST], values: [0; BURST], count: 0 };

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one; `false` where there is no room.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, value: u32) -> bool {
        let (Some(hashes), Some(values)) = (self.hashes.get_mut(self.count), self.values.get_mut(self.count))
        else {
            return false;
        };
        (*hashes, *values) = (hash, value);
        self.count += 1;
        true
    }

    /// The newest value under `hash` that `is_it` confirms.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.iter().rev().find(|&(held, value)| held == hash && is_it(value)).map(|(_, value)| value)
    }

    /// All of them, in the order in which they came.
    #[inline]
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u32)> {
        self.hashes.iter().copied().zip(self.values.iter().copied()).take(self.count)
    }

    /// Takes all out and leaves none.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::NONE)
    }
}
