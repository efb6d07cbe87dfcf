//! Reals that were removed while flows or templates may still be bound to them, until the last is gone (reference 1.1).
use std::collections::HashMap;
use std::net::IpAddr;

use crate::config::service::{Real, RealConfig, ServiceKey};
use crate::real::{RealCounts, RealId, RealTable};
use crate::time::Jiffies;

/// How long a removed real must have been without flows before its slot is free: the kernel's two minutes.
const IDLE: u32 = Jiffies::ticks(120);

/// A real that was removed.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) service_uid: u64,
    pub(super) id: RealId,
    idle_since: Option<Jiffies>,
}

/// The removed reals by service, address and port, and how many each service has.
#[derive(Debug, Default)]
pub(super) struct Trash {
    removed: HashMap<(ServiceKey, IpAddr, u16), Removed>,
    of_service: HashMap<ServiceKey, usize>,
}

impl Trash {
    pub(super) fn put(&mut self, key: ServiceKey, service_uid: u64, real: &Real) {
        let place = (key, real.config.address, real.config.port);
        self.removed.insert(place, Removed { service_uid, id: real.id, idle_since: None });
        *self.of_service.entry(key).or_insert(0) += 1;
    }

    /// Takes back the real of that service, address and port.
    pub(super) fn take(&mut self, key: ServiceKey, config: &RealConfig) -> Option<Removed> {
        let removed = self.removed.remove(&(key, config.address, config.port))?;
        forget(&mut self.of_service, key);
        Some(removed)
    }

    /// Whether reals that were removed from that service are still here.
    pub(super) fn has(&self, key: &ServiceKey) -> bool {
        self.of_service.contains_key(key)
    }

    /// The reals that were removed from that service: address and port, and slot.
    pub(super) fn of(&self, key: &ServiceKey) -> impl Iterator<Item = ((IpAddr, u16), RealId)> {
        let removed = self.removed.iter().filter(move |((of, ..), _)| of == key);
        removed.map(|(&(_, address, port), removed)| ((address, port), removed.id))
    }

    /// Whether reals that were removed from a fwmark service are still here.
    pub(super) fn has_marked(&self) -> bool {
        self.of_service.keys().any(|key| matches!(key, ServiceKey::Fwmark { .. }))
    }

    /// Removes the reals that have been idle long enough and returns their services and slots.
    pub(super) fn collect(&mut self, now: Jiffies, table: &RealTable) -> Vec<(ServiceKey, RealId)> {
        let mut freed = Vec::new();
        self.removed.retain(|(key, ..), removed| {
            if table.get(removed.id).is_some_and(RealCounts::in_use) {
                removed.idle_since = None;
                return true;
            }
            let since = *removed.idle_since.get_or_insert(now);
            let keep = !since.after(IDLE).is_due(now);
            if !keep {
                freed.push((*key, removed.id));
            }
            keep
        });
        for (key, _) in &freed {
            forget(&mut self.of_service, *key);
        }
        freed
    }
}

fn forget(counts: &mut HashMap<ServiceKey, usize>, key: ServiceKey) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
