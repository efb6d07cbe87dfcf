//! The selection sequences of the kernel (reference A.4, 2.1 and 2.2). Reals are numbered in the order of addition.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
use std::net::{IpAddr, Ipv4Addr};

use super::{Reals, Request, Scheduler, Share, Shared};
use crate::config::{Encapsulation, Forward, Real, RealConfig, SchedulerKind};
use crate::real::{RealId, RealTable};
use crate::time::Jiffies;

/// One service: its scheduler, its list of reals (newest first), and connections that stay open.
struct Bench {
    scheduler: Scheduler,
    list: Vec<Real>,
    table: RealTable,
}

impl Bench {
    fn new(kind: SchedulerKind, weights: &[u32]) -> Self {
        let mut bench = Self {
            scheduler: Scheduler::bind(kind, &[], Share { lcore: 0, lcores: 1 }),
            list: vec![],
            table: RealTable::new(16),
        };
        for &weight in weights {
            bench.add(weight);
        }
        bench
    }

    fn change(&mut self, list: Vec<Real>) {
        self.scheduler.update(&self.list, &list);
        self.list = list;
    }

    fn add(&mut self, weight: u32) {
        let number = u32::try_from(self.list.len()).unwrap() + 1;
        let address = IpAddr::V4(Ipv4Addr::from_bits(number));
        let config = RealConfig {
            address,
            port: 80,
            forward: Forward::Masq,
            weight,
            upper: 0,
            lower: 0,
            encapsulation: Encapsulation::default(),
        };
        let mut list = self.list.clone();
        list.insert(0, Real { id: RealId(number), revision: 0, last_weight: weight, config });
        self.change(list);
    }

    fn edit(&mut self, number: u32, edit: impl Fn(&mut RealConfig)) {
        let mut list = self.list.clone();
        let real = list.iter_mut().find(|real| real.id.0 == number).unwrap();
        edit(&mut real.config);
        real.revision += 1;
        let (upper, lower) = (real.config.upper, real.config.lower);
        self.table.get(RealId(number)).unwrap().set_thresholds(upper, lower);
        self.change(list);
    }

    fn delete(&mut self, number: u32) {
        let list = self.list.iter().filter(|real| real.id.0 != number).cloned().collect();
        self.change(list);
    }

    /// The next choices as digits, `-` for none; each choice opens an active connection that stays.
    fn next(&mut self, count: usize) -> String {
        let pick = |_| {
            let reals = Reals { list: &self.list, table: &self.table, shared: &Shared::Nothing };
            let any = Ipv4Addr::UNSPECIFIED.into();
            let request = Request {
                source: any,
                source_port: 0,
                destination: any,
                flags: 0,
                random: 0,
                now: Jiffies(0),
                lblcr_expiration: 86_400,
            };
            let Some(at) = self.scheduler.pick(reals, &request) else {
                return "-".to_owned();
            };
            let id = self.list[at].id;
            let counts = self.table.get(id).unwrap();
            counts.bind();
            counts.activate();
            id.0.to_string()
        };
        (0..count).map(pick).collect()
    }
}

#[test]
fn rr_goes_around_from_the_newest() {
    assert_eq!(Bench::new(SchedulerKind::Rr, &[1, 1, 1]).next(7), "3213213");
    assert_eq!(Bench::new(SchedulerKind::Rr, &[1, 0, 1]).next(7), "3131313");
    assert_eq!(Bench::new(SchedulerKind::Rr, &[0, 0]).next(2), "--");
}

#[test]
fn rr_keeps_its_place_through_changes() {
    let mut bench = Bench::new(SchedulerKind::Rr, &[1, 1]);
    assert_eq!(bench.next(3), "212");
    bench.add(1);
    assert_eq!(bench.next(4), "1321");
    bench.delete(2);
    assert_eq!(bench.next(4), "3131");
    bench.edit(1, |real| real.weight = 0);
    assert_eq!(bench.next(3), "333");
}

#[test]
fn rr_passes_over_reals_at_their_threshold() {
    let mut bench = Bench::new(SchedulerKind::Rr, &[1, 1]);
    bench.edit(1, |real| real.upper = 2);
    assert_eq!(bench.next(8), "21212222");
    bench.edit(1, |real| real.upper = 3);
    assert_eq!(bench.next(6), "122222");
    bench.edit(1, |real| real.upper = 0);
    assert_eq!(bench.next(4), "1212");
    bench.edit(1, |real| real.upper = 2);
    assert_eq!(bench.next(4), "2222");

    let mut bench = Bench::new(SchedulerKind::Rr, &[1, 1]);
    bench.edit(1, |real| (real.upper, real.lower) = (4, 2));
    assert_eq!(bench.next(12), "212121212222");
}

#[test]
fn wrr_rounds() {
    assert_eq!(Bench::new(SchedulerKind::Wrr, &[4, 3, 2]).next(18), "321121321321121321");
    assert_eq!(Bench::new(SchedulerKind::Wrr, &[2, 1, 1]).next(8), "32113211");
    assert_eq!(Bench::new(SchedulerKind::Wrr, &[6, 4, 2]).next(12), "321121321121");
    assert_eq!(Bench::new(SchedulerKind::Wrr, &[5, 5, 5]).next(6), "321321");
    assert_eq!(Bench::new(SchedulerKind::Wrr, &[0, 0]).next(2), "--");
}

#[test]
fn wrr_after_an_edit() {
    let mut bench = Bench::new(SchedulerKind::Wrr, &[3, 1]);
    assert_eq!(bench.next(6), "211121");
    let mut bench = Bench::new(SchedulerKind::Wrr, &[3, 1]);
    assert_eq!(bench.next(6), "211121");
    bench.edit(2, |real| real.weight = 3);
    assert_eq!(bench.next(6), "212121");
}

#[test]
fn lc_ignores_weights_and_wlc_does_not() {
    assert_eq!(Bench::new(SchedulerKind::Lc, &[9, 1, 5]).next(6), "321321");
    assert_eq!(Bench::new(SchedulerKind::Wlc, &[5, 1, 1]).next(9), "321111132");
    assert_eq!(Bench::new(SchedulerKind::Wlc, &[0, 2]).next(3), "222");
    assert_eq!(Bench::new(SchedulerKind::Lc, &[0]).next(1), "-");
}
