//! The seeded hash of a flow's key.

/// Two random words drawn at start, so that nobody outside can aim flows at one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(pub(crate) [u64; 2]);

/// The five numbers that name an IPv4 packet's flow, source first, packed into two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key4 {
    addresses: u64,
    rest: u64,
}

impl Key4 {
    pub(crate) const ZERO: Self = Self { addresses: 0, rest: 0 };

    #[inline(always)]
    pub(crate) fn new(protocol: u8, src: u32, sport: u16, dst: u32, dport: u16) -> Self {
        Self {
            addresses: u64::from(src) << 32 | u64::from(dst),
            rest: u64::from(sport) << 32 | u64::from(dport) << 16 | u64::from(protocol),
        }
    }

    #[inline(always)]
    pub(crate) fn protocol(self) -> u8 {
        self.rest as u8
    }

    /// Source address and port.
    #[inline(always)]
    pub(crate) fn source(self) -> (u32, u16) {
        ((self.addresses >> 32) as u32, (self.rest >> 32) as u16)
    }

    /// Destination address and port.
    #[inline(always)]
    pub(crate) fn destination(self) -> (u32, u16) {
        (self.addresses as u32, (self.rest >> 16) as u16)
    }

    /// A folded 128-bit product of the two seeded words, mixed once more so that all 64 bits depend on all input:
    /// the low bits choose the bucket, the high ones the tag.
    #[inline(always)]
    pub(crate) fn hash(self, seed: Seed) -> u64 {
        let [a, b] = seed.0;
        let first = fold(self.addresses ^ a, self.rest ^ b);
        fold(first ^ b, 0x9e37_79b9_7f4a_7c15)
    }
}

/// A hash with more bytes mixed in, of which the sender chooses as he likes.
pub(crate) fn with_bytes(hash: u64, bytes: &[u8], seed: Seed) -> u64 {
    let [a, b] = seed.0;
    let mix = |hash: u64, chunk: &[u8]| {
        let word = chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        fold(hash ^ b, word ^ a)
    };
    bytes.chunks(8).fold(hash ^ bytes.len() as u64, mix)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::{Key4, Seed};

    /// Neighbouring clients must spread evenly over buckets (low bits) and tags (high bits).
    #[test]
    fn spreads_neighbouring_clients() {
        let seed = Seed([0x1234_5678_9abc_def1, 0xfedc_ba98_7654_3211]);
        let mut low = vec![0u32; 1024];
        let mut high = vec![0u32; 1024];
        let count = 102_400u32;
        for n in 0..count {
            let hash =
                Key4::new(17, 0x0a00_0000 + n / 64, 1024 + (n % 64) as u16, 0xc633_6401, 53).hash(seed);
            low[(hash & 1023) as usize] += 1;
            high[(hash >> 54) as usize] += 1;
        }
        // The chi-square statistic of 1023 degrees of freedom: 1023 on average, deviation 45.
        for counts in [low, high] {
            let expected = f64::from(count) / 1024.0;
            let chi: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
            assert!((750.0..1300.0).contains(&chi), "chi-square {chi}");
        }
    }
}
