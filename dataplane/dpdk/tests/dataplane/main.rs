//! The wrapper over DPDK's software devices: needs no root, no hugepages and no kernel interface.
#[path = "../support/mod.rs"]
mod support;

mod eal;
mod errors;
mod mbufs;
mod ports;
mod rss;

use std::process::ExitCode;

use sluice_dpdk::Burst;
use support::{Case, Lab};

fn main() -> ExitCode {
    if let Some(child) = std::env::var_os(eal::CHILD) {
        return eal::child(&child);
    }
    let lab = Lab::new();
    let cases: Vec<Case> = [eal::CASES, mbufs::CASES, ports::CASES, errors::CASES, rss::CASES].concat();
    support::run(&lab, &cases)
}

impl Lab {
    /// A burst of `count` packets; the first byte of each is its number.
    pub(crate) fn numbered(&self, count: u8) -> Burst {
        let mut burst = Burst::new();
        for number in 0..count {
            let mut bytes = [0; 60];
            bytes[0] = number;
            burst.push(self.packet(&bytes)).expect("at most 32");
        }
        burst
    }
}
