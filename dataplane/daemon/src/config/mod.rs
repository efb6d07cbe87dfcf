//! The configuration file as types: what may be written in it, with its defaults.
//!
//! The file is TOML. Every key is optional unless its comment says otherwise; an unknown key is an error
//! ([`load()`] names the nearest known one), so that a misspelt limit is never a default in disguise.

mod check;
mod load;
mod values;
mod vs;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use serde::Deserialize;

pub(crate) use load::nearest;
pub use load::{ConfigError, load, parse};
pub use values::{Faces, Idle, MacAddress, Overhead, Prefix4, Twin, TwinDriver};
pub use vs::Vs;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[lcores]` (required): which CPUs do what.
    pub lcores: Lcores,
    /// `[memory]`: packet memory.
    #[serde(default)]
    pub memory: Memory,
    /// `[control]`: the control socket.
    #[serde(default)]
    pub control: Control,
    /// `[state]`: what survives a restart.
    #[serde(default)]
    pub state: State,
    /// `[tables]`: capacities, allocated at start.
    #[serde(default)]
    pub tables: Tables,
    /// `[vs]`: switches named as under `net.ipv4.vs`.
    #[serde(default)]
    pub vs: Vs,
    /// `[compat]`: what kernels differ in.
    #[serde(default)]
    pub compat: Compat,
    /// `[http]`: metrics over HTTP.
    #[serde(default)]
    pub http: Http,
    /// `[proc]`: counters in files of the kernel's format.
    #[serde(default)]
    pub proc: Proc,
    /// `[log]`: what is logged.
    #[serde(default)]
    pub log: Log,
    /// `[[ports]]` (required, at least one): the interfaces that forward.
    pub ports: Vec<Port>,
    /// `[[routes]]`: static routes, for ports without a twin.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// `[[neighbours]]`: static neighbours, for ports without a twin.
    #[serde(default)]
    pub neighbours: Vec<Neighbour>,
}

/// Which CPUs do what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lcores {
    /// CPUs that forward, one worker each; 1 to 64, none twice (required).
    pub workers: Vec<usize>,
    /// CPU of the control and slow threads.
    #[serde(default)]
    pub control: usize,
    /// What a worker does while no frame comes.
    #[serde(default)]
    pub idle: Idle,
}

/// Packet memory, taken at start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// Use ordinary pages; slower.
    pub no_huge: bool,
    /// MiB that the EAL takes at start, 64 or more.
    pub megabytes: u32,
    /// Packet buffers shared by all ports, 1024 or more.
    pub mbufs: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { no_huge: false, megabytes: 1024, mbufs: 65536 }
    }
}

/// The control socket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Path of the Unix socket.
    pub socket: PathBuf,
    /// Group whose members may speak beside root and the socket's owner.
    pub group: Option<String>,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/sluice/control.sock"), group: None }
    }
}

/// What survives a restart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// File that holds services, reals, mark rules and switches set at run time; empty: nothing is kept.
    pub file: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self { file: PathBuf::from("/var/lib/sluice/state.json") }
    }
}

/// Capacities.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tables {
    /// Flows per worker, 1024 to 2^26.
    pub flows: usize,
    /// Real servers, those still draining counted; 1 to 2^20.
    pub reals: usize,
    /// Virtual services, 1 to 2^20.
    pub services: usize,
    /// Persistence templates of all workers together, 1024 to 2^26.
    pub templates: usize,
    /// Mark rules, 1 to 2^14.
    pub marks: usize,
}

impl Default for Tables {
    fn default() -> Self {
        Self { flows: 1 << 20, reals: 1 << 14, services: 1 << 16, templates: 1 << 18, marks: 10_000 }
    }
}

/// What kernels differ in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compat {
    /// The load that lc, wlc, lblc, lblcr and twos compare.
    pub overhead: Overhead,
}

/// Metrics over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// TCP port, 1 to 65535; absent: no HTTP.
    pub port: Option<NonZeroU16>,
    /// Address to listen on.
    pub address: IpAddr,
    /// Whether metrics tell of each real server.
    pub reals: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self { port: None, address: IpAddr::V4(Ipv4Addr::LOCALHOST), reals: false }
    }
}

/// Counters in files of the kernel's format.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proc {
    /// What stands for /proc; empty: no files.
    pub folder: PathBuf,
    /// Seconds between two writings, 1 to 3600.
    pub period: u32,
    /// Whether connections are listed too.
    pub connections: bool,
}

impl Default for Proc {
    fn default() -> Self {
        Self { folder: PathBuf::new(), period: 5, connections: false }
    }
}

/// What is logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a filter such as `info,sluiced::mirror=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned() }
    }
}

/// An interface that forwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Name in status and logs (required).
    pub name: String,
    /// PCI address or vdev arguments (required).
    pub device: String,
    /// Kernel interface that stands for the port.
    #[serde(default)]
    pub twin: Twin,
    /// How the twin is made.
    #[serde(default)]
    pub twin_driver: TwinDriver,
    /// Receive and transmit queues, at most as many as workers; 0: as many as workers, bounded by the device.
    #[serde(default)]
    pub queues: u16,
    /// Who sends to this port: tells by which side of a packet the device chooses the queue.
    #[serde(default)]
    pub faces: Faces,
    /// Descriptors of a receive queue, 64 to 32768.
    #[serde(default = "default_descriptors")]
    pub rx_descriptors: u16,
    /// Descriptors of a transmit queue, 64 to 32768.
    #[serde(default = "default_descriptors")]
    pub tx_descriptors: u16,
    /// Largest IP packet in bytes, 68 to 9600.
    #[serde(default = "default_mtu")]
    pub mtu: u16,
    /// Take frames for foreign MAC addresses too.
    #[serde(default)]
    pub promiscuous: bool,
}

fn default_descriptors() -> u16 {
    1024
}

fn default_mtu() -> u16 {
    1500
}

impl Port {
    /// The name of the kernel interface that stands for this port; `None` where it has none.
    pub fn twin_name(&self) -> Option<String> {
        match &self.twin {
            Twin::Default => Some(format!("sl-{}", self.name)),
            Twin::Named(name) => Some(name.clone()),
            Twin::None => None,
        }
    }
}

/// A static route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Destination prefix (required).
    pub to: Prefix4,
    /// Name of the port (required).
    pub port: String,
    /// Gateway; absent: the destination is on the link.
    pub via: Option<Ipv4Addr>,
    /// Source of the packets that carry tunnels that way; absent: there can be none.
    pub source: Option<Ipv4Addr>,
}

/// A static neighbour.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// IPv4 address (required).
    pub address: Ipv4Addr,
    /// Name of the port (required).
    pub port: String,
    /// MAC address (required).
    pub mac: MacAddress,
}
