//! lc, wlc, sed and nq: the least load (reference 2), without a walk over every real.
//!
//! Long lists keep their loads in a [`Tournament`]. What this lcore does to a real's counts is entered at once, so one
//! lcore alone chooses exactly as the walk would. What other lcores do to them it learns by looking:
//!
//! - The chosen real carries at that moment what it was chosen for, and is not overloaded: the winner is looked at, and
//!   where it carries something else by now, that is entered and the next winner looked at.
//! - A load that has fallen elsewhere can be missed for a while. With each choice some reals are looked at in turn, so
//!   that none was last looked at more than `reals / LOOKS` choices ago, nor, up to [`MOST_LOOKS`] reals, more than
//!   one second ago.
//! - No connection is refused before all reals were looked at.
use super::tournament::Tournament;
use super::wrr::gcd;
use super::{Candidate, Reals, walk};
use crate::config::Real;
use crate::real::{RealCounts, RealId, RealTable};
use crate::time::Jiffies;

/// Up to so many reals a walk costs no more than the tournament.
const SHORT: usize = 16;
/// Reals looked at in turn with each choice.
const LOOKS: usize = 2;
/// At most so many, however long ago the last choice was.
const MOST_LOOKS: usize = 1024;
/// Winners that carry something else by now, after which looking at all is cheaper than going on.
const MOST_ENTRIES: usize = 32;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The overhead; of the weight only whether it is 0.
    Lc,
    /// The overhead per weight.
    Wlc,
    /// The active connections with the new one, per weight.
    Sed,
    /// The same, but an idle real carries nothing.
    Nq,
}

impl Rule {
    fn weight(self, weight: u32) -> u32 {
        if self == Self::Lc { weight.min(1) } else { weight }
    }

    #[inline(always)]
    fn carried(self, counts: &RealCounts) -> u64 {
        match self {
            Self::Lc | Self::Wlc => counts.overhead(),
            Self::Nq if counts.active() == 0 => 0,
            Self::Sed | Self::Nq => u64::from(counts.active()) + 1,
        }
    }

    /// The choice by looking at every real.
    fn walk(self, reals: Reals<'_>) -> Option<usize> {
        let weighed = reals.all_eligible().map(|real| Candidate { weight: self.weight(real.weight), ..real });
        walk::least(weighed, |real| self.carried(real.counts)).map(|real| real.at)
    }
}

/// One service's loads, as one lcore sees them.
#[derive(Clone, Debug)]
pub(crate) struct LeastLoad {
    rule: Rule,
    /// Of a list longer than [`SHORT`].
    standing: Option<Standing>,
}

impl LeastLoad {
    pub(super) fn new(rule: Rule) -> Self {
        Self { rule, standing: None }
    }

    /// Takes the counts of all reals as they are now.
    pub(super) fn count_all(&mut self, reals: Reals<'_>) {
        self.standing = (reals.len() > SHORT).then(|| Standing::new(self.rule, reals));
    }

    /// Whether it wants to know of changes: a short list is looked at when it matters.
    pub(super) fn keeps_loads(&self) -> bool {
        self.standing.is_some()
    }

    /// This lcore has changed the counts of the real at `at`.
    #[inline]
    pub(super) fn counted(&mut self, at: usize, counts: &RealCounts) {
        if let Some(standing) = &mut self.standing {
            standing.enter(at, counts);
        }
    }

    #[inline]
    pub(super) fn pick(&mut self, reals: Reals<'_>, now: Jiffies) -> Option<usize> {
        match &mut self.standing {
            Some(standing) => standing.pick(reals.table, now),
            None => self.rule.walk(reals),
        }
    }
}

/// A real of a long list.
#[derive(Clone, Copy, Debug)]
struct Seat {
    id: RealId,
    /// What its load is divided by, in units of what all weights share; 0 bars it.
    weight: u32,
    /// What it carries, as entered; [`BARRED`] where it may take nothing.
    carried: u64,
}

/// More than any real carries.
const BARRED: u64 = u64::MAX;

impl Seat {
    #[inline]
    fn carries(&self, rule: Rule, counts: &RealCounts) -> u64 {
        if self.weight == 0 || counts.overloaded() { BARRED } else { rule.carried(counts) }
    }

    /// The load as a number that is the less, the less the load or, of equal loads, the earlier the place.
    #[inline]
    fn number(&self, at: usize, digits: Digits) -> u128 {
        if self.carried == BARRED {
            return u128::MAX;
        }
        digits.quotient(self.carried, self.weight) << PLACE_BITS | (at as u128 & PLACE)
    }
}

