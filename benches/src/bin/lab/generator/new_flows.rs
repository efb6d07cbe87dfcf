//! Every packet the first of a new client: flows made, and as many ended, at a million live ones.
use anyhow::{Result, ensure};
use sluice_bench::balancer::{Balancer, Shape};
use sluice_bench::traffic::MAX_FLOWS;
use sluice_core::{BURST, ConfigError, Forward, Jiffies};

use super::advise;
use super::series::{Effort, Lane, Series, alternate};
use super::source::{Order, Packets, Source};
use super::wire::{Side, Wire};

/// Longer than the 3 s that a flow is first given, so that the wheel files it twice, as in real life.
const IDLE_SECONDS: u32 = 4;
/// 992 new flows in 4 ms: as many as make a million live.
const BURSTS_PER_JIFFY: u32 = 31;
/// Flows alive once the first have ended.
const LIVE: u64 = IDLE_SECONDS as u64 * Jiffies::HZ as u64 * BURSTS_PER_JIFFY as u64 * BURST as u64;

/// The series of some schedulers over `reals` reals, by name. A scheduler that there is not is left out, and named.
pub(crate) fn run(
    forward: Forward,
    schedulers: &[&'static str],
    reals: u32,
    wire: &mut Wire,
    effort: Effort,
) -> Result<(Vec<Series>, Vec<&'static str>)> {
    let source = || Source::new(Packets::Requests, Order::Counting(0, MAX_FLOWS));
    let mut lanes = vec![Lane { name: "macswap".to_owned(), source: source(), side: None }];
    let (mut sides, mut missing) = (Vec::new(), Vec::new());
    for &scheduler in schedulers {
        let balancer = match Balancer::new(&Shape { forward, scheduler, reals, udp_seconds: IDLE_SECONDS }) {
            Err(ConfigError::NoScheduler(_)) => {
                missing.push(scheduler);
                continue;
            }
            other => other?,
        };
        let lcore = balancer.lcore(0, 1, 2 * LIVE as usize, &advise);
        let method = if forward == Forward::Masq { "nat" } else { "dr" };
        let (mut side, mut source) = (Side::new(lcore, BURSTS_PER_JIFFY), source());
        fill(wire, &mut source, &mut side)?;
        lanes.push(Lane { name: format!("new-{method}-{scheduler}"), source, side: Some(sides.len()) });
        sides.push(side);
    }
    let series = alternate(&mut lanes, &mut sides, wire, (LIVE as u32, reals), effort)?;
    for side in &sides {
        level(side)?;
    }
    Ok((series, missing))
}

/// Until flows end as fast as they begin.
fn fill(wire: &mut Wire, source: &mut Source, side: &mut Side) -> Result<()> {
    for _ in 0..LIVE * 3 / 2 / BURST as u64 {
        ensure!(wire.balance(source, side) == BURST, "a first packet was not forwarded");
    }
    level(side)
}

fn level(side: &Side) -> Result<()> {
    let flows = side.flows();
    ensure!((LIVE * 9 / 10..LIVE * 13 / 10).contains(&flows), "{flows} flows are alive, not about {LIVE}");
    Ok(())
}
