//! The `status` reply: lcores, ports, flow tables, twins.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sluice_api::{LcoreStatus, PortStatus, Status, TableStatus, TwinStatus};
use sluice_core::LcoreStats;
use sluice_dpdk::StartedPort;

use crate::config::{MacAddress, Port};
use crate::slow::TwinCounters;
use crate::worker::Pulse;

/// Reads a port's status off the device.
pub type PortView = Box<dyn Fn() -> PortStatus>;

/// Reads a twin's status.
pub type TwinView = Box<dyn Fn() -> TwinStatus>;

/// A worker as the control thread sees it.
#[derive(Debug)]
pub struct WorkerView {
    /// The CPU it runs on.
    pub cpu: u32,
    /// Flows there is room for.
    pub capacity: u64,
    /// Its packet counters.
    pub stats: Arc<LcoreStats>,
    /// Its sign of life.
    pub pulse: Arc<Pulse>,
    last: (u64, u64),
    share: f64,
}

impl WorkerView {
    /// A worker that has just started.
    #[must_use]
    pub fn new(cpu: u32, capacity: u64, stats: Arc<LcoreStats>, pulse: Arc<Pulse>) -> Self {
        Self { cpu, capacity, stats, pulse, last: (0, 0), share: 0.0 }
    }

    /// Ends a second over which the busy share is taken.
    pub(super) fn sample(&mut self) {
        let now = (self.pulse.busy.get(), self.pulse.cycles.get());
        let (busy, cycles) = (now.0.wrapping_sub(self.last.0), now.1.wrapping_sub(self.last.1));
        #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
        let share = if cycles == 0 { 0.0 } else { busy as f64 / cycles as f64 };
        self.share = share.min(1.0);
        self.last = now;
    }

    fn status(&self) -> LcoreStatus {
        LcoreStatus {
            id: self.cpu,
            packets: self.stats.packets.get(),
            bursts: self.stats.bursts.get(),
            steered: self.stats.steered.get(),
            busy: self.share,
            flows: self.stats.flows.get(),
        }
    }
}

/// How control reads a port.
pub(crate) fn port_view(config: &Port, port: StartedPort) -> PortView {
    let (name, device) =
        (config.name.clone(), config.device.split(',').next().unwrap_or_default().to_owned());
    Box::new(move || {
        // A driver that does not tell leaves zeros; the port is listed all the same.
        let (stats, link) = (port.stats().unwrap_or_default(), port.link().ok());
        PortStatus {
            name: name.clone(),
            device: device.clone(),
            mac: port.mac().map(|mac| MacAddress(mac).to_string()).unwrap_or_default(),
            link_up: link.is_some_and(|link| link.up),
            speed_mbps: link.and_then(|link| link.mbps).unwrap_or(0),
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            tx_errors: stats.oerrors,
            rx_no_mbuf: stats.rx_nombuf,
        }
    })
}

/// How control reads a twin.
pub(crate) fn twin_view(
    interface: String,
    port: String,
    device: StartedPort,
    counters: Arc<TwinCounters>,
) -> TwinView {
    Box::new(move || TwinStatus {
        interface: interface.clone(),
        port: port.clone(),
        up: device.link().is_ok_and(|link| link.up),
        to_kernel: counters.to_kernel.load(Relaxed),
        from_kernel: counters.from_kernel.load(Relaxed),
        dropped: counters.dropped.load(Relaxed),
    })
}

/// What the devices and lcores say; the counts of configuration are left to the caller.
pub(super) fn status(workers: &[WorkerView], ports: &[PortView], twins: &[TwinView]) -> Status {
    Status {
        lcores: workers.iter().map(WorkerView::status).collect(),
        ports: ports.iter().map(|port| port()).collect(),
        table: TableStatus {
            capacity: workers.iter().map(|worker| worker.capacity).sum(),
            used: workers.iter().map(|worker| worker.stats.flows.get()).sum(),
        },
        twins: twins.iter().map(|twin| twin()).collect(),
        ..Status::default()
    }
}
