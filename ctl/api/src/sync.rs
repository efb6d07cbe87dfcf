//! The connection synchronisation daemon, as ipvsadm's `--start-daemon` knows it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Which half of synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncRole {
    /// Sends.
    Master,
    /// Receives.
    Backup,
}

/// A sync daemon: parameters of `sync.start`, and what `sync.list` shows. Absent = the daemon's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncDaemon {
    /// Its half.
    pub role: SyncRole,
    /// The interface of the multicast group, at most 15 bytes.
    pub interface: String,
    /// The sync group's id, 0..=255.
    #[serde(default)]
    pub sync_id: u8,
    /// The longest message in bytes, 1..=65507.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u16>,
    /// The multicast group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<IpAddr>,
    /// The UDP port, 1..=65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The TTL or hop limit, 1..=255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
}
