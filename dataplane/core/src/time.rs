//! Time on the packet path: jiffies of 4 ms, counted by the caller.

/// A point in time in units of 4 ms (250 Hz, as Debian's kernel counts), wrapping after 198 days.
///
/// Comparisons hold for points less than 99 days apart, which is also the longest timeout IPVS accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jiffies(pub u32);

impl Jiffies {
    /// Jiffies per second.
    pub const HZ: u32 = 250;

    /// The longest timeout in seconds: `i32::MAX / HZ`.
    pub const MAX_SECONDS: u32 = i32::MAX as u32 / Self::HZ;

    /// `seconds` as a number of jiffies; `seconds` is at most [`MAX_SECONDS`](Self::MAX_SECONDS), or is cut to it.
    #[must_use]
    pub const fn ticks(seconds: u32) -> u32 {
        if seconds > Self::MAX_SECONDS { Self::MAX_SECONDS * Self::HZ } else { seconds * Self::HZ }
    }

    /// The point `ticks` jiffies later.
    #[must_use]
    pub const fn after(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Jiffies from `earlier` to this point; negative where `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// Whether this point has come at `now`.
    #[must_use]
    pub const fn is_due(self, now: Self) -> bool {
        now.since(self) >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::Jiffies;

    #[test]
    fn compares_across_the_wrap() {
        let before = Jiffies(u32::MAX - 10);
        let after = before.after(Jiffies::ticks(1));
        assert_eq!(after.since(before), 250);
        assert!(before.is_due(after));
        assert!(!after.is_due(before));
        assert_eq!(Jiffies::ticks(u32::MAX), 8_589_934 * 250);
    }
}
