//! Packets of no flow and no service: classification, a lookup that finds nothing, and the service table, no more.
use std::net::Ipv4Addr;

use criterion::{BenchmarkId, Criterion, Throughput};
use sluice_bench::balancer::{MAC, Shape};
use sluice_bench::traffic::{FRAME, NEIGHBOUR, REALS};
use sluice_core::{BURST, Forward, Verdict};
use sluice_packet::build::Frame;

use crate::measurement::{Cycles, sum};
use crate::rig::{Frames, Rig};

/// Sizes of the table that is looked in: within the caches, and beyond them.
const CAPACITIES: [usize; 2] = [1 << 10, 1 << 20];

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("strangers");
    group.throughput(Throughput::Elements(BURST as u64));
    for capacity in CAPACITIES {
        let mut made = None;
        group.bench_function(BenchmarkId::from_parameter(capacity), |bencher| {
            let (rig, frames, next) = made.get_or_insert_with(|| (rig(capacity), Frames::new(), 0u16));
            bencher.iter_custom(|iterations| {
                sum(iterations, || {
                    frames.set_each(|| {
                        *next = next.wrapping_add(0x9e37);
                        stranger(*next)
                    });
                    rig.burst_to(frames, Verdict::ToKernel)
                })
            });
        });
    }
    group.finish();
}

fn rig(capacity: usize) -> Rig {
    Rig::of(&Shape { forward: Forward::Masq, scheduler: "rr", reals: REALS, udp_seconds: 300 }, capacity)
}

/// A packet to an address that is no service's.
fn stranger(port: u16) -> Vec<u8> {
    let (from, to) = (Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(203, 0, 113, 200));
    Frame::new().eth(MAC, NEIGHBOUR).ipv4(from, to).udp(port, 7).pad_to(FRAME).build()
}
