//! Results of requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connection::ConnectionPage;
use crate::mark::MarkEntry;
use crate::service::ServiceEntry;
use crate::stats::Totals;
use crate::status::Status;
use crate::sync::SyncDaemon;
use crate::sysctl::SysctlEntry;

/// The result of a request that changed something: it is applied on all lcores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// What the operator should know all the same, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Of `mark.add`: the new rule's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
}

/// The timeouts ipvsadm's `--set` sets. In `timeout.set`, 0 leaves one as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// Seconds an idle established TCP connection is kept, 0..=8589934.
    pub tcp: u32,
    /// Seconds a TCP connection is kept after a FIN, 0..=8589934.
    pub tcp_fin: u32,
    /// Seconds an idle UDP flow is kept, 0..=8589934.
    pub udp: u32,
}

/// The reply to `purge`: what has ended on all lcores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// Flows.
    pub flows: u64,
    /// Persistence templates, without those that went with their last flow.
    pub templates: u64,
}

/// The reply to `version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version.
    pub daemon: String,
    /// The version of IPVS it behaves as, "1.2.1".
    pub ipvs: String,
    /// Flows there is room for; the "size" of ipvsadm's banner.
    pub connection_table_size: u64,
}

/// The result of any request, for the side that answers; which variant belongs to which request is said there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// Of every modifying request.
    Applied(Applied),
    /// Of `version`.
    Version(Version),
    /// Of `service.list`.
    Services(Vec<ServiceEntry>),
    /// Of `connection.list`.
    Connections(ConnectionPage),
    /// Of `purge`.
    Purged(Purged),
    /// Of `mark.list`.
    Marks(Vec<MarkEntry>),
    /// Of `timeout.get`.
    Timeouts(Timeouts),
    /// Of `sync.list`.
    SyncDaemons(Vec<SyncDaemon>),
    /// Of `sysctl.list`.
    Sysctls(Vec<SysctlEntry>),
    /// Of `stats`.
    Totals(Totals),
    /// Of `status`.
    Status(Box<Status>),
    /// Of `drops`: packets dropped since the start, by reason. Reasons never met are listed too.
    Drops(BTreeMap<String, u64>),
}
