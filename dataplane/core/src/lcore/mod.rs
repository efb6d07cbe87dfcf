//! One lcore's share of the load balancer: its flows, its schedulers, and the snapshot it works by.
mod burst;
mod bypass;
mod call_out;
mod count;
mod defence;
mod established;
mod evict;
mod forward;
mod icmp;
mod load;
mod miss;
mod one_packet;
mod persistent;
mod random;
mod service;
mod tunnel;

use std::sync::Arc;

use count::Bonds;

use crate::config::Snapshot;
use crate::family::V4;
use crate::fib::Fib;
use crate::flow::{FlowId, FlowTable, FlowView, Seed, filled};
use crate::owner::Ownership;
use crate::persist::{End, Templates, Walk};
use crate::proto::StateTimeouts;
use crate::real::{RealId, RealTable};
use crate::stats::LcoreStats;
use crate::time::Jiffies;
use crate::transmit::{Idents, Tunnel};

/// What an lcore is made with.
#[derive(Clone, Copy, Debug)]
pub struct LcoreConfig {
    /// Its number among the lcores, from 0.
    pub id: u16,
    /// How many lcores there are.
    pub lcores: u16,
    /// Flows that its table has room for.
    pub flows: usize,
    /// Random words for the flow hash and for schedulers.
    pub seed: [u64; 2],
    /// The time now.
    pub now: Jiffies,
}

/// One lcore. Owned by its worker; nothing in it is shared but counters.
#[derive(Debug)]
pub struct Lcore {
    id: u16,
    lcores: u16,
    ownership: Ownership,
    flows: FlowTable<V4>,
    /// By slot of the service.
    services: Vec<load::ServiceState>,
    snapshot: Arc<Snapshot>,
    /// The snapshot's.
    fib: Arc<Fib>,
    timeouts: StateTimeouts,
    table: Arc<RealTable>,
    /// All lcores'.
    templates: Arc<Templates>,
    walk: Walk,
    stats: Arc<LcoreStats>,
    random: random::Random,
    /// By [`RealId`](crate::real::RealId): read beside the real's line of counters, which is as warm.
    tunnels: Box<[Tunnel]>,
    idents: Idents,
    /// The don't-fragment bit, where tunnels take it over from the packet inside (`pmtu_disc`); else 0.
    dont_fragment: u16,
    /// Where to look next for a flow to end when the table is full.
    rover: u32,
    /// What the defences keep.
    defence: defence::Defence,
    /// Where to go on looking for flows whose real is gone, while that is called for.
    sweep: Option<u32>,
    /// Out only while a burst is processed.
    stage: Option<Box<burst::Stage>>,
}

impl Lcore {
    /// An lcore without flows. All its memory is taken here; each large table is shown to `advise` (address, bytes)
    /// before its first touch, so that the caller can ask for huge pages.
    #[must_use]
    pub fn new(
        config: LcoreConfig,
        snapshot: Arc<Snapshot>,
        table: Arc<RealTable>,
        stats: Arc<LcoreStats>,
        advise: &dyn Fn(*mut u8, usize),
    ) -> Self {
        let mut lcore = Self {
            id: config.id,
            lcores: config.lcores.max(1),
            ownership: Ownership::mixed(config.lcores),
            flows: FlowTable::new(config.flows, Seed(config.seed), config.now, advise),
            services: Vec::new(),
            timeouts: StateTimeouts::new(&snapshot),
            snapshot: Arc::new(Snapshot::empty()),
            fib: Arc::default(),
            templates: Arc::new(Templates::new(0, config.seed, Arc::clone(&table))),
            walk: Walk::new(config.id, config.lcores, config.now),
            tunnels: filled(table.capacity(), Tunnel::NONE, advise),
            idents: Idents::new(config.id, config.lcores, config.seed[1]),
            dont_fragment: 0,
            table,
            stats,
            random: random::Random::new(config.seed, config.id),
            rover: 0,
            defence: defence::Defence::new(Walk::new(config.id, config.lcores, config.now)),
            sweep: None,
            stage: Some(Box::default()),
        };
        lcore.load(snapshot);
        lcore
    }

