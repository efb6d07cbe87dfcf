//! Runs `dpdk-testpmd`, the baseline, and reads its counters by its prompt.
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::contender::Contender;
use crate::process::Process;
use crate::trial::{Counters, Forwarder, Place};

const PROMPT: Duration = Duration::from_secs(10);

/// A running testpmd.
#[derive(Debug)]
pub(crate) struct Testpmd {
    process: Process,
}

impl Testpmd {
    pub(crate) fn start(contender: &Contender, place: &Place<'_>) -> Result<Self> {
        // The prompt's answers must come at once, not when a buffer is full.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "dpdk-testpmd", "--no-pci", "--no-telemetry", "--log-level=4"]);
        command.arg(format!("--lcores=0@{},1@{}", place.control_cpu, place.cpu)).arg("--main-lcore=0");
        command.args(place.eal_memory()).arg(format!("--vdev={}", place.device(contender.traffic)));
        command.args(["--", "--interactive", "--forward-mode=macswap", "--nb-cores=1", "--burst=32"]);
        command.arg(format!("--total-num-mbufs={}", place.mbufs())).stdin(Stdio::piped());
        let process = Process::start("dpdk-testpmd", &mut command)
            .context("is the package dpdk installed? make setup installs it")?;
        let mut testpmd = Self { process };
        testpmd.say("start")?;
        testpmd.process.await_line(PROMPT, |line| line.contains("nb forwarding cores=1").then_some(()))?;
        Ok(testpmd)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.process.child.stdin.as_mut().context("testpmd's input")?;
        writeln!(stdin, "{line}").context("testpmd does not listen")
    }
}

impl Forwarder for Testpmd {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn counters(&mut self) -> Result<Counters> {
        self.say("show port stats 0")?;
        let received = self.process.await_line(PROMPT, |line| number_after(line, "RX-packets:"))?;
        let sent = self.process.await_line(PROMPT, |line| number_after(line, "TX-packets:"))?;
        Ok(Counters { received, sent })
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.say("stop")?;
        self.say("quit")?;
        self.process.succeed(PROMPT)
    }
}

/// The number that follows `label` in `line`.
fn number_after(line: &str, label: &str) -> Option<u64> {
    let (_, rest) = line.split_once(label)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_after;

    #[test]
    fn reads_the_counters_out_of_a_line() {
        let line = "  RX-packets: 6832480    RX-missed: 0          RX-bytes:  409948800";
        assert_eq!(number_after(line, "RX-packets:"), Some(6_832_480));
        assert_eq!(number_after(line, "RX-bytes:"), Some(409_948_800));
        assert_eq!(number_after(line, "TX-packets:"), None);
        assert_eq!(number_after("RX-packets: none", "RX-packets:"), None);
    }
}
