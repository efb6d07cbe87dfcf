//! The page for Prometheus (OpenMetrics text): node_exporter's names for IPVS, and `sluice_*` for what IPVS has not.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use sluice_api::{
    BurstSizes, LcoreStatus, PortStatus, RealEntry, ServiceEntry, ServiceId, Stats, TwinStatus,
};

use crate::control::View;

/// What is shown of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Each service; its real servers are summed, as node_exporter does without the labels of the remote side.
    Services,
    /// Each real server too.
    Reals,
}

/// The page.
#[must_use]
pub fn metrics(view: View, detail: Detail) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page { view, detail }));
    let mut page = String::new();
    // A String takes whatever is written.
    let _ = text::encode(&mut page, &registry);
    page
}

#[derive(Debug)]
struct Page {
    view: View,
    detail: Detail,
}

type Labels = Vec<(&'static str, String)>;

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut out = Families(&mut encoder);
        self.totals(&mut out)?;
        self.backends(&mut out)?;
        self.services(&mut out)?;
        self.daemon(&mut out)?;
        self.lcores(&mut out)?;
        self.ports(&mut out)?;
        self.tables(&mut out)
    }
}

/// Writes families of metrics.
struct Families<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Families<'_, '_> {
    /// Counters; the name gets `_total`.
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l Labels, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, value)| {
            family.encode_family(labels)?.encode_counter::<NoLabelSet, u64, f64>(&value, None)
        })
    }

    fn gauges<'l, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l Labels, V)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| family.encode_family(labels)?.encode_gauge(&value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, f64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }
}

/// A number that is told of each `T`.
type Number<T> = fn(&T) -> u64;

/// The five counters of IPVS: the end of the name, and the number.
const COUNTERS: [(&str, Number<Stats>); 5] = [
    ("connections", |stats| stats.conns),
    ("incoming_packets", |stats| stats.in_packets),
    ("outgoing_packets", |stats| stats.out_packets),
    ("incoming_bytes", |stats| stats.in_bytes),
    ("outgoing_bytes", |stats| stats.out_bytes),
];

/// The sums that node_exporter shows of a backend.
const BACKEND: [(&str, &str, Number<RealEntry>); 3] = [
    ("node_ipvs_backend_connections_active", "Active connections now.", |real| u64::from(real.active)),
    ("node_ipvs_backend_connections_inactive", "Inactive connections now.", |real| u64::from(real.inactive)),
    ("node_ipvs_backend_weight", "Weight now.", |real| u64::from(real.spec.weight)),
];

impl Page {
    fn totals(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        for (name, of) in COUNTERS {
            let help = "All services together, as /proc/net/ip_vs_stats.";
            out.counter(&format!("node_ipvs_{name}"), help, of(&self.view.totals.stats))?;
        }
        Ok(())
    }

    fn backends(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        let services = &self.view.services;
        match self.detail {
            Detail::Services => {
                let labels: Vec<Labels> = services.iter().map(|service| local(&service.spec.id)).collect();
                for (name, help, of) in BACKEND {
                    let sum = |service: &ServiceEntry| service.reals.iter().map(of).sum::<u64>();
                    out.gauges(name, help, labels.iter().zip(services.iter().map(sum)))?;
                }
            }
            Detail::Reals => {
                let reals: Vec<(Labels, &RealEntry)> = services
                    .iter()
                    .flat_map(|service| service.reals.iter().map(|real| (of_real(service, real), real)))
                    .collect();
                for (name, help, of) in BACKEND {
                    out.gauges(name, help, reals.iter().map(|(labels, real)| (labels, of(real))))?;
                }
                for (name, of) in COUNTERS {
                    let samples = reals.iter().map(|(labels, real)| (labels, of(&real.stats)));
                    out.counters(&format!("sluice_real_{name}"), "Of a real server.", samples)?;
                }
            }
        }
        Ok(())
    }

