//! What the lcores share of one service's scheduler: made by the control side, carried by the snapshot.
use std::sync::Arc;

use super::destinations::Destinations;
use super::mh;
use crate::config::{Real, SchedulerKind, Service, ServiceKey, Switches};
use crate::time::Jiffies;

/// Destinations that lblc and lblcr remember for a service that has many.
const DESTINATIONS: usize = 16_384;
/// Reals remembered for each of these by lblcr, on average.
const SET: usize = 4;

/// By kind of scheduler.
#[derive(Clone, Debug)]
pub(crate) enum Shared {
    /// All others: what they keep is the lcore's own.
    Nothing,
    /// mh.
    Maglev(Arc<mh::Table>),
    /// lblc, lblcr.
    Destinations(Arc<Destinations>),
}

impl Shared {
    /// For a service with these reals; what `before` has is kept where it still holds.
    pub(crate) fn of(
        kind: SchedulerKind,
        key: &ServiceKey,
        reals: &Arc<[Real]>,
        before: Option<&Service>,
    ) -> Self {
        let before = before.filter(|before| before.scheduler == kind);
        match (kind, before.map(|before| &before.shared)) {
            (SchedulerKind::Mh, Some(held)) if before.is_some_and(|it| Arc::ptr_eq(&it.reals, reals)) => {
                held.clone()
            }
            (SchedulerKind::Mh, _) => Self::Maglev(Arc::new(mh::Table::build(reals, is_ipv6(key)))),
            (SchedulerKind::Lblc | SchedulerKind::Lblcr, Some(Self::Destinations(held))) => {
                if kind == SchedulerKind::Lblcr {
                    // Reals that are gone stay in a set for a while.
                    held.make_room(2 * reals.len());
                }
                Self::Destinations(Arc::clone(held))
            }
            (SchedulerKind::Lblc, _) => {
                Self::Destinations(Arc::new(Destinations::new(destinations(key), 1, 0)))
            }
            (SchedulerKind::Lblcr, _) => {
                Self::Destinations(Arc::new(Destinations::new(destinations(key), SET, 2 * reals.len())))
            }
            _ => Self::Nothing,
        }
    }

    /// What the kernel does by a timer; to be called by the control side about once a second.
    pub(crate) fn sweep(&self, kind: SchedulerKind, now: Jiffies, switches: &Switches) {
        let Self::Destinations(destinations) = self else { return };
        let seconds = match kind {
            SchedulerKind::Lblcr => switches.lblcr_expiration,
            _ => switches.lblc_expiration,
        };
        destinations.sweep(now, Jiffies::ticks(seconds));
    }
}

/// How many destinations to remember: an address is one.
fn destinations(key: &ServiceKey) -> usize {
    match key {
        ServiceKey::Address { .. } => 1,
        ServiceKey::Fwmark { .. } => DESTINATIONS,
    }
}

fn is_ipv6(key: &ServiceKey) -> bool {
    match key {
        ServiceKey::Address { address, .. } => address.is_ipv6(),
        ServiceKey::Fwmark { ipv6, .. } => *ipv6,
    }
}
