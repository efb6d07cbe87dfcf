//! Two workers beside one: each has its own port, table and share of the flows, as receive side scaling deals them.
use std::sync::{Arc, Barrier};

use anyhow::{Result, anyhow, ensure};
use sluice_bench::balancer::{Balancer, Shape};
use sluice_bench::traffic::REALS;
use sluice_core::{BURST, Forward, Verdict};
use sluice_dpdk::{Job, Worker};

use super::advise;
use super::series::{Effort, Series, sum_up};
use super::slice;
use super::source::{Order, Packets, Source};
use super::wire::{Side, Wire};
use crate::trial::Trial;

const BURSTS_PER_JIFFY: u32 = 2500;
const SHAPE: Shape = Shape { forward: Forward::Masq, scheduler: "rr", reals: REALS, udp_seconds: 300 };

type Ended = (Wire, Result<Vec<Trial>>);

/// NAT requests of `flows` flows through one worker, then through two that share them. The ratio of the second series
/// is of the two together to the one.
pub(crate) fn run(
    lcores: &[Worker],
    mut wires: Vec<Wire>,
    flows: u32,
    effort: Effort,
) -> Result<(Vec<Series>, Vec<Wire>)> {
    let mut both = Vec::new();
    for workers in [1, 2] {
        ensure!(lcores.len() >= workers && wires.len() >= workers, "no CPU for {workers} workers");
        let barrier = Arc::new(Barrier::new(workers));
        let waiting = wires.split_off(workers);
        let jobs = lcores.iter().zip(wires.drain(..)).enumerate().map(|(id, (lcore, wire))| {
            let barrier = Arc::clone(&barrier);
            lcore.launch(move || work(wire, (id as u16, workers as u16), flows, effort, &barrier))
        });
        let jobs: Vec<Job<Ended>> = jobs.collect::<Result<_, _>>()?;
        let mut each = Vec::new();
        for job in jobs {
            let (wire, trials) = job.join();
            wires.push(wire);
            each.push(trials?);
        }
        wires.extend(waiting);
        both.push(together(&each));
    }
    let [one, two]: [Vec<Trial>; 2] = both.try_into().map_err(|_| anyhow!("two runs"))?;
    let second = sum_up("nat-requests, 2 workers", flows, REALS, two, Some(&one))?;
    Ok((vec![sum_up("nat-requests, 1 worker", flows, REALS, one, None)?, second], wires))
}

/// On its lcore: fills the table with the flows it owns and forwards their packets.
fn work(mut wire: Wire, (id, workers): (u16, u16), flows: u32, effort: Effort, barrier: &Barrier) -> Ended {
    let prepared = prepare(&mut wire, id, workers, flows);
    // Whatever came of it: the other must not wait for ever.
    barrier.wait();
    let trials = prepared.and_then(|(mut side, mut source)| {
        let turn = |_| slice::run(effort.seconds, effort.tsc_hz, || wire.balance(&mut source, &mut side));
        (0..effort.rounds).map(turn).collect()
    });
    (wire, trials)
}

fn prepare(wire: &mut Wire, id: u16, workers: u16, flows: u32) -> Result<(Side, Source)> {
    let capacity = (flows as usize).next_power_of_two();
    let mut side = Side::new(Balancer::new(&SHAPE)?.lcore(id, workers, capacity, &advise), BURSTS_PER_JIFFY);
    let mut all = Source::new(Packets::Requests, Order::Counting(0, flows));
    let mut own = Vec::new();
    // The balancer itself says which flows are another's.
    for flow in (0..flows).step_by(BURST) {
        wire.balance(&mut all, &mut side);
        let verdicts = (flow..flows).zip(side.verdicts());
        own.extend(
            verdicts.filter(|(_, verdict)| !matches!(verdict, Verdict::Steer { .. })).map(|(flow, _)| flow),
        );
    }
    side.skip(5);
    ensure!(side.flows() == own.len() as u64, "{} flows, not {}", side.flows(), own.len());
    shuffle(&mut own);
    Ok((side, Source::new(Packets::Requests, Order::Listed(own, 0))))
}

/// Fisher and Yates, with an even spread good enough for an order of traffic.
fn shuffle(list: &mut [u32]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for last in (1..list.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        list.swap(last, (state % (last as u64 + 1)) as usize);
    }
}

/// Adds up what the workers did in each round.
fn together(each: &[Vec<Trial>]) -> Vec<Trial> {
    let rounds = each.iter().map(Vec::len).min().unwrap_or(0);
    let workers = each.len() as f64;
    let sum = |round: usize, of: fn(&Trial) -> f64| each.iter().map(|trials| of(&trials[round])).sum::<f64>();
    (0..rounds)
        .map(|round| Trial {
            seconds: sum(round, |trial| trial.seconds) / workers,
            packets: each.iter().map(|trials| trials[round].packets).sum(),
            cpu_share: sum(round, |trial| trial.cpu_share) / workers,
            mpps_by_the_clock: sum(round, |trial| trial.mpps_by_the_clock),
            mpps: sum(round, |trial| trial.mpps),
            cycles_per_packet: sum(round, |trial| trial.cycles_per_packet) / workers,
        })
        .collect()
}
