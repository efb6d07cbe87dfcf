//! The order of a start, and of the end.
//!
//! Configuration, privileges, saved state, control socket, EAL, ports, twins, workers, control loop: what can be refused
//! cheaply comes first. The end goes the other way. A process that is killed leaves a socket that the next start takes
//! over, and nothing else: its twins and its memory go with it.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use sluice_core::{Director, FibPort, Limits, Overhead, RealTable, Route, Templates};
use sluice_dpdk::{Eal, EalArgs, LogLevel, Memory, Mempool};

use crate::args::Args;
use crate::config::{self, Config, ConfigError};
use crate::control::{self, Claim, ClaimError, ControlPlane, PlaneConfig, Shared};
use crate::daemon::{self, ControlLoop};
use crate::export::{self, HttpError};
use crate::launch::Launch;
use crate::mirror::{MirrorError, Static};
use crate::ports::{self, OpenPort};
use crate::publish::publication;
use crate::spread;
use crate::state::{self, SavedState, StateError};
use crate::twin::{self, OpenTwin};
use crate::worker::Clock;

/// Why the daemon did not start. One line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The saved state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The control socket.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The HTTP port.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// DPDK: memory, CPUs, ports.
    #[error(transparent)]
    Dpdk(#[from] sluice_dpdk::Error),
    /// A port.
    #[error("port {name}: {source}")]
    Port {
        /// Its name.
        name: String,
        /// What stands in the way.
        source: sluice_dpdk::Error,
    },
    /// The kernel's tables.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// Anything else, said in full.
    #[error("{0}")]
    Other(String),
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`StartError`]; what was claimed is given back.
pub fn run(args: &Args) -> Result<(), StartError> {
    let config = config::load(&args.config)?;
    if args.check {
        return Ok(());
    }
    crate::log::start(args.log.as_deref().unwrap_or(&config.log.level)).map_err(StartError::Other)?;
    crate::privilege::check(&config).map_err(StartError::Other)?;
    let keeps_state = !config.state.file.as_os_str().is_empty();
    let saved = if keeps_state { state::load(&config.state.file)? } else { None };
    let claim = Claim::new(&config.control.socket, config.control.group.as_deref())?;
    let http = config.http.port.map(|port| export::listen((config.http.address, port.get()).into()));
    let sockets = Sockets { claim: &claim, http: http.transpose()? };
    let allowed = pin(config.lcores.control)?;
    let eal = Eal::init(&eal_args(&config)).map_err(|error| refused(error, &allowed))?;
    let pool = ports::pool(&eal, &config)?;
    serve(&config, &eal, &pool, sockets, saved)
}

/// What is listened on, claimed before anything else is touched.
struct Sockets<'a> {
    claim: &'a Claim,
    http: Option<TcpListener>,
}

/// The main thread and all it spawns run on the control CPU. Returns the CPUs it could run on before.
fn pin(cpu: usize) -> Result<String, StartError> {
    let this_thread = Pid::from_raw(0);
    let before = sched_getaffinity(this_thread).unwrap_or_default();
    let allowed: Vec<String> = (0..CpuSet::count())
        .filter(|cpu| before.is_set(*cpu).unwrap_or(false))
        .map(|cpu| cpu.to_string())
        .collect();
    let allowed = allowed.join(", ");
    let mut set = CpuSet::new();
    match set.set(cpu).and_then(|()| sched_setaffinity(this_thread, &set)) {
        Ok(()) => Ok(allowed),
        Err(_) => {
            Err(StartError::Other(format!("lcores.control = {cpu}: no such CPU here; there are: {allowed}")))
        }
    }
}

fn refused(error: sluice_dpdk::Error, allowed: &str) -> StartError {
    match error {
        sluice_dpdk::Error::CpuUnavailable { cpu, .. } => {
            StartError::Other(format!("lcores.workers: CPU {cpu}: no such CPU here; there are: {allowed}"))
        }
        other => other.into(),
    }
}

fn eal_args(config: &Config) -> EalArgs {
    let megabytes = config.memory.megabytes;
    let memory = match config.memory.no_huge {
        true => Memory::NoHuge { megabytes },
        false => Memory::HugePages { reserve: Some(megabytes) },
    };
    let args = EalArgs::new("sluiced").workers(&config.lcores.workers).memory(memory);
    ports::allow(args.log_level(LogLevel::Notice).log_sink(crate::log::dpdk), &config.ports)
}

