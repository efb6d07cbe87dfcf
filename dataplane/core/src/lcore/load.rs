//! Taking over a new snapshot: scheduler states and the reals' lines follow, by stable ids.
use std::sync::Arc;

use sluice_packet::header::Ipv4;

use super::Lcore;
use crate::config::{Real, Service, Snapshot};
use crate::proto::StateTimeouts;
use crate::sched::{Reals, Scheduler, Share};
use crate::stats::{LcoreStats, line};
use crate::transmit::Tunnel;

/// What an lcore keeps for one service.
#[derive(Debug, Default)]
pub(super) struct ServiceState {
    /// The service's uid; 0 where the slot is empty.
    uid: u64,
    pub(super) scheduler: Option<Scheduler>,
}

impl Lcore {
    /// Works by `next` from now on and returns the snapshot it had, for the caller to free elsewhere. Takes time in
    /// proportion to the services that changed (and a pointer's comparison for each that did not).
    pub fn load(&mut self, next: Arc<Snapshot>) -> Arc<Snapshot> {
        let old = std::mem::replace(&mut self.snapshot, Arc::clone(&next));
        self.fib = Arc::clone(&next.fib);
        self.timeouts = StateTimeouts::new(&next);
        self.dont_fragment = if next.switches.pmtu_disc { Ipv4::DONT_FRAGMENT } else { 0 };
        self.defence.follow(&old.switches, &next.switches);
        if self.services.len() < next.services.len() {
            self.services.resize_with(next.services.len(), ServiceState::default);
        }
        // Reals that left come first: one may have gone from one service to another.
        for pass in [leave as fn(&LcoreStats, &[Real], &[Real]), join] {
            for (slot, service) in next.services.iter().enumerate() {
                let before = old.services.get(slot).and_then(Option::as_ref);
                if !same(before, service.as_ref()) {
                    pass(&self.stats, reals(before), reals(service.as_ref()));
                }
            }
        }
        if next.switches.expire_nodest_conn {
            self.sweep = Some(0);
        }
        let share = Share { lcore: self.id, lcores: self.lcores };
        for ((slot, service), state) in (0..).zip(&next.services).zip(&mut self.services) {
            let before = old.services.get(slot as usize).and_then(Option::as_ref);
            if !same(before, service.as_ref()) {
                state.follow(before.map(Arc::as_ref), service.as_deref(), share);
                forget_tunnels(&mut self.tunnels, reals(service.as_ref()));
                if let (Some(scheduler), Some(service)) = (&mut state.scheduler, service) {
                    scheduler.count_all(Reals {
                        list: &service.reals,
                        table: &self.table,
                        shared: &service.shared,
                    });
                    place(&self.stats, slot, &service.reals, scheduler.keeps_loads());
                }
            }
        }
        old
    }
}

impl ServiceState {
    fn follow(&mut self, old: Option<&Service>, new: Option<&Service>, share: Share) {
        let Some(new) = new else {
            *self = Self::default();
            return;
        };
        match (&mut self.scheduler, old) {
            (Some(scheduler), Some(old)) if self.uid == new.uid && scheduler.is(new.scheduler) => {
                scheduler.update(&old.reals, &new.reals);
            }
            (Some(scheduler), Some(_)) if self.uid == new.uid => {
                *scheduler = Scheduler::bind(new.scheduler, &new.reals, share);
            }
            (held, _) => {
                // The reals were added one by one since.
                let scheduler = held.insert(Scheduler::bind(new.scheduler, &[], share));
                scheduler.update(&[], &new.reals);
            }
        }
        self.uid = new.uid;
    }
}

fn same(a: Option<&Arc<Service>>, b: Option<&Arc<Service>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn reals(service: Option<&Arc<Service>>) -> &[Real] {
    service.map_or(&[], |service| &service.reals)
}

fn leave(stats: &LcoreStats, old: &[Real], new: &[Real]) {
    for real in old {
        if let Some(line) = stats.real(real.id)
            && !new.iter().any(|other| other.id == real.id)
        {
            line.set_flags(0);
            line.set_place(None);
        }
    }
}

fn join(stats: &LcoreStats, _old: &[Real], new: &[Real]) {
    for real in new {
        if let Some(line) = stats.real(real.id) {
            if !line.is_available() {
                line.forget_hop();
            }
            let weighted = if real.config.weight > 0 { line::WEIGHTED } else { 0 };
            line.set_flags(line::AVAILABLE | weighted);
        }
    }
}

/// A real may have been edited, or have come into another's slot.
fn forget_tunnels(tunnels: &mut [Tunnel], reals: &[Real]) {
    for real in reals {
        if let Some(tunnel) = tunnels.get_mut(real.id.0 as usize) {
            tunnel.forget();
        }
    }
}

/// Notes where the reals of service `slot` are found, and whether its scheduler keeps their loads.
fn place(stats: &LcoreStats, slot: u32, reals: &[Real], keeps_loads: bool) {
    let loaded = if keeps_loads { line::LOADED } else { 0 };
    for (at, real) in (0..).zip(reals) {
        if let Some(line) = stats.real(real.id) {
            line.set_place(Some((slot, at)));
            line.set_flags(line.flags() | loaded);
        }
    }
}
