//! Plays scenarios to the kernel and to Sluice, side by side, and tells where they part.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::answers::answer;
use super::balancer::Balancer;
use super::describe;
use super::kernel::Kernel;
use super::normal;
use super::scenario::{Action, Scenario, Step};
use super::sluice::Sluice;
use super::wires::{Out, Port};
use crate::lease::Lease;
use crate::netns::Netns;

/// Answers to answers to answers: more rounds than that are none that servers make.
const ROUNDS: usize = 8;

/// Both balancers, ready.
#[derive(Debug)]
pub struct Stage {
    kernel: Kernel,
    sluice: Sluice,
    guest: Netns,
    directory: PathBuf,
}

/// Something that was seen of a balancer.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A frame that came out of a port.
    Frame(Port, Vec<u8>),
    /// A line that a command printed, or its exit status.
    Line(String),
}

/// What came of a step on both sides, where it is not the same or ought not to be.
#[derive(Clone, Debug)]
pub struct Part {
    /// The step's label.
    pub step: String,
    /// Why it is so on purpose; none: it is not.
    pub reason: Option<&'static str>,
    /// What the kernel did.
    pub kernel: Vec<Seen>,
    /// What Sluice did.
    pub sluice: Vec<Seen>,
}

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The steps at which both differ.
    pub parts: Vec<Part>,
    /// The steps that were said to differ and do not.
    pub alike: Vec<String>,
}

impl Outcome {
    /// Whether all is as it is said to be.
    pub fn holds(&self) -> bool {
        self.alike.is_empty() && self.parts.iter().all(|part| part.reason.is_some())
    }
}

impl Stage {
    /// Boots a guest and starts Sluice. The `number` tells stages of one lease apart.
    ///
    /// # Errors
    /// As [`Kernel::boot`] and [`Sluice::start`].
    pub fn set(lease: &Lease, number: usize) -> Result<Self> {
        let directory = lease.directory().join(number.to_string());
        std::fs::create_dir_all(&directory)?;
        let netns = |role: &str| Netns::create(lease.namespace(&format!("{role}{number}")));
        let (guest, director, around) = (netns("guest")?, netns("director")?, netns("around")?);
        let (kernel, sluice) = std::thread::scope(|scope| {
            let kernel = scope.spawn(|| Kernel::boot(&guest, &directory));
            let sluice = Sluice::start(director, around, &directory);
            (join(kernel), sluice)
        });
        Ok(Self { kernel: kernel?, sluice: sluice?, guest, directory })
    }

    /// Which kernel Sluice is compared with.
    ///
    /// # Errors
    /// The guest does not answer.
    pub fn kernel_version(&mut self) -> Result<String> {
        self.kernel.version()
    }

    /// Plays a scenario from a clean start.
    ///
    /// # Errors
    /// A balancer cannot be had to do a step, or does not answer any more.
    pub fn play(&mut self, scenario: &Scenario) -> Result<Outcome> {
        self.both(&|balancer| balancer.reset()).or_else(|_| self.restart()).context("a clean start")?;
        let mut outcome = Outcome::default();
        for step in &scenario.steps {
            if let Action::Pause(time) = step.action {
                std::thread::sleep(time);
            }
            let (kernel, sluice) = self
                .both(&|balancer| take(balancer, step, scenario.answered))
                .with_context(|| step.label.clone())?;
            match (same(&kernel, &sluice), step.differs) {
                (true, None) => {}
                (true, Some(_)) => outcome.alike.push(step.label.clone()),
                (false, reason) => {
                    outcome.parts.push(Part { step: step.label.clone(), reason, kernel, sluice });
                }
            }
        }
        Ok(outcome)
    }

    /// What a dead guest or daemon leaves is replaced.
    fn restart(&mut self) -> Result<((), ())> {
        self.kernel = Kernel::boot(&self.guest, &self.directory)?;
        self.sluice.reset().map(|()| ((), ()))
    }

    /// Does the same to both at the same time.
    fn both<T: Send>(&mut self, work: &(dyn Fn(&mut dyn Balancer) -> Result<T> + Sync)) -> Result<(T, T)> {
        let Self { kernel, sluice, .. } = self;
        let (kernel, sluice) = std::thread::scope(|scope| {
            let kernel = scope.spawn(|| work(kernel));
            let sluice = work(sluice);
            (join(kernel), sluice)
        });
        Ok((kernel.context("the kernel")?, sluice.context("Sluice")?))
    }
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Takes one step on one side.
fn take(balancer: &mut dyn Balancer, step: &Step, answered: bool) -> Result<Vec<Seen>> {
    match &step.action {
        Action::Ipvsadm(words, input) => {
            let answer = balancer.ipvsadm(words, input)?;
            let status = (answer.code != 0).then(|| format!("exit status {}", answer.code));
            Ok(normal::listing(&answer.text).into_iter().chain(status).map(Seen::Line).collect())
        }
        Action::Switch(setting) => balancer.switch(setting).map(|()| Vec::new()),
        Action::Mark(words, mark) => balancer.mark(words, *mark).map(|()| Vec::new()),
        Action::Frame(port, frame) => exchange(balancer, *port, frame, answered),
        Action::Pause(_) => seen(balancer.wires().settle(Port::Wan)?),
    }
}

fn seen(out: Vec<Out>) -> Result<Vec<Seen>> {
    Ok(out.into_iter().map(|(port, frame)| Seen::Frame(port, frame)).collect())
}

/// Sends a frame, and what real servers answer to what comes of it.
fn exchange(balancer: &mut dyn Balancer, port: Port, frame: &[u8], answered: bool) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    let mut sent = vec![(port, frame.to_vec())];
    for _ in 0..ROUNDS {
        let mut answers = Vec::new();
        for (port, frame) in sent {
            let out = balancer.wires().exchange(port, &frame)?;
            let to_reals = out.iter().filter(|(port, _)| answered && *port == Port::Lan);
            answers.extend(to_reals.filter_map(|(_, frame)| Some((Port::Lan, answer(frame)?.build()))));
            all.extend(seen(out)?);
        }
        if answers.is_empty() {
            return Ok(all);
        }
        sent = answers;
    }
    anyhow::bail!("answers to answers without an end")
}

fn same(kernel: &[Seen], sluice: &[Seen]) -> bool {
    kernel.len() == sluice.len() && kernel.iter().zip(sluice).all(|(one, other)| one.same(other))
}

impl Seen {
    /// Whether both say the same, but for what nobody can foresee.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Frame(port, one), Self::Frame(other_port, other)) => {
                port == other_port && normal::frame(one) == normal::frame(other)
            }
            (Self::Line(one), Self::Line(other)) => normal::same_line(one, other),
            _ => false,
        }
    }

    /// For a report.
    pub fn describe(&self) -> String {
        match self {
            Self::Frame(port, frame) => format!("{}  {}", port.name(), describe::frame(frame)),
            Self::Line(line) => line.clone(),
        }
    }
}
