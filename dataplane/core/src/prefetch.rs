//! The only unsafe code of this crate: asking the CPU to load a cache line ahead of use.
#![allow(unsafe_code, reason = "prefetch is an intrinsic on a raw pointer")]

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