/// Opens the ports and twins, launches the workers and runs the control loop until the end.
fn serve(
    config: &Config,
    eal: &Eal,
    pool: &Mempool,
    sockets: Sockets<'_>,
    saved: Option<SavedState>,
) -> Result<(), StartError> {
    let (ports, twins) = open_devices(config, eal, pool)?;
    let fixed = static_routing(config, &ports, &twins);
    let overhead = match config.compat.overhead {
        config::Overhead::Current => Overhead::Current,
        config::Overhead::Classic => Overhead::Classic,
    };
    let table = Arc::new(RealTable::with_overhead(config.tables.reals, overhead));
    let mut director = Director::new(Limits { services: config.tables.services }, Arc::clone(&table))
        .with_marks(config.tables.marks);
    let mut settings = config.vs.0.clone();
    control::set_up(&mut director, &mut settings);
    let (publisher, subscribers) = publication(&director.snapshot(), config.lcores.workers.len());
    let clock = Clock::new();
    let (ownership, vip_rules) = spread::by_owner(&ports, config.lcores.workers.len());
    let seed = seed()?;
    let templates = Arc::new(Templates::new(config.tables.templates, seed, Arc::clone(&table)));
    let launch = Launch {
        config,
        eal,
        clock,
        snapshot: director.snapshot(),
        table: &table,
        templates: &templates,
        mark_slots: director.mark_slots(),
        seed,
        ownership,
    };
    let running = launch.run(ports, twins, subscribers)?;
    let mut plane = ControlPlane::new(PlaneConfig {
        director,
        settings,
        reals: table,
        templates,
        time: Box::new(move || Clock::now(&mut { clock })),
        publisher,
        workers: running.workers,
        ports: running.ports,
        port_names: config.ports.iter().map(|port| port.name.clone()).collect(),
        twins: running.twins,
        twin_names: fixed.twins.iter().flatten().cloned().collect(),
        slow_drops: running.slow_drops,
    });
    plane.steer_by(vip_rules);
    let result = daemon::run(ControlLoop {
        config,
        listener: sockets.claim.listener()?,
        http: sockets.http,
        shared: Shared::new(plane, running.flow_links),
        saved,
        fixed,
        clock,
        wanted: running.wanted,
        resolved: running.resolved,
    });
    drop(running.threads);
    result
}

type Devices = (Vec<OpenPort>, Vec<Option<OpenTwin>>);

fn open_devices(config: &Config, eal: &Eal, pool: &Mempool) -> Result<Devices, StartError> {
    let workers = u16::try_from(config.lcores.workers.len()).unwrap_or(u16::MAX);
    let (mut ports, mut twins) = (Vec::new(), Vec::new());
    for (index, port) in config.ports.iter().enumerate() {
        let wrong = |source| StartError::Port { name: port.name.clone(), source };
        let open = ports::open(eal, port, workers, pool).map_err(wrong)?;
        twins.push(twin::open(eal, index, &open, pool).map_err(wrong)?);
        ports.push(open);
    }
    Ok((ports, twins))
}

/// What the configuration says of routing, with ports by index.
fn static_routing(config: &Config, ports: &[OpenPort], twins: &[Option<OpenTwin>]) -> Static {
    let index = |name: &str| {
        let found = config.ports.iter().position(|port| port.name == name);
        found.and_then(|index| u16::try_from(index).ok())
    };
    let routes = config.routes.iter().filter_map(|route| {
        let to = Route { port: index(&route.port)?, gateway: route.via, source: route.source };
        Some((route.to.address, route.to.length, to))
    });
    let neighbours = config.neighbours.iter();
    Static {
        ports: ports.iter().map(|port| FibPort { mac: port.mac, mtu: port.config.mtu }).collect(),
        twins: twins.iter().map(|twin| twin.as_ref().map(|twin| twin.name.clone())).collect(),
        routes: routes.collect(),
        neighbours: neighbours.filter_map(|n| Some((index(&n.port)?, n.address, n.mac.0))).collect(),
    }
}

/// Random words for the flow hash, so that nobody outside can aim at one bucket.
fn seed() -> Result<[u64; 2], StartError> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut urandom| urandom.read_exact(&mut bytes))
        .map_err(|error| StartError::Other(format!("cannot read /dev/urandom: {error}")))?;
    let bits = u128::from_ne_bytes(bytes);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    Ok([bits as u64, (bits >> 64) as u64])
}
