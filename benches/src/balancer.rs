//! The balancer under test: one virtual service, its reals, neighbours that are all known, and lcores that serve it.
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sluice_core::{
    ConfigError, Director, Encapsulation, Fib, FibPort, Forward, Jiffies, Lcore, LcoreConfig, LcoreStats,
    Limits, Protocol, RealConfig, RealTable, Route, ServiceConfig, ServiceKey, Timeouts,
};

use crate::traffic::{NEIGHBOUR, REAL_PORT, VIP, VPORT, real};

/// The MAC address of the balancer's one port.
pub const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// The virtual service.
pub const KEY: ServiceKey =
    ServiceKey::Address { protocol: Protocol::Udp, address: IpAddr::V4(VIP), port: VPORT };

/// Room for reals: those of the largest service that a bench asks for.
const MAX_REALS: usize = 1024;
/// Where tunnels come from.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 253);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);

/// What the one service is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How its reals are reached.
    pub forward: Forward,
    /// Its scheduler.
    pub scheduler: &'static str,
    /// How many reals it has, from 1 to 1000; all of weight 1.
    pub reals: u32,
    /// Seconds after which an idle flow ends.
    pub udp_seconds: u32,
}

/// The configuration, from which lcores are made.
#[derive(Debug)]
pub struct Balancer {
    director: Director,
    reals: Arc<RealTable>,
}

impl Balancer {
    /// A balancer with one service.
    ///
    /// # Errors
    /// A scheduler that there is not, and figures out of range.
    pub fn new(shape: &Shape) -> Result<Self, ConfigError> {
        let reals = Arc::new(RealTable::new(MAX_REALS));
        let mut director = Director::new(Limits { services: 64 }, Arc::clone(&reals));
        director.add_service(ServiceConfig {
            key: KEY,
            scheduler: shape.scheduler.to_owned(),
            flags: 0,
            persistence: None,
            one_packet: false,
            engine: None,
        })?;
        // The last added is the first in the kernel's order.
        for n in (0..shape.reals).rev() {
            director.add_real(&KEY, server(n, shape.forward))?;
        }
        director.set_timeouts(Timeouts { tcp: 0, tcp_fin: 0, udp: shape.udp_seconds })?;
        director.set_fib(Arc::new(fib(shape.reals)));
        Ok(Self { director, reals })
    }

    /// Lcore `id` of `lcores`, with room for `flows` flows. Large tables are shown to `advise` (address, bytes) before
    /// their first touch.
    #[must_use]
    pub fn lcore(&self, id: u16, lcores: u16, flows: usize, advise: &dyn Fn(*mut u8, usize)) -> Lcore {
        let config = LcoreConfig { id, lcores, flows, seed: [0x5eed, 0xbed], now: Jiffies(0) };
        let stats = Arc::new(LcoreStats::new(MAX_REALS));
        Lcore::new(config, self.director.snapshot(), Arc::clone(&self.reals), stats, advise)
    }
}

fn server(n: u32, forward: Forward) -> RealConfig {
    let port = if forward == Forward::Masq { REAL_PORT } else { VPORT };
    RealConfig {
        address: IpAddr::V4(real(n)),
        port,
        forward,
        weight: 1,
        upper: 0,
        lower: 0,
        encapsulation: Encapsulation::default(),
    }
}

/// Reals are on the link, clients behind a gateway.
fn fib(reals: u32) -> Fib {
    let mut fib = Fib::default();
    fib.set_ports(vec![FibPort { mac: MAC, mtu: 1500 }]);
    fib.set_routes([
        (Ipv4Addr::UNSPECIFIED, 0, Route { port: 0, gateway: Some(GATEWAY), source: None }),
        (Ipv4Addr::new(192, 0, 0, 0), 16, Route { port: 0, gateway: None, source: Some(OWN) }),
        (Ipv4Addr::new(198, 51, 100, 0), 24, Route { port: 0, gateway: None, source: Some(OWN) }),
    ]);
    for address in (0..reals).map(real).chain([GATEWAY]) {
        fib.set_neighbour(0, address, Some(NEIGHBOUR));
    }
    fib
}
