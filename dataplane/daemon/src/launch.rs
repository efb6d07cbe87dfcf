//! Putting ports, twins, rings and tables together into workers and the slow thread, and starting those.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam::channel;
use sluice_core::{Lcore, LcoreConfig, LcoreStats, Ownership, RealTable, Snapshot, Templates};
use sluice_dpdk::memory::advise_range;
use sluice_dpdk::{Burst, Eal, Job, RegisteredThread, RxQueue, StartedPort, TxQueue};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::control::{FlowLink, FlowServer, PortView, TwinView, WorkerView, flow_link, port_view, twin_view};
use crate::counters::SharedDrops;
use crate::mirror::{Resolved, Wanted};
use crate::ports::OpenPort;
use crate::publish::Subscriber;
use crate::slow::{Slow, TwinEnd};
use crate::start::StartError;
use crate::twin::OpenTwin;
use crate::worker::{Clock, Egress, Input, Outputs, Pulse, Rings, Worker, WorkerConfig, rings};

/// Neighbours that may be asked for, or answered, before the other side has looked.
const NEIGHBOUR_QUEUE: usize = 4096;

/// What a launch needs.
pub(crate) struct Launch<'a> {
    pub(crate) config: &'a Config,
    pub(crate) eal: &'a Eal,
    pub(crate) clock: Clock,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) table: &'a Arc<RealTable>,
    pub(crate) templates: &'a Arc<Templates>,
    pub(crate) mark_slots: usize,
    pub(crate) seed: [u64; 2],
    pub(crate) ownership: Ownership,
}

/// What a launch gives: the threads, and the control side's ends.
pub(crate) struct Running {
    pub(crate) threads: Threads,
    pub(crate) workers: Vec<WorkerView>,
    pub(crate) ports: Vec<PortView>,
    pub(crate) twins: Vec<TwinView>,
    pub(crate) flow_links: Vec<FlowLink>,
    pub(crate) slow_drops: Arc<SharedDrops>,
    pub(crate) wanted: mpsc::Receiver<Wanted>,
    pub(crate) resolved: channel::Sender<Resolved>,
}

/// The running threads. Dropping this stops them and waits for their end.
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    jobs: Vec<Job<()>>,
    slow: Option<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Jobs wait for their end when they are dropped.
        self.jobs.clear();
        if let Some(slow) = self.slow.take() {
            let _ = slow.join();
        }
    }
}

/// The queues of one port on their way to the workers.
struct Queues {
    mac: [u8; 6],
    rx: VecDeque<RxQueue>,
    tx: VecDeque<TxQueue>,
    tx_owners: u16,
}

/// A worker's ends of what ties it to the others.
struct WorkerEnds {
    stats: Arc<LcoreStats>,
    pulse: Arc<Pulse>,
    flows: FlowServer,
    subscriber: Subscriber,
    rings: Rings,
}

