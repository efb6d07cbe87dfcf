//! The verbs and their parameters.

use serde::de::DeserializeOwned;
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ErrorCode, RpcError};
use crate::id::{RealId, ServiceId};
use crate::mark::MarkSpec;
use crate::real::RealSpec;
use crate::reply::Timeouts;
use crate::service::ServiceSpec;
use crate::sync::{SyncDaemon, SyncRole};
use crate::sysctl::{SysctlNames, SysctlValues};

/// A request: a verb with its parameters. The comment of each names its [`Reply`](crate::Reply).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `version`: what is running. [`Version`](crate::Version).
    Version,
    /// `service.add`. [`Applied`](crate::Applied); EEXIST, ENOENT (scheduler or engine), EINVAL.
    ServiceAdd(ServiceSpec),
    /// `service.edit`: replaces every parameter. [`Applied`](crate::Applied); ESRCH, ENOENT, EINVAL.
    ServiceEdit(ServiceSpec),
    /// `service.delete`. [`Applied`](crate::Applied); ESRCH.
    ServiceDelete(ServiceRef),
    /// `service.list`: all, or the one named. Array of [`ServiceEntry`](crate::ServiceEntry); ESRCH.
    ServiceList(OptionalService),
    /// `real.add`. [`Applied`](crate::Applied); ESRCH, EEXIST, ERANGE, EINVAL.
    RealAdd(RealChange),
    /// `real.edit`: replaces every parameter. [`Applied`](crate::Applied); ESRCH, ENOENT, ERANGE, EINVAL.
    RealEdit(RealChange),
    /// `real.delete`. [`Applied`](crate::Applied); ESRCH, ENOENT.
    RealDelete(RealRef),
    /// `flush`: deletes every service. [`Applied`](crate::Applied).
    Flush,
    /// `zero`: zeroes the counters of one service and its real servers, or of everything, mark rules included.
    /// [`Applied`](crate::Applied); ESRCH.
    Zero(OptionalService),
    /// `connection.list`: a page of the table. [`ConnectionPage`](crate::ConnectionPage).
    ConnectionList(PageRequest),
    /// `purge`: ends flows and persistence templates of a service or of one real server, removed ones included.
    /// [`Purged`](crate::Purged); ESRCH, ENOENT.
    Purge(Purge),
    /// `mark.add`. [`Applied`](crate::Applied) with the rule's number; EEXIST, ENODEV (port), ERANGE, EINVAL, ENOMEM.
    MarkAdd(MarkSpec),
    /// `mark.delete`. [`Applied`](crate::Applied); ENOENT.
    MarkDelete(MarkRef),
    /// `mark.list`: all, in the order in which they are asked. Array of [`MarkEntry`](crate::MarkEntry).
    MarkList,
    /// `mark.replace`: all rules at once. [`Applied`](crate::Applied); as for `mark.add`.
    MarkReplace(MarkList),
    /// `timeout.get`. [`Timeouts`].
    TimeoutGet,
    /// `timeout.set`: 0 leaves a timeout as it is. [`Applied`](crate::Applied); EINVAL.
    TimeoutSet(Timeouts),
    /// `sync.start`. [`Applied`](crate::Applied); EEXIST, EOPNOTSUPP.
    SyncStart(SyncDaemon),
    /// `sync.stop`. [`Applied`](crate::Applied); ESRCH.
    SyncStop(SyncStop),
    /// `sync.list`: the daemons that run, master first. Array of [`SyncDaemon`].
    SyncList,
    /// `sysctl.list`: switches by their kernel names, all or those named. Array of
    /// [`SysctlEntry`](crate::SysctlEntry); ENOENT.
    SysctlList(SysctlNames),
    /// `sysctl.set`: all that are named, or none. [`Applied`](crate::Applied); ENOENT, EINVAL, EOPNOTSUPP.
    SysctlSet(SysctlValues),
    /// `stats`: all services together. [`Totals`](crate::Totals).
    Stats,
    /// `status`. [`Status`](crate::Status).
    Status,
    /// `drops`. Map of reason to count.
    Drops,
}

