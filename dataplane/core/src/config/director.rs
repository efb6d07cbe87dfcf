//! The operator's verbs: validates each change as the kernel does and makes the next snapshot.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::check::{check_number, check_real, check_service};
use super::endpoints::{Endpoint4, service_endpoint};
use super::error::ConfigError;
use super::service::{
    Engine, Real, RealConfig, SchedulerKind, Service, ServiceConfig, ServiceKey, Switches, Timeouts,
};
use super::snapshot::{Snapshot, callers, masq_endpoints};
use crate::fib::Fib;
use crate::real::{RealId, RealTable};
use crate::sched::Shared;
use crate::time::Jiffies;

mod marks;
mod trash;
use marks::Marks;
pub use marks::{MarkEntry, NewMark};
use trash::Trash;

/// The most mark rules, unless told otherwise.
const DEFAULT_MARKS: usize = 10_000;

/// How much configuration there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Virtual services.
    pub services: usize,
}

/// A real that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its slot.
    pub id: RealId,
    /// Whether its statistics start anew; `false` where it came back to the very service it was removed from.
    pub fresh: bool,
}

/// The configuration and its verbs. Every successful verb makes a snapshot of a higher version; a refused one changes
/// nothing.
#[derive(Debug)]
pub struct Director {
    limits: Limits,
    table: Arc<RealTable>,
    slots: HashMap<ServiceKey, u32>,
    free_slots: Vec<u32>,
    free_reals: Vec<RealId>,
    trash: Trash,
    marks: Marks,
    next_uid: u64,
    revision: u64,
    /// From where each real, removed ones counted, may send replies of masqueraded flows.
    masq: HashMap<RealId, Endpoint4>,
    snapshot: Arc<Snapshot>,
}

impl Director {
    /// No service; reals are counted in `table`, whose size limits how many there may be.
    #[must_use]
    pub fn new(limits: Limits, table: Arc<RealTable>) -> Self {
        let ids = u32::try_from(table.capacity()).unwrap_or(u32::MAX);
        Self {
            limits,
            table,
            slots: HashMap::new(),
            free_slots: Vec::new(),
            free_reals: (0..ids).rev().map(RealId).collect(),
            trash: Trash::default(),
            marks: Marks::new(DEFAULT_MARKS),
            next_uid: 1,
            revision: 0,
            masq: HashMap::new(),
            snapshot: Arc::new(Snapshot::empty()),
        }
    }

