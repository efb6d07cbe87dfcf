//! What the benches share: their traffic, the cycle counter, the machine they ran on.
//!
//! `cargo bench -p sluice-bench` times the stages of the packet path on byte arrays, in one thread, without DPDK's
//! devices. `cargo run --release -p sluice-bench --bin lab` runs the whole daemon beside `dpdk-testpmd` on the same
//! virtual device.
pub mod balancer;
pub mod cycles;
pub mod pcap;
pub mod traffic;
