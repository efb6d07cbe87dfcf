//! The lab benchmark: `sluiced` beside `dpdk-testpmd`, on one forwarding CPU and the same virtual device.
//!
//! Both programs take frames from a `net_pcap` device that replays a small capture for ever and drops what is sent, so
//! that neither a NIC nor a wire is the limit: what is measured is the program. testpmd swaps the two MAC addresses of
//! each frame and does nothing else; it is the most that any program on DPDK could do here. The programs run in turn,
//! round after round, and each round's figures are compared with those of the same round.
mod contender;
mod hugepages;
mod interrupt;
mod lcore;
mod machine;
mod process;
mod report;
mod sluiced;
mod statistics;
mod table;
mod testpmd;
mod trial;

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use contender::{Contender, Traffic};
use report::Report;
use trial::{Place, Trial};

/// Compares sluiced with dpdk-testpmd on this machine. QUICK=1 takes seconds instead of minutes.
#[derive(Debug, Parser)]
#[command(name = "lab", max_term_width = 100)]
pub(crate) struct Args {
    /// How often each program runs [default: 7, or 3 with QUICK=1]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds measured in each run [default: 3, or 1 with QUICK=1]
    #[arg(long)]
    seconds: Option<f64>,
    /// Flows in the traffic; the device keeps a buffer for each of its packets
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=25_000))]
    flows: u32,
    /// CPU that forwards; nothing else should run on it
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// CPU of everything else
    #[arg(long, default_value_t = 0)]
    control_cpu: usize,
    /// Only the programs whose name holds this, and testpmd beside them
    #[arg(long)]
    only: Option<String>,
    /// The daemon [default: built beside this program]
    #[arg(long)]
    sluiced: Option<PathBuf>,
    /// Folder for the result
    #[arg(long, default_value = "benches/results/local")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let quick = std::env::var_os("QUICK").is_some_and(|value| value == "1");
    let rounds = args.rounds.unwrap_or(if quick { 3 } else { 7 });
    let seconds = args.seconds.unwrap_or(if quick { 1.0 } else { 3.0 });
    ensure!(rounds > 0 && seconds > 0.0, "nothing to measure: --rounds and --seconds must be over 0");
    interrupt::watch()?;
    let contenders = contender::chosen(args.only.as_deref())?;
    let sluiced = match &args.sluiced {
        Some(path) => path.clone(),
        None => sluiced::build()?,
    };
    let folder = tempfile::tempdir().context("cannot make a folder for captures")?;
    for traffic in Traffic::ALL {
        traffic.write_capture(folder.path(), args.flows)?;
    }
    let hugepages = hugepages::take(trial::HUGE_MEGABYTES);
    eprintln!("lab: {}", hugepages.describe());
    let place = Place {
        folder: folder.path(),
        sluiced: &sluiced,
        cpu: args.cpu,
        control_cpu: args.control_cpu,
        hugepages: hugepages.got(),
        seconds,
    };
    let tsc_hz = sluice_bench::cycles::per_second();
    let trials = alternate(&contenders, rounds, &place, tsc_hz)?;
    let machine = machine::describe(tsc_hz, &hugepages);
    let report = Report::new(machine, args.flows, rounds, seconds, &contenders, &trials);
    let path = report.save(&args.out)?;
    writeln!(stdout(), "{}\nwritten to {}", table::of(&report), path.display())
        .context("cannot write the table")
}

/// Runs every contender once in each round, in the same order: what disturbs the machine for longer than a round
/// disturbs all of them alike.
fn alternate(
    contenders: &[Contender],
    rounds: u32,
    place: &Place<'_>,
    tsc_hz: f64,
) -> Result<Vec<Vec<Trial>>> {
    let mut trials: Vec<Vec<Trial>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (contender, trials) in contenders.iter().zip(&mut trials) {
            let trial = trial::run(contender, place, tsc_hz)
                .with_context(|| format!("{} in round {round}", contender.name))?;
            eprintln!("lab: round {round}/{rounds}  {:<22} {trial}", contender.name);
            trials.push(trial);
        }
    }
    Ok(trials)
}