/// How many digits of 31 bits a quotient needs after the point so that quotients are equal only if the loads are.
///
/// Two different quotients by `a` and by `b` lie at least `1 / (a * b)` apart. Weights are under 2^31, so two digits
/// tell any apart, and one does where no weight is over 2^15. What is carried is under 2^41, which leaves 25 bits of
/// 128 for the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    Zero,
    One,
    Two,
}

impl Digits {
    fn for_weights_up_to(max: u32) -> Self {
        match max {
            0..=1 => Self::Zero,
            2..=0x8000 => Self::One,
            _ => Self::Two,
        }
    }

    #[inline(always)]
    fn quotient(self, carried: u64, weight: u32) -> u128 {
        if self == Self::Zero {
            return u128::from(carried);
        }
        let (whole, rest) = divide(carried, weight);
        let (first, rest) = divide(rest << 31, weight);
        let quotient = u128::from(whole) << 31 | u128::from(first);
        if self == Self::One {
            return quotient;
        }
        let (second, _) = divide(rest << 31, weight);
        quotient << 31 | u128::from(second)
    }
}

/// Quotient and rest. The weight of a real that is not barred is not 0.
#[inline(always)]
fn divide(number: u64, weight: u32) -> (u64, u64) {
    let weight = u64::from(weight.max(1));
    (number / weight, number % weight)
}

const PLACE_BITS: u32 = 25;
const PLACE: u128 = (1 << PLACE_BITS) - 1;

/// How the reals of a long list stand.
#[derive(Clone, Debug)]
struct Standing {
    rule: Rule,
    /// In list order.
    seats: Box<[Seat]>,
    digits: Digits,
    tournament: Tournament,
    /// The real to be looked at next in turn.
    turn: usize,
    /// When the last choice was made.
    chosen: Jiffies,
}

impl Standing {
    fn new(rule: Rule, reals: Reals<'_>) -> Self {
        let weights = || reals.list.iter().map(|real| rule.weight(real.config.weight));
        let shared = weights().fold(0, gcd).max(1);
        let seat =
            |(real, weight): (&Real, u32)| Seat { id: real.id, weight: weight / shared, carried: BARRED };
        let mut standing = Self {
            rule,
            seats: reals.list.iter().zip(weights()).map(seat).collect(),
            digits: Digits::for_weights_up_to(weights().max().unwrap_or(0) / shared),
            tournament: Tournament::new(reals.len()),
            turn: 0,
            chosen: Jiffies::default(),
        };
        standing.look_at_all(reals.table);
        standing
    }

    fn pick(&mut self, table: &RealTable, now: Jiffies) -> Option<usize> {
        self.look_in_turn(table, now);
        for _ in 0..MOST_ENTRIES {
            let Some(at) = self.least() else { break };
            if !self.look(table, at) {
                return Some(at);
            }
        }
        self.look_at_all(table);
        self.least()
    }

    /// The real with the least load; `None` where all are barred.
    #[inline]
    fn least(&self) -> Option<usize> {
        let number = self.tournament.least();
        (number != u128::MAX).then_some((number & PLACE) as usize)
    }

    /// Enters what the real at `at` carries by now; says whether that is something else.
    #[inline]
    fn look(&mut self, table: &RealTable, at: usize) -> bool {
        let counts = self.seats.get(at).and_then(|seat| table.get(seat.id));
        counts.is_some_and(|counts| self.enter(at, counts))
    }

    #[inline]
    fn enter(&mut self, at: usize, counts: &RealCounts) -> bool {
        let Some(seat) = self.seats.get_mut(at) else { return false };
        let carried = seat.carries(self.rule, counts);
        if carried == seat.carried {
            return false;
        }
        seat.carried = carried;
        self.tournament.set(at, seat.number(at, self.digits));
        true
    }

    /// Looks at the reals whose turn it is: [`LOOKS`], and as many more as it takes to go around once a second.
    #[inline]
    fn look_in_turn(&mut self, table: &RealTable, now: Jiffies) {
        let elapsed = usize::try_from(now.since(self.chosen)).unwrap_or(0);
        self.chosen = now;
        let owed = self.seats.len().saturating_mul(elapsed) / Jiffies::HZ as usize;
        for _ in 0..(LOOKS + owed).min(MOST_LOOKS).min(self.seats.len()) {
            self.look(table, self.turn);
            self.turn = if self.turn + 1 < self.seats.len() { self.turn + 1 } else { 0 };
        }
    }

    fn look_at_all(&mut self, table: &RealTable) {
        for seat in &mut self.seats {
            seat.carried = table.get(seat.id).map_or(BARRED, |counts| seat.carries(self.rule, counts));
        }
        let number = |(at, seat): (usize, &Seat)| seat.number(at, self.digits);
        self.tournament.play(self.seats.iter().enumerate().map(number));
    }
}

#[cfg(test)]
mod tests;