/// Names a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRef {
    /// Which service.
    pub service: ServiceId,
}

/// Names a service, or by its absence all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionalService {
    /// Which service; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
}

/// A real server's parameters and the service it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealChange {
    /// Of which service.
    pub service: ServiceId,
    /// The real server.
    pub real: RealSpec,
}

/// Names a real server of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealRef {
    /// Of which service.
    pub service: ServiceId,
    /// Which real server.
    pub real: RealId,
}

/// Names a mark rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRef {
    /// Its number.
    pub id: u32,
}

/// Mark rules, those of one priority in the order in which they are to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkList {
    /// The rules.
    pub rules: Vec<MarkSpec>,
}

/// Asks for a page of the connection table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// `next` of the page before; absent = from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// Entries at most; absent or over the daemon's own limit = that limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Says whose flows and persistence templates are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Of which service; one that was deleted counts as long as its real servers have flows.
    pub service: ServiceId,
    /// Of which real server, also one that was removed; absent = of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<RealId>,
    /// Only these; absent = both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<PurgeOnly>,
}

/// One of what a purge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgeOnly {
    /// Flows. Templates of clients that were never answered go with their last flow.
    Flows,
    /// Persistence templates; the flows under them go on.
    Templates,
}

/// Names the sync daemon to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncStop {
    /// Which half.
    pub role: SyncRole,
    /// The sync group's id.
    #[serde(default)]
    pub sync_id: u8,
}

impl Request {
    /// The verb on the wire.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::ServiceAdd(_) => "service.add",
            Self::ServiceEdit(_) => "service.edit",
            Self::ServiceDelete(_) => "service.delete",
            Self::ServiceList(_) => "service.list",
            Self::RealAdd(_) => "real.add",
            Self::RealEdit(_) => "real.edit",
            Self::RealDelete(_) => "real.delete",
            Self::Flush => "flush",
            Self::Zero(_) => "zero",
            Self::ConnectionList(_) => "connection.list",
            Self::Purge(_) => "purge",
            Self::MarkAdd(_) => "mark.add",
            Self::MarkDelete(_) => "mark.delete",
            Self::MarkList => "mark.list",
            Self::MarkReplace(_) => "mark.replace",
            Self::TimeoutGet => "timeout.get",
            Self::TimeoutSet(_) => "timeout.set",
            Self::SyncStart(_) => "sync.start",
            Self::SyncStop(_) => "sync.stop",
            Self::SyncList => "sync.list",
            Self::SysctlList(_) => "sysctl.list",
            Self::SysctlSet(_) => "sysctl.set",
            Self::Stats => "stats",
            Self::Status => "status",
            Self::Drops => "drops",
        }
    }

    /// Whether it only reads. Who may not modify may still be allowed these.
    pub const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::ServiceList(_)
                | Self::ConnectionList(_)
                | Self::MarkList
                | Self::TimeoutGet
                | Self::SyncList
                | Self::SysctlList(_)
                | Self::Stats
                | Self::Status
                | Self::Drops
        )
    }

    /// Understands a verb with its parameters.
    ///
    /// # Errors
    /// [`ErrorCode::MethodNotFound`], or [`ErrorCode::InvalidParams`] with what is wrong about them.
    pub fn parse(method: &str, params: Option<Value>) -> Result<Self, RpcError> {
        Ok(match method {
            "version" => none(params, Self::Version)?,
            "service.add" => Self::ServiceAdd(typed(params)?),
            "service.edit" => Self::ServiceEdit(typed(params)?),
            "service.delete" => Self::ServiceDelete(typed(params)?),
            "service.list" => Self::ServiceList(typed(params)?),
            "real.add" => Self::RealAdd(typed(params)?),
            "real.edit" => Self::RealEdit(typed(params)?),
            "real.delete" => Self::RealDelete(typed(params)?),
            "flush" => none(params, Self::Flush)?,
            "zero" => Self::Zero(typed(params)?),
            "connection.list" => Self::ConnectionList(typed(params)?),
            "purge" => Self::Purge(typed(params)?),
            "mark.add" => Self::MarkAdd(typed(params)?),
            "mark.delete" => Self::MarkDelete(typed(params)?),
            "mark.list" => none(params, Self::MarkList)?,
            "mark.replace" => Self::MarkReplace(typed(params)?),
            "timeout.get" => none(params, Self::TimeoutGet)?,
            "timeout.set" => Self::TimeoutSet(typed(params)?),
            "sync.start" => Self::SyncStart(typed(params)?),
            "sync.stop" => Self::SyncStop(typed(params)?),
            "sync.list" => none(params, Self::SyncList)?,
            "sysctl.list" => Self::SysctlList(typed(params)?),
            "sysctl.set" => Self::SysctlSet(typed(params)?),
            "stats" => none(params, Self::Stats)?,
            "status" => none(params, Self::Status)?,
            "drops" => none(params, Self::Drops)?,
            _ => {
                let what = format!("no method `{method}`; see the verbs of sluice_api::Request");
                return Err(RpcError::new(ErrorCode::MethodNotFound, what));
            }
        })
    }
}

