//! The schedulers as the reference words them (section 2), naively: whole lists, plain integers.
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sluice_core::RealId;

use crate::common::VIP;
use crate::locality::Memory;
use crate::naive::{Counts, Real};

/// What a scheduler keeps for one service.
#[derive(Clone, Debug)]
pub(crate) enum Scheduler {
    /// The real last used.
    Rr(Option<RealId>),
    Wrr(Wrr),
    /// Those that keep nothing: lc, wlc, sed, nq, fo, ovf, dh, sh.
    Plain(&'static str),
    /// lblc, lblcr.
    Local(&'static str, Memory),
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
    pub(crate) fn bind(name: &'static str, reals: &[Real]) -> Self {
        match name {
            "rr" => Self::Rr(None),
            "wrr" => {
                let mut state = Wrr::default();
                state.recompute(reals);
                Self::Wrr(state)
            }
            "lblc" | "lblcr" => Self::Local(name, Memory::default()),
            _ => Self::Plain(name),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Rr(_) => "rr",
            Self::Wrr(_) => "wrr",
            Self::Plain(name) | Self::Local(name, _) => name,
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
            Self::Plain(_) | Self::Local(..) => {}
        }
    }

    /// The place of the chosen real in the list.
    pub(crate) fn pick(&mut self, asked: Asked<'_>, client: Ipv4Addr, now: u64) -> Option<usize> {
        let Asked { reals, counts } = asked;
        let eligible = asked.eligible();
        match self {
            Self::Rr(last) => {
                let after = last.and_then(|last| reals.iter().position(|real| real.id == last));
                let next = eligible.iter().find(|&&at| after.is_none_or(|after| at > after));
                let chosen = *next.or(eligible.first())?;
                *last = Some(reals[chosen].id);
                Some(chosen)
            }
            Self::Wrr(state) => state.pick(reals, counts),
            Self::Plain(name) => asked.plain(name, client),
            Self::Local("lblc", memory) => memory.lblc(asked),
            Self::Local(_, memory) => memory.lblcr(asked, now),
        }
    }
}

/// The reals that a scheduler chooses from.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) reals: &'a [Real],
    pub(crate) counts: &'a BTreeMap<RealId, Counts>,
}

impl Asked<'_> {
    pub(crate) fn eligible(self) -> Vec<usize> {
        (0..self.reals.len()).filter(|&at| self.is_eligible(at)).collect()
    }

    pub(crate) fn is_eligible(self, at: usize) -> bool {
        self.reals[at].weight > 0 && !self.counts[&self.reals[at].id].overloaded
    }

    pub(crate) fn active(self, at: usize) -> u64 {
        self.counts[&self.reals[at].id].active.into()
    }

    pub(crate) fn weight(self, at: usize) -> u64 {
        self.reals[at].weight.into()
    }

    pub(crate) fn overhead(self, at: usize) -> u64 {
        self.active(at) * 256 + u64::from(self.counts[&self.reals[at].id].total)
    }

    /// Of these the one with the least load per weight. The first of equals wins: `min_by` keeps it.
    pub(crate) fn least(self, of: Vec<usize>, load: impl Fn(usize) -> u64) -> Option<usize> {
        of.into_iter().min_by(|&a, &b| (load(a) * self.weight(b)).cmp(&(load(b) * self.weight(a))))
    }

    fn heaviest(self, of: Vec<usize>) -> Option<usize> {
        of.into_iter().rev().max_by_key(|&at| self.weight(at))
    }

    fn plain(self, name: &str, client: Ipv4Addr) -> Option<usize> {
        let mut eligible = self.eligible();
        let sed = |eligible| self.least(eligible, |at| self.active(at) + 1);
        match name {
            "lc" => eligible.into_iter().min_by_key(|&at| self.overhead(at)),
            "wlc" => self.least(eligible, |at| self.overhead(at)),
            "sed" => sed(eligible),
            "nq" => eligible.iter().copied().find(|&at| self.active(at) == 0).or_else(|| sed(eligible)),
            "fo" => self.heaviest(eligible),
            "ovf" => {
                eligible.retain(|&at| self.active(at) <= self.weight(at));
                self.heaviest(eligible)
            }
            "dh" => {
                let turns: Vec<usize> = (0..self.reals.len()).collect();
                self.in_bucket(&turns, VIP)
            }
            "sh" => {
                let turn = |at: usize| vec![at; self.reals[at].weight.max(1) as usize];
                let turns: Vec<usize> = (0..self.reals.len()).flat_map(turn).collect();
                self.in_bucket(&turns, client)
            }
            _ => panic!("no scheduler {name}"),
        }
    }

    /// What the address's bucket of 256 has, filled turn after turn.
    fn in_bucket(self, turns: &[usize], address: Ipv4Addr) -> Option<usize> {
        let bucket = address.to_bits().wrapping_mul(0x61C8_8647) >> 24;
        let at = *turns.iter().cycle().nth(bucket as usize)?;
        self.is_eligible(at).then_some(at)
    }
}
