//! Packets that each begin a flow, while as many flows end: the whole life of a flow, at 128,000 of them.
use criterion::{Criterion, Throughput};
use sluice_bench::traffic::{MAX_FLOWS, Template};
use sluice_core::{BURST, Forward, Jiffies};

use crate::measurement::{Cycles, sum};
use crate::rig::{Frames, MAC, Rig};

/// Longer than the 3 s a flow is first given, so that the first packet moves its deadline on, as in real life.
const IDLE_SECONDS: u32 = 4;
/// 128 new flows in 4 ms are 32,000 a second.
const BURSTS_PER_JIFFY: u64 = 4;

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("new_flows");
    group.throughput(Throughput::Elements(BURST as u64));
    for (name, forward) in [("nat", Forward::Masq), ("dr", Forward::Route)] {
        let mut made = None;
        group.bench_function(name, |bencher| {
            let churn = made.get_or_insert_with(|| Churn::new(forward));
            bencher.iter_custom(|iterations| sum(iterations, || churn.burst()));
        });
    }
    group.finish();
}

/// A rig whose table has filled to the level at which it stays.
struct Churn {
    rig: Rig,
    frames: Frames,
    template: Template,
    next: u32,
    bursts: u64,
}

impl Churn {
    fn new(forward: Forward) -> Self {
        let level = u64::from(IDLE_SECONDS * Jiffies::HZ) * BURSTS_PER_JIFFY * BURST as u64;
        let mut churn = Self {
            rig: Rig::new(forward, 2 * level as usize, IDLE_SECONDS),
            frames: Frames::new(),
            template: Template::requests(MAC),
            next: 0,
            bursts: 0,
        };
        for _ in 0..2 * level / BURST as u64 {
            churn.burst();
        }
        let flows = churn.rig.flows();
        assert!((level / 2..level * 3 / 2).contains(&flows), "{flows} flows, not about {level}");
        churn
    }

    #[inline]
    fn burst(&mut self) -> u64 {
        let Self { rig, frames, template, next, bursts } = self;
        *bursts += 1;
        rig.now = Jiffies((*bursts / BURSTS_PER_JIFFY) as u32);
        frames.fill(|| {
            *next = (*next + 1) % MAX_FLOWS;
            (&*template, *next)
        });
        rig.burst(frames) + rig.expire()
    }
}
