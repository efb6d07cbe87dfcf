//! The index in buckets of one cache line with 16-bit tags.
//!
//! A key lives in the first bucket from its home on that had room; every full bucket it passed counts it in
//! `overflow`, so that a search knows where to stop and a removal leaves no tombstone. Never grows.
use super::filled;
use crate::cpu::{equal_lanes, prefetch};

const LANES: usize = 10;
/// Ten 16-bit tags (0: free), four to a word, and the values behind them. The upper half of the last word counts the
/// keys that passed this bucket because it was full; it sticks at its maximum.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u64; 3],
    values: [u32; LANES],
}

const OVERFLOW_SHIFT: u32 = 32;
const OVERFLOW_ONE: u64 = 1 << OVERFLOW_SHIFT;
/// A bit for each lane that holds a tag.
const TAG_LANES: u16 = (1 << LANES) - 1;

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    const EMPTY: Self = Self { tags: [0; 3], values: [0; LANES] };

    /// The lanes whose tag equals `tag`, as bits 0 to 9.
    #[inline(always)]
    fn matches(&self, tag: u16) -> u16 {
        equal_lanes(self.tags, tag) & TAG_LANES
    }

    #[inline(always)]
    fn tag(&self, lane: usize) -> u16 {
        self.tags.get(lane / 4).map_or(0, |word| (word >> (lane % 4 * 16)) as u16)
    }

    fn set_tag(&mut self, lane: usize, tag: u16) {
        if let Some(word) = self.tags.get_mut(lane / 4) {
            let shift = lane % 4 * 16;
            *word = (*word & !(0xffff << shift)) | u64::from(tag) << shift;
        }
    }

    #[inline(always)]
    fn was_passed(&self) -> bool {
        self.tags[2] >> OVERFLOW_SHIFT != 0
    }

    fn passed(&mut self) {
        self.tags[2] = self.tags[2].saturating_add(OVERFLOW_ONE);
    }

    fn unpassed(&mut self) {
        if self.tags[2] >> OVERFLOW_SHIFT != u64::from(u32::MAX) {
            self.tags[2] = self.tags[2].saturating_sub(OVERFLOW_ONE);
        }
    }

    #[inline]
    fn free_lane(&self) -> Option<usize> {
        let free = self.matches(0);
        (free != 0).then(|| free.trailing_zeros() as usize)
    }
}

/// The index. Values are the caller's; each is in it at most once.
#[derive(Debug)]
pub(crate) struct Index {
    buckets: Box<[Bucket]>,
    mask: usize,
    used: usize,
}

#[inline(always)]
fn tag_of(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}

impl Index {
    /// An index for `keys` keys: buckets are filled to under 60 %, so that most keys are at home.
    pub(crate) fn new(keys: usize, advise: &dyn Fn(*mut u8, usize)) -> Self {
        let buckets = (keys / 6 + 1).next_power_of_two();
        Self { buckets: filled(buckets, Bucket::EMPTY, advise), mask: buckets - 1, used: 0 }
    }

