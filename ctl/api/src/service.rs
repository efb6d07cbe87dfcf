//! A virtual service: what is asked for and what is listed.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::id::ServiceId;
use crate::real::RealEntry;
use crate::stats::{Rates, Stats};

/// A virtual service and all of its parameters; parameters of `service.add` and, as a full replacement,
/// of `service.edit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Which service.
    pub id: ServiceId,
    /// The scheduler's name, at most 15 bytes: `rr`, `wrr`, `lc`, `wlc`, ... or `none`.
    #[serde(default = "default_scheduler")]
    pub scheduler: String,
    /// Flags to the scheduler; what they mean is the scheduler's business.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<SchedFlag>,
    /// Keeps a client with the real server it was first given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<Persistence>,
    /// Schedules every UDP packet on its own (`-o`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_packet: bool,
    /// The persistence engine's name, at most 16 bytes: `sip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe: Option<String>,
}

fn default_scheduler() -> String {
    "wlc".to_owned()
}

/// A scheduler flag. For `sh` and `mh`, flag 1 is "fallback" and flag 2 is "port".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SchedFlag {
    /// IP_VS_SVC_F_SCHED1.
    #[serde(rename = "flag-1")]
    Flag1,
    /// IP_VS_SVC_F_SCHED2.
    #[serde(rename = "flag-2")]
    Flag2,
    /// IP_VS_SVC_F_SCHED3.
    #[serde(rename = "flag-3")]
    Flag3,
}

/// How long and for which group of clients a service is persistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persistence {
    /// Seconds, 1..=2678400.
    pub timeout: u32,
    /// Which clients count as one; absent = each address by itself. Must be of the service's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netmask: Option<Netmask>,
}

/// The granularity of persistence: `"255.255.255.0"` for IPv4, a number (the prefix length) for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a dotted IPv4 mask or an IPv6 prefix length (1..=128)")]
pub enum Netmask {
    /// A mask of any bit pattern.
    V4(Ipv4Addr),
    /// A prefix length, 1..=128.
    V6(u8),
}

impl Netmask {
    /// Whether it tells every single address apart, which is what no mask means.
    pub fn is_full(self) -> bool {
        match self {
            Self::V4(mask) => mask == Ipv4Addr::BROADCAST,
            Self::V6(length) => length == 128,
        }
    }
}

/// A virtual service as `service.list` shows it. The reply is an array of these, in no promised order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// Its parameters.
    pub spec: ServiceSpec,
    /// Its counters since it was added or last zeroed.
    pub stats: Stats,
    /// Its estimated rates.
    pub rates: Rates,
    /// Its real servers, newest first.
    pub reals: Vec<RealEntry>,
}