    fn services(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        let services = &self.view.services;
        let labels: Vec<Labels> = services.iter().map(|service| local(&service.spec.id)).collect();
        for (name, of) in COUNTERS {
            let samples = labels.iter().zip(services.iter().map(|service| of(&service.stats)));
            out.counters(&format!("sluice_service_{name}"), "Of a service.", samples)?;
        }
        let weighted =
            |service: &ServiceEntry| service.reals.iter().filter(|real| real.spec.weight != 0).count() as u64;
        let help = "Real servers of a service whose weight is not 0.";
        out.gauges("sluice_service_real_servers", help, labels.iter().zip(services.iter().map(weighted)))
    }

    fn daemon(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        let View { version, status, drops, .. } = &self.view;
        let build = vec![("version", version.daemon.clone()), ("ipvs", version.ipvs.clone())];
        out.gauges("sluice_build_info", "What is running.", [(&build, 1_u64)])?;
        out.gauge("sluice_uptime_seconds", "Seconds since the daemon started.", status.uptime_s)?;
        out.gauge("sluice_services", "Services configured.", status.services)?;
        out.gauge("sluice_real_servers", "Real servers configured.", status.reals)?;
        let reasons: Vec<(Labels, u64)> =
            drops.iter().map(|(reason, count)| (vec![("reason", reason.clone())], *count)).collect();
        let samples = reasons.iter().map(|(labels, count)| (labels, *count));
        out.counters("sluice_dropped_packets", "Packets dropped, by reason.", samples)
    }

    fn lcores(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        const COLUMNS: [(&str, &str, Number<LcoreStatus>); 6] = [
            ("packets", "Packets taken from ports and other lcores.", |lcore| lcore.packets),
            ("steered_packets", "Packets handed to the lcore that owns their flow.", |lcore| lcore.steered),
            ("dropped_packets", "Packets dropped, for whatever reason.", |lcore| lcore.dropped),
            ("loops", "Rounds of the polling loop.", |lcore| lcore.loops),
            ("cycles", "TSC cycles.", |lcore| lcore.cycles),
            ("busy_cycles", "TSC cycles of the rounds that found packets.", |lcore| lcore.busy_cycles),
        ];
        let lcores = &self.view.status.lcores;
        let labels: Vec<Labels> = lcores.iter().map(|lcore| vec![("lcore", lcore.id.to_string())]).collect();
        for (name, help, of) in COLUMNS {
            out.counters(&format!("sluice_lcore_{name}"), help, labels.iter().zip(lcores.iter().map(of)))?;
        }
        let bursts: Vec<(Labels, u64)> = lcores
            .iter()
            .flat_map(|lcore| {
                let of_size = |(size, count): (&str, u64)| {
                    (vec![("lcore", lcore.id.to_string()), ("packets", size.to_owned())], count)
                };
                BurstSizes::NAMES.into_iter().zip(lcore.burst_sizes.counts()).map(of_size)
            })
            .collect();
        let samples = bursts.iter().map(|(labels, count)| (labels, *count));
        out.counters("sluice_lcore_bursts", "Bursts by how many packets they held.", samples)?;
        let flows = labels.iter().zip(lcores.iter().map(|lcore| lcore.flows));
        out.gauges("sluice_lcore_flows", "Flows of an lcore.", flows)?;
        let busy = labels.iter().zip(lcores.iter().map(|lcore| lcore.busy));
        out.gauges("sluice_lcore_busy_ratio", "Share of the last second at work.", busy)?;
        let cost = labels.iter().zip(lcores.iter().map(|lcore| lcore.cycles_per_packet));
        out.gauges("sluice_lcore_cycles_per_packet", "TSC cycles a packet took in the last second.", cost)
    }

