//! Criterion's measurement of ours: cycles of the time stamp counter, shown per packet.
use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};
use sluice_bench::cycles;

/// Measures in cycles. Benches state their burst as [`Throughput::Elements`].
pub(crate) struct Cycles;

impl Measurement for Cycles {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        cycles::now()
    }

    fn end(&self, start: u64) -> u64 {
        cycles::now() - start
    }

    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &Format
    }
}

struct Format;

impl ValueFormatter for Format {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "cycles/burst"
    }

    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let Throughput::Elements(packets) = *throughput else { return "cycles" };
        for value in values {
            *value /= packets as f64;
        }
        "cycles/packet"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "cycles"
    }
}

/// Times `iterations` calls of `burst`, which returns the cycles of one burst, and gives what criterion wants: their
/// sum. The slowest hundredth counts as much as the rest on average: a burst that the kernel interrupts costs a
/// thousand times one that it leaves alone, and says nothing of the code.
pub(crate) fn sum(iterations: u64, mut burst: impl FnMut() -> u64) -> u64 {
    let mut each: Vec<u64> = (0..iterations).map(|_| burst()).collect();
    each.sort_unstable();
    let kept = each.len() - each.len() / 100;
    let total: u64 = each[..kept].iter().sum();
    (u128::from(total) * u128::from(iterations) / kept.max(1) as u128) as u64
}
