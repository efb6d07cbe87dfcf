//! The choices in long lists: a lone lcore's are those of a walk, several lcores' are nearly.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::sample::Index;

use super::{LOOKS, LeastLoad, Rule};
use crate::config::{Encapsulation, Forward, Real, RealConfig};
use crate::real::{RealCounts, RealId, RealTable};
use crate::sched::walk::is_less;
use crate::sched::{Reals, Shared};
use crate::time::Jiffies;

/// Some reals, and the schedulers of some lcores.
struct Desk {
    rule: Rule,
    list: Vec<Real>,
    table: RealTable,
    lcores: Vec<LeastLoad>,
    now: Jiffies,
}

impl Desk {
    fn new(rule: Rule, weights: &[u32], lcores: usize) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let config = |weight| RealConfig {
            address,
            port: 80,
            forward: Forward::Masq,
            weight,
            upper: 0,
            lower: 0,
            encapsulation: Encapsulation::default(),
        };
        let real = |(id, &weight): (u32, &u32)| Real {
            id: RealId(id),
            revision: 0,
            last_weight: weight,
            config: config(weight),
        };
        let mut desk = Self {
            rule,
            list: (0..).zip(weights).map(real).collect(),
            table: RealTable::new(weights.len()),
            lcores: vec![LeastLoad::new(rule); lcores],
            now: Jiffies(0),
        };
        desk.load();
        desk
    }

    /// The control side has changed something.
    fn load(&mut self) {
        for lcore in &mut self.lcores {
            lcore.count_all(Reals { list: &self.list, table: &self.table, shared: &Shared::Nothing });
            assert!(lcore.keeps_loads(), "the list is long");
        }
    }

    fn counts(&self, at: usize) -> &RealCounts {
        self.table.get(self.list[at].id).unwrap()
    }

    fn change(&mut self, lcore: usize, at: usize, change: impl Fn(&RealCounts)) {
        let counts = self.table.get(self.list[at].id).unwrap();
        change(counts);
        self.lcores[lcore].counted(at, counts);
    }

    fn walk(&self) -> Option<usize> {
        self.rule.walk(Reals { list: &self.list, table: &self.table, shared: &Shared::Nothing })
    }

    fn pick(&mut self, lcore: usize) -> Option<usize> {
        self.lcores[lcore]
            .pick(Reals { list: &self.list, table: &self.table, shared: &Shared::Nothing }, self.now)
    }

    /// Picks, and opens a connection there, active or not.
    fn open(&mut self, lcore: usize, active: bool) -> Option<usize> {
        let at = self.pick(lcore)?;
        self.change(lcore, at, RealCounts::bind);
        if active {
            self.change(lcore, at, RealCounts::activate);
        }
        Some(at)
    }

    /// What each carries and by what it is divided; `None` where it may take nothing.
    fn loads(&self) -> Vec<Option<(u64, u32)>> {
        let load = |at: usize| {
            let (weight, counts) = (self.rule.weight(self.list[at].config.weight), self.counts(at));
            (weight > 0 && !counts.overloaded()).then(|| (self.rule.carried(counts), weight))
        };
        (0..self.list.len()).map(load).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open {
        active: bool,
    },
    /// The n-th of the connections that are open.
    Close(Index),
    Weigh(Index, u32),
    Limit(Index, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<bool>().prop_map(|active| Step::Open { active }),
        5 => any::<Index>().prop_map(Step::Close),
        1 => (any::<Index>(), weight()).prop_map(|(at, weight)| Step::Weigh(at, weight)),
        1 => (any::<Index>(), 0..4_u32).prop_map(|(at, upper)| Step::Limit(at, upper)),
    ]
}

fn weight() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 6 => 1..5_u32, 1 => 100..70_000_u32, 1 => i32::MAX as u32 - 9..=i32::MAX as u32]
}

fn rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(vec![Rule::Lc, Rule::Wlc, Rule::Sed, Rule::Nq])
}

