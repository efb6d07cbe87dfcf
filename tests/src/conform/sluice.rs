//! Sluice, as it is shipped: `sluiced` on two veth pairs, `sluicectl` under the name `ipvsadm`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::balancer::{Answer, Balancer, STACK, mac, network};
use super::frames::PORT_MACS;
use super::wires::{Port, Wires};
use crate::ctl::Ctl;
use crate::netns::{Netns, link};
use crate::sluiced::{STATE, Sluiced, configuration_in};

/// The guest's kernel is older than the rule that Sluice goes by unless it is told.
const OVERHEAD: &str = "\n[compat]\noverhead = \"classic\"\n";

/// Sluice between two wires.
#[derive(Debug)]
pub struct Sluice {
    // The daemon goes before its devices do.
    daemon: Option<Sluiced>,
    ipvsadm: Option<Ctl>,
    wires: Wires,
    directory: PathBuf,
    director: Netns,
    _around: Netns,
}

impl Sluice {
    /// Lays the wires, from `director` to `around`, and starts the daemon on them.
    ///
    /// # Errors
    /// As [`Sluiced::start_in`].
    pub fn start(director: Netns, around: Netns, directory: &Path) -> Result<Self> {
        director.sysctl(&STACK.replace('.', "/"))?;
        for (port, address) in Port::ALL.map(Port::name).into_iter().zip(PORT_MACS) {
            link((&director, port), (&around, port))?;
            director.ip(&format!("link set {port} address {}", mac(address)))?;
            // What is in front of the wires must not answer for itself.
            around.ip(&format!("link set {port} arp off"))?;
        }
        director.hide_frames(&Port::ALL.map(Port::name))?;
        std::fs::write(directory.join("network"), network())?;
        let [wan, lan] = Port::ALL.map(|port| around.inside(|| Wires::on_device(port.name())));
        let wires = Wires::new(wan?, lan?);
        let directory = directory.to_owned();
        let mut sluice = Self { daemon: None, ipvsadm: None, wires, directory, director, _around: around };
        sluice.launch()?;
        Ok(sluice)
    }

    fn launch(&mut self) -> Result<()> {
        let configuration = configuration_in(&self.directory) + OVERHEAD;
        let daemon = Sluiced::start_in(&self.director, &self.directory, &configuration)?;
        self.director.ip(&format!("-batch {}", self.directory.join("network").display()))?;
        self.ipvsadm = Some(daemon.ctl.named("ipvsadm", &self.directory)?);
        self.daemon = Some(daemon);
        self.wires.settle(Port::Wan).map(drop)
    }

    fn ctl(&self) -> Result<&Ctl> {
        Ok(&self.daemon.as_ref().context("sluiced does not run")?.ctl)
    }
}

impl Balancer for Sluice {
    fn reset(&mut self) -> Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill()?;
        }
        match std::fs::remove_file(self.directory.join(STATE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.launch()
    }

    fn wires(&mut self) -> &mut Wires {
        &mut self.wires
    }

    fn ipvsadm(&mut self, words: &str, input: &str) -> Result<Answer> {
        let answer = self.ipvsadm.as_ref().context("sluiced does not run")?.answer_to(words, input)?;
        // It calls itself by the name that it was called by, which the kernel's tool here is without a path.
        let path = format!("{}/", self.directory.display());
        Ok(Answer { code: answer.code, text: (answer.stdout + &answer.stderr).replace(&path, "") })
    }

    fn switch(&mut self, setting: &str) -> Result<()> {
        self.ctl()?.run(&format!("sysctl {setting}")).map(drop)
    }

    fn mark(&mut self, words: &str, mark: u32) -> Result<()> {
        let printed = self.ctl()?.run(&format!("mark add -i wan {words} --mark {mark}"))?;
        ensure!(printed.starts_with("rule "), "{printed}");
        Ok(())
    }
}
