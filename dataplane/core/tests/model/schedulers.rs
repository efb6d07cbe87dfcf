//! The schedulers as the reference words them (section 2), naively: whole lists, plain integers.
use std::collections::BTreeMap;

use sluice_core::RealId;

use crate::naive::{Counts, Real};

/// What a scheduler keeps for one service.
#[derive(Clone, Debug)]
pub(crate) enum Scheduler {
    /// The real last used.
    Rr(Option<RealId>),
    Wrr(Wrr),
    Lc,
    Wlc,
}

/// The four words of wrr (2.2): `cl` as a place in the list, `None` for its head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrr {
    cl: Option<usize>,
    cw: i64,
    mw: i64,
    di: i64,
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Wrr {
    fn recompute(&mut self, reals: &[Real]) {
        let weights = || reals.iter().map(|real| i64::from(real.weight));
        self.cl = None;
        self.di = weights().filter(|&weight| weight > 0).fold(0, gcd).max(1);
        self.mw = weights().max().map_or(0, |max| max - (self.di - 1)).max(0);
        if self.cw > self.mw || self.cw == 0 {
            self.cw = self.mw;
        } else if self.di > 1 {
            self.cw = self.cw / self.di * self.di + 1;
        }
    }

    fn pick(&mut self, reals: &[Real], counts: &BTreeMap<RealId, Counts>) -> Option<usize> {
        if self.mw == 0 {
            return None;
        }
        let last = self.cl;
        let (mut stop, mut restarted, mut last_pass) = (None, false, false);
        loop {
            let from = self.cl.map_or(0, |cl| cl + 1);
            for at in from..reals.len() {
                let overloaded = counts[&reals[at].id].overloaded;
                self.cl = Some(at);
                if !overloaded && i64::from(reals[at].weight) >= self.cw {
                    return Some(at);
                }
                if stop == Some(at) {
                    return None;
                }
            }
            self.cl = None;
            self.cw -= self.di;
            if self.cw <= 0 {
                self.cw = self.mw;
                if last_pass || last.is_none() {
                    return None;
                }
                restarted = true;
            }
            last_pass = self.cw <= self.di;
            if last_pass && restarted {
                stop = last.or(stop);
            }
        }
    }
}

impl Scheduler {
    /// Bound to a service that has these reals already.
    pub(crate) fn bind(name: &str, reals: &[Real]) -> Self {
        match name {
            "rr" => Self::Rr(None),
            "wrr" => {
                let mut state = Wrr::default();
                state.recompute(reals);
                Self::Wrr(state)
            }
            "lc" => Self::Lc,
            "wlc" => Self::Wlc,
            _ => panic!("no scheduler {name}"),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Rr(_) => "rr",
            Self::Wrr(_) => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
        }
    }

    /// The changes from `old` to `new` one by one: deletions, then from the oldest real on edits and additions.
    pub(crate) fn follow(&mut self, old: &[Real], new: &[Real]) {
        let has = |list: &[Real], id| list.iter().any(|real| real.id == id);
        match self {
            Self::Rr(last) => {
                let before = old.iter().take_while(|real| last.is_some_and(|last| real.id != last));
                let upto = before.map(|real| real.id).chain(*last).collect::<Vec<_>>();
                *last = upto.into_iter().rev().find(|&id| has(new, id));
            }
            Self::Wrr(state) => {
                let mut list = old.to_vec();
                for gone in old.iter().filter(|real| !has(new, real.id)) {
                    list.retain(|real| real.id != gone.id);
                    state.recompute(&list);
                }
                for real in new.iter().rev() {
                    match list.iter_mut().find(|held| held.id == real.id) {
                        Some(held) if held.edition == real.edition => continue,
                        Some(held) => *held = real.clone(),
                        None => list.insert(0, real.clone()),
                    }
                    state.recompute(&list);
                }
            }
            Self::Lc | Self::Wlc => {}
        }
    }

    /// The place of the chosen real in the list.
    pub(crate) fn pick(&mut self, reals: &[Real], counts: &BTreeMap<RealId, Counts>) -> Option<usize> {
        let eligible: Vec<usize> = (0..reals.len())
            .filter(|&at| reals[at].weight > 0 && !counts[&reals[at].id].overloaded)
            .collect();
        let load = |at: usize| {
            let counts = &counts[&reals[at].id];
            u64::from(counts.active) * 256 + u64::from(counts.total)
        };
        // The first of equals wins: `min_by` keeps it.
        match self {
            Self::Rr(last) => {
                let after = last.and_then(|last| reals.iter().position(|real| real.id == last));
                let next = eligible.iter().find(|&&at| after.is_none_or(|after| at > after));
                let chosen = *next.or(eligible.first())?;
                *last = Some(reals[chosen].id);
                Some(chosen)
            }
            Self::Wrr(state) => state.pick(reals, counts),
            Self::Lc => eligible.into_iter().min_by_key(|&at| load(at)),
            Self::Wlc => eligible.into_iter().min_by(|&a, &b| {
                let (wa, wb) = (u64::from(reals[a].weight), u64::from(reals[b].weight));
                (load(a) * wb).cmp(&(load(b) * wa))
            }),
        }
    }
}
