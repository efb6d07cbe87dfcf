//! Beyond what a capture can hold: traffic of up to millions of flows, made on the forwarding lcore itself.
//!
//! The baseline is the same loop with the two MAC addresses swapped where else the balancer works, so a ratio has the
//! same meaning as that to testpmd: what the balancer leaves of what this device and machine can do.
mod established;
mod memory;
mod new_flows;
mod series;
mod slice;
mod source;
mod wire;
mod workers;

use anyhow::{Context, Result};
use serde::Serialize;
use sluice_core::Forward;
use sluice_dpdk::memory::advise_range;
use sluice_dpdk::{Eal, EalArgs, Memory, Mempool, MempoolConfig};

pub(crate) use series::{Effort, Series};
use wire::Wire;

/// Packet buffers: a few bursts under way, and what the pool's caches hold back.
const MBUFS: u32 = 8191;
const MEGABYTES: u32 = 64;
/// A flow count at which neither cache nor translation buffer helps.
const WORKERS_FLOWS: u32 = 1_000_000;
const SCHEDULERS: [&str; 6] = ["rr", "lc", "wlc", "sed", "nq", "mh"];

/// What is measured, and where.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) effort: Effort,
    /// The rungs of the ladder.
    pub(crate) flows: Vec<u32>,
    /// Numbers of reals for new connections.
    pub(crate) reals: Vec<u32>,
    /// CPU that forwards, and the second worker's.
    pub(crate) cpus: [usize; 2],
    pub(crate) hugepages: bool,
}

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Generated {
    /// Packets of established flows; each group of lanes begins with its baseline.
    pub(crate) established: Vec<Series>,
    /// Packets that each begin a flow.
    pub(crate) new_flows: Vec<Series>,
    /// One worker and two.
    pub(crate) workers: Vec<Series>,
    /// Schedulers of the plan that the balancer does not have.
    pub(crate) missing_schedulers: Vec<&'static str>,
    /// Bytes of memory for each flow that a table has room for, index and all, measured on the largest table.
    pub(crate) bytes_per_flow: f64,
}

/// Runs the plan.
pub(crate) fn run(plan: Plan) -> Result<Generated> {
    let memory = match plan.hugepages {
        true => Memory::HugePages { reserve: Some(MEGABYTES) },
        false => Memory::NoHuge { megabytes: MEGABYTES },
    };
    let eal = Eal::init(&EalArgs::new("lab").workers(&plan.cpus).memory(memory))?;
    let pool = Mempool::new(&eal, &MempoolConfig::new("lab", MBUFS))?;
    let mut wires = vec![Wire::new(&eal, &pool, 0)?, Wire::new(&eal, &pool, 1)?];
    let lcores = eal.workers();
    let mut wire = wires.remove(0);
    let (first, effort) = (lcores.first().context("a worker lcore")?, plan.effort);
    let one = first.launch(move || {
        let found = one_worker(&plan, &mut wire);
        (found, wire)
    })?;
    let (found, wire) = one.join();
    let mut found = found?;
    wires.insert(0, wire);
    let (workers, wires) = workers::run(&lcores, wires, WORKERS_FLOWS, effort)?;
    drop(wires);
    tell(&workers);
    found.workers = workers;
    Ok(found)
}

fn one_worker(plan: &Plan, wire: &mut Wire) -> Result<Generated> {
    let (mut established, mut new_flows) = (Vec::new(), Vec::new());
    let (mut missing_schedulers, mut bytes_per_flow) = (Vec::new(), 0.0);
    for &flows in &plan.flows {
        for forward in [Forward::Masq, Forward::Route] {
            let series;
            (series, bytes_per_flow) = established::run(forward, flows, wire, plan.effort)?;
            tell(&series);
            established.extend(series);
        }
    }
    for &reals in &plan.reals {
        let series;
        (series, missing_schedulers) = new_flows::run(Forward::Masq, &SCHEDULERS, reals, wire, plan.effort)?;
        tell(&series);
        new_flows.extend(series);
    }
    let (direct, _) = new_flows::run(Forward::Route, &["rr"], 2, wire, plan.effort)?;
    tell(&direct);
    new_flows.extend(direct);
    Ok(Generated { established, new_flows, workers: Vec::new(), missing_schedulers, bytes_per_flow })
}

fn tell(series: &[Series]) {
    for Series { name, flows, reals, cycles_per_packet, mpps, of_baseline, .. } in series {
        let ratio = of_baseline.map(|ratio| format!("  {:.3} of the baseline", ratio.median));
        eprintln!(
            "lab: {name:<24} {flows:>8} flows {reals:>5} reals {:7.2} Mpps {:7.1} cycles/packet{}",
            mpps.median,
            cycles_per_packet.median,
            ratio.unwrap_or_default()
        );
    }
}

/// Without huge pages all works, with more misses of the translation buffer; worth a word.
fn advise(start: *mut u8, bytes: usize) {
    if let Err(error) = advise_range(start, bytes) {
        eprintln!("lab: a table lies on small pages: {error}");
    }
}