/// Absent parameters are an empty object: a verb whose parameters are all optional needs none.
fn typed<T: DeserializeOwned>(params: Option<Value>) -> Result<T, RpcError> {
    match params.unwrap_or_else(|| Value::Object(serde_json::Map::new())) {
        // serde would read an array by field order, which is no promise of ours.
        Value::Array(_) => {
            Err(RpcError::new(ErrorCode::InvalidParams, "params are named: give an object, not an array"))
        }
        object => {
            serde_json::from_value(object).map_err(|e| RpcError::new(ErrorCode::InvalidParams, e.to_string()))
        }
    }
}

fn none(params: Option<Value>, request: Request) -> Result<Request, RpcError> {
    match params {
        None => Ok(request),
        Some(Value::Object(map)) if map.is_empty() => Ok(request),
        Some(_) => {
            let what = format!("`{}` takes no params", request.method());
            Err(RpcError::new(ErrorCode::InvalidParams, what))
        }
    }
}

/// As the `method` and `params` of an envelope.
impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut s = serializer.serialize_struct("Request", 2)?;
        s.serialize_field("method", self.method())?;
        match self {
            Self::Version
            | Self::Flush
            | Self::MarkList
            | Self::TimeoutGet
            | Self::SyncList
            | Self::Stats
            | Self::Status
            | Self::Drops => {}
            Self::ServiceAdd(p) | Self::ServiceEdit(p) => s.serialize_field("params", p)?,
            Self::ServiceDelete(p) => s.serialize_field("params", p)?,
            Self::ServiceList(p) | Self::Zero(p) => s.serialize_field("params", p)?,
            Self::RealAdd(p) | Self::RealEdit(p) => s.serialize_field("params", p)?,
            Self::RealDelete(p) => s.serialize_field("params", p)?,
            Self::ConnectionList(p) => s.serialize_field("params", p)?,
            Self::Purge(p) => s.serialize_field("params", p)?,
            Self::MarkAdd(p) => s.serialize_field("params", p)?,
            Self::MarkDelete(p) => s.serialize_field("params", p)?,
            Self::MarkReplace(p) => s.serialize_field("params", p)?,
            Self::TimeoutSet(p) => s.serialize_field("params", p)?,
            Self::SyncStart(p) => s.serialize_field("params", p)?,
            Self::SyncStop(p) => s.serialize_field("params", p)?,
            Self::SysctlList(p) => s.serialize_field("params", p)?,
            Self::SysctlSet(p) => s.serialize_field("params", p)?,
        }
        s.end()
    }
}
