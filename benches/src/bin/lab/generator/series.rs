//! What is measured in turn, and the figures of each: trials over the rounds, and the ratio to the baseline's.
use anyhow::{Context, Result};
use serde::Serialize;

use super::slice;
use super::source::Source;
use super::wire::{Side, Wire};
use crate::statistics::Spread;
use crate::trial::Trial;

/// One forwarder with its traffic.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: String,
    pub(crate) source: Source,
    /// The balancer that forwards, by its place in the list; `None` for the baseline, which swaps MAC addresses.
    pub(crate) side: Option<usize>,
}

/// What one forwarder's slices gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Flows in the table, or in the traffic where there is none.
    pub(crate) flows: u32,
    pub(crate) reals: u32,
    pub(crate) mpps: Spread,
    pub(crate) cycles_per_packet: Spread,
    /// Throughput as a share of the first lane's, taken within a round, then the median. Absent for that itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of_baseline: Option<Spread>,
    pub(crate) trials: Vec<Trial>,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: u32,
    /// CPU seconds of a slice.
    pub(crate) seconds: f64,
    pub(crate) tsc_hz: f64,
}

/// Runs the lanes in turn, round after round, and sums them up. The first lane is the baseline.
pub(crate) fn alternate(
    lanes: &mut [Lane],
    sides: &mut [Side],
    wire: &mut Wire,
    (flows, reals): (u32, u32),
    effort: Effort,
) -> Result<Vec<Series>> {
    let mut trials: Vec<Vec<Trial>> = lanes.iter().map(|_| Vec::new()).collect();
    for _ in 0..effort.rounds {
        for (lane, trials) in lanes.iter_mut().zip(&mut trials) {
            let source = &mut lane.source;
            let trial = match lane.side.map(|side| &mut sides[side]) {
                None => slice::run(effort.seconds, effort.tsc_hz, || wire.swap_macs(source)),
                Some(side) => slice::run(effort.seconds, effort.tsc_hz, || wire.balance(source, side)),
            };
            trials.push(trial.with_context(|| format!("{} at {flows} flows", lane.name))?);
        }
    }
    let baseline = trials.first().cloned().unwrap_or_default();
    let series = lanes.iter().zip(trials).enumerate().map(|(n, (lane, own))| {
        let against = if n == 0 { None } else { Some(&baseline[..]) };
        sum_up(&lane.name, flows, reals, own, against)
    });
    series.collect()
}

/// The figures of `trials`, beside those of the baseline in the same rounds.
pub(crate) fn sum_up(
    name: &str,
    flows: u32,
    reals: u32,
    trials: Vec<Trial>,
    baseline: Option<&[Trial]>,
) -> Result<Series> {
    let ratios =
        |theirs: &[Trial]| Spread::of(trials.iter().zip(theirs).map(|(own, theirs)| own.mpps / theirs.mpps));
    Ok(Series {
        name: name.to_owned(),
        flows,
        reals,
        mpps: Spread::of(trials.iter().map(|trial| trial.mpps)).context("no round")?,
        cycles_per_packet: Spread::of(trials.iter().map(|trial| trial.cycles_per_packet))
            .context("no round")?,
        of_baseline: baseline.and_then(ratios),
        trials,
    })
}
