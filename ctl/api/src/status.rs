//! How the dataplane fares: lcores, ports, tables, kernel twins.

use serde::{Deserialize, Serialize};

/// The reply to `status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// Virtual services configured.
    pub services: u64,
    /// Real servers configured, each as often as services have it.
    pub reals: u64,
    /// The polling lcores.
    pub lcores: Vec<LcoreStatus>,
    /// The ports, in port order.
    pub ports: Vec<PortStatus>,
    /// The flow tables of all lcores together.
    pub table: TableStatus,
    /// The table of persistence templates.
    #[serde(default)]
    pub templates: TemplateStatus,
    /// The kernel's side of the ports.
    pub twins: Vec<TwinStatus>,
}

/// One lcore. Counters run from the daemon's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LcoreStatus {
    /// The CPU it is pinned to.
    pub id: u32,
    /// Packets taken from ports and rings.
    pub packets: u64,
    /// Polls that found packets.
    pub bursts: u64,
    /// Packets given to the lcore that owns their flow.
    pub steered: u64,
    /// Packets dropped here, for whatever reason; `drops` tells the reasons.
    pub dropped: u64,
    /// Rounds of the polling loop.
    pub loops: u64,
    /// TSC cycles of all loops.
    pub cycles: u64,
    /// TSC cycles of the loops that found packets.
    pub busy_cycles: u64,
    /// The share of the last second spent on packets rather than on empty polls, 0.0..=1.0.
    pub busy: f64,
    /// TSC cycles a packet took in the last second, everything counted; 0.0 = no packet came.
    pub cycles_per_packet: f64,
    /// Bursts by size; together as many as `bursts`.
    pub burst_sizes: BurstSizes,
    /// Flows it owns.
    pub flows: u64,
}

/// How many bursts held how many packets. Mostly small ones: the lcore has time to spare. Mostly full ones: packets
/// wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstSizes {
    /// One packet.
    #[serde(rename = "1")]
    pub one: u64,
    /// Two.
    #[serde(rename = "2")]
    pub two: u64,
    /// Three or four.
    #[serde(rename = "3-4")]
    pub to_4: u64,
    /// 5 to 8.
    #[serde(rename = "5-8")]
    pub to_8: u64,
    /// 9 to 16.
    #[serde(rename = "9-16")]
    pub to_16: u64,
    /// 17 to 31.
    #[serde(rename = "17-31")]
    pub to_31: u64,
    /// 32: full, there may have been more.
    #[serde(rename = "32")]
    pub full: u64,
}

impl BurstSizes {
    /// The names of the classes, smallest first.
    pub const NAMES: [&'static str; 7] = ["1", "2", "3-4", "5-8", "9-16", "17-31", "32"];

    /// The counts in the order of [`NAMES`](Self::NAMES).
    pub const fn counts(self) -> [u64; 7] {
        [self.one, self.two, self.to_4, self.to_8, self.to_16, self.to_31, self.full]
    }
}

impl From<[u64; 7]> for BurstSizes {
    fn from([one, two, to_4, to_8, to_16, to_31, full]: [u64; 7]) -> Self {
        Self { one, two, to_4, to_8, to_16, to_31, full }
    }
}

/// One port. Counters run from the daemon's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its device: a PCI address or a virtual device's name.
    pub device: String,
    /// Its MAC address, `02:00:00:00:00:01`.
    pub mac: String,
    /// Whether the link is up.
    pub link_up: bool,
    /// Link speed in Mbit/s; 0 = unknown.
    pub speed_mbps: u32,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets the device dropped because its queues were full: the lcores are too slow.
    pub rx_missed: u64,
    /// Packets received in error.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets the device had no buffer for: the mempool is too small.
    pub rx_no_mbuf: u64,
}

/// Occupancy of the flow tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// Flows there is room for.
    pub capacity: u64,
    /// Flows there are.
    pub used: u64,
    /// Half-open flows, and UDP flows of one packet, that made room in a full table.
    pub evicted_half_open: u64,
    /// Closing flows that made room in a full table.
    pub evicted_closing: u64,
    /// Flows and templates that the `drop_entry` defence has ended.
    #[serde(default)]
    pub dropped_entries: u64,
}

/// Occupancy of the table of persistence templates, which all lcores share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateStatus {
    /// Templates there is room for.
    pub capacity: u64,
    /// Templates there are.
    pub used: u64,
    /// Templates of clients that were never answered that made room in a full table.
    pub evicted: u64,
}

/// The kernel interface that stands for a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinStatus {
    /// The interface's name.
    pub interface: String,
    /// The port's name.
    pub port: String,
    /// Whether the interface is up.
    pub up: bool,
    /// Packets handed to the kernel.
    pub to_kernel: u64,
    /// Packets taken from the kernel.
    pub from_kernel: u64,
    /// Packets for the kernel that it had no room for.
    pub dropped: u64,
}
