//! The only unsafe code of this crate: prefetching, and comparing tags by SSE2, which every x86-64 has.
#![allow(unsafe_code, reason = "intrinsics")]

/// Asks for the cache line that holds the start of `place`; never faults, changes nothing that a program can see.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetch reads nothing architecturally, and the pointer comes from a live reference.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(
            core::ptr::from_ref(place).cast(),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Which of the twelve 16-bit lanes of `words` equal `tag`: bit 0 for the low lane of the first word.
#[inline(always)]
pub(crate) fn equal_lanes(words: [u64; 3], tag: u16) -> u16 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64.
    return unsafe { equal_lanes_sse2(words, tag) };
    #[cfg(not(target_arch = "x86_64"))]
    equal_lanes_portable(words, tag)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn equal_lanes_sse2(words: [u64; 3], tag: u16) -> u16 {
    use core::arch::x86_64::{
        _mm_cmpeq_epi16, _mm_movemask_epi8, _mm_packs_epi16, _mm_set_epi64x, _mm_set1_epi16,
    };
    let [a, b, c] = words.map(u64::cast_signed);
    let wanted = _mm_set1_epi16(tag.cast_signed());
    let low = _mm_cmpeq_epi16(_mm_set_epi64x(b, a), wanted);
    let high = _mm_cmpeq_epi16(_mm_set_epi64x(0, c), wanted);
    _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u16 & 0x0fff
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_lanes_portable(words: [u64; 3], tag: u16) -> u16 {
    let lane = |n: usize| words.get(n / 4).is_some_and(|word| (word >> (n % 4 * 16)) as u16 == tag);
    (0..12).fold(0, |found, n| found | u16::from(lane(n)) << n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{equal_lanes, equal_lanes_portable};

    proptest! {
        #[test]
        fn lanes_are_compared_exactly(words in any::<[u64; 3]>(), lane in 0usize..12, other in any::<u16>()) {
            let there = (words[lane / 4] >> (lane % 4 * 16)) as u16;
            for tag in [there, other, 0] {
                prop_assert_eq!(equal_lanes(words, tag), equal_lanes_portable(words, tag));
            }
            prop_assert!(equal_lanes(words, there) & 1 << lane != 0);
        }
    }
}
