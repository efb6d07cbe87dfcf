//! Runs `sluiced` with one virtual service and reads its counters by its control socket.
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sluice_api::{
    Client, Forward, Protocol, RealId, RealSpec, Request, ServiceId, ServiceSpec, Status, Timeouts,
};
use sluice_bench::traffic::{NEIGHBOUR, REAL_PORT, REALS, VIP, VPORT, real};

use crate::contender::{Contender, PORT_MAC};
use crate::interrupt;
use crate::process::Process;
use crate::trial::{Counters, Forwarder, Place};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);
/// Where tunnels come from.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 253);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
pub(crate) const SERVICE: ServiceId =
    ServiceId::Address { protocol: Protocol::Udp, address: IpAddr::V4(VIP), port: VPORT };

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Sluiced {
    process: Process,
    pub(crate) client: Client,
    pub(crate) socket: PathBuf,
}

/// Builds the daemon as this program was built, and returns where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let path = own.with_file_name("sluiced");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let built =
            Command::new(cargo).args(["build", "--release", "--locked", "--quiet", "-p", "sluiced"]).status();
        ensure!(built.context("cannot run cargo")?.success(), "sluiced does not build");
    }
    ensure!(
        path.exists(),
        "no daemon at {}: build it (cargo build --release -p sluiced) or name it with --sluiced",
        path.display()
    );
    Ok(path)
}

impl Sluiced {
    pub(crate) fn start(contender: &Contender, forward: Forward, place: &Place<'_>) -> Result<Self> {
        let file = |name| place.folder.join(name);
        let (config, state, socket) = (file("sluice.toml"), file("state.json"), file("control.sock"));
        std::fs::write(&config, configuration(contender, place, &state, &socket))
            .and_then(|()| std::fs::write(&state, services(forward)))
            .context("cannot write the daemon's configuration")?;
        let mut process =
            Process::start("sluiced", Command::new(place.sluiced).arg("--config").arg(&config))?;
        let mut client = connect(&mut process, &socket)?;
        let status: Status = client.call(&Request::Status)?;
        let mac = status.ports.first().map(|port| port.mac.as_str());
        ensure!(
            mac == Some(&mac_text(PORT_MAC)),
            "the port's MAC address is {mac:?}, not that of the frames"
        );
        Ok(Self { process, client, socket })
    }
}

impl Sluiced {
    /// Flows in its tables.
    pub(crate) fn flows(&mut self) -> Result<u64> {
        self.process.check()?;
        let status: Status = self.client.call(&Request::Status)?;
        Ok(status.lcores.iter().map(|lcore| lcore.flows).sum())
    }
}

impl Forwarder for Sluiced {
    fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn counters(&mut self) -> Result<Counters> {
        self.process.check()?;
        let status: Status = self.client.call(&Request::Status)?;
        let port = status.ports.first().context("sluiced lists no port")?;
        Ok(Counters { received: port.rx_packets, sent: port.tx_packets })
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.process.terminate(STOP)
    }
}

fn connect(process: &mut Process, socket: &Path) -> Result<Client> {
    let end = Instant::now() + START;
    loop {
        process.check()?;
        match Client::connect(socket) {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > end => {
                return Err(process.failed(&format!("does not answer after {START:?}: {error}")));
            }
            Err(_) => interrupt::sleep(Duration::from_millis(50))?,
        }
    }
}

/// One service with its reals as the daemon saves them. It finds them at start: were they added one by one, the first
/// packets would meet half a service.
fn services(forward: Forward) -> String {
    let service = ServiceSpec {
        id: SERVICE,
        scheduler: "rr".to_owned(),
        flags: Vec::new(),
        persistent: None,
        one_packet: false,
        pe: None,
    };
    // The last added is the first in the scheduler's order.
    let reals: Vec<_> = (0..REALS).rev().map(|n| server(n, forward)).collect();
    let timeouts = Timeouts { tcp: 900, tcp_fin: 120, udp: 300 };
    let services = [json!({ "service": service, "reals": reals })];
    json!({ "version": 1, "timeouts": timeouts, "services": services }).to_string()
}

/// Real server `n`.
pub(crate) fn server(n: u32, forward: Forward) -> RealSpec {
    let port = if forward == Forward::Masq { REAL_PORT } else { VPORT };
    let id = RealId { address: IpAddr::V4(real(n)), port };
    RealSpec { id, forward, weight: 1, upper_threshold: 0, lower_threshold: 0, tunnel: None }
}

/// Reals are on the link, clients behind a gateway; nobody has to be asked for a MAC address.
fn configuration(contender: &Contender, place: &Place<'_>, state: &Path, socket: &Path) -> String {
    let mut text = format!(
        "[lcores]\nworkers = [{cpu}]\ncontrol = {control}\n\n\
         [memory]\nno_huge = {no_huge}\nmegabytes = {megabytes}\nmbufs = {mbufs}\n\n\
         [control]\nsocket = {socket:?}\n\n[state]\nfile = {state:?}\n\n[log]\nlevel = \"warn\"\n\n\
         [[ports]]\nname = \"lab\"\ndevice = {device:?}\ntwin = false\n\n\
         [[routes]]\nto = \"0.0.0.0/0\"\nport = \"lab\"\nvia = \"{GATEWAY}\"\n\n\
         [[routes]]\nto = \"192.0.2.0/24\"\nport = \"lab\"\nsource = \"{OWN}\"\n",
        cpu = place.cpu,
        control = place.control_cpu,
        no_huge = !place.hugepages,
        megabytes = place.megabytes(),
        mbufs = place.mbufs(),
        device = place.device(contender.traffic),
    );
    for address in (0..REALS).map(real).chain([GATEWAY]) {
        let mac = mac_text(NEIGHBOUR);
        let neighbour =
            format!("\n[[neighbours]]\naddress = \"{address}\"\nport = \"lab\"\nmac = \"{mac}\"\n");
        // Writing to a string cannot fail.
        let _ = text.write_str(&neighbour);
    }
    text
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