    fn ports(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        const PORT: [(&str, &str, Number<PortStatus>); 8] = [
            ("receive_packets", "Packets received.", |port| port.rx_packets),
            ("receive_bytes", "Bytes received.", |port| port.rx_bytes),
            ("transmit_packets", "Packets sent.", |port| port.tx_packets),
            ("transmit_bytes", "Bytes sent.", |port| port.tx_bytes),
            ("receive_missed", "Packets the device dropped: the lcores are too slow.", |port| port.rx_missed),
            ("receive_errors", "Packets received in error.", |port| port.rx_errors),
            ("transmit_errors", "Packets that could not be sent.", |port| port.tx_errors),
            ("receive_no_buffer", "Packets the device had no buffer for.", |port| port.rx_no_mbuf),
        ];
        const TWIN: [(&str, &str, Number<TwinStatus>); 3] = [
            ("to_kernel_packets", "Packets handed to the kernel.", |twin| twin.to_kernel),
            ("from_kernel_packets", "Packets taken from the kernel.", |twin| twin.from_kernel),
            ("dropped_packets", "Packets the kernel had no room for.", |twin| twin.dropped),
        ];
        let (ports, twins) = (&self.view.status.ports, &self.view.status.twins);
        let labels: Vec<Labels> = ports.iter().map(|port| vec![("port", port.name.clone())]).collect();
        for (name, help, of) in PORT {
            out.counters(&format!("sluice_port_{name}"), help, labels.iter().zip(ports.iter().map(of)))?;
        }
        let up = labels.iter().zip(ports.iter().map(|port| u64::from(port.link_up)));
        out.gauges("sluice_port_up", "Whether the link is up.", up)?;
        let speed = labels.iter().zip(ports.iter().map(|port| u64::from(port.speed_mbps) * 1_000_000 / 8));
        out.gauges("sluice_port_speed_bytes", "Link speed in bytes a second; 0: unknown.", speed)?;
        let labels: Vec<Labels> = twins
            .iter()
            .map(|twin| vec![("interface", twin.interface.clone()), ("port", twin.port.clone())])
            .collect();
        for (name, help, of) in TWIN {
            out.counters(&format!("sluice_twin_{name}"), help, labels.iter().zip(twins.iter().map(of)))?;
        }
        let up = labels.iter().zip(twins.iter().map(|twin| u64::from(twin.up)));
        out.gauges("sluice_twin_up", "Whether the kernel twin is up.", up)
    }

    fn tables(&self, out: &mut Families<'_, '_>) -> Result<(), Error> {
        let (flows, templates) = (&self.view.status.table, &self.view.status.templates);
        out.gauge("sluice_flows", "Flows there are.", flows.used)?;
        out.gauge("sluice_flows_capacity", "Flows there is room for.", flows.capacity)?;
        let kinds = [
            ("half_open", flows.evicted_half_open),
            ("closing", flows.evicted_closing),
            ("drop_entry", flows.dropped_entries),
        ]
        .map(|(kind, count)| (vec![("kind", kind.to_owned())], count));
        let samples = kinds.iter().map(|(labels, count)| (labels, *count));
        out.counters("sluice_flows_evicted", "Flows ended to make room, and by drop_entry.", samples)?;
        out.gauge("sluice_templates", "Persistence templates there are.", templates.used)?;
        out.gauge("sluice_templates_capacity", "Templates there is room for.", templates.capacity)?;
        let help = "Templates of unanswered clients ended to make room.";
        out.counter("sluice_templates_evicted", help, templates.evicted)
    }
}

/// The labels of the local side, as node_exporter fills them from /proc/net/ip_vs.
fn local(id: &ServiceId) -> Labels {
    let (address, port, proto, mark) = match id {
        ServiceId::Address { protocol, address, port } => {
            (address.to_string(), *port, protocol.name().to_uppercase(), String::new())
        }
        ServiceId::Mark { fwmark, .. } => (String::new(), 0, "FWM".to_owned(), format!("{fwmark:08X}")),
    };
    vec![("local_address", address), ("local_port", port.to_string()), ("proto", proto), ("local_mark", mark)]
}

fn of_real(service: &ServiceEntry, real: &RealEntry) -> Labels {
    let mut labels = local(&service.spec.id);
    labels.push(("remote_address", real.spec.id.address.to_string()));
    labels.push(("remote_port", real.spec.id.port.to_string()));
    labels
}
