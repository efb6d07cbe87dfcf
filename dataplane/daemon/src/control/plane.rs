//! What the verbs work on: the director, the accounts, the way to the lcores. Lives on the control thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_api::{ErrorCode, RpcError};
use sluice_core::{Director, Fib, Jiffies, RealTable, ServiceKey, Snapshot, Templates};
use tokio::sync::{Mutex, Notify, watch};

use super::status::{PortView, TwinView, WorkerView};
use super::visit::FlowLink;
use crate::counters::{Accounts, MarkAccounts, SharedDrops};
use crate::publish::Publisher;
use crate::switches::Settings;
use crate::vip_rules::VipRules;
use crate::worker::Pulse;

/// How long a change may take to be applied on all lcores.
const APPLY_PATIENCE: Duration = Duration::from_secs(5);
/// Turns of the runtime before the wait for the lcores sleeps: a polling lcore answers within microseconds.
const APPLY_TURNS: usize = 64;

/// The parts a control plane is made of.
pub struct PlaneConfig {
    /// Services and reals.
    pub director: Director,
    /// The values of the switches, in force in `director` already.
    pub settings: Settings,
    /// Live connection counts.
    pub reals: Arc<RealTable>,
    /// The persistence templates of all lcores.
    pub templates: Arc<Templates>,
    /// The lcores' time.
    pub time: Time,
    /// The way to the lcores.
    pub publisher: Publisher,
    /// The workers, by lcore index.
    pub workers: Vec<WorkerView>,
    /// The ports, in the order of the configuration.
    pub ports: Vec<PortView>,
    /// The ports' names, in the same order.
    pub port_names: Vec<String>,
    /// The twins.
    pub twins: Vec<TwinView>,
    /// The twins' names.
    pub twin_names: Vec<String>,
    /// Drops counted off the lcores.
    pub slow_drops: Arc<SharedDrops>,
}

/// Tells the time as the lcores count it.
pub type Time = Box<dyn Fn() -> Jiffies>;

/// How far changes have been written to the state file.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The changes up to this one have been tried.
    pub changes: u64,
    /// Why they could not be written.
    pub trouble: Option<String>,
}

/// The configuration and all that hangs on it.
pub struct ControlPlane {
    pub(super) director: Director,
    pub(super) settings: Settings,
    pub(super) reals: Arc<RealTable>,
    pub(super) templates: Arc<Templates>,
    pub(super) time: Time,
    pub(super) accounts: Accounts,
    pub(super) mark_accounts: MarkAccounts,
    pub(super) workers: Vec<WorkerView>,
    pub(super) ports: Vec<PortView>,
    pub(super) port_names: Vec<String>,
    pub(super) twins: Vec<TwinView>,
    pub(super) twin_names: Vec<String>,
    pub(super) slow_drops: Arc<SharedDrops>,
    pub(super) started: Instant,
    publisher: Publisher,
    vip_rules: VipRules,
}

impl ControlPlane {
    /// No service yet, unless `config.director` has some: their accounts start here.
    #[must_use]
    pub fn new(config: PlaneConfig) -> Self {
        let lcores = config.workers.iter().map(|worker| Arc::clone(&worker.stats)).collect();
        Self {
            director: config.director,
            settings: config.settings,
            reals: config.reals,
            templates: config.templates,
            time: config.time,
            accounts: Accounts::new(lcores),
            mark_accounts: MarkAccounts::default(),
            workers: config.workers,
            ports: config.ports,
            port_names: config.port_names,
            twins: config.twins,
            twin_names: config.twin_names,
            slow_drops: config.slow_drops,
            started: Instant::now(),
            publisher: config.publisher,
            vip_rules: VipRules::default(),
        }
    }

    /// Takes charge of the ports' rules for virtual addresses.
    pub(crate) fn steer_by(&mut self, rules: VipRules) {
        self.vip_rules = rules;
    }

    /// Shows the configuration as it stands to the lcores; its version.
    pub fn publish(&mut self) -> u64 {
        let snapshot = self.director.snapshot();
        let version = snapshot.version;
        if version != self.publisher.version() {
            self.publisher.publish(snapshot);
        }
        version
    }

    /// Takes over a new FIB and shows it to the lcores.
    pub fn set_fib(&mut self, fib: &Fib) {
        self.director.set_fib(Arc::new(fib.clone()));
        self.publish();
    }

