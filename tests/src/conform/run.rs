//! Plays many scenarios, some at a time, and tells of each as it is done.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::play::{Outcome, Stage};
use super::scenario::Scenario;
use super::scenarios;
use crate::lease::Lease;

/// Stages at work: scenarios wait more than they compute.
const STAGES: usize = 2;

/// A scenario that has been played.
#[derive(Debug)]
pub struct Played {
    /// Its area and name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
}

/// Plays the scenarios whose names have all of the words. `ready` is told the guests' kernel version, `played` each
/// scenario, in the order in which they end.
///
/// # Errors
/// A stage cannot be set, or a scenario cannot be played to its end.
pub fn run(words: &[String], ready: impl FnOnce(&str), played: impl FnMut(Played) + Send) -> Result<()> {
    let lease = Lease::take()?;
    let queue = Mutex::new(wanted(words));
    let mut stages = (0..STAGES).map(|number| Stage::set(&lease, number)).collect::<Result<Vec<_>>>()?;
    if let Some(stage) = stages.first_mut() {
        ready(&stage.kernel_version()?);
    }
    let played = Mutex::new(played);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            stages.iter_mut().map(|stage| scope.spawn(|| work(stage, &queue, &played))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn work(
    stage: &mut Stage,
    queue: &Mutex<VecDeque<(String, Scenario)>>,
    played: &Mutex<impl FnMut(Played)>,
) -> Result<()> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some((name, scenario)) = next() {
        let start = Instant::now();
        let outcome = stage.play(&scenario).with_context(|| name.clone())?;
        let time = start.elapsed();
        played.lock().unwrap_or_else(PoisonError::into_inner)(Played { name, outcome, time });
    }
    Ok(())
}

fn wanted(words: &[String]) -> VecDeque<(String, Scenario)> {
    let named = scenarios::all().into_iter().flat_map(|area| {
        let of_area = move |scenario: Scenario| (format!("{}: {}", area.name, scenario.name), scenario);
        area.scenarios.into_iter().map(of_area)
    });
    named.filter(|(name, _)| words.iter().all(|word| name.contains(word.as_str()))).collect()
}
