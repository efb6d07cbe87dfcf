//! wrr: rounds of falling weight thresholds, as the kernel has them since 2013 (reference 2.2).
use super::Reals;
use crate::config::Real;

/// Place in the list, threshold of the round, highest threshold, and the step between rounds.
#[derive(Clone, Debug)]
pub(crate) struct WeightedRoundRobin {
    at: Option<usize>,
    current: u32,
    max: u32,
    step: u32,
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl WeightedRoundRobin {
    /// At the head, with the highest threshold.
    pub(super) fn bind(list: &[Real]) -> Self {
        let mut state = Self { at: None, current: 0, max: 0, step: 1 };
        state.changed(list);
        state
    }

    pub(super) fn pick(&mut self, reals: Reals<'_>) -> Option<usize> {
        if self.max == 0 {
            return None;
        }
        let last = self.at;
        let mut stop = None;
        let (mut restarted, mut last_pass) = (false, false);
        loop {
            for at in self.at.map_or(0, |at| at + 1)..reals.len() {
                let real = reals.get(at)?;
                if real.weight >= self.current && !real.counts.overloaded() {
                    self.at = Some(at);
                    return Some(at);
                }
                if stop == Some(at) {
                    self.at = Some(at);
                    return None;
                }
            }
            self.at = None;
            self.current = self.current.saturating_sub(self.step);
            if self.current == 0 {
                self.current = self.max;
                if last_pass || last.is_none() {
                    return None;
                }
                restarted = true;
            }
            last_pass = self.current <= self.step;
            if last_pass && restarted && last.is_some() {
                stop = last;
            }
        }
    }

    /// Applies the changes one by one, deletions first, then edits, then additions with the oldest first: each puts
    /// the place back to the head, and the threshold left behind depends on the order.
    pub(super) fn update(&mut self, old: &[Real], new: &[Real]) {
        let mut list: Vec<Real> = old.to_vec();
        for gone in old.iter().filter(|real| !contains(new, real)) {
            list.retain(|real| real.id != gone.id);
            self.changed(&list);
        }
        for real in new.iter().rev() {
            match list.iter().position(|other| other.id == real.id) {
                Some(at) => {
                    let Some(held) = list.get_mut(at) else { continue };
                    if held.revision == real.revision {
                        continue;
                    }
                    *held = real.clone();
                }
                None => list.insert(0, real.clone()),
            }
            self.changed(&list);
        }
    }

    fn changed(&mut self, list: &[Real]) {
        let weights = || list.iter().map(|real| real.config.weight);
        self.at = None;
        self.step = weights().fold(0, gcd).max(1);
        self.max = weights().max().map_or(0, |max| max.saturating_sub(self.step - 1));
        if self.current > self.max || self.current == 0 {
            self.current = self.max;
        } else if self.step > 1 {
            self.current = self.current / self.step * self.step + 1;
        }
    }
}

fn contains(list: &[Real], wanted: &Real) -> bool {
    list.iter().any(|real| real.id == wanted.id)
}