    /// Asks for the home bucket of `hash`.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(bucket) = self.buckets.get(hash as usize & self.mask) {
            prefetch(bucket);
        }
    }

    /// A value under the tag of `hash` in its home bucket: most likely the one, for prefetching what it names.
    #[inline(always)]
    pub(crate) fn candidate(&self, hash: u64) -> Option<u32> {
        let bucket = self.buckets.get(hash as usize & self.mask)?;
        let found = bucket.matches(tag_of(hash));
        // No match: trailing_zeros is 16, past the last value.
        bucket.values.get(found.trailing_zeros() as usize).copied()
    }

    /// The value under `hash` that `is_it` confirms.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        for step in 0..=self.mask {
            let bucket = self.buckets.get((hash as usize).wrapping_add(step) & self.mask)?;
            let mut found = bucket.matches(tag);
            while let Some(&value) = bucket.values.get(found.trailing_zeros() as usize) {
                if is_it(value) {
                    return Some(value);
                }
                found &= found - 1;
            }
            if !bucket.was_passed() {
                return None;
            }
        }
        None
    }

    /// Adds `value` under `hash`; `false`, with nothing changed, where every bucket is full.
    pub(crate) fn insert(&mut self, hash: u64, value: u32) -> bool {
        if self.used >= self.buckets.len() * LANES {
            return false;
        }
        for step in 0..=self.mask {
            let Some(bucket) = self.buckets.get_mut((hash as usize).wrapping_add(step) & self.mask) else {
                break;
            };
            let Some(lane) = bucket.free_lane() else {
                bucket.passed();
                continue;
            };
            bucket.set_tag(lane, tag_of(hash));
            if let Some(place) = bucket.values.get_mut(lane) {
                *place = value;
            }
            self.used += 1;
            return true;
        }
        false
    }

    /// Adds `value` so that it is found before `older`, which is there under the same hash.
    pub(crate) fn insert_before(&mut self, hash: u64, value: u32, older: u32) -> bool {
        let Some((_, at, lane)) = self.locate(hash, older) else { return self.insert(hash, value) };
        if !self.insert(hash, older) {
            return false;
        }
        if let Some(place) = self.buckets.get_mut(at).and_then(|bucket| bucket.values.get_mut(lane)) {
            *place = value;
        }
        true
    }

    /// Takes `value` out; `false` where it is not there.
    pub(crate) fn remove(&mut self, hash: u64, value: u32) -> bool {
        let Some((distance, at, lane)) = self.locate(hash, value) else { return false };
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.set_tag(lane, 0);
        }
        self.used -= 1;
        for step in 0..distance {
            if let Some(bucket) = self.buckets.get_mut((hash as usize).wrapping_add(step) & self.mask) {
                bucket.unpassed();
            }
        }
        true
    }

    /// Distance from home, bucket and lane of a value.
    fn locate(&self, hash: u64, value: u32) -> Option<(usize, usize, usize)> {
        let tag = tag_of(hash);
        for step in 0..=self.mask {
            let at = (hash as usize).wrapping_add(step) & self.mask;
            let bucket = self.buckets.get(at)?;
            let mut lanes = bucket.values.iter().enumerate();
            let here = lanes.position(|(lane, &held)| held == value && bucket.tag(lane) == tag);
            if let Some(lane) = here {
                return Some((step, at, lane));
            }
            if !bucket.was_passed() {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::Index;

    proptest! {
        /// Few distinct hashes force shared tags, full buckets and long chains.
        #[test]
        fn behaves_as_a_map(operations in prop::collection::vec((any::<bool>(), 0u32..6, 0u32..64), 1..800)) {
            let mut index = Index::new(100, &|_, _| ());
            let mut model: HashSet<(u64, u32)> = HashSet::new();
            let entry = |key: u32, n| (u64::from(key % 3) | (u64::from(key / 3) << 60), key * 64 + n);
            for (add, key, n) in operations {
                let (hash, value) = entry(key, n);
                if add && !model.contains(&(hash, value)) {
                    prop_assert_eq!(index.insert(hash, value), model.len() < index.buckets.len() * super::LANES);
                    model.insert((hash, value));
                } else if !add {
                    prop_assert_eq!(index.remove(hash, value), model.remove(&(hash, value)));
                }
            }
            for (hash, value) in (0..6).flat_map(|key| (0..64).map(move |n| entry(key, n))) {
                let expected = model.contains(&(hash, value)).then_some(value);
                prop_assert_eq!(index.find(hash, |v| v == value), expected);
            }
        }
    }

    #[test]
    fn emptied_it_is_as_new() {
        let mut index = Index::new(12, &|_, _| ());
        let all: Vec<_> = (0..40u32).map(|n| (u64::from(n % 2) << 50, n)).collect();
        let held: Vec<_> = all.iter().filter(|(h, v)| index.insert(*h, *v)).collect();
        assert_eq!(held.len(), index.buckets.len() * super::LANES);
        for (hash, value) in held {
            assert!(index.remove(*hash, *value));
        }
        assert_eq!(index.used, 0);
        assert!(index.buckets.iter().all(|bucket| bucket.tags == [0; 3]));
    }
}
