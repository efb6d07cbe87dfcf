//! What is remembered, for how long, and for how many.
#![allow(clippy::indexing_slicing, reason = "tests")]
use std::net::{IpAddr, Ipv4Addr};

use super::{Destinations, INTERVAL, locked};
use crate::config::{Encapsulation, Forward, Real, RealConfig};
use crate::real::{RealId, RealTable};
use crate::sched::{Reals, Shared};
use crate::time::Jiffies;

const DAY: u32 = Jiffies::ticks(86_400);

impl Destinations {
    fn entries(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).entries.used()).sum()
    }
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

fn real(n: u32) -> Real {
    let config = RealConfig {
        address: address(n),
        port: 80,
        forward: Forward::Masq,
        weight: 1,
        upper: 0,
        lower: 0,
        encapsulation: Encapsulation::default(),
    };
    Real { id: RealId(n), revision: 0, last_weight: 1, config }
}

/// The place of the real that a destination has.
fn known(destinations: &Destinations, list: &[Real], n: u32, now: Jiffies) -> Option<usize> {
    let table = RealTable::new(16);
    let reals = Reals { list, table: &table, shared: &Shared::Nothing };
    destinations.real(address(n), reals, now).map(|real| real.at)
}

#[test]
fn half_as_many_again_and_no_more() {
    let list = [real(0), real(1)];
    let destinations = Destinations::new(8, 1, 0);
    let now = Jiffies(5);
    for n in 0..20 {
        destinations.assign(address(n), &list[n as usize % 2], n as usize % 2, now);
    }
    for n in 0..20 {
        let expected = (n < 12).then_some(n as usize % 2);
        assert_eq!(known(&destinations, &list, n, now), expected, "{n}");
    }
    destinations.assign(address(3), &list[0], 0, now);
    assert_eq!(known(&destinations, &list, 3, now), Some(0), "one that is there takes another real");
}

/// Lets the control side look once a minute, as often as that.
fn minutes(destinations: &Destinations, from: Jiffies, count: u32, expiration: u32) -> Jiffies {
    let mut now = from;
    for _ in 0..count {
        // Calls in between change nothing.
        destinations.sweep(now.after(INTERVAL - 1), expiration);
        now = now.after(INTERVAL);
        destinations.sweep(now, expiration);
    }
    now
}

fn assign_all(destinations: &Destinations, range: std::ops::Range<u32>, now: Jiffies) {
    range.for_each(|n| destinations.assign(address(n), &real(0), 0, now));
}

fn left(destinations: &Destinations, range: std::ops::Range<u32>, now: Jiffies) -> Vec<u32> {
    range.filter(|&n| known(destinations, &[real(0)], n, now).is_some()).collect()
}

/// Four thirds of what is over, unused for six minutes or more, every minute.
#[test]
fn too_many_destinations_are_thinned_out() {
    let destinations = Destinations::new(8, 1, 0);
    let start = Jiffies(u32::MAX - Jiffies::ticks(100));
    destinations.sweep(start, DAY);
    assign_all(&destinations, 0..12, start);
    let now = minutes(&destinations, start, 5, DAY);
    assert_eq!(destinations.entries(), 12, "not yet six minutes");
    assert_eq!(known(&destinations, &[real(0)], 0, now), Some(0), "used");
    minutes(&destinations, now, 1, DAY);
    assert_eq!(destinations.entries(), 8, "4 were over: 5, but no more than half of 8");
    let now = minutes(&destinations, now, 30, DAY);
    assert_eq!(destinations.entries(), 8, "8 are not too many");
    assert_eq!(left(&destinations, 0..1, now), [0]);
}

/// Whatever was not used for the time that is set, every half hour: in between it is still known.
#[test]
fn unused_destinations_are_forgotten_every_half_hour() {
    for hours in [1, 24] {
        let expiration = Jiffies::ticks(hours * 3600);
        let destinations = Destinations::new(8, 1, 0);
        let start = Jiffies(u32::MAX - Jiffies::ticks(100));
        destinations.sweep(start, expiration);
        let now = minutes(&destinations, start, 1, expiration);
        assign_all(&destinations, 0..4, now);
        let now = minutes(&destinations, now, 59, expiration);
        // The first two sweeps have been, and the next are 30 minutes apart.
        let now = minutes(&destinations, now, (hours - 1) * 60, expiration);
        assert_eq!(destinations.entries(), 4, "a minute is missing");
        let now = minutes(&destinations, now, 29, expiration);
        assert_eq!(left(&destinations, 3..4, now), [3], "not swept, so still known");
        minutes(&destinations, now, 1, expiration);
        assert_eq!(destinations.entries(), 1, "all but the one that was used");
    }
}

#[test]
fn an_expiration_of_0_forgets_all_at_every_sweep() {
    let destinations = Destinations::new(8, 1, 0);
    destinations.sweep(Jiffies(0), 0);
    assign_all(&destinations, 0..4, Jiffies(0));
    let now = minutes(&destinations, Jiffies(0), 29, 0);
    assert_eq!(destinations.entries(), 4);
    minutes(&destinations, now, 1, 0);
    assert_eq!(destinations.entries(), 0);
}

/// A table in shards knows what a small one does, for as many.
#[test]
fn shards_share_the_room_out() {
    let destinations = Destinations::new(16_384, 1, 0);
    let now = Jiffies(5);
    assert_eq!(destinations.shards.len(), 16);
    assign_all(&destinations, 0..20_000, now);
    assert_eq!(left(&destinations, 0..20_000, now).len(), 20_000);
    assert!(destinations.shards.iter().all(|shard| locked(shard).entries.used() > 1000), "evenly");
    assign_all(&destinations, 20_000..60_000, now);
    assert_eq!(destinations.entries(), 24_576);

    destinations.sweep(now, DAY);
    minutes(&destinations, now, 5, DAY);
    let now = minutes(&destinations, now.after(5 * INTERVAL), 1, DAY);
    assert_eq!(destinations.entries(), 16_384, "half of 16384 at once");
    destinations.make_room(1000);
    assert!(destinations.shards.iter().all(|shard| locked(shard).members.room() >= 1000));
    assert!(now.since(Jiffies(0)) > 0);
}

/// Every cell comes back: for long, more destinations and sets than there is room for at once.
#[test]
fn nothing_is_lost() {
    let list: Vec<Real> = (0..4).map(real).collect();
    let destinations = Destinations::new(8, 2, 0);
    let mut now = Jiffies(u32::MAX - 1_000_000);
    destinations.sweep(now, DAY);
    for round in 0..500u32 {
        for n in 0..6 {
            for (at, real) in list.iter().enumerate() {
                destinations.add(address(round * 7 + n), real, at, now);
            }
        }
        now = minutes(&destinations, now, 7, DAY);
    }
    minutes(&destinations, now, 25 * 60, DAY);
    let cache = locked(&destinations.shards[0]);
    assert_eq!((cache.entries.used(), cache.members.used()), (0, 0));
    assert_eq!((cache.entries.room(), cache.members.room()), (12, 24));
}
