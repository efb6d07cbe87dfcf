//! Classification of a burst: bytes to addresses, ports and kind.
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use sluice_bench::balancer::MAC;
use sluice_bench::cycles;
use sluice_bench::traffic::Template;
use sluice_core::BURST;
use sluice_packet::{Kind, PacketBuf, classify};

use crate::measurement::{Cycles, sum};
use crate::rig::Frames;

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("classify");
    group.throughput(Throughput::Elements(BURST as u64));
    for (name, checksum_good) in [("checksum_summed", false), ("checksum_offloaded", true)] {
        let (template, mut frames, mut flow) = (Template::requests(MAC), Frames::new(), 0);
        let mut parsed = [classify(&[], 0, &MAC, false); BURST];
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                sum(iterations, || {
                    frames.fill(|| {
                        flow += 1;
                        (&template, flow)
                    });
                    let start = cycles::now();
                    for (frame, parsed) in frames.as_slice().iter().zip(&mut parsed) {
                        sluice_packet::classify_into(
                            frame.data(),
                            frame.frame_len(),
                            black_box(&MAC),
                            checksum_good,
                            parsed,
                        );
                    }
                    let took = cycles::now() - start;
                    assert!(black_box(&parsed).iter().all(|parsed| parsed.kind == Kind::Flow4));
                    took
                })
            });
        });
    }
    group.finish();
}
