//! The ones'-complement sum of RFC 1071.

/// A sum of 16-bit words that still carries its overflow; folded when it is read.
///
/// Each piece adds less than 2^32, so 2^32 pieces fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Sums `bytes` as big-endian words, a last odd byte as if a zero followed it.
    #[inline]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        // Words are added in the machine's byte order and swapped once at the end: ones'-complement addition
        // does not care (RFC 1071 section 2 B). Two lanes take the halves of eight bytes each, so that no
        // carry is ever lost.
        let (chunks, rest) = bytes.as_chunks::<8>();
        let (mut low, mut high) = (0_u64, 0_u64);
        for chunk in chunks {
            let word = u64::from_ne_bytes(*chunk);
            low = low.wrapping_add(word & 0xffff_ffff);
            high = high.wrapping_add(word >> 32);
        }
        let (four, rest) = rest.as_chunks::<4>();
        let (two, one) = rest.as_chunks::<2>();
        let mut tail = 0_u64;
        for chunk in four {
            tail = tail.wrapping_add(u64::from(u32::from_ne_bytes(*chunk)));
        }
        for chunk in two {
            tail = tail.wrapping_add(u64::from(u16::from_ne_bytes(*chunk)));
        }
        for byte in one {
            tail = tail.wrapping_add(u64::from(u16::from_ne_bytes([*byte, 0])));
        }
        Self(u64::from(fold(low.wrapping_add(high).wrapping_add(tail)).to_be()))
    }

    /// Sums the two halves of `word`.
    #[inline]
    pub const fn of_u32(word: u32) -> Self {
        Self(word as u64)
    }

    /// The sum of both. A piece summed by [`of_bytes`](Self::of_bytes) must start at an even offset of the
    /// whole.
    #[inline]
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The sum in 16 bits, carries added in at the low end; 0 only where every word summed was 0.
    #[inline]
    pub const fn fold(self) -> u16 {
        fold(self.0)
    }

    /// The checksum that makes the sum come out right: its complement.
    #[inline]
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }

    /// Whether a sum over data and its checksum field says that the data is whole.
    #[inline]
    pub const fn is_right(self) -> bool {
        self.fold() == 0xffff
    }
}

/// Folds to 16 bits by adding the carries in. A sum above 0 stays above 0.
#[inline]
const fn fold(sum: u64) -> u16 {
    // At most 2^33, 2^18, 2^16 + 2, 2^16 - 1 after each step; no addition can overflow.
    let sum = (sum >> 32).wrapping_add(sum & 0xffff_ffff);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    let sum = (sum >> 16).wrapping_add(sum & 0xffff);
    (sum >> 16).wrapping_add(sum & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn sums_the_example_of_rfc_1071() {
        let sum = Sum::of_bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.fold(), 0xddf2);
        assert_eq!(sum.checksum(), 0x220d);
    }

    #[test]
    fn pads_an_odd_byte_with_zero() {
        assert_eq!(Sum::of_bytes(&[0x12]).fold(), 0x1200);
        assert_eq!(Sum::of_bytes(&[]).fold(), 0);
    }

    #[test]
    fn folds_the_largest_sums() {
        assert_eq!(Sum(u64::MAX).fold(), 0xffff);
        assert_eq!(Sum(u64::MAX - 1).fold(), 0xfffe);
        assert_eq!(Sum(0xffff_0000_ffff_ffff).fold(), 0xffff);
        assert_eq!(Sum(0x0001_ffff_ffff_ffff).fold(), 1);
    }
}
