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

/// What is shown of an object, by a reading that only grows.
#[derive(Clone, Copy, Debug, Default)]
struct View {
    /// The reading at the zero point.
    zero: RealStats,
    /// The reading that is shown while estimation is off.
    held: RealStats,
    estimator: Estimator,
}

impl View {
    /// Shows nothing yet.
    fn new(now: RealStats) -> Self {
        Self { zero: now, held: now, estimator: Estimator::new(now) }
    }

    fn shown(&self, now: RealStats) -> Shown {
        Shown { stats: minus(now, self.zero), rates: self.estimator.rates() }
    }

    /// Estimation begins or ends.
    fn turn(&mut self, on: bool, now: RealStats) {
        if on {
            self.estimator.resume(now);
        } else {
            self.held = now;
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct RealAccount {
    /// The slot's reading when the real was added to its service.
    joined: RealStats,
    view: View,
}

#[derive(Clone, Copy, Debug, Default)]
struct ServiceAccount {
    /// Brought by reals that are gone.
    past: RealStats,
    view: View,
}

/// The accounts of all services and reals.
#[derive(Debug)]
pub struct Accounts {
    lcores: Vec<Arc<LcoreStats>>,
    reals: HashMap<RealId, RealAccount>,
    services: HashMap<u64, ServiceAccount>,
    /// Of everything that was ever counted.
    total: View,
    /// The slots that were ever in use are those below.
    slots: u32,
    /// run_estimation: off, all shows what it showed then.
    estimating: bool,
}

impl Accounts {
    /// No account yet; reads the counters of these lcores.
    #[must_use]
    pub fn new(lcores: Vec<Arc<LcoreStats>>) -> Self {
        Self {
            lcores,
            reals: HashMap::new(),
            services: HashMap::new(),
            total: View::default(),
            slots: 0,
            estimating: true,
        }
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
        self.slots = self.slots.max(added.id.0.saturating_add(1));
        let now = self.read(added.id);
        let account = self.reals.entry(added.id).or_default();
        account.joined = now;
        if added.fresh {
            account.view = View::new(now);
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
        let total = self.of_service(service);
        if let Some(account) = self.services.get_mut(&service.uid) {
            account.view = View::new(total);
        }
        for real in service.reals.iter() {
            let now = self.of_real(real.id);
            if let Some(account) = self.reals.get_mut(&real.id) {
                account.view = View::new(now);
            }
        }
    }

    /// Sets all counters and rates to 0, those of everything together too.
    pub fn zero_all<'a>(&mut self, services: impl Iterator<Item = &'a Arc<Service>>) {
        services.for_each(|service| self.zero(service));
        self.total = View::new(self.of_all());
    }

    /// Ends a window of the estimators; to be called every [`PERIOD_S`](super::PERIOD_S) seconds.
    pub fn tick<'a>(&mut self, services: impl Iterator<Item = &'a Arc<Service>>) {
        if self.estimating {
            self.each(services, |view, now| view.estimator.tick(now));
        }
    }

    /// run_estimation: off, rates and shown counters stay as they are, and counting goes on.
    pub fn estimate<'a>(&mut self, on: bool, services: impl Iterator<Item = &'a Arc<Service>>) {
        if on == self.estimating {
            return;
        }
        self.estimating = on;
        self.each(services, |view, now| view.turn(on, now));
    }

    /// Every view with the reading of its object as it is now.
    fn each<'a>(
        &mut self,
        services: impl Iterator<Item = &'a Arc<Service>>,
        change: impl Fn(&mut View, RealStats),
    ) {
        for service in services {
            let now = self.sum(service);
            if let Some(account) = self.services.get_mut(&service.uid) {
                change(&mut account.view, now);
            }
        }
        // Those of removed reals too: they may come back.
        for (id, account) in &mut self.reals {
            change(&mut account.view, read(&self.lcores, *id));
        }
        let now = self.sum_all();
        change(&mut self.total, now);
    }

    /// A service's counters.
    #[must_use]
    pub fn service(&self, service: &Service) -> Shown {
        let view = self.services.get(&service.uid).map(|account| account.view).unwrap_or_default();
        view.shown(self.of_service(service))
    }

    /// A real's counters.
    #[must_use]
    pub fn real(&self, id: RealId) -> Shown {
        let view = self.reals.get(&id).map(|account| account.view).unwrap_or_default();
        view.shown(self.of_real(id))
    }

    /// The counters of everything together, what is gone included.
    #[must_use]
    pub fn total(&self) -> Shown {
        self.total.shown(self.of_all())
    }

    /// The readings as they are shown.
    fn of_service(&self, service: &Service) -> RealStats {
        match self.services.get(&service.uid) {
            Some(account) if !self.estimating => account.view.held,
            _ => self.sum(service),
        }
    }

    fn of_real(&self, id: RealId) -> RealStats {
        match self.reals.get(&id) {
            Some(account) if !self.estimating => account.view.held,
            _ => self.read(id),
        }
    }

    fn of_all(&self) -> RealStats {
        if self.estimating { self.sum_all() } else { self.total.held }
    }

    fn sum(&self, service: &Service) -> RealStats {
        let past = self.services.get(&service.uid).map_or_else(RealStats::default, |account| account.past);
        service.reals.iter().fold(past, |sum, real| plus(sum, self.brought(real.id)))
    }

    fn sum_all(&self) -> RealStats {
        (0..self.slots).fold(RealStats::default(), |sum, slot| plus(sum, self.read(RealId(slot))))
    }

    fn brought(&self, id: RealId) -> RealStats {
        let joined = self.reals.get(&id).map_or_else(RealStats::default, |account| account.joined);
        minus(self.read(id), joined)
    }

    fn read(&self, id: RealId) -> RealStats {
        read(&self.lcores, id)
    }
}

fn read(lcores: &[Arc<LcoreStats>], id: RealId) -> RealStats {
    lcores.iter().fold(RealStats::default(), |sum, lcore| plus(sum, lcore.real_stats(id)))
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
mod tests;
