//! Counters and rates of a service or a real server.

use serde::{Deserialize, Serialize};

/// Counters since the object was added or last zeroed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients (NAT only: other replies never pass here).
    pub out_packets: u64,
    /// Bytes from clients, from the IP header on.
    pub in_bytes: u64,
    /// Bytes to clients, from the IP header on.
    pub out_bytes: u64,
}

/// Estimated rates: a moving average over windows of two seconds, each new one weighing a quarter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Connections a second.
    pub cps: u64,
    /// Packets from clients a second.
    pub in_pps: u64,
    /// Packets to clients a second.
    pub out_pps: u64,
    /// Bytes (not bits, as in IPVS) from clients a second.
    pub in_bps: u64,
    /// Bytes to clients a second.
    pub out_bps: u64,
}

/// The reply to `stats`: all services and real servers together, those that are gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Counters since the start or the last zeroing of everything.
    pub stats: Stats,
    /// Estimated rates.
    pub rates: Rates,
}
