//! The lab benchmark: `sluiced` beside `dpdk-testpmd`, on one forwarding CPU and the same virtual device.
//!
//! Both programs take frames from a `net_pcap` device that replays a small capture for ever and drops what is sent, so
//! that neither a NIC nor a wire is the limit: what is measured is the program. testpmd swaps the two MAC addresses of
//! each frame and does nothing else; it is the most that any program on DPDK could do here. The programs run in turn,
//! round after round, and each round's figures are compared with those of the same round.
//!
//! A capture lies in memory, so it holds a hundred thousand flows but not millions; for those see [`generator`].
mod contender;
mod generator;
mod hugepages;
mod interrupt;
mod lcore;
mod machine;
mod plot;
mod process;
mod report;
mod sluiced;
mod statistics;
mod table;
mod testpmd;
mod trial;
mod under_load;

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use contender::{Contender, Traffic};
use generator::Plan;
use report::{Report, Rung};
use trial::{Place, Trial};
use under_load::UnderLoad;

/// Compares sluiced with dpdk-testpmd on this machine. QUICK=1 takes a minute or two.
#[derive(Debug, Parser)]
#[command(name = "lab", max_term_width = 100)]
pub(crate) struct Args {
    /// How often each program runs [default: 5, or 2 with QUICK=1]
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds measured in each run of a program [default: 2, or 0.7 with QUICK=1]
    #[arg(long)]
    seconds: Option<f64>,
    /// Flows in the captures, a rung each; the device keeps a buffer for each packet [default: 1,10000,100000, or 10000 with QUICK=1]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    flows: Option<Vec<u32>>,
    /// Flows in the traffic that the forwarding lcore makes itself
    #[arg(long, value_delimiter = ',', default_value = "1,10000,100000,1000000,8000000",
          value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    generated_flows: Vec<u32>,
    /// Which half: the daemon beside testpmd, generated traffic, or both
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// CPU that forwards; nothing else should run on it
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// CPU of everything else, and of the second worker
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

/// What the lab has two of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// sluiced beside testpmd on a device that replays a capture.
    Daemon,
    /// The balancer beside a swap of MAC addresses, in one loop that makes its own traffic.
    Generated,
    /// Both.
    All,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
struct Effort {
    quick: bool,
    rounds: u32,
    seconds: f64,
}

impl Args {
    fn effort(&self) -> Result<Effort> {
        let quick = std::env::var_os("QUICK").is_some_and(|value| value == "1");
        let rounds = self.rounds.unwrap_or(if quick { 2 } else { 5 });
        let seconds = self.seconds.unwrap_or(if quick { 0.7 } else { 2.0 });
        ensure!(rounds > 0 && seconds > 0.0, "nothing to measure: --rounds and --seconds must be over 0");
        Ok(Effort { quick, rounds, seconds })
    }

    fn captured_flows(&self, effort: Effort) -> Vec<u32> {
        let usual: &[u32] = if effort.quick { &[10_000] } else { &[1, 10_000, 100_000] };
        self.flows.clone().unwrap_or_else(|| usual.to_vec())
    }

    /// Slices of generated traffic are short and many: they alternate without a start between them.
    fn plan(&self, effort: Effort, hugepages: bool, tsc_hz: f64) -> Plan {
        let seconds = if effort.quick { 0.1 } else { 0.3 };
        Plan {
            effort: generator::Effort { rounds: 2 * effort.rounds + 1, seconds, tsc_hz },
            flows: self.generated_flows.clone(),
            reals: if effort.quick { vec![2, 1000] } else { vec![2, 100, 1000] },
            cpus: [self.cpu, self.control_cpu],
            hugepages,
        }
    }
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
    let effort = args.effort()?;
    interrupt::watch()?;
    let flows = args.captured_flows(effort);
    let loaded = if effort.quick { 100_000 } else { 1_000_000 };
    let captured = flows.iter().map(|&flows| Traffic::Both.packets(flows));
    let most = match args.part {
        Part::Generated => 0,
        Part::Daemon | Part::All => {
            captured.chain([Traffic::Requests.packets(loaded)]).max().unwrap_or_default()
        }
    };
    let hugepages = hugepages::take(trial::megabytes(most));
    eprintln!("lab: {}", hugepages.describe());
    let tsc_hz = sluice_bench::cycles::per_second();
    let lab = Lab { args, effort, hugepages: hugepages.got(), tsc_hz };
    let (daemon, under_load) = match args.part {
        Part::Generated => (Vec::new(), None),
        Part::Daemon | Part::All => lab.daemon(&flows, loaded)?,
    };
    let machine = machine::describe(tsc_hz, &hugepages);
    let mut report = Report::new(machine, (effort.rounds, effort.seconds), daemon);
    report.under_load = under_load;
    if args.part != Part::Daemon {
        report.generated = Some(generator::run(args.plan(effort, hugepages.got(), tsc_hz))?);
    }
    let path = report.save(&args.out)?;
    let plots = plot::all(&report, &args.out)?;
    let mut out = stdout();
    writeln!(out, "{}\nwritten to {}", table::of(&report), path.display())
        .context("cannot write the table")?;
    for plot in plots {
        writeln!(out, "plotted in {}", plot.display()).context("cannot write the table")?;
    }
    Ok(())
}

/// What all parts of the daemon's half need.
struct Lab<'a> {
    args: &'a Args,
    effort: Effort,
    hugepages: bool,
    tsc_hz: f64,
}

impl Lab<'_> {
    /// The daemon beside testpmd at each number of flows, and under load with `loaded` of them.
    fn daemon(&self, flows: &[u32], loaded: u32) -> Result<(Vec<Rung>, Option<UnderLoad>)> {
        let contenders = contender::chosen(self.args.only.as_deref())?;
        let sluiced = match &self.args.sluiced {
            Some(path) => path.clone(),
            None => sluiced::build()?,
        };
        let folder = tempfile::tempdir().context("cannot make a folder for captures")?;
        let mut rungs = Vec::new();
        for &flows in flows {
            let place = self.place(folder.path(), &sluiced, flows, Traffic::Both);
            for traffic in Traffic::ALL {
                traffic.write_capture(folder.path(), flows)?;
            }
            let trials = alternate(&contenders, self.effort.rounds, &place, self.tsc_hz)?;
            rungs.push(Rung::new(flows, &contenders, &trials));
        }
        if self.args.only.is_some() {
            return Ok((rungs, None));
        }
        Traffic::Requests.write_capture(folder.path(), loaded)?;
        let place = self.place(folder.path(), &sluiced, loaded, Traffic::Requests);
        let under_load = under_load::run(&place, self.effort.rounds, self.tsc_hz).context("under load")?;
        Ok((rungs, Some(under_load)))
    }

    fn place<'a>(&self, folder: &'a Path, sluiced: &'a Path, flows: u32, largest: Traffic) -> Place<'a> {
        Place {
            folder,
            sluiced,
            flows,
            packets: largest.packets(flows),
            cpu: self.args.cpu,
            control_cpu: self.args.control_cpu,
            hugepages: self.hugepages,
            seconds: self.effort.seconds,
        }
    }
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
            eprintln!(
                "lab: round {round}/{rounds}  {:>7} flows  {:<18} {trial}",
                place.flows, contender.name
            );
            trials.push(trial);
        }
    }
    Ok(trials)
}