    /// With another rule than [`Ownership::mixed`]; all lcores have to be given the same, before the first packet.
    #[must_use]
    pub fn with_ownership(mut self, ownership: Ownership) -> Self {
        self.ownership = ownership;
        self
    }

    /// With room for persistence templates; all lcores have to be given the same table, before the first packet.
    #[must_use]
    pub fn with_templates(mut self, templates: Arc<Templates>) -> Self {
        self.templates = templates;
        self
    }

    /// The version of the snapshot it works by.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// Its counters.
    #[must_use]
    pub fn stats(&self) -> &Arc<LcoreStats> {
        &self.stats
    }

    /// Flows that the table has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.flows.capacity()
    }

    /// Ends the flows whose time has come; `budget` bounds the flows and empty wheel slots looked at, and the templates. With
    /// expire_nodest_conn, flows whose real was removed end here too, within a walk over the table; so do flows and
    /// templates that drop_entry chooses.
    pub fn expire(&mut self, now: Jiffies, budget: usize) {
        if let Some(from) = self.sweep {
            self.sweep = self.end_orphans(from, budget, now);
        }
        let mut left = budget;
        let Self { flows, services, table, stats, templates, .. } = self;
        let mut bonds = Bonds { stats, table, services, templates };
        flows.expire(now, &mut left, |flow| {
            stats.flows_expired.add(1);
            // Its time came then; that the wheel finds out now must not keep a template alive.
            bonds.unbind(flow, End::Expired, flow.expires);
        });
        if self.snapshot.switches.drop_entry {
            self.drop_entries(now, budget);
        }
        self.templates.expire(&mut self.walk, now, budget);
        self.stats.flows.set(self.flows.used() as u64);
    }

    /// Appends flows to `page` as long as it has room, looking at no more than `slots` slots from `from` on. Returns
    /// where to go on, or `None` at the end of the table.
    pub fn flows_page(&self, now: Jiffies, from: u32, slots: u32, page: &mut Vec<FlowView>) -> Option<u32> {
        let touched = self.flows.touched();
        let end = from.saturating_add(slots).min(touched);
        for (FlowId(slot), flow) in self.flows.scan(from..end) {
            if page.len() == page.capacity() {
                return Some(slot);
            }
            page.push(FlowView::of(flow, now));
        }
        (end < touched).then_some(end)
    }

    /// Ends the flows from slot `from` on whose real is not available; looks at `budget` slots and returns where to go
    /// on.
    fn end_orphans(&mut self, from: u32, budget: usize, now: Jiffies) -> Option<u32> {
        let end = from.saturating_add(u32::try_from(budget).unwrap_or(u32::MAX));
        for slot in from..end.min(u32::try_from(self.flows.capacity()).unwrap_or(u32::MAX)) {
            let real = self.flows.get(FlowId(slot)).and_then(|flow| self.stats.real(flow.real));
            if real.is_some_and(|real| !real.is_available()) {
                self.end(FlowId(slot), End::Forced, now);
            }
        }
        ((end as usize) < self.flows.capacity()).then_some(end)
    }

    /// Ends flows of `reals`, which are in order of their ids, from slot `from` on; looks at no more than `slots` slots and
    /// ends no more than `ends` flows. Returns how many have ended, and where to go on, or `None` at the end of the table.
    pub fn purge(
        &mut self,
        now: Jiffies,
        from: u32,
        (slots, ends): (u32, u32),
        reals: &[RealId],
    ) -> (u32, Option<u32>) {
        let touched = self.flows.touched();
        let end = from.saturating_add(slots).min(touched);
        let mut ended = 0;
        for slot in from..end {
            if ended == ends {
                return (ended, Some(slot));
            }
            let real = self.flows.get(FlowId(slot)).map(|flow| flow.real);
            if real.is_some_and(|real| reals.binary_search(&real).is_ok()) {
                self.end(FlowId(slot), End::Forced, now);
                ended += 1;
            }
        }
        (ended, (end < touched).then_some(end))
    }

    /// Ends one flow at once.
    fn end(&mut self, id: FlowId, how: End, now: Jiffies) {
        let Self { flows, services, table, stats, templates, .. } = self;
        let mut bonds = Bonds { stats, table, services, templates };
        flows.remove(id, |flow| bonds.unbind(flow, how, now));
    }
}
