//! What names a packet's flow, and its seeded hash.
use std::fmt::Debug;

/// Two random words drawn at start, so that nobody outside can aim flows at one bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(pub(crate) [u64; 2]);

/// The five numbers that name a packet's flow: protocol, source and destination.
pub(crate) trait FlowKey: Copy + Debug + Eq {
    type Address;

    const ZERO: Self;

    fn new(protocol: u8, src: Self::Address, sport: u16, dst: Self::Address, dport: u16) -> Self;

    fn protocol(self) -> u8;

    /// Source address and port.
    fn source(self) -> (Self::Address, u16);

    /// Destination address and port.
    fn destination(self) -> (Self::Address, u16);

    /// All 64 bits depend on all of the key: the low ones choose the bucket, the high ones the tag.
    fn hash(self, seed: Seed) -> u64;
}

/// An IPv4 packet's, packed into two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key4 {
    addresses: u64,
    rest: u64,
}

impl FlowKey for Key4 {
    type Address = u32;

    const ZERO: Self = Self { addresses: 0, rest: 0 };

    #[inline(always)]
    fn new(protocol: u8, src: u32, sport: u16, dst: u32, dport: u16) -> Self {
        Self {
            addresses: u64::from(src) << 32 | u64::from(dst),
            rest: ports_and_protocol(sport, dport, protocol),
        }
    }

    #[inline(always)]
    fn protocol(self) -> u8 {
        self.rest as u8
    }

    #[inline(always)]
    fn source(self) -> (u32, u16) {
        ((self.addresses >> 32) as u32, (self.rest >> 32) as u16)
    }

    #[inline(always)]
    fn destination(self) -> (u32, u16) {
        (self.addresses as u32, (self.rest >> 16) as u16)
    }

    /// A folded 128-bit product of the two seeded words, mixed once more.
    #[inline(always)]
    fn hash(self, seed: Seed) -> u64 {
        let [a, b] = seed.0;
        let first = fold(self.addresses ^ a, self.rest ^ b);
        fold(first ^ b, GOLDEN)
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

/// An IPv6 packet's: the addresses in two words each, the upper one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key6 {
    source: [u64; 2],
    destination: [u64; 2],
    rest: u64,
}

impl FlowKey for Key6 {
    type Address = u128;

    const ZERO: Self = Self { source: [0; 2], destination: [0; 2], rest: 0 };

    #[inline(always)]
    fn new(protocol: u8, src: u128, sport: u16, dst: u128, dport: u16) -> Self {
        Self {
            source: halves(src),
            destination: halves(dst),
            rest: ports_and_protocol(sport, dport, protocol),
        }
    }

    #[inline(always)]
    fn protocol(self) -> u8 {
        self.rest as u8
    }

    #[inline(always)]
    fn source(self) -> (u128, u16) {
        (whole(self.source), (self.rest >> 32) as u16)
    }

    #[inline(always)]
    fn destination(self) -> (u128, u16) {
        (whole(self.destination), (self.rest >> 16) as u16)
    }

    /// Folded 128-bit products of the seeded addresses, which do not wait for each other, and of what they give with the
    /// rest. Each address meets the seed in its own way: swapped ones hash differently.
    #[inline(always)]
    fn hash(self, seed: Seed) -> u64 {
        let [a, b] = seed.0;
        let ([source, near], [destination, far]) = (self.source, self.destination);
        let from = fold(source ^ a, near ^ b);
        let to = fold(destination ^ b.rotate_left(32), far ^ a.rotate_left(32));
        let first = fold(from ^ self.rest ^ a, to ^ b);
        fold(first ^ b, GOLDEN)
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline(always)]
fn ports_and_protocol(sport: u16, dport: u16, protocol: u8) -> u64 {
    u64::from(sport) << 32 | u64::from(dport) << 16 | u64::from(protocol)
}

#[inline(always)]
fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

#[inline(always)]
fn whole([upper, lower]: [u64; 2]) -> u128 {
    u128::from(upper) << 64 | u128::from(lower)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::{FlowKey, Key4, Key6, Seed};

    const SEED: Seed = Seed([0x1234_5678_9abc_def1, 0xfedc_ba98_7654_3211]);

    /// Whether hashes spread evenly over buckets (low bits) and tags (high bits).
    fn check_spread(hashes: impl Iterator<Item = u64>) {
        let mut low = vec![0u32; 1024];
        let mut high = vec![0u32; 1024];
        let mut count = 0;
        for hash in hashes {
            count += 1;
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

    #[test]
    fn spreads_neighbouring_clients() {
        check_spread((0..102_400).map(|n: u32| {
            Key4::new(17, 0x0a00_0000 + n / 64, 1024 + (n % 64) as u16, 0xc633_6401, 53).hash(SEED)
        }));
    }

    /// Clients that differ in the network, in the host, or in the port.
    #[test]
    fn spreads_neighbouring_ipv6_clients() {
        const NET: u128 = 0x2001_0db8 << 96;
        for step in [1u128 << 64, 1, 1 << 16] {
            check_spread((0..102_400).map(|n: u32| {
                let client = NET | (u128::from(n / 64) * step);
                Key6::new(17, client, 1024 + (n % 64) as u16, NET | 1, 53).hash(SEED)
            }));
        }
    }

    #[test]
    fn keys_give_back_what_they_are_made_of() {
        let (client, vip) = (0x2001_0db8_0000_0001_0000_0000_0000_0007, u128::MAX - 1);
        let key = Key6::new(132, client, 40_000, vip, 80);
        assert_eq!((key.protocol(), key.source(), key.destination()), (132, (client, 40_000), (vip, 80)));
        let back = Key6::new(132, vip, 80, client, 40_000);
        assert!(back != key && back.hash(SEED) != key.hash(SEED));
        let swapped = Key6::new(132, vip, 40_000, client, 80);
        assert_ne!(swapped.hash(SEED), key.hash(SEED));
    }
}
