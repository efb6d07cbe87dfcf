//! A safe layer over DPDK: the EAL, lcores, mempools, mbufs, ports and queues.
//!
//! Ownership carries the rules that DPDK leaves to its callers:
//!
//! - An [`Mbuf`] has one owner and goes back to its pool when dropped, on any thread.
//! - A queue handle ([`RxQueue`], [`TxQueue`]) has one owner, may move to a lcore, and cannot be copied: no two threads
//!   can poll one queue. Handles keep their port open; the last one gone stops and closes it.
//! - Everything made from an [`Eal`] keeps it alive.
//!
//! Only [`Burst`], [`Mbuf`], [`RxQueue::rx_burst`], [`TxQueue::tx_burst`] and [`clock::tsc`] are meant for the packet path;
//! they neither allocate nor lock nor log. The rest is for setting up and for the control thread.
#![allow(unsafe_code, reason = "the safe layer over the foreign interface")]

mod args;
mod burst;
pub mod clock;
mod device;
mod eal;
mod error;
mod flow_rule;
mod lcore;
mod log;
mod mbuf;
pub mod memory;
mod mempool;
mod port;
mod port_config;
mod port_info;
mod queue;
mod rss;

pub use args::{EalArgs, Memory};
pub use burst::{BURST, Burst};
pub use eal::Eal;
pub use error::{Error, Said};
pub use flow_rule::{FlowRule, RssRule};
pub use lcore::{Job, LcoreId, RegisteredThread, Worker};
pub use log::{LogLevel, LogSink};
pub use mbuf::Mbuf;
pub use mempool::{Mempool, MempoolConfig};
pub use port::{Port, Started, StartedPort};
pub use port_config::{PortConfig, Rss, RssFields};
pub use port_info::{Link, PortId, PortInfo, PortStats};
pub use queue::{RxQueue, RxQueueIndex, TxQueue, TxQueueIndex};