impl Launch<'_> {
    /// Starts a worker on each lcore, and the slow thread.
    ///
    /// # Errors
    /// Where a thread cannot be started; those already running are stopped.
    pub(crate) fn run(
        &self,
        ports: Vec<OpenPort>,
        twins: Vec<Option<OpenTwin>>,
        subscribers: Vec<Subscriber>,
    ) -> Result<Running, StartError> {
        let (worker_rings, slow_rings) = rings(subscribers.len());
        let slow_drops = Arc::new(SharedDrops::default());
        let (wanted_to, wanted) = mpsc::channel(NEIGHBOUR_QUEUE);
        let (resolved, resolved_at) = channel::bounded(NEIGHBOUR_QUEUE);
        let mut threads = Threads { stop: Arc::new(AtomicBool::new(false)), jobs: Vec::new(), slow: None };
        let (mut queues, port_handles): (Vec<_>, Vec<_>) = ports.into_iter().map(split).unzip();
        let (ends, twin_views) = twin_ends(&port_handles, twins);
        let has_twin: Vec<bool> = ends.iter().map(Option::is_some).collect();
        let slow = Slow {
            macs: queues.iter().map(|queues| queues.mac).collect(),
            twins: ends,
            rings: slow_rings,
            wanted: wanted_to,
            resolved: resolved_at,
            drops: Arc::clone(&slow_drops),
            stop: Arc::clone(&threads.stop),
        };
        let worker_parts = subscribers.into_iter().zip(worker_rings);
        let (workers, flow_links) = self.workers(worker_parts, &mut queues, &has_twin, &mut threads)?;
        threads.slow = Some(start_slow(self.eal, slow)?);
        let ports = port_handles.into_iter().map(|(config, port)| port_view(&config, port)).collect();
        Ok(Running { threads, workers, ports, twins: twin_views, flow_links, slow_drops, wanted, resolved })
    }

    /// Starts a worker for each subscriber.
    fn workers(
        &self,
        parts: impl Iterator<Item = (Subscriber, Rings)>,
        queues: &mut [Queues],
        has_twin: &[bool],
        threads: &mut Threads,
    ) -> Result<(Vec<WorkerView>, Vec<FlowLink>), StartError> {
        let (mut views, mut flow_links) = (Vec::new(), Vec::new());
        for (index, (subscriber, rings)) in parts.enumerate() {
            let (link, flows) = flow_link(sluice_dpdk::clock::tsc_hz());
            let stats = LcoreStats::new(self.config.tables.reals).with_marks(self.mark_slots);
            let stats = Arc::new(stats);
            let ends = WorkerEnds { stats, pulse: Arc::default(), flows, subscriber, rings };
            let (view, job) = self.worker(index, ends, queues, has_twin.to_vec(), &threads.stop)?;
            views.push(view);
            flow_links.push(link);
            threads.jobs.push(job);
        }
        Ok((views, flow_links))
    }

    /// Starts worker `index`.
    fn worker(
        &self,
        index: usize,
        ends: WorkerEnds,
        ports: &mut [Queues],
        twins: Vec<bool>,
        stop: &Arc<AtomicBool>,
    ) -> Result<(WorkerView, Job<()>), StartError> {
        let (inputs, egress) = take_queues(index, ports);
        let Rings { inbound, peers, slow } = ends.rings;
        let outputs =
            Outputs { egress, twins, peers, slow, stats: Arc::clone(&ends.stats), dead: Burst::new() };
        let lcore_config = self.lcore_config(index);
        let lcore = self
            .eal
            .workers()
            .into_iter()
            .nth(index)
            .ok_or_else(|| StartError::Other(format!("the EAL has no lcore for worker {index}")))?;
        let view = self.view(lcore.cpu(), &ends.stats, &ends.pulse);
        let config = WorkerConfig {
            inputs,
            inbound,
            outputs,
            subscriber: ends.subscriber,
            flows: ends.flows,
            pulse: ends.pulse,
            stop: Arc::clone(stop),
            idle: self.config.lcores.idle,
            clock: self.clock,
        };
        let (snapshot, table, stats) = (Arc::clone(&self.snapshot), Arc::clone(self.table), ends.stats);
        let (templates, ownership) = (Arc::clone(self.templates), self.ownership.clone());
        let job = lcore.launch(move || {
            // On its own lcore, so that the flow table lies in the memory of that CPU's node.
            let lcore = Lcore::new(lcore_config, snapshot, table, stats, &advise_huge_pages);
            Worker::new(lcore.with_templates(templates).with_ownership(ownership), config).run();
        })?;
        Ok((view, job))
    }

    fn lcore_config(&self, index: usize) -> LcoreConfig {
        let mut clock = self.clock;
        LcoreConfig {
            id: u16::try_from(index).unwrap_or(u16::MAX),
            lcores: u16::try_from(self.config.lcores.workers.len()).unwrap_or(u16::MAX),
            flows: self.config.tables.flows,
            seed: self.seed,
            now: clock.now(),
        }
    }

    fn view(&self, cpu: usize, stats: &Arc<LcoreStats>, pulse: &Arc<Pulse>) -> WorkerView {
        let capacity = u64::try_from(self.config.tables.flows).unwrap_or(u64::MAX);
        let cpu = u32::try_from(cpu).unwrap_or(u32::MAX);
        WorkerView::new(cpu, capacity, Arc::clone(stats), Arc::clone(pulse))
    }
}

type PortHandle = (crate::config::Port, StartedPort);

fn split(port: OpenPort) -> (Queues, PortHandle) {
    let tx_owners = u16::try_from(port.tx.len()).unwrap_or(u16::MAX);
    let queues = Queues { mac: port.mac, rx: port.rx.into(), tx: port.tx.into(), tx_owners };
    (queues, (port.config, port.port))
}

/// Worker `index` gets the next queue of each port. Where a port has too few to send by, it sends through one of those
/// workers that have one.
fn take_queues(index: usize, ports: &mut [Queues]) -> (Vec<Input>, Vec<Egress>) {
    let mut inputs = Vec::new();
    let mut egress = Vec::new();
    for (port, queues) in (0u16..).zip(ports) {
        inputs.push(Input { port, mac: queues.mac, queue: queues.rx.pop_front() });
        egress.push(match queues.tx.pop_front() {
            Some(queue) => Egress::Queue(queue, Burst::new()),
            None => {
                let index = u16::try_from(index).unwrap_or(u16::MAX);
                Egress::Via(index % queues.tx_owners.max(1))
            }
        });
    }
    (inputs, egress)
}

/// The slow thread's and the control side's ends of the twins.
fn twin_ends(ports: &[PortHandle], twins: Vec<Option<OpenTwin>>) -> (Vec<Option<TwinEnd>>, Vec<TwinView>) {
    let mut views = Vec::new();
    let mut ends = Vec::new();
    for ((config, _), twin) in ports.iter().zip(twins) {
        ends.push(twin.map(|twin| {
            views.push(twin_view(twin.name, config.name.clone(), twin.port, Arc::clone(&twin.end.counters)));
            twin.end
        }));
    }
    (ends, views)
}

/// Without huge pages all works, with more TLB misses: worth a word, not a refusal.
fn advise_huge_pages(start: *mut u8, bytes: usize) {
    if let Err(error) = advise_range(start, bytes) {
        tracing::warn!(%error, "the flow table lies on small pages");
    }
}

fn start_slow(eal: &Eal, slow: Slow) -> Result<JoinHandle<()>, StartError> {
    let eal = eal.clone();
    let work = move || {
        // Only for a mempool cache of its own: the thread works without, more slowly.
        let registered = RegisteredThread::register(&eal);
        if let Err(error) = &registered {
            tracing::warn!(%error, "the slow thread has no mempool cache");
        }
        slow.run();
    };
    let spawned = std::thread::Builder::new().name("sluice-slow".to_owned()).spawn(work);
    spawned.map_err(|error| StartError::Other(format!("cannot start the slow thread: {error}")))
}
