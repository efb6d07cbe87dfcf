//! The `status` reply: lcores, ports, flow tables, twins.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sluice_api::{LcoreStatus, PortStatus, Status, TableStatus, TemplateStatus, TwinStatus};
use sluice_core::{Counter, DropReason, LcoreStats, Templates};
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
    last: Reading,
    busy: f64,
    cycles_per_packet: f64,
}

/// Counters of a worker at one time.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    cycles: u64,
    busy: u64,
    packets: u64,
}

impl WorkerView {
    /// A worker that has just started.
    #[must_use]
    pub fn new(cpu: u32, capacity: u64, stats: Arc<LcoreStats>, pulse: Arc<Pulse>) -> Self {
        Self { cpu, capacity, stats, pulse, last: Reading::default(), busy: 0.0, cycles_per_packet: 0.0 }
    }

    /// Ends a second over which the busy share and the cost of a packet are taken.
    pub(super) fn sample(&mut self) {
        let (now, last) = (self.reading(), self.last);
        let busy = now.busy.wrapping_sub(last.busy);
        self.busy = ratio(busy, now.cycles.wrapping_sub(last.cycles)).min(1.0);
        self.cycles_per_packet = ratio(busy, now.packets.wrapping_sub(last.packets));
        self.last = now;
    }

    fn reading(&self) -> Reading {
        Reading {
            cycles: self.pulse.cycles.get(),
            busy: self.pulse.busy.get(),
            packets: self.stats.packets.get(),
        }
    }

    fn status(&self) -> LcoreStatus {
        let Reading { cycles, busy, packets } = self.reading();
        LcoreStatus {
            id: self.cpu,
            packets,
            bursts: self.stats.bursts.get(),
            steered: self.stats.steered.get(),
            dropped: DropReason::ALL.iter().map(|reason| self.stats.dropped(*reason)).sum(),
            loops: self.pulse.loops.get(),
            cycles,
            busy_cycles: busy,
            busy: self.busy,
            cycles_per_packet: self.cycles_per_packet,
            burst_sizes: self.pulse.sizes.each_ref().map(Counter::get).into(),
            flows: self.stats.flows.get(),
        }
    }
}

/// For people to read; 0 where there is nothing to divide by.
#[expect(clippy::cast_precision_loss, reason = "counts of one second")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
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
pub(super) fn status(
    workers: &[WorkerView],
    templates: &Templates,
    ports: &[PortView],
    twins: &[TwinView],
) -> Status {
    Status {
        lcores: workers.iter().map(WorkerView::status).collect(),
        ports: ports.iter().map(|port| port()).collect(),
        table: TableStatus {
            capacity: workers.iter().map(|worker| worker.capacity).sum(),
            used: workers.iter().map(|worker| worker.stats.flows.get()).sum(),
            evicted_half_open: workers.iter().map(|worker| worker.stats.evicted_half_open.get()).sum(),
            evicted_closing: workers.iter().map(|worker| worker.stats.evicted_closing.get()).sum(),
            dropped_entries: workers.iter().map(|worker| worker.stats.dropped_entries.get()).sum(),
        },
        templates: TemplateStatus {
            capacity: templates.capacity() as u64,
            used: templates.used() as u64,
            evicted: workers.iter().map(|worker| worker.stats.evicted_templates.get()).sum(),
        },
        twins: twins.iter().map(|twin| twin()).collect(),
        ..Status::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerView {
        WorkerView::new(3, 64, Arc::new(LcoreStats::new(1)), Arc::default())
    }

    #[test]
    fn shares_are_of_the_last_second_and_counters_of_all_time() {
        let mut worker = worker();
        for (cycles, busy, packets) in [(1_000, 900, 100), (2_000, 500, 10)] {
            worker.pulse.cycles.add(cycles);
            worker.pulse.busy.add(busy);
            worker.stats.packets.add(packets);
            worker.sample();
        }
        let status = worker.status();
        assert_eq!((status.cycles, status.busy_cycles, status.packets), (3_000, 1_400, 110));
        assert_eq!((status.busy, status.cycles_per_packet), (0.25, 50.0));
        worker.sample();
        assert_eq!((worker.status().busy, worker.status().cycles_per_packet), (0.0, 0.0), "a silent second");
    }

    #[test]
    fn drops_of_all_reasons_are_summed_and_burst_sizes_keep_their_order() {
        let worker = worker();
        worker.stats.count_drops(DropReason::NoReal, 2);
        worker.stats.count_drops(DropReason::TxFull, 3);
        for (size, count) in worker.pulse.sizes.iter().zip(1..) {
            size.add(count);
        }
        let status = worker.status();
        assert_eq!(status.dropped, 5);
        assert_eq!(status.burst_sizes.counts(), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(status.burst_sizes.full, 7);
    }
}
