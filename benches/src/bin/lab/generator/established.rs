//! Packets of established flows, met in random order, from one flow to millions.
use anyhow::{Result, ensure};
use sluice_bench::balancer::{Balancer, Shape};
use sluice_bench::traffic::REALS;
use sluice_core::{BURST, Forward};

use super::advise;
use super::memory;
use super::series::{Effort, Lane, Series, alternate};
use super::source::{Order, Packets, Source};
use super::wire::{Side, Wire};

/// 80,000 packets in 4 ms are 20 million a second.
const BURSTS_PER_JIFFY: u32 = 2500;
/// Longer than the 3 s that a flow is first given: the wheel has filed each flow by its true deadline.
const SETTLED: u32 = 5;

/// The series of one method at one number of flows, and the bytes of memory that a flow of the table took.
pub(crate) fn run(
    forward: Forward,
    flows: u32,
    wire: &mut Wire,
    effort: Effort,
) -> Result<(Vec<Series>, f64)> {
    let shape = Shape { forward, scheduler: "rr", reals: REALS, udp_seconds: 300 };
    let capacity = (flows as usize).next_power_of_two().max(1024);
    let before = memory::resident()?;
    let mut side = Side::new(Balancer::new(&shape)?.lcore(0, 1, capacity, &advise), BURSTS_PER_JIFFY);
    let mut first = Source::new(Packets::Requests, Order::Counting(0, flows));
    for _ in 0..u64::from(flows).div_ceil(BURST as u64) {
        ensure!(wire.balance(&mut first, &mut side) == BURST, "a first packet was not forwarded");
    }
    if forward == Forward::Masq {
        // A flow's first reply asks for its next hop; what is measured are those after it.
        let mut replies = Source::new(Packets::Replies, Order::Counting(0, flows));
        for _ in 0..u64::from(flows).div_ceil(BURST as u64) {
            ensure!(wire.balance(&mut replies, &mut side) == BURST, "a first reply was not forwarded");
        }
    }
    side.skip(SETTLED);
    ensure!(side.flows() == u64::from(flows), "{} flows in the table, not {flows}", side.flows());
    let bytes = memory::resident()?.saturating_sub(before) as f64 / capacity as f64;
    let lane = |name: &str, packets, side| Lane {
        name: name.to_owned(),
        source: Source::new(packets, Order::random(flows)),
        side,
    };
    let mut lanes = match forward {
        Forward::Masq => vec![
            lane("macswap", Packets::Requests, None),
            lane("nat-requests", Packets::Requests, Some(0)),
            lane("nat-replies", Packets::Replies, Some(0)),
            lane("nat-both", Packets::Both, Some(0)),
        ],
        _ => vec![lane("macswap", Packets::Requests, None), lane("dr-requests", Packets::Requests, Some(0))],
    };
    Ok((alternate(&mut lanes, &mut [side], wire, (flows, REALS), effort)?, bytes))
}
