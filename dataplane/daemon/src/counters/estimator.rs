//! IPVS's rate estimator: every two seconds, a new window weighs a quarter (kernel `ip_vs_est.c`).

use sluice_core::RealStats;

/// Seconds between two calls of [`Estimator::tick`].
pub const PERIOD_S: u64 = 2;

/// Scaled moving averages of the five counters of a service or real. Integer arithmetic as in the kernel, so that the
/// displayed numbers are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimator {
    last: RealStats,
    conns: i64,
    in_packets: i64,
    out_packets: i64,
    in_bytes: i64,
    out_bytes: i64,
}

/// Rates a second, as displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Connections.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients.
    pub out_bytes: u64,
}

/// Fraction bits of a window: counts are kept as 2^10 times the rate, bytes as 2^5 times.
const COUNT_SHIFT: u32 = 9;
const BYTE_SHIFT: u32 = 4;

impl Estimator {
    /// Starts at `now` with all rates 0.
    #[must_use]
    pub fn new(now: RealStats) -> Self {
        Self { last: now, ..Self::default() }
    }

    /// Goes on with the rates it has; the window begins at `now`.
    pub fn resume(&mut self, now: RealStats) {
        self.last = now;
    }

    /// Takes in the counters at the end of a window.
    pub fn tick(&mut self, now: RealStats) {
        let last = self.last;
        average(&mut self.conns, now.conns, last.conns, COUNT_SHIFT);
        average(&mut self.in_packets, now.in_packets, last.in_packets, COUNT_SHIFT);
        average(&mut self.out_packets, now.out_packets, last.out_packets, COUNT_SHIFT);
        average(&mut self.in_bytes, now.in_bytes, last.in_bytes, BYTE_SHIFT);
        average(&mut self.out_bytes, now.out_bytes, last.out_bytes, BYTE_SHIFT);
        self.last = now;
    }

    /// The rates as displayed.
    #[must_use]
    pub fn rates(&self) -> Rates {
        Rates {
            conns: shown(self.conns, COUNT_SHIFT),
            in_packets: shown(self.in_packets, COUNT_SHIFT),
            out_packets: shown(self.out_packets, COUNT_SHIFT),
            in_bytes: shown(self.in_bytes, BYTE_SHIFT),
            out_bytes: shown(self.out_bytes, BYTE_SHIFT),
        }
    }
}

/// The shift to the right is arithmetic, as the kernel's: a falling average rounds down.
fn average(estimate: &mut i64, now: u64, last: u64, shift: u32) {
    let window = now.wrapping_sub(last).wrapping_shl(shift).cast_signed();
    *estimate = estimate.wrapping_add(window.wrapping_sub(*estimate) >> 2);
}

/// Rounds up and drops the fraction; one bit more than the window's shift, for its two seconds.
fn shown(estimate: i64, shift: u32) -> u64 {
    let up = (1 << shift) - 1;
    u64::try_from((estimate + up) >> (shift + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_decays_as_in_the_kernel() {
        let burst = RealStats { in_packets: 1000, in_bytes: 100_000, ..RealStats::default() };
        let mut estimator = Estimator::new(RealStats::default());
        let seen: Vec<(u64, u64)> = (0..4)
            .map(|_| {
                estimator.tick(burst);
                (estimator.rates().in_packets, estimator.rates().in_bytes)
            })
            .collect();
        assert_eq!(seen, [(125, 12500), (94, 9375), (70, 7031), (53, 5273)]);
    }

    #[test]
    fn a_steady_rate_is_reached_and_silence_returns_to_nothing() {
        let mut estimator = Estimator::new(RealStats::default());
        let mut now = RealStats::default();
        for _ in 0..60 {
            now.conns += 200;
            now.out_bytes += 20_000;
            estimator.tick(now);
        }
        assert_eq!((estimator.rates().conns, estimator.rates().out_bytes), (100, 10_000));
        for _ in 0..60 {
            estimator.tick(now);
        }
        assert_eq!(estimator.rates(), Rates::default());
    }
}