    /// The configuration as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.director.snapshot()
    }

    /// The director.
    #[must_use]
    pub fn director(&self) -> &Director {
        &self.director
    }

    /// The addresses of all reals, for their next hops to be kept resolved.
    #[must_use]
    pub fn real_addresses(&self) -> Vec<Ipv4Addr> {
        let reals = self.director.services().flat_map(|service| service.reals.iter());
        reals
            .filter_map(|real| match real.config.address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .collect()
    }

    /// Each worker's CPU and sign of life.
    #[must_use]
    pub fn pulses(&self) -> Vec<(u32, Arc<Pulse>)> {
        self.workers.iter().map(|worker| (worker.cpu, Arc::clone(&worker.pulse))).collect()
    }

    /// Work of every second: shares, trash, destinations to forget, snapshots to free, defences.
    pub fn every_second(&mut self, now: Jiffies) {
        self.publisher.reap();
        for worker in &mut self.workers {
            worker.sample();
        }
        let freed = self.director.collect_trash(now);
        self.accounts.forget_reals(&freed);
        if self.follow_settings() {
            self.publish();
        }
        self.director.sweep_destinations(now);
        // Not with each change: the rules save work, nothing depends on them.
        if !self.vip_rules.is_empty() {
            let vips = self.virtual_addresses();
            self.vip_rules.follow(&vips);
        }
    }

    fn virtual_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let keys = self.director.services().map(|service| service.config.key);
        keys.filter_map(|key| match key {
            ServiceKey::Address { address: IpAddr::V4(address), .. } => Some(address),
            _ => None,
        })
        .collect()
    }

    /// Ends a window of the rate estimators.
    pub fn tick_estimators(&mut self) {
        self.accounts.tick(self.director.services());
    }
}

/// The control plane as its tasks share it, all on one thread; never borrowed across an await.
pub struct Shared {
    /// The plane.
    pub plane: RefCell<ControlPlane>,
    /// Told when services, reals, mark rules or timeouts have changed.
    pub changed: Notify,
    /// How many changes there were.
    changes: Cell<u64>,
    /// How far they are kept; `None` while nothing keeps them.
    kept: watch::Sender<Option<Kept>>,
    pub(super) flow_links: Vec<Mutex<FlowLink>>,
}

impl Shared {
    /// Shares a plane; `flow_links` by lcore index.
    #[must_use]
    pub fn new(plane: ControlPlane, flow_links: Vec<FlowLink>) -> Rc<Self> {
        let flow_links = flow_links.into_iter().map(Mutex::new).collect();
        Rc::new(Self {
            plane: RefCell::new(plane),
            changed: Notify::new(),
            changes: Cell::new(0),
            kept: watch::Sender::new(None),
            flow_links,
        })
    }

    /// Services, reals, mark rules or timeouts have changed.
    pub(super) fn note_change(&self) {
        self.changes.set(self.changes.get() + 1);
        self.changed.notify_one();
    }

    /// How many changes there were.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// From now on replies wait until their changes are kept: those up to `kept.changes` are.
    pub fn keep(&self, kept: Kept) {
        self.kept.send_replace(Some(kept));
    }

    /// Waits until the changes so far are kept, where they are to be; what went wrong, if they cannot be.
    pub(super) async fn kept(&self) -> Option<String> {
        let changes = self.changes.get();
        let mut kept = self.kept.subscribe();
        let done = |kept: &Option<Kept>| kept.as_ref().is_none_or(|kept| kept.changes >= changes);
        // The sender is this object's own: it cannot be gone.
        kept.wait_for(done).await.ok()?.as_ref()?.trouble.clone()
    }

    /// Publishes what has changed and waits until every lcore works with it.
    ///
    /// # Errors
    /// An lcore that does not take it over in time; the change stands all the same.
    pub async fn applied(&self) -> Result<(), RpcError> {
        let version = self.plane.borrow_mut().publish();
        let done = || self.plane.borrow().publisher.acknowledged() >= version;
        for _ in 0..APPLY_TURNS {
            if done() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        let deadline = Instant::now() + APPLY_PATIENCE;
        while !done() {
            if Instant::now() > deadline {
                let message = "accepted, but an lcore has not taken it over: see the daemon's log";
                return Err(RpcError::new(ErrorCode::Internal, message));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
