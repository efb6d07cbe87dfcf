//! Packets that each begin a flow, while as many flows end: the whole life of a flow, schedulers' choice included.
use criterion::{BenchmarkId, Criterion, Throughput};
use sluice_bench::balancer::{Balancer, MAC, Shape};
use sluice_bench::traffic::{MAX_FLOWS, REALS, Template};
use sluice_core::{BURST, ConfigError, Forward, Jiffies};

use crate::measurement::{Cycles, sum};
use crate::rig::{Frames, Rig};

/// Longer than the 3 s a flow is first given, so that the first packet moves its deadline on, as in real life.
const IDLE_SECONDS: u32 = 4;
/// Flows alive, by the bursts in a jiffy: 128 new flows in 4 ms are 32,000 a second, 992 are 248,000.
const LEVELS: [(&str, u64); 2] = [("128k_live", 4), ("1M_live", 31)];
const SCHEDULERS: [&str; 7] = ["rr", "wrr", "lc", "wlc", "sed", "nq", "mh"];
const REAL_COUNTS: [u32; 3] = [2, 100, 1000];

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("new_flows");
    group.throughput(Throughput::Elements(BURST as u64));
    for (name, forward) in [("nat", Forward::Masq), ("dr", Forward::Route)] {
        for (level, bursts_per_jiffy) in LEVELS {
            let shape = Shape { forward, scheduler: "rr", reals: REALS, udp_seconds: IDLE_SECONDS };
            let mut made = None;
            group.bench_function(BenchmarkId::new(name, level), |bencher| {
                let churn = made.get_or_insert_with(|| Churn::new(&shape, bursts_per_jiffy));
                bencher.iter_custom(|iterations| sum(iterations, || churn.burst()));
            });
        }
    }
    group.finish();
}

/// The same with few flows alive, so that a scheduler's choice stands out. What rr takes is the rest of the work.
pub(crate) fn schedulers(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("scheduler");
    group.throughput(Throughput::Elements(BURST as u64));
    for scheduler in SCHEDULERS {
        for reals in REAL_COUNTS {
            let shape = Shape { forward: Forward::Route, scheduler, reals, udp_seconds: IDLE_SECONDS };
            if let Err(ConfigError::NoScheduler(name)) = Balancer::new(&shape) {
                eprintln!("stages: there is no scheduler {name} to measure");
                break;
            }
            let mut made = None;
            group.bench_function(BenchmarkId::new(scheduler, reals), |bencher| {
                let churn = made.get_or_insert_with(|| Churn::new(&shape, 1));
                bencher.iter_custom(|iterations| sum(iterations, || churn.burst()));
            });
        }
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
    bursts_per_jiffy: u64,
}

impl Churn {
    fn new(shape: &Shape, bursts_per_jiffy: u64) -> Self {
        let level = u64::from(IDLE_SECONDS * Jiffies::HZ) * bursts_per_jiffy * BURST as u64;
        let mut churn = Self {
            rig: Rig::of(shape, 2 * level as usize),
            frames: Frames::new(),
            template: Template::requests(MAC),
            next: 0,
            bursts: 0,
            bursts_per_jiffy,
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
        let Self { rig, frames, template, next, bursts, bursts_per_jiffy } = self;
        *bursts += 1;
        rig.now = Jiffies((*bursts / *bursts_per_jiffy) as u32);
        frames.fill(|| {
            *next = (*next + 1) % MAX_FLOWS;
            (&*template, *next)
        });
        rig.burst(frames) + rig.expire()
    }
}
