//! The director's daemon: configured, started, and awaited.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use sluice_api::{Client, Request, Version};

use crate::ctl::{Ctl, program};
use crate::netns::Netns;
use crate::process::Process;
use crate::topology::{DIRECTOR, Lab, VIP};
use crate::wait::until;

/// EAL and its devices may take this long on a machine that is busy.
const START: Duration = Duration::from_secs(60);

/// The names of its control socket and of its state file.
const SOCKET: &str = "control.sock";
pub(crate) const STATE: &str = "state.json";

/// A running `sluiced` in the director's namespace; killed when dropped.
#[derive(Debug)]
pub struct Sluiced {
    process: Process,
    /// Its control side.
    pub ctl: Ctl,
}

impl Sluiced {
    /// Starts it with the lab's [`configuration`], and gives its twins their addresses, the VIP included.
    ///
    /// # Errors
    /// It ends, or does not answer, or its twins do not appear: the error holds its log.
    pub fn start(lab: &Lab) -> Result<Self> {
        Self::start_with(lab, &configuration(lab))
    }

    /// As [`start`](Self::start), with another configuration.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(lab: &Lab, configuration: &str) -> Result<Self> {
        lab.director.hide_frames(&["wan", "lan"])?;
        let sluiced = Self::start_in(&lab.director, lab.directory(), configuration)?;
        for address in [
            format!("{DIRECTOR}/24 dev sl-wan"),
            format!("{VIP}/32 dev sl-wan"),
            "10.2.0.1/24 dev sl-lan".into(),
        ] {
            lab.director.ip(&format!("addr add {address}")).with_context(|| sluiced.process.log())?;
        }
        Ok(sluiced)
    }

    /// Starts it in any namespace whose frames are hidden, its files in `directory`; twins have no addresses yet.
    ///
    /// # Errors
    /// It ends, or does not answer: the error holds its log.
    pub fn start_in(netns: &Netns, directory: &Path, configuration: &str) -> Result<Self> {
        let mut process = Self::launch_in(netns, directory, "sluiced", configuration)?;
        let socket = directory.join(SOCKET);
        until("sluiced answering", START, || {
            if let Some(status) = process.exited()? {
                bail!("sluiced ended with {status}");
            }
            let asked =
                Client::connect(&socket).and_then(|mut client| client.call::<Version>(&Request::Version));
            Ok(asked.ok())
        })
        .with_context(|| format!("sluiced printed:\n{}", process.log()))?;
        Ok(Self { process, ctl: Ctl::new(&socket)? })
    }

    /// Only starts it, whatever comes of it; its log and its configuration file are called `name`.
    ///
    /// # Errors
    /// `sluiced` is not built.
    pub fn launch(lab: &Lab, name: &str, configuration: &str) -> Result<Process> {
        Self::launch_in(&lab.director, lab.directory(), name, configuration)
    }

    fn launch_in(netns: &Netns, directory: &Path, name: &str, configuration: &str) -> Result<Process> {
        let file = directory.join(format!("{name}.toml"));
        std::fs::write(&file, configuration)?;
        let line = format!("{} --config {}", program("sluiced")?.display(), file.display());
        Process::start(name, netns.command(&line), directory)
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it as a service manager does.
    ///
    /// # Errors
    /// It does not end, or not with status 0: the error holds its log.
    pub fn stop(mut self) -> Result<()> {
        let status = self.process.stop(Signal::SIGTERM, START)?;
        anyhow::ensure!(status.success(), "sluiced ended with {status}:\n{}", self.process.log());
        Ok(())
    }

    /// Kills it as a crash would, with no chance to tidy up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(mut self) -> Result<()> {
        self.process.stop(Signal::SIGKILL, START).map(drop)
    }

    /// Leaves it running after this process.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

/// Where its control socket is.
pub fn socket(lab: &Lab) -> PathBuf {
    lab.directory().join(SOCKET)
}

/// Its configuration in the lab.
pub fn configuration(lab: &Lab) -> String {
    configuration_in(lab.directory())
}

/// Its configuration on the devices `wan` and `lan`, its files in `directory`: one worker that naps, beside the control
/// side, without huge pages.
pub fn configuration_in(directory: &Path) -> String {
    let directory = directory.display();
    // A lab must run on two CPUs, and on one.
    let worker = usize::from(cpus(Path::new("/sys/devices/system/cpu/online")) > 1);
    format!(
        r#"[lcores]
workers = [{worker}]
control = 0
idle = "sleep"

[memory]
no_huge = true
megabytes = 256
mbufs = 16384

[control]
socket = "{directory}/{SOCKET}"

[state]
file = "{directory}/{STATE}"

[tables]
flows = 65536
reals = 1024
services = 1024

[[ports]]
name = "wan"
device = "net_af_packet0,iface=wan"

[[ports]]
name = "lan"
device = "net_af_packet1,iface=lan"
"#
    )
}

fn cpus(online: &Path) -> usize {
    let text = std::fs::read_to_string(online).unwrap_or_default();
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(last.parse::<usize>().ok()? - first.parse::<usize>().ok()? + 1)
        })
        .sum()
}
