//! The control side: what the operator has set up, and the immutable snapshots that carry it to the lcores.
mod check;
mod director;
mod encapsulation;
mod endpoints;
mod error;
mod service;
mod snapshot;

pub use director::{Added, Director, Limits, MarkEntry, NewMark};
pub use encapsulation::{Encapsulation, TunnelChecksum, TunnelKind};
pub(crate) use endpoints::{FTP, FTP_DATA};
pub use error::ConfigError;
pub use service::{
    Engine, Forward, Persistence, Protocol, Real, RealConfig, SchedulerKind, Service, ServiceConfig,
    ServiceKey, Switches, Timeouts,
};
pub use snapshot::Snapshot;
