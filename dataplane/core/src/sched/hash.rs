//! How the kernel turns addresses into places in a table: for dh, sh, mh, lblc and lblcr (reference 2.3 to 2.5).
use std::net::IpAddr;

/// An address as 32 bits: IPv4 as it is, IPv6 with its four words combined by XOR.
#[inline]
pub(super) fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => words(address.to_bits()).fold(0, |sum, word| sum ^ word),
    }
}

/// [`fold`] of a real's address in a service of either family: an IPv4 service sees the first word of an IPv6 address.
pub(super) fn fold_for(ipv6_service: bool, address: IpAddr) -> u32 {
    match address {
        IpAddr::V6(address) if !ipv6_service => words(address.to_bits()).next().unwrap_or(0),
        _ => fold(address),
    }
}

/// The four words of an IPv6 address, the first first.
fn words(bits: u128) -> impl Iterator<Item = u32> {
    [96, 64, 32, 0].into_iter().map(move |shift| (bits >> shift) as u32)
}

/// The kernel's hash_32: the upper `bits` (1 to 32) of the product with the 32-bit golden ratio.
#[inline]
pub(super) fn hash32(value: u32, bits: u32) -> u32 {
    value.wrapping_mul(0x61C8_8647) >> (32 - bits)
}

/// The kernel's hsiphash of one word on 64-bit machines: SipHash-1-3 with `key` as both of its key words.
#[inline]
pub(super) fn hsiphash(value: u32, key: u32) -> u32 {
    // The message's length goes into the top byte of its last word.
    let message = 4 << 56 | u64::from(value);
    let key = u64::from(key);
    // "somepseudorandomlygeneratedbytes"
    let mut v = [
        0x736f_6d65_7073_6575 ^ key,
        0x646f_7261_6e64_6f6d ^ key,
        0x6c79_6765_6e65_7261 ^ key,
        0x7465_6462_7974_6573 ^ key,
    ];
    v[3] ^= message;
    v = round(v);
    v[0] ^= message;
    v[2] ^= 0xff;
    v = round(round(round(v)));
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

#[inline]
fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32).wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    [a, b, c.rotate_left(32), d]
}

#[cfg(test)]
mod tests {
    use super::{fold, fold_for, hash32, hsiphash};

    /// Reference A.1.
    #[test]
    fn places_of_the_kernel() {
        for (address, place) in
            [("172.16.0.1", 122), ("172.16.0.2", 220), ("10.1.2.3", 2), ("2001:db8::5", 198)]
        {
            assert_eq!(hash32(fold(address.parse().unwrap()), 8), place, "{address}");
        }
        assert_eq!(hash32(fold("172.16.0.1".parse().unwrap()) + 40_000, 8), 30);
        assert_eq!(hash32(fold("10.0.0.1".parse().unwrap()), 10), 159);
    }

    /// Reference A.1.
    #[test]
    fn hsiphash_of_the_kernel() {
        let (first, second) = (2_654_435_761, 2_654_446_892);
        assert_eq!(
            [0, 1, 0xc0a8_0151].map(|value| hsiphash(value, first)),
            [0x1d5a_77c2, 0x16ec_66b2, 0xcd25_7c3f]
        );
        assert_eq!(
            [0, 1, 0xc0a8_0151].map(|value| hsiphash(value, second)),
            [0xf882_433f, 0x8210_aad1, 0x932e_155f]
        );
    }

    #[test]
    fn an_ipv4_service_sees_the_first_word_of_an_ipv6_real() {
        let real = "2001:db8::5".parse().unwrap();
        assert_eq!(fold_for(false, real), 0x2001_0db8);
        assert_eq!(fold_for(true, real), 0x2001_0dbd);
        assert_eq!(fold_for(true, "10.0.0.1".parse().unwrap()), 0x0a00_0001);
    }
}
