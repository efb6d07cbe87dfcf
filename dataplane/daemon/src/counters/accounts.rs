//! What services and reals have counted since they were added or zeroed, and at what rate.
//!
//! Lcores count per real only, in slots that never go back to 0. An account remembers the slot's reading at its zero
//! point. A service's counters are those of its reals while they were its own, so a service keeps what a removed real
//! has brought it, as in IPVS.

use std::collections::HashMap;
use std::sync::Arc;

use sluice_core::{Added, LcoreStats, RealId, RealStats, Service};

use super::estimator::{Estimator, Rates};

/// Counters and rates as displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Since the zero point.
    pub stats: RealStats,
    /// A second.
    pub rates: Rates,
}

#[derive(Clone, Copy, Debug, Default)]
struct RealAccount {
    /// The slot's reading when the real was added to its service.
    joined: RealStats,
    /// The slot's reading at the zero point.
    zero: RealStats,
    estimator: Estimator,
}

#[derive(Clone, Copy, Debug, Default)]
struct ServiceAccount {
    /// Brought by reals that are gone.
    past: RealStats,
    zero: RealStats,
    estimator: Estimator,
}

/// The accounts of all services and reals.
#[derive(Debug)]
pub struct Accounts {
    lcores: Vec<Arc<LcoreStats>>,
    reals: HashMap<RealId, RealAccount>,
    services: HashMap<u64, ServiceAccount>,
}

impl Accounts {
    /// No account yet; reads the counters of these lcores.
    #[must_use]
    pub fn new(lcores: Vec<Arc<LcoreStats>>) -> Self {
        Self { lcores, reals: HashMap::new(), services: HashMap::new() }
    }

    /// The lcores whose counters are read.
    #[must_use]
    pub fn lcores(&self) -> &[Arc<LcoreStats>] {
        &self.lcores
    }

    /// A service was added.
    pub fn add_service(&mut self, uid: u64) {
        self.services.insert(uid, ServiceAccount::default());
    }

    /// A service was deleted. The accounts of its reals stay, for they may come back.
    pub fn delete_service(&mut self, uid: u64) {
        self.services.remove(&uid);
    }

    /// A real was added to a service.
    pub fn add_real(&mut self, added: Added) {
        let now = self.read(added.id);
        let account = self.reals.entry(added.id).or_default();
        account.joined = now;
        if added.fresh {
            account.zero = now;
            account.estimator = Estimator::new(now);
        }
    }

    /// A real was removed from a service: what it brought stays with the service.
    pub fn delete_real(&mut self, service_uid: u64, id: RealId) {
        let brought = self.brought(id);
        if let Some(service) = self.services.get_mut(&service_uid) {
            service.past = plus(service.past, brought);
        }
        if let Some(real) = self.reals.get_mut(&id) {
            real.joined = plus(real.joined, brought);
        }
    }

    /// The slots of reals that are gone for good.
    pub fn forget_reals(&mut self, ids: &[RealId]) {
        for id in ids {
            self.reals.remove(id);
        }
    }

    /// Sets the counters and rates of a service and its reals to 0.
    pub fn zero(&mut self, service: &Service) {
        let total = self.total(service);
        if let Some(account) = self.services.get_mut(&service.uid) {
            account.zero = total;
            account.estimator = Estimator::new(total);
        }
        for real in service.reals.iter() {
            let now = self.read(real.id);
            if let Some(account) = self.reals.get_mut(&real.id) {
                account.zero = now;
                account.estimator = Estimator::new(now);
            }
        }
    }

    /// Ends a window of the estimators; to be called every [`PERIOD_S`](super::PERIOD_S) seconds.
    pub fn tick<'a>(&mut self, services: impl Iterator<Item = &'a Arc<Service>>) {
        for service in services {
            let total = self.total(service);
            if let Some(account) = self.services.get_mut(&service.uid) {
                account.estimator.tick(total);
            }
            for real in service.reals.iter() {
                let now = self.read(real.id);
                if let Some(account) = self.reals.get_mut(&real.id) {
                    account.estimator.tick(now);
                }
            }
        }
    }

    /// A service's counters.
    #[must_use]
    pub fn service(&self, service: &Service) -> Shown {
        let account = self.services.get(&service.uid).copied().unwrap_or_default();
        Shown { stats: minus(self.total(service), account.zero), rates: account.estimator.rates() }
    }

    /// A real's counters.
    #[must_use]
    pub fn real(&self, id: RealId) -> Shown {
        let account = self.reals.get(&id).copied().unwrap_or_default();
        Shown { stats: minus(self.read(id), account.zero), rates: account.estimator.rates() }
    }

    fn total(&self, service: &Service) -> RealStats {
        let past = self.services.get(&service.uid).map_or_else(RealStats::default, |account| account.past);
        service.reals.iter().fold(past, |sum, real| plus(sum, self.brought(real.id)))
    }

    fn brought(&self, id: RealId) -> RealStats {
        let joined = self.reals.get(&id).map_or_else(RealStats::default, |account| account.joined);
        minus(self.read(id), joined)
    }

    fn read(&self, id: RealId) -> RealStats {
        self.lcores.iter().fold(RealStats::default(), |sum, lcore| plus(sum, lcore.real_stats(id)))
    }
}

fn plus(a: RealStats, b: RealStats) -> RealStats {
    combine(a, b, u64::wrapping_add)
}

fn minus(a: RealStats, b: RealStats) -> RealStats {
    combine(a, b, u64::wrapping_sub)
}

fn combine(a: RealStats, b: RealStats, with: fn(u64, u64) -> u64) -> RealStats {
    RealStats {
        conns: with(a.conns, b.conns),
        in_packets: with(a.in_packets, b.in_packets),
        out_packets: with(a.out_packets, b.out_packets),
        in_bytes: with(a.in_bytes, b.in_bytes),
        out_bytes: with(a.out_bytes, b.out_bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use sluice_core::{
        Director, Forward, Limits, Protocol, RealConfig, RealTable, ServiceConfig, ServiceKey,
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
}
