//! Packets of flows that exist, met in random order, at table sizes from one cache line to far beyond the caches.
use criterion::{BenchmarkId, Criterion, Throughput};
use sluice_bench::balancer::MAC;
use sluice_bench::traffic::{REALS, Template};
use sluice_core::{BURST, Forward};

use crate::measurement::{Cycles, sum};
use crate::rig::{Frames, Rig};

const FLOWS: [u32; 4] = [1, 10_000, 100_000, 1_000_000];

/// Which packets, of which method.
#[derive(Clone, Copy, PartialEq)]
enum Traffic {
    NatRequests,
    NatReplies,
    DirectRequests,
    TunnelRequests,
}

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    for (name, traffic) in [
        ("nat_requests", Traffic::NatRequests),
        ("nat_replies", Traffic::NatReplies),
        ("dr_requests", Traffic::DirectRequests),
        ("ipip_requests", Traffic::TunnelRequests),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(BURST as u64));
        for flows in FLOWS {
            // Made only when it is this bench's turn: a filter may have left it out.
            let mut made = None;
            group.bench_function(BenchmarkId::from_parameter(flows), |bencher| {
                let established = made.get_or_insert_with(|| Established::new(traffic, flows));
                bencher.iter_custom(|iterations| sum(iterations, || established.burst()));
            });
        }
        group.finish();
    }
}

/// A rig with flows in its table.
struct Established {
    rig: Rig,
    frames: Frames,
    /// By `flow % REALS`: round robin gave flow 0 to the first real, flow 1 to the second, and so on.
    templates: Vec<Template>,
    flows: u32,
    random: u64,
}

impl Established {
    fn new(traffic: Traffic, flows: u32) -> Self {
        let forward = match traffic {
            Traffic::NatRequests | Traffic::NatReplies => Forward::Masq,
            Traffic::DirectRequests => Forward::Route,
            Traffic::TunnelRequests => Forward::Tunnel,
        };
        let capacity = (flows as usize).next_power_of_two().max(1024);
        let (mut rig, mut frames) = (Rig::new(forward, capacity, 300), Frames::new());
        let requests = Template::requests(MAC);
        let mut flow = 0;
        while flow < flows {
            frames.fill(|| {
                let this = flow.min(flows - 1);
                flow += 1;
                (&requests, this)
            });
            rig.burst(&mut frames);
        }
        rig.expire();
        assert_eq!(rig.flows(), u64::from(flows), "every flow is in the table, once");
        let templates = (0..REALS)
            .map(
                |n| if traffic == Traffic::NatReplies { Template::replies(MAC, n) } else { requests.clone() },
            )
            .collect();
        Self { rig, frames, templates, flows, random: 0x9e37_79b9_7f4a_7c15 }
    }

    #[inline]
    fn burst(&mut self) -> u64 {
        let Self { rig, frames, templates, flows, random } = self;
        frames.fill(|| {
            // Xorshift, Marsaglia 2003.
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            let flow = (((*random >> 32) * u64::from(*flows)) >> 32) as u32;
            (&templates[(flow % REALS) as usize], flow)
        });
        rig.burst(frames)
    }
}
