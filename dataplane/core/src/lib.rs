//! The load balancer: services, schedulers, flows, NAT, direct routing and tunnels, and the burst pipeline.
//!
//! Knows no DPDK, no clock, no thread and no file: time comes in as [`Jiffies`], packets as [`PacketBuf`]s, and what is
//! to become of them goes out as [`Verdict`]s. The control side ([`Director`]) makes immutable [`Snapshot`]s; each
//! [`Lcore`] owns its flows and works by the snapshot it was last given.
//!
//! [`PacketBuf`]: sluice_packet::PacketBuf
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod config;
mod cpu;
mod drop;
mod family;
mod fib;
mod flow;
mod lcore;
mod mark;
mod owner;
mod persist;
mod proto;
mod real;
mod sched;
mod slab;
mod stats;
mod time;
mod transmit;
mod verdict;

pub use config::{
    Added, ConfigError, Director, Encapsulation, Engine, Forward, Limits, MarkEntry, NewMark, Persistence,
    Protocol, Real, RealConfig, SchedulerKind, Service, ServiceConfig, ServiceKey, Snapshot, Switches,
    Timeouts, TunnelChecksum, TunnelKind,
};
pub use drop::DropReason;
pub use fib::{Fib, FibPort, Lookup, NextHop, NextHopId, Route};
pub use flow::{FLOW_BYTES, FLOW6_BYTES, FlowView};
pub use lcore::{Lcore, LcoreConfig};
pub use mark::{MarkHit, MarkPacket4, MarkRule, MarkTable, Prefix};
pub use owner::{INDEX_BITS, Ownership, RssInput, rss_key};
pub use persist::{CallId, TemplateView, Templates};
pub use real::{Overhead, RealCounts, RealId, RealTable};
pub use stats::{Counter, LcoreStats, RealLine, RealStats};
pub use time::Jiffies;
pub use verdict::{BURST, Ingress, Verdict};
