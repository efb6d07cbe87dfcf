//! What can be asked of a port: identity, limits, link and counters.
use crate::port_config::RssFields;

/// The number of a port, as in [`Mbuf::port`](crate::Mbuf::port).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u16);

/// A port's identity and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// The port's number.
    pub id: PortId,
    /// The device's name, as `0000:03:00.0` or `net_tap0`.
    pub name: String,
    /// The driver's name, as `net_mlx5`.
    pub driver: String,
    /// The MAC address.
    pub mac: [u8; 6],
    /// The NUMA node it hangs on; `None` for a virtual device.
    pub socket: Option<u32>,
    /// The kernel interface behind it, where there is one.
    pub if_index: Option<u32>,
    /// The most receive queues.
    pub max_rx_queues: u16,
    /// The most transmit queues.
    pub max_tx_queues: u16,
    /// The MTU now, in bytes.
    pub mtu: u16,
    /// The smallest MTU, in bytes.
    pub min_mtu: u16,
    /// The largest MTU, in bytes.
    pub max_mtu: u16,
    /// Whether it sends packets of several segments, as a port with an MTU beyond the mbufs' room receives them.
    pub multi_segment_tx: bool,
    /// The fields that the device can hash for RSS; empty where it has no RSS.
    pub rss_fields: RssFields,
    /// The length of the RSS key in bytes.
    pub rss_key_len: usize,
    /// The entries of the table that maps hashes to queues; 0 without RSS.
    pub reta_size: u16,
}

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Whether it carries frames.
    pub up: bool,
    /// The speed in Mbit/s; `None` where unknown.
    pub mbps: Option<u32>,
}

/// A port's counters since it started or was reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Packets received.
    pub ipackets: u64,
    /// Packets sent.
    pub opackets: u64,
    /// Bytes received.
    pub ibytes: u64,
    /// Bytes sent.
    pub obytes: u64,
    /// Packets the device dropped because its receive queues were full.
    pub imissed: u64,
    /// Packets received in error.
    pub ierrors: u64,
    /// Packets that failed to be sent.
    pub oerrors: u64,
    /// Receptions that failed because the mbuf pool was empty.
    pub rx_nombuf: u64,
}
