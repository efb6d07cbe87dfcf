//! Reals that were removed while flows may still be bound to them, until the last flow is gone (reference 1.1).
use crate::config::service::{Real, RealConfig, ServiceKey};
use crate::real::{RealId, RealTable};
use crate::time::Jiffies;

/// How long a removed real must have been without flows before its slot is free: the kernel's two minutes.
const IDLE: u32 = Jiffies::ticks(120);

/// A real that was removed.
#[derive(Debug)]
pub(super) struct Removed {
    key: ServiceKey,
    pub(super) service_uid: u64,
    pub(super) id: RealId,
    config: RealConfig,
    idle_since: Option<Jiffies>,
}

/// The removed reals, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trash {
    removed: Vec<Removed>,
}

impl Trash {
    pub(super) fn put(&mut self, key: ServiceKey, service_uid: u64, real: &Real) {
        self.removed.push(Removed {
            key,
            service_uid,
            id: real.id,
            config: real.config.clone(),
            idle_since: None,
        });
    }

    /// Takes back the real of that service, address and port.
    pub(super) fn take(&mut self, key: ServiceKey, config: &RealConfig) -> Option<Removed> {
        let same = |removed: &Removed| {
            removed.key == key
                && removed.config.address == config.address
                && removed.config.port == config.port
        };
        let at = self.removed.iter().position(same)?;
        Some(self.removed.remove(at))
    }

    /// Removes and returns the slots that have been idle long enough.
    pub(super) fn collect(&mut self, now: Jiffies, table: &RealTable) -> Vec<RealId> {
        let mut freed = Vec::new();
        self.removed.retain_mut(|removed| {
            if table.get(removed.id).is_some_and(|counts| counts.total() > 0) {
                removed.idle_since = None;
                return true;
            }
            let since = *removed.idle_since.get_or_insert(now);
            let keep = !since.after(IDLE).is_due(now);
            if !keep {
                freed.push(removed.id);
            }
            keep
        });
        freed
    }
}
