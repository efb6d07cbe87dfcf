//! Random numbers for choices among reals: fast, of good distribution, no secret.

/// SplitMix64: one addition and a mix a number.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Another sequence for each lcore. Of the seed only the sum is taken: choices can be seen from outside, and must not
    /// give away the words that key the flow hash.
    pub(super) fn new(seed: [u64; 2], lcore: u16) -> Self {
        Self(seed[0].wrapping_add(seed[1]).wrapping_add(lcore.into()))
    }

    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
