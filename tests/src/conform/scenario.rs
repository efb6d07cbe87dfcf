//! A scenario: what is done to both balancers, step by step.

use std::time::Duration;

use sluice_packet::build::Frame;

use super::frames::PORT_MACS;
use super::wires::Port;

/// After this long the kernel has brought its displayed counters up to date, which it does every two seconds.
const COUNTERS: Duration = Duration::from_millis(2300);

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about in one line, unique in its area.
    pub name: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) answered: bool,
}

/// One step: both balancers take it before either takes the next, and what comes of it is compared.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What the reader of a report is told.
    pub(super) label: String,
    pub(super) action: Action,
    /// Why Sluice does something else here on purpose.
    pub(super) differs: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    /// `ipvsadm` with these words, and this on its standard input.
    Ipvsadm(String, String),
    /// A switch of `net.ipv4.vs`.
    Switch(&'static str),
    /// A rule that marks packets.
    Mark(&'static str, u32),
    /// A frame into a port.
    Frame(Port, Vec<u8>),
    /// Time goes by.
    Pause(Duration),
}

impl Scenario {
    /// An empty one.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, steps: Vec::new(), answered: false }
    }

    /// As [`new`](Self::new), with these lines given to `ipvsadm -R` first.
    pub(super) fn with(name: &'static str, rules: &str) -> Self {
        Self::new(name).restore(rules)
    }

    /// The same under another name.
    pub(super) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// From here on real servers answer what reaches them at their own addresses.
    pub(super) fn answered(mut self) -> Self {
        self.answered = true;
        self
    }

    /// Gives lines to `ipvsadm -R`.
    pub(super) fn restore(self, rules: &str) -> Self {
        let lines: Vec<_> = rules.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        self.step("ipvsadm -R".into(), Action::Ipvsadm("-R".into(), lines.join("\n") + "\n"))
    }

    /// Runs `ipvsadm` with these words; listings are compared without what says nothing.
    pub(super) fn ipvsadm(self, words: &str) -> Self {
        self.step(format!("ipvsadm {words}"), Action::Ipvsadm(words.into(), String::new()))
    }

    /// Sets a switch of `net.ipv4.vs`: `NAME=VALUE`.
    pub(super) fn switch(self, setting: &'static str) -> Self {
        self.step(format!("net.ipv4.vs.{setting}"), Action::Switch(setting))
    }

    /// Marks packets from clients: words that iptables and `sluicectl mark add` have in common.
    pub(super) fn mark(self, words: &'static str, mark: u32) -> Self {
        self.step(format!("mark {mark}: {words}"), Action::Mark(words, mark))
    }

    /// A frame into the port that its destination MAC address is of.
    pub(super) fn frame(self, label: &str, frame: &Frame) -> Self {
        self.bytes(label, frame.build())
    }

    /// As [`frame`](Self::frame), byte by byte.
    pub(super) fn bytes(self, label: &str, frame: Vec<u8>) -> Self {
        let port = if frame.starts_with(&PORT_MACS[1]) { Port::Lan } else { Port::Wan };
        self.step(label.into(), Action::Frame(port, frame))
    }

    /// Lets time go by.
    pub(super) fn pause(self, seconds: f32) -> Self {
        self.step(format!("{seconds} s later"), Action::Pause(Duration::from_secs_f32(seconds)))
    }

    /// The tables, and all connections.
    pub(super) fn tables(self) -> Self {
        self.ipvsadm("-Ln").ipvsadm("-Ln --thresholds").ipvsadm("-Ln --persistent-conn").ipvsadm("-Lnc")
    }

    /// The counters, once the kernel shows them.
    pub(super) fn counters(self) -> Self {
        self.step("counters settle".into(), Action::Pause(COUNTERS)).ipvsadm("-Ln --stats --exact")
    }

    /// The last step differs on purpose, and why.
    pub(super) fn differs(mut self, reason: &'static str) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.differs = Some(reason);
        }
        self
    }

    /// Where and why it differs on purpose.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.steps.iter().filter_map(|step| Some((step.label.as_str(), step.differs?)))
    }

    fn step(mut self, label: String, action: Action) -> Self {
        self.steps.push(Step { label, action, differs: None });
        self
    }
}