proptest! {
    #[test]
    fn a_lone_lcore_chooses_as_a_walk_does(
        rule in rule(),
        weights in prop::collection::vec(weight(), 17..90),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut desk = Desk::new(rule, &weights, 1);
        let mut open = Vec::new();
        for step in steps {
            match step {
                Step::Open { active } => {
                    let expected = desk.walk();
                    let chosen = desk.open(0, active);
                    prop_assert_eq!(chosen, expected);
                    open.extend(chosen.map(|at| (at, active)));
                }
                Step::Close(nth) if !open.is_empty() => {
                    let (at, active) = open.swap_remove(nth.index(open.len()));
                    desk.change(0, at, |counts| counts.unbind(active));
                }
                Step::Close(_) => {}
                Step::Weigh(at, weight) => {
                    let at = at.index(desk.list.len());
                    desk.list[at].config.weight = weight;
                    desk.load();
                }
                // Seen at once by all, as the control side sets it, and before the lcores load anything.
                Step::Limit(at, upper) => {
                    let at = at.index(desk.list.len());
                    let was = desk.counts(at).overloaded();
                    desk.counts(at).set_thresholds(upper, 0);
                    if was {
                        desk.load();
                    }
                }
            }
        }
    }

    /// The chosen real carries what it is chosen for; one with less must have carried as much within the last
    /// `reals / LOOKS` choices of that lcore.
    #[test]
    fn several_lcores_choose_by_loads_of_late(
        rule in rule(),
        weights in prop::collection::vec(weight(), 17..40),
        steps in prop::collection::vec((0..3_usize, step()), 1..300),
    ) {
        let mut desk = Desk::new(rule, &weights, 3);
        let window = weights.len().div_ceil(LOOKS);
        // By lcore: what all carried at any time since each of the last choices.
        let mut history = vec![VecDeque::from([vec![desk.loads()]]); 3];
        let mut open = Vec::new();
        for (lcore, step) in steps {
            match step {
                Step::Open { active } => {
                    let loads = desk.loads();
                    let Some(at) = desk.open(lcore, active) else {
                        prop_assert!(loads.iter().all(Option::is_none), "refused though one could take it");
                        continue;
                    };
                    open.push((at, active));
                    let (chosen, by) = loads[at].expect("a real that may take it");
                    for (other, load) in loads.iter().enumerate() {
                        let was_as_much = |then: &Vec<Option<(u64, u32)>>| {
                            then[other].is_none_or(|(carried, weight)| !is_less(carried, weight, chosen, by))
                        };
                        prop_assert!(
                            load.is_none() || history[lcore].iter().flatten().any(was_as_much),
                            "{other} has carried less than {at} for {window} choices"
                        );
                    }
                    history[lcore].push_back(vec![]);
                    if history[lcore].len() > window {
                        history[lcore].pop_front();
                    }
                }
                Step::Close(nth) if !open.is_empty() => {
                    let (at, active) = open.swap_remove(nth.index(open.len()));
                    desk.change(lcore, at, |counts| counts.unbind(active));
                }
                Step::Limit(at, upper) => desk.counts(at.index(weights.len())).set_thresholds(upper, 0),
                Step::Close(_) | Step::Weigh(..) => {}
            }
            for lcore in &mut history {
                lcore.back_mut().unwrap().push(desk.loads());
            }
        }
    }
}

/// Fifty reals with two connections each but the last, which has lost its own on another lcore.
fn fallen_elsewhere() -> Desk {
    let mut desk = Desk::new(Rule::Lc, &[1; 50], 2);
    for _ in 0..100 {
        desk.open(0, true);
    }
    assert!((0..50).all(|at| desk.counts(at).total() == 2));
    desk.pick(0);
    for _ in 0..2 {
        desk.change(1, 49, |counts| counts.unbind(true));
    }
    desk
}

#[test]
fn a_load_that_fell_elsewhere_is_seen_in_turn() {
    let mut desk = fallen_elsewhere();
    let choices = (0..50 / LOOKS).position(|_| desk.pick(0) == Some(49));
    assert!(choices.is_some());
}

#[test]
fn a_load_that_fell_elsewhere_is_seen_within_a_second() {
    let mut desk = fallen_elsewhere();
    desk.now = Jiffies(Jiffies::HZ);
    assert_eq!(desk.pick(0), Some(49));
}

#[test]
fn a_winner_that_another_lcore_has_taken_is_passed_over() {
    let mut desk = Desk::new(Rule::Lc, &[1; 100], 2);
    assert_eq!(desk.pick(0), Some(0));
    for at in 0..90 {
        assert_eq!(desk.open(1, true), Some(at));
    }
    assert_eq!(desk.pick(0), Some(90), "more winners have gone than are looked at one by one");
}
