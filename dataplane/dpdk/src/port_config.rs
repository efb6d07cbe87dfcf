//! How a port is started.
use std::ops::BitOr;

use dpdk_sys as sys;

/// How a port is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// Receive queues, from 1 to what the device has.
    pub rx_queues: u16,
    /// Transmit queues, from 1 to what the device has.
    pub tx_queues: u16,
    /// Descriptors of each receive queue; moved to the nearest number that the device takes.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue; moved to the nearest number that the device takes.
    pub tx_descriptors: u16,
    /// The MTU in bytes, Ethernet header not counted; the device's own when `None`.
    pub mtu: Option<u16>,
    /// Whether frames for other MAC addresses come in too.
    pub promiscuous: bool,
    /// How the device spreads flows over its receive queues; left to the device when `None`.
    pub rss: Option<Rss>,
}

impl Default for PortConfig {
    /// One queue each way of 1024 descriptors, the device's MTU, not promiscuous, no RSS.
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: None,
            promiscuous: false,
            rss: None,
        }
    }
}

/// Receive side scaling: a Toeplitz hash over fields of the packet chooses the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rss {
    /// The hash's secret key, of the length that [`PortInfo::rss_key_len`](crate::PortInfo::rss_key_len) tells; the
    /// driver's own when `None`.
    pub key: Option<Vec<u8>>,
    /// The fields to hash.
    pub fields: RssFields,
}

/// A set of packet fields for RSS; join sets with `|`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RssFields(pub(crate) u64);

impl RssFields {
    /// The addresses of IPv4 and IPv6.
    pub const IP: Self = Self(sys::SLUICE_RSS_IP);
    /// Addresses and ports of TCP.
    pub const TCP: Self = Self(sys::SLUICE_RSS_TCP);
    /// Addresses and ports of UDP.
    pub const UDP: Self = Self(sys::SLUICE_RSS_UDP);
    /// Addresses and ports of TCP and UDP over IPv4.
    pub const IPV4_PORTS: Self = Self(sys::SLUICE_RSS_IPV4_TCP | sys::SLUICE_RSS_IPV4_UDP);
    /// Addresses and ports of SCTP.
    pub const SCTP: Self = Self(sys::SLUICE_RSS_SCTP);
    /// Of the addresses, only the source.
    pub const SOURCE_ADDRESS_ONLY: Self = Self(sys::SLUICE_RSS_L3_SRC_ONLY);
    /// Of the addresses, only the destination.
    pub const DESTINATION_ADDRESS_ONLY: Self = Self(sys::SLUICE_RSS_L3_DST_ONLY);
    /// Of the ports, only the source.
    pub const SOURCE_PORT_ONLY: Self = Self(sys::SLUICE_RSS_L4_SRC_ONLY);
    /// Of the ports, only the destination.
    pub const DESTINATION_PORT_ONLY: Self = Self(sys::SLUICE_RSS_L4_DST_ONLY);

    /// Whether this set has no field.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields of either set, as `|`, for constants.
    #[must_use]
    pub const fn join(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields in both sets; with [`PortInfo::rss_fields`](crate::PortInfo::rss_fields), those a device can hash.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.intersection(other) == other
    }

    /// DPDK's bits for the set.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for RssFields {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.join(other)
    }
}
