//! The result: each contender's figures and its ratio to the baseline, as JSON.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use sluice_bench::traffic::FRAME;

use crate::contender::{Contender, Traffic};
use crate::generator::Generated;
use crate::machine::Machine;
use crate::statistics::Spread;
use crate::trial::Trial;
use crate::under_load::UnderLoad;

/// Bytes that a frame has on the wire beyond those in memory: the frame check sequence.
const CHECK_SEQUENCE: usize = 4;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Bytes on the wire, frame check sequence included.
    pub(crate) frame_bytes: usize,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    /// `sluiced` beside testpmd, for each number of flows.
    pub(crate) daemon: Vec<Rung>,
    /// The daemon at full load while its configuration changes and its flows are listed; absent with the daemon's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) under_load: Option<UnderLoad>,
    /// Traffic made on the forwarding lcore; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generated: Option<Generated>,
}

/// What was found at one number of flows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rung {
    pub(crate) flows: u32,
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

impl Rung {
    /// Sums up `trials`, which are in the order of `contenders`, one for each round.
    pub(crate) fn new(flows: u32, contenders: &[Contender], trials: &[Vec<Trial>]) -> Self {
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
        Self { flows, contenders: entries.collect() }
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, (rounds, seconds): (u32, f64), daemon: Vec<Rung>) -> Self {
        Self {
            machine,
            frame_bytes: FRAME + CHECK_SEQUENCE,
            rounds,
            seconds,
            daemon,
            under_load: None,
            generated: None,
        }
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
