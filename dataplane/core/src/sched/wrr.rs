//! wrr: rounds of falling weight thresholds, as the kernel has them since 2013 (reference 2.2).
use super::{Reals, Share};
use crate::config::Real;

/// Place in the list, threshold of the round, highest threshold, and the step between rounds.
#[derive(Clone, Debug)]
pub(crate) struct WeightedRoundRobin {
    at: Option<usize>,
    current: u32,
    max: u32,
    step: u32,
    share: Share,
    /// Whether something has been chosen since the list changed.
    has_begun: bool,
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl WeightedRoundRobin {
    /// At the head, with the highest threshold.
    pub(super) fn bind(list: &[Real], share: Share) -> Self {
        let mut state = Self { at: None, current: 0, max: 0, step: 1, share, has_begun: false };
        state.changed(list);
        state
    }

    pub(super) fn pick(&mut self, reals: Reals<'_>) -> Option<usize> {
        if self.max == 0 {
            return None;
        }
        if !self.has_begun {
            self.begin(reals.list);
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

    /// Goes from the head to where this lcore begins, as many choices further on.
    ///
    /// In units of the step, the round of threshold `u` chooses each real of weight over `u` once, so the rounds under `u`
    /// make as many choices as the weights, cut to `u`, add up to.
    #[cold]
    fn begin(&mut self, list: &[Real]) {
        self.has_begun = true;
        let units = |real: &Real| real.config.weight / self.step;
        let under = |u: u32| list.iter().map(|real| u64::from(units(real).min(u))).sum::<u64>();
        let (whole, this_round) = (under(u32::MAX), under(self.current.saturating_sub(1) / self.step + 1));
        let skipped = self.share.start(whole);
        if skipped == 0 {
            return;
        }
        // Choices that are left, the next included, until the lowest round is over.
        let left = if skipped < this_round { this_round - skipped } else { whole + this_round - skipped };
        let (mut low, mut high) = (0, self.max / self.step);
        while low < high {
            let middle = low.midpoint(high);
            if under(middle + 1) >= left {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let done = (under(low + 1) - left) as usize;
        let of_round = (0..list.len()).filter(|&at| list.get(at).is_some_and(|real| units(real) > low));
        let at = done.checked_sub(1).and_then(|before| of_round.clone().nth(before));
        self.current = low * self.step + 1;
        self.at = at;
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
        self.has_begun = false;
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
