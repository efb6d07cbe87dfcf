//! Adjusting a checksum by the difference between old and new data (RFC 1624).

/// How far a change of data moves the ones'-complement sum over it.
///
/// Made once for a change that many packets undergo (another address, another port), then applied to the
/// checksum of each. A right checksum stays right; a wrong one stays wrong by the same difference, so a
/// packet broken before the change is still seen to be broken after it.
///
/// For data that is not all zero (in a pseudo-header the protocol never is) the outcome is, bit for bit, what
/// computing the checksum afresh would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Delta(u16);

impl Delta {
    /// No change.
    pub const ZERO: Self = Self(0);

    /// The change of one 16-bit word from `old` to `new`.
    #[inline]
    pub const fn of_u16(old: u16, new: u16) -> Self {
        Self(add(!old, new))
    }

    /// The change of a 32-bit word, such as an IPv4 address, from `old` to `new`.
    #[inline]
    pub const fn of_u32(old: u32, new: u32) -> Self {
        Self(add(fold(!old), fold(new)))
    }

    /// The change of an IPv6 address from `old` to `new`.
    #[inline]
    pub fn of_v6(old: &[u8; 16], new: &[u8; 16]) -> Self {
        let (old, _) = old.as_chunks::<4>();
        let (new, _) = new.as_chunks::<4>();
        old.iter().zip(new).fold(Self::ZERO, |delta, (old, new)| {
            delta.plus(Self::of_u32(u32::from_be_bytes(*old), u32::from_be_bytes(*new)))
        })
    }

    /// Both changes.
    #[inline]
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(add(self.0, other.0))
    }

    /// The change back.
    #[inline]
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(!self.0)
    }

    /// The checksum after the change, for IPv4, TCP and ICMP; `field` is the checksum before it.
    #[inline]
    #[must_use]
    pub const fn apply(self, field: u16) -> u16 {
        // Equation 3 of RFC 1624. Equation 4 (subtracting) would give 0xffff where a fresh sum gives 0.
        !add(!field, self.0)
    }

    /// The checksum after the change, for UDP, where 0 stands for "none" and is sent as 0xffff (RFC 768).
    ///
    /// A `field` of 0 has no checksum to adjust: the caller leaves it, or computes one with
    /// [`udp`](crate::checksum::udp).
    #[inline]
    #[must_use]
    pub const fn apply_udp(self, field: u16) -> u16 {
        match self.apply(field) {
            0 => 0xffff,
            checksum => checksum,
        }
    }
}

/// Ones'-complement addition: the carry comes in at the low end.
#[inline]
const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    // After a carry the sum is at most 0xfffe.
    sum.wrapping_add(carry as u16)
}

#[inline]
const fn fold(word: u32) -> u16 {
    add((word >> 16) as u16, word as u16)
}

#[cfg(test)]
mod tests {
    use super::Delta;

    /// The example of RFC 1624 section 4, where the subtracting form goes wrong.
    #[test]
    fn gives_zero_where_a_fresh_sum_does() {
        assert_eq!(Delta::of_u16(0x5555, 0x3285).apply(0xdd2f), 0x0000);
        assert_eq!(Delta::of_u16(0x5555, 0x3285).apply_udp(0xdd2f), 0xffff);
    }

    #[test]
    fn going_there_and_back_changes_nothing() {
        for field in 0..=0xfffe {
            let delta = Delta::of_u32(0x0a00_0001, 0xc0a8_ffff);
            assert_eq!(delta.negated().apply(delta.apply(field)), field);
            assert_eq!(Delta::ZERO.apply(field), field);
        }
    }
}
