//! The result: each contender's figures and its ratio to testpmd, as JSON.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use sluice_bench::traffic::FRAME;

use crate::contender::{Contender, Traffic};
use crate::machine::Machine;
use crate::statistics::Spread;
use crate::trial::Trial;

/// Bytes that a frame has on the wire beyond those in memory: the frame check sequence.
const CHECK_SEQUENCE: usize = 4;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) flows: u32,
    /// Bytes on the wire, frame check sequence included.
    pub(crate) frame_bytes: usize,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) contenders: Vec<Entry>,
}

/// What was found of one contender.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) traffic: Traffic,
    pub(crate) packets_of_capture: u32,
    pub(crate) mpps: Spread,
    pub(crate) cycles_per_packet: Spread,
    pub(crate) cpu_share: Spread,
    /// Throughput as a share of testpmd's with the same traffic: the median over rounds of the ratio within a round.
    /// Absent for testpmd itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) of_testpmd: Option<Spread>,
    pub(crate) trials: Vec<Trial>,
}

impl Report {
    /// Sums up `trials`, which are in the order of `contenders`, one for each round.
    pub(crate) fn new(
        machine: Machine,
        flows: u32,
        rounds: u32,
        seconds: f64,
        contenders: &[Contender],
        trials: &[Vec<Trial>],
    ) -> Self {
        let entries = contenders.iter().zip(trials).filter_map(|(contender, own)| {
            let baseline = contenders
                .iter()
                .zip(trials)
                .find(|(other, _)| other.is_baseline() && other.traffic == contender.traffic)
                .filter(|_| !contender.is_baseline());
            Some(Entry {
                name: contender.name,
                traffic: contender.traffic,
                packets_of_capture: contender.traffic.packets(flows),
                mpps: Spread::of(own.iter().map(|trial| trial.mpps))?,
                cycles_per_packet: Spread::of(own.iter().map(|trial| trial.cycles_per_packet))?,
                cpu_share: Spread::of(own.iter().map(|trial| trial.cpu_share))?,
                of_testpmd: baseline.and_then(|(_, theirs)| Spread::of(ratios(own, theirs))),
                trials: own.clone(),
            })
        });
        let contenders = entries.collect();
        Self { machine, flows, frame_bytes: FRAME + CHECK_SEQUENCE, rounds, seconds, contenders }
    }

    /// Writes the report into `folder` and returns the file's path.
    pub(crate) fn save(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("lab-{}-{}.json", self.machine.time, self.machine.commit));
        let text = serde_json::to_string_pretty(self).context("cannot put the result into JSON")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text + "\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// Throughput to throughput, round by round.
fn ratios<'a>(own: &'a [Trial], baseline: &'a [Trial]) -> impl Iterator<Item = f64> + 'a {
    own.iter().zip(baseline).map(|(own, baseline)| own.mpps / baseline.mpps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(mpps: f64) -> Trial {
        Trial {
            seconds: 1.0,
            packets: 1,
            cpu_share: 1.0,
            mpps_by_the_clock: mpps,
            mpps,
            cycles_per_packet: 1e3 / mpps,
        }
    }

    /// A machine that slows down between rounds must not move the ratio.
    #[test]
    fn ratios_are_taken_within_a_round() {
        let (own, baseline) = ([40.0, 20.0, 10.0].map(trial), [80.0, 40.0, 20.0].map(trial));
        let spread = Spread::of(ratios(&own, &baseline));
        assert_eq!(spread, Some(Spread { median: 0.5, min: 0.5, max: 0.5 }));
    }
}
