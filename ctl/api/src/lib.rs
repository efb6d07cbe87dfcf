//! The language of sluiced's control socket: types of requests and replies, framing, and a blocking client.
//!
//! JSON-RPC 2.0 over a Unix stream socket ([`DEFAULT_SOCKET`]), one object a line. Parameters are named, never
//! positional. A line may hold a batch (an array), answered by one array on one line. A request line is at most
//! [`framing::MAX_REQUEST`] bytes.
//!
//! Anything that writes a line can speak it:
//!
//! ```text
//! $ socat - UNIX-CONNECT:/run/sluice/control.sock
//! {"jsonrpc":"2.0","id":1,"method":"service.add","params":{"id":{"protocol":"tcp","address":"10.0.0.1","port":80},"scheduler":"wlc"}}
//! {"jsonrpc":"2.0","result":{},"id":1}
//! {"jsonrpc":"2.0","id":2,"method":"real.add","params":{"service":{"protocol":"tcp","address":"10.0.0.1","port":80},"real":{"id":{"address":"192.168.1.1","port":8080},"forward":"masq","weight":3}}}
//! {"jsonrpc":"2.0","result":{},"id":2}
//! {"jsonrpc":"2.0","id":3,"method":"service.delete","params":{"service":{"fwmark":7,"family":"ipv4"}}}
//! {"jsonrpc":"2.0","error":{"code":3,"message":"no such service: fwmark 7 ipv4","data":{"errno":"ESRCH"}},"id":3}
//! ```
//!
//! The verbs mirror ipvsadm's, and so do the meanings: `service.edit` and `real.edit` replace every parameter,
//! a listing gives the real servers newest first. A modifying reply means: applied on all lcores.
//!
//! The modules, in the order a request meets them: [`request`] (verbs), [`id`], [`service`], [`real`], [`mark`],
//! [`sync`], [`sysctl`] (what they carry), [`rpc`] (the envelope), [`framing`] (lines), [`reply`], [`connection`], [`stats`],
//! [`status`] (answers), [`error`] (refusals), [`client`].

pub mod client;
pub mod connection;
pub mod error;
pub mod framing;
pub mod id;
pub mod mark;
pub mod real;
pub mod reply;
pub mod request;
pub mod rpc;
pub mod service;
pub mod stats;
pub mod status;
pub mod sync;
pub mod sysctl;

pub use client::{Client, ClientError};
pub use connection::{ConnProtocol, Connection, ConnectionPage};
pub use error::{ErrorCode, RpcError};
pub use id::{Family, Protocol, RealId, ServiceId};
pub use mark::{MarkEntry, MarkSpec, PortRange, Prefix};
pub use real::{Checksum, Forward, RealEntry, RealSpec, Tunnel, TunnelKind};
pub use reply::{Applied, Purged, Reply, Timeouts, Version};
pub use request::Request;
pub use rpc::{Call, Id, Message, Rejected};
pub use service::{Netmask, Persistence, SchedFlag, ServiceEntry, ServiceSpec};
pub use stats::{Rates, Stats, Totals};
pub use status::{BurstSizes, LcoreStatus, PortStatus, Status, TableStatus, TemplateStatus, TwinStatus};
pub use sync::{SyncDaemon, SyncRole};
pub use sysctl::{SysctlEffect, SysctlEntry, SysctlNames, SysctlSource, SysctlValue, SysctlValues};

/// Where sluiced listens unless it is told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/sluice/control.sock";

/// The environment variable that names another socket; a `--socket` option wins over it.
pub const SOCKET_ENV: &str = "SLUICE_SOCKET";

/// The socket to use: `given` (an option), else [`SOCKET_ENV`], else [`DEFAULT_SOCKET`].
pub fn socket_path(given: Option<std::path::PathBuf>) -> std::path::PathBuf {
    given
        .or_else(|| std::env::var_os(SOCKET_ENV).filter(|v| !v.is_empty()).map(Into::into))
        .unwrap_or_else(|| DEFAULT_SOCKET.into())
}
