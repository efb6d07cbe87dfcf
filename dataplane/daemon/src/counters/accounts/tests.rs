//! Accounts over lcores whose counters are set by hand.
use std::net::{IpAddr, Ipv4Addr};

use sluice_core::{
    Director, Encapsulation, Forward, Limits, Protocol, RealConfig, RealTable, ServiceConfig, ServiceKey,
};

use super::*;

struct Bed {
    director: Director,
    accounts: Accounts,
    key: ServiceKey,
}

impl Bed {
    fn new() -> Self {
        let lcores = (0..2).map(|_| Arc::new(LcoreStats::new(8))).collect();
        let key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 80,
        };
        let mut bed = Self {
            director: Director::new(Limits { services: 8 }, Arc::new(RealTable::new(8))),
            accounts: Accounts::new(lcores),
            key,
        };
        bed.add_service();
        bed
    }

    fn add_service(&mut self) {
        let config = ServiceConfig {
            key: self.key,
            scheduler: "rr".to_owned(),
            flags: 0,
            persistence: None,
            one_packet: false,
            engine: None,
        };
        self.director.add_service(config).expect("added");
        self.accounts.add_service(self.service().uid);
    }

    fn service(&self) -> Arc<Service> {
        Arc::clone(self.director.service(&self.key).expect("there"))
    }

    fn add_real(&mut self, last: u8) -> RealId {
        let config = RealConfig {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            port: 80,
            forward: Forward::Masq,
            weight: 1,
            upper: 0,
            lower: 0,
            encapsulation: Encapsulation::default(),
        };
        let added = self.director.add_real(&self.key, config).expect("added");
        self.accounts.add_real(added);
        added.id
    }

    fn delete_real(&mut self, last: u8) {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let id = self.director.delete_real(&self.key, address, 80).expect("deleted");
        let uid = self.service().uid;
        self.accounts.delete_real(uid, id);
    }

    fn count(&self, lcore: usize, id: RealId, packets: u64) {
        self.accounts.lcores[lcore].real(id).expect("line").in_packets.add(packets);
    }

    fn packets(&self, id: RealId) -> (u64, u64) {
        let service = self.accounts.service(&self.service()).stats.in_packets;
        (service, self.accounts.real(id).stats.in_packets)
    }
}

#[test]
fn sums_lcores_and_reals_and_zeroes() {
    let mut bed = Bed::new();
    let (a, b) = (bed.add_real(1), bed.add_real(2));
    bed.count(0, a, 5);
    bed.count(1, a, 7);
    bed.count(1, b, 1);
    assert_eq!((bed.packets(a), bed.packets(b)), ((13, 12), (13, 1)));
    let service = bed.service();
    bed.accounts.zero(&service);
    bed.count(0, b, 2);
    assert_eq!((bed.packets(a), bed.packets(b)), ((2, 0), (2, 2)));
}

#[test]
fn a_removed_real_leaves_its_counts_to_the_service_and_takes_its_own_up_again() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 5);
    bed.delete_real(1);
    assert_eq!(bed.accounts.service(&bed.service()).stats.in_packets, 5);
    let again = bed.add_real(1);
    assert_eq!(again, a, "the slot comes back from the trash");
    bed.count(0, a, 1);
    assert_eq!(bed.packets(a), (6, 6));
}

#[test]
fn a_service_made_anew_starts_at_nothing() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 5);
    let uid = bed.service().uid;
    bed.director.delete_service(&bed.key).expect("deleted");
    bed.accounts.delete_service(uid);
    bed.add_service();
    let a = bed.add_real(1);
    assert_eq!(bed.packets(a), (0, 0));
}

#[test]
fn the_total_keeps_what_is_gone_and_is_zeroed_with_everything_only() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 5);
    bed.delete_real(1);
    let b = bed.add_real(2);
    bed.count(1, b, 3);
    let total = |bed: &Bed| bed.accounts.total().stats.in_packets;
    assert_eq!(total(&bed), 8);
    let uid = bed.service().uid;
    bed.director.delete_service(&bed.key).expect("deleted");
    bed.accounts.delete_service(uid);
    bed.accounts.forget_reals(&[a, b]);
    assert_eq!(total(&bed), 8, "the service is gone, what it has done is not");
    bed.add_service();
    let c = bed.add_real(3);
    bed.count(0, c, 2);
    let service = bed.service();
    bed.accounts.zero(&service);
    assert_eq!((total(&bed), bed.packets(c)), (10, (0, 0)), "-Z of one service");
    bed.count(0, c, 1);
    bed.accounts.zero_all([service].iter());
    bed.count(0, c, 4);
    assert_eq!((total(&bed), bed.packets(c)), (4, (4, 4)), "-Z");
}

#[test]
fn zeroing_takes_the_rates_away_and_the_next_window_is_whole() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 1000);
    let service = [bed.service()];
    bed.accounts.tick(service.iter());
    let rates = |bed: &Bed| {
        let of = |shown: Shown| shown.rates.in_packets;
        (of(bed.accounts.service(&service[0])), of(bed.accounts.real(a)), of(bed.accounts.total()))
    };
    assert_eq!(rates(&bed), (125, 125, 125));
    bed.accounts.zero(&service[0]);
    assert_eq!(rates(&bed), (0, 0, 125));
    bed.accounts.zero_all(service.iter());
    assert_eq!(rates(&bed), (0, 0, 0));
    bed.count(1, a, 1000);
    bed.accounts.tick(service.iter());
    assert_eq!(rates(&bed), (125, 125, 125));
}

#[test]
fn without_estimation_all_stands_still_and_counting_goes_on() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 1000);
    let service = [bed.service()];
    bed.accounts.tick(service.iter());
    bed.accounts.estimate(false, service.iter());
    bed.count(0, a, 500);
    bed.accounts.tick(service.iter());
    let shown = |bed: &Bed| {
        [bed.accounts.service(&service[0]), bed.accounts.real(a), bed.accounts.total()]
            .map(|shown| (shown.stats.in_packets, shown.rates.in_packets))
    };
    assert_eq!(shown(&bed), [(1000, 125); 3]);
    bed.accounts.estimate(true, service.iter());
    assert_eq!(shown(&bed), [(1500, 125); 3]);
    // What came meanwhile is no burst of this window.
    bed.accounts.tick(service.iter());
    assert_eq!(shown(&bed), [(1500, 94); 3]);
}

#[test]
fn what_is_made_or_zeroed_without_estimation_shows_nothing_until_it_is_on() {
    let mut bed = Bed::new();
    let a = bed.add_real(1);
    bed.count(0, a, 10);
    let service = [bed.service()];
    bed.accounts.estimate(false, service.iter());
    bed.accounts.zero(&service[0]);
    bed.count(0, a, 7);
    let b = bed.add_real(2);
    bed.count(0, b, 3);
    assert_eq!((bed.packets(a), bed.packets(b)), ((0, 0), (0, 0)));
    bed.accounts.estimate(true, [bed.service()].iter());
    assert_eq!((bed.packets(a), bed.packets(b)), ((10, 7), (10, 3)));
}
