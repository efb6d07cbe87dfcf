//! A real server: what is asked for and what is listed.

use serde::{Deserialize, Serialize};

use crate::id::RealId;
use crate::stats::{Rates, Stats};

/// A real server and all of its parameters; what `real.add` carries and, as a full replacement, `real.edit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealSpec {
    /// Which real server.
    pub id: RealId,
    /// How packets reach it.
    pub forward: Forward,
    /// Its share of new connections, 0..=2147483647 (more is ERANGE); 0 quiesces it.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// Takes no new connections at this many, 0..=2147483647; 0 = no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upper_threshold: u32,
    /// Takes connections again below this many, at most `upper_threshold` (else ERANGE);
    /// 0 = three quarters of the upper one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lower_threshold: u32,
    /// The encapsulation, for `tunnel` only; absent = IP in IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
}

const fn default_weight() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// How packets are forwarded to a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// NAT (`-m`).
    Masq,
    /// Direct routing (`-g`).
    Route,
    /// Encapsulation (`-i`).
    Tunnel,
    /// The real server is this machine. Listed, never asked for: the daemon finds out by itself.
    Local,
    /// No real server at all: the packets of a connection that `vs.cache_bypass` made go to their own destination. Of
    /// connections only.
    Bypass,
}

/// The encapsulation of a tunnelled real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Which encapsulation.
    #[serde(rename = "type")]
    pub kind: TunnelKind,
    /// The UDP destination port: 1..=65535 for `gue`, 0 for the others.
    #[serde(default, skip_serializing_if = "is_zero_port")]
    pub port: u16,
    /// The checksum of the encapsulation.
    #[serde(default)]
    pub checksum: Checksum,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero_port(n: &u16) -> bool {
    *n == 0
}

/// An encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelKind {
    /// IP in IP (RFC 2003, RFC 2473).
    Ipip,
    /// Generic UDP Encapsulation.
    Gue,
    /// Generic Routing Encapsulation (RFC 2784).
    Gre,
}

/// What checksum an encapsulation carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// None.
    #[default]
    None,
    /// The encapsulation's own (`gue`, `gre`).
    Csum,
    /// Remote checksum offload (`gue`).
    Remcsum,
}

/// A real server as `service.list` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealEntry {
    /// Its parameters.
    pub spec: RealSpec,
    /// Connections in an active state now.
    pub active: u32,
    /// All other connections now.
    pub inactive: u32,
    /// Persistence templates now.
    pub persistent: u32,
    /// Its counters since it was added or last zeroed.
    pub stats: Stats,
    /// Its estimated rates.
    pub rates: Rates,
}
