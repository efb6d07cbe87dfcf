//! The Sluice daemon's parts: configuration, workers, the slow thread, the kernel's mirror, the control side.

pub mod args;
pub mod config;
pub mod control;
pub mod counters;
mod daemon;
pub mod export;
mod launch;
mod log;
pub mod mirror;
mod ports;
mod privilege;
pub mod publish;
mod saver;
pub mod slow;
mod spread;
pub mod start;
pub mod state;
pub mod switches;
mod twin;
mod vip_rules;
mod watchdog;
pub mod worker;
