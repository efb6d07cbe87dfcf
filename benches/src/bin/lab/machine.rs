//! What the figures were measured on, and of which source.
use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::hugepages::HugePages;

/// The machine. What cannot be found out is `unknown`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) tsc_mhz: f64,
    pub(crate) kernel: String,
    pub(crate) dpdk: String,
    pub(crate) packet_memory: String,
    /// Tasks that ran or waited to, over the last minute: far over 1, others were at work beside the benchmark.
    pub(crate) load: String,
    pub(crate) commit: String,
    /// Seconds since 1970.
    pub(crate) time: u64,
}

/// Describes this machine.
pub(crate) fn describe(tsc_hz: f64, hugepages: &HugePages) -> Machine {
    let dirty = said("git", &["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(unknown);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Machine {
        cpu: cpu_model().unwrap_or_else(unknown),
        cpus: std::thread::available_parallelism().map_or(0, usize::from),
        tsc_mhz: (tsc_hz / 1e6).round(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| unknown(), trimmed),
        dpdk: said("pkg-config", &["--modversion", "libdpdk"]).unwrap_or_else(unknown),
        packet_memory: hugepages.describe(),
        load: load().unwrap_or_else(unknown),
        commit: if dirty { commit + "-dirty" } else { commit },
        time: now.map_or(0, |now| now.as_secs()),
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn trimmed(text: String) -> String {
    text.trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(trimmed)
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    // Virtual machines hide the model's name, but not its numbers.
    let (name, family, model) = (field("model name")?, field("cpu family")?, field("model")?);
    Some(format!("{name} (family {family}, model {model})"))
}

fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}