    /// The configuration as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    /// All services, in no particular order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.snapshot.services.iter().flatten()
    }

    /// One service.
    ///
    /// # Errors
    /// [`ConfigError::NoService`].
    pub fn service(&self, key: &ServiceKey) -> Result<&Arc<Service>, ConfigError> {
        let slot = self.slots.get(key).ok_or(ConfigError::NoService)?;
        self.snapshot.services.get(*slot as usize).and_then(Option::as_ref).ok_or(ConfigError::NoService)
    }

    /// The ids, in order, of a service's reals, those that were removed and may have flows left included; `real` asks for the
    /// ones of that address and port.
    ///
    /// # Errors
    /// No such service, now or lately; no such real.
    pub fn reals_of(
        &self,
        key: &ServiceKey,
        real: Option<(IpAddr, u16)>,
    ) -> Result<Vec<RealId>, ConfigError> {
        let service = self.service(key);
        if service.is_err() && !self.trash.has(key) {
            return Err(ConfigError::NoService);
        }
        let there = service.into_iter().flat_map(|service| service.reals.iter());
        let there = there.map(|real| ((real.config.address, real.config.port), real.id));
        let all = there.chain(self.trash.of(key));
        let mut ids: Vec<_> =
            all.filter(|(place, _)| real.is_none_or(|real| real == *place)).map(|(_, id)| id).collect();
        if ids.is_empty() && real.is_some() {
            return Err(ConfigError::NoReal);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Adds a service without reals (`-A`).
    ///
    /// # Errors
    /// Exists, unknown scheduler, table full, or something not supported yet.
    pub fn add_service(&mut self, config: ServiceConfig) -> Result<(), ConfigError> {
        if self.slots.contains_key(&config.key) {
            return Err(ConfigError::ServiceExists);
        }
        let scheduler = check_service(&config)?;
        if self.slots.len() >= self.limits.services {
            return Err(ConfigError::Full { table: "services", limit: self.limits.services });
        }
        let key = config.key;
        let mut next = self.draft();
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            next.services.push(None);
            u32::try_from(next.services.len() - 1).unwrap_or(u32::MAX)
        });
        let service = make(self.next_uid, config, scheduler, Arc::default(), None);
        self.next_uid += 1;
        self.slots.insert(key, slot);
        if let Some(endpoint) = service_endpoint(&key) {
            Arc::make_mut(&mut next.by_endpoint).insert(endpoint, slot);
            if next.left_behind.has(endpoint) {
                Arc::make_mut(&mut next.left_behind).remove(endpoint);
            }
        }
        if let ServiceKey::Fwmark { mark, ipv6: false } = key {
            Arc::make_mut(&mut next.by_mark).insert(mark, slot);
        }
        self.replace(next, slot, Some(service));
        Ok(())
    }

    /// Replaces a service's scheduler, flags and persistence (`-E`); its reals and flows stay.
    ///
    /// # Errors
    /// No such service, unknown scheduler, or something not supported yet.
    pub fn edit_service(&mut self, config: ServiceConfig) -> Result<(), ConfigError> {
        let (slot, old) = self.entry(&config.key)?;
        let scheduler = check_service(&config)?;
        check_number(scheduler, old.reals.len())?;
        let service = make(old.uid, config, scheduler, Arc::clone(&old.reals), Some(&old));
        let next = self.draft();
        self.replace(next, slot, Some(service));
        Ok(())
    }

    /// Removes a service and its reals (`-D`); its flows live on, bound to reals that are gone.
    ///
    /// # Errors
    /// No such service.
    pub fn delete_service(&mut self, key: &ServiceKey) -> Result<(), ConfigError> {
        let (slot, old) = self.entry(key)?;
        for real in old.reals.iter() {
            self.trash.put(*key, old.uid, real);
        }
        self.slots.remove(key);
        self.free_slots.push(slot);
        let mut next = self.draft();
        if let Some(endpoint) = service_endpoint(key) {
            Arc::make_mut(&mut next.by_endpoint).remove(endpoint);
            if self.trash.has(key) {
                Arc::make_mut(&mut next.left_behind).insert(endpoint, ());
            }
        }
        if let ServiceKey::Fwmark { mark, ipv6: false } = *key {
            Arc::make_mut(&mut next.by_mark).remove(&mark);
            next.marked_left_behind = self.trash.has_marked();
        }
        self.replace(next, slot, None);
        Ok(())
    }

    /// Removes every service (`-C`).
    pub fn flush(&mut self) {
        let keys: Vec<_> = self.slots.keys().copied().collect();
        let mut next = self.draft();
        for key in keys {
            let Ok((slot, old)) = self.entry(&key) else { continue };
            for real in old.reals.iter() {
                self.trash.put(key, old.uid, real);
            }
            self.free_slots.push(slot);
            if let Some(endpoint) = service_endpoint(&key)
                && self.trash.has(&key)
            {
                Arc::make_mut(&mut next.left_behind).insert(endpoint, ());
            }
            if let Some(entry) = next.services.get_mut(slot as usize) {
                *entry = None;
            }
        }
        self.slots.clear();
        next.by_endpoint = Arc::default();
        next.by_mark = Arc::default();
        next.callers = Arc::default();
        next.marked_left_behind = self.trash.has_marked();
        self.snapshot = Arc::new(next);
    }

    /// Adds a real in front of the service's others (`-a`). One with the same address and port that was removed while
    /// flows were bound to it comes back with them.
    ///
    /// # Errors
    /// No such service, exists, a number out of range, not unicast, table full, or something not supported yet.
    pub fn add_real(&mut self, key: &ServiceKey, config: RealConfig) -> Result<Added, ConfigError> {
        let (slot, old) = self.entry(key)?;
        if position(&old, &config.address, config.port).is_some() {
            return Err(ConfigError::RealExists);
        }
        check_real(&config)?;
        check_number(old.scheduler, old.reals.len() + 1)?;
        let revived = self.trash.take(*key, &config);
        let added = match revived {
            Some(removed) => Added { id: removed.id, fresh: removed.service_uid != old.uid },
            None => {
                let full = ConfigError::Full { table: "reals", limit: self.table.capacity() };
                Added { id: self.free_reals.pop().ok_or(full)?, fresh: true }
            }
        };
        let id = added.id;
        self.set_thresholds(id, &config);
        let first = Real { id, revision: self.revise(), last_weight: config.weight, config };
        let reals = std::iter::once(first).chain(old.reals.iter().cloned()).collect();
        self.replace_reals(slot, &old, reals);
        Ok(added)
    }

    /// Replaces a real's weight, method and thresholds (`-e`); flows keep the method they were made with.
    ///
    /// # Errors
    /// No such service or real, a number out of range, or something not supported yet.
    pub fn edit_real(&mut self, key: &ServiceKey, config: RealConfig) -> Result<RealId, ConfigError> {
        let (slot, old) = self.entry(key)?;
        let at = position(&old, &config.address, config.port).ok_or(ConfigError::NoReal)?;
        check_real(&config)?;
        let revision = self.revise();
        let mut reals: Vec<Real> = old.reals.to_vec();
        let Some(real) = reals.get_mut(at) else { return Err(ConfigError::NoReal) };
        real.revision = revision;
        if config.weight != 0 {
            real.last_weight = config.weight;
        }
        real.config = config;
        let (id, config) = (real.id, real.config.clone());
        self.set_thresholds(id, &config);
        self.replace_reals(slot, &old, reals.into());
        Ok(id)
    }

    /// Removes a real (`-d`). Its flows are not cut here; its slot is kept until none is left.
    ///
    /// # Errors
    /// No such service or real.
    pub fn delete_real(
        &mut self,
        key: &ServiceKey,
        address: IpAddr,
        port: u16,
    ) -> Result<RealId, ConfigError> {
        let (slot, old) = self.entry(key)?;
        let at = position(&old, &address, port).ok_or(ConfigError::NoReal)?;
        let mut reals: Vec<Real> = old.reals.to_vec();
        let gone = reals.remove(at);
        self.trash.put(*key, old.uid, &gone);
        self.replace_reals(slot, &old, reals.into());
        Ok(gone.id)
    }

    /// Connection timeouts in force.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.snapshot.timeouts
    }

    /// Sets those connection timeouts that are not 0 (`--set`).
    ///
    /// # Errors
    /// A timeout over [`Jiffies::MAX_SECONDS`].
    pub fn set_timeouts(&mut self, wanted: Timeouts) -> Result<(), ConfigError> {
        if [wanted.tcp, wanted.tcp_fin, wanted.udp].into_iter().any(|seconds| seconds > Jiffies::MAX_SECONDS)
        {
            return Err(ConfigError::Range("the timeout"));
        }
        let mut next = self.draft();
        let now = &mut next.timeouts;
        for (field, value) in
            [(&mut now.tcp, wanted.tcp), (&mut now.tcp_fin, wanted.tcp_fin), (&mut now.udp, wanted.udp)]
        {
            if value != 0 {
                *field = value;
            }
        }
        self.snapshot = Arc::new(next);
        Ok(())
    }

    /// Sets the switches.
    pub fn set_switches(&mut self, switches: Switches) {
        let mut next = self.draft();
        next.switches = switches;
        self.snapshot = Arc::new(next);
    }

    /// Replaces ports, routes and neighbours.
    pub fn set_fib(&mut self, fib: Arc<Fib>) {
        let mut next = self.draft();
        next.fib = fib;
        self.snapshot = Arc::new(next);
    }

    /// Frees the slots of removed reals that have had no flow for two minutes; to be called about once a second.
    /// Returns the slots freed: their statistics belong to no real any more.
    pub fn collect_trash(&mut self, now: Jiffies) -> Vec<RealId> {
        let freed = self.trash.collect(now, &self.table);
        if freed.is_empty() {
            return Vec::new();
        }
        let mut next = self.draft();
        let owners = Arc::make_mut(&mut next.masq_reals);
        for (key, id) in &freed {
            if let Some(endpoint) = self.masq.remove(id) {
                release(owners, endpoint);
            }
            if let Some(endpoint) = service_endpoint(key)
                && !self.trash.has(key)
                && next.left_behind.has(endpoint)
            {
                Arc::make_mut(&mut next.left_behind).remove(endpoint);
            }
        }
        next.marked_left_behind = next.marked_left_behind && self.trash.has_marked();
        self.snapshot = Arc::new(next);
        let freed: Vec<_> = freed.into_iter().map(|(_, id)| id).collect();
        self.free_reals.extend(&freed);
        freed
    }

    /// Lets lblc and lblcr forget destinations that are not used; to be called about once a second.
    pub fn sweep_destinations(&self, now: Jiffies) {
        for service in self.services() {
            service.shared.sweep(service.scheduler, now, &self.snapshot.switches);
        }
    }

    fn entry(&self, key: &ServiceKey) -> Result<(u32, Arc<Service>), ConfigError> {
        let slot = *self.slots.get(key).ok_or(ConfigError::NoService)?;
        Ok((slot, Arc::clone(self.service(key)?)))
    }

    fn revise(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn set_thresholds(&self, id: RealId, config: &RealConfig) {
        if let Some(counts) = self.table.get(id) {
            counts.set_thresholds(config.upper, config.lower);
        }
    }

    fn draft(&self) -> Snapshot {
        let mut next = Snapshot::clone(&self.snapshot);
        next.version += 1;
        next
    }

    fn replace_reals(&mut self, slot: u32, old: &Service, reals: Arc<[Real]>) {
        let service = make(old.uid, old.config.clone(), old.scheduler, reals, Some(old));
        let next = self.draft();
        self.replace(next, slot, Some(service));
    }

    /// Puts `service` into its slot of the draft and makes the draft the snapshot.
    fn replace(&mut self, mut next: Snapshot, slot: u32, service: Option<Service>) {
        for (id, endpoint) in service.iter().flat_map(masq_endpoints) {
            // Flows made under NAT outlast an edit and a removal, so this stays until the real's slot is free.
            if self.masq.insert(id, endpoint).is_none() {
                *Arc::make_mut(&mut next.masq_reals).entry(endpoint).or_insert(0) += 1;
            }
        }
        if let Some(entry) = next.services.get_mut(slot as usize) {
            let before = std::mem::replace(entry, service.map(Arc::new));
            if [&before, entry].into_iter().flatten().any(|service| service.engine.is_some()) {
                next.callers = Arc::new(callers(&next.services));
            }
        }
        self.snapshot = Arc::new(next);
    }
}

/// A service as it follows on `before`.
fn make(
    uid: u64,
    config: ServiceConfig,
    scheduler: SchedulerKind,
    reals: Arc<[Real]>,
    before: Option<&Service>,
) -> Service {
    let shared = Shared::of(scheduler, &config.key, &reals, before);
    let engine = config.engine.as_deref().and_then(Engine::from_name);
    Service { uid, config, scheduler, engine, reals, shared }
}

fn release<S: std::hash::BuildHasher>(owners: &mut HashMap<Endpoint4, u32, S>, endpoint: Endpoint4) {
    if let Some(count) = owners.get_mut(&endpoint) {
        *count -= 1;
        if *count == 0 {
            owners.remove(&endpoint);
        }
    }
}

fn position(service: &Service, address: &IpAddr, port: u16) -> Option<usize> {
    service.reals.iter().position(|real| real.config.address == *address && real.config.port == port)
}
