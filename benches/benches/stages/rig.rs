//! One lcore with one virtual service, fed with bursts of byte arrays.
use std::array::from_fn;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use sluice_bench::cycles;
use sluice_bench::traffic::{FRAME, NEIGHBOUR, REAL_PORT, REALS, Template, VIP, VPORT, real};
use sluice_core::{
    BURST, Director, Fib, FibPort, Forward, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats, Limits,
    Protocol, RealConfig, RealTable, Route, ServiceConfig, ServiceKey, Timeouts, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::ArrayBuf;

/// The port's MAC address.
pub(crate) const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

const KEY: ServiceKey =
    ServiceKey::Address { protocol: Protocol::Udp, address: IpAddr::V4(VIP), port: VPORT };

/// A burst of frames in arrays.
pub(crate) struct Frames([ArrayBuf; BURST]);

impl Frames {
    pub(crate) fn new() -> Self {
        Self(from_fn(|_| ArrayBuf::new(&[0; FRAME])))
    }

    pub(crate) fn as_slice(&self) -> &[ArrayBuf] {
        &self.0
    }

    /// Writes a frame into each array: the one that `next` names by its template and flow.
    pub(crate) fn fill<'a>(&mut self, mut next: impl FnMut() -> (&'a Template, u32)) {
        for array in &mut self.0 {
            let (template, flow) = next();
            template.write(flow, array.data_mut());
        }
        // The stores are done before the clock starts.
        fence(Ordering::SeqCst);
    }
}

pub(crate) struct Rig {
    lcore: Lcore,
    pub(crate) now: Jiffies,
    verdicts: [Verdict; BURST],
}

impl Rig {
    /// A service that forwards by `forward` in round robin, a table for `capacity` flows, `udp` seconds of idle time.
    pub(crate) fn new(forward: Forward, capacity: usize, udp: u32) -> Self {
        let reals = Arc::new(RealTable::new(64));
        let mut director = Director::new(Limits { services: 64 }, Arc::clone(&reals));
        let service = ServiceConfig {
            key: KEY,
            scheduler: "rr".to_owned(),
            flags: 0,
            persistence: None,
            one_packet: false,
            engine: None,
        };
        director.add_service(service).expect("a service");
        // The last added is the first in the kernel's order.
        for n in (0..REALS).rev() {
            director.add_real(&KEY, server(n, forward)).expect("a real server");
        }
        director.set_timeouts(Timeouts { tcp: 0, tcp_fin: 0, udp }).expect("a timeout");
        director.set_fib(Arc::new(fib()));
        let now = Jiffies(0);
        let config = LcoreConfig { id: 0, lcores: 1, flows: capacity, seed: [0x5eed, 0xbed], now };
        let stats = Arc::new(LcoreStats::new(64));
        // Pages are malloc's to choose, see `place`.
        let lcore = Lcore::new(config, director.snapshot(), reals, stats, &|_, _| {});
        Self { lcore, now, verdicts: [Verdict::ToKernel; BURST] }
    }

    /// Runs one burst and returns what it took in cycles.
    ///
    /// # Panics
    /// Where a packet is not forwarded: what was measured would be something else.
    #[inline]
    pub(crate) fn burst(&mut self, frames: &mut Frames) -> u64 {
        let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered: false };
        let start = cycles::now();
        self.lcore.process_burst(self.now, black_box(&ingress), &mut frames.0, &mut self.verdicts);
        let took = cycles::now() - start;
        let sent = Verdict::Transmit { port: 0 };
        assert!(self.verdicts.iter().all(|&verdict| verdict == sent), "{:?}", self.verdicts);
        took
    }

    /// Ends flows whose time has come, as a worker does once a loop, and returns what it took in cycles.
    #[inline]
    pub(crate) fn expire(&mut self) -> u64 {
        let start = cycles::now();
        self.lcore.expire(self.now, 64);
        cycles::now() - start
    }

    /// Flows in the table.
    pub(crate) fn flows(&self) -> u64 {
        self.lcore.stats().flows.get()
    }
}

fn server(n: u32, forward: Forward) -> RealConfig {
    let port = if forward == Forward::Masq { REAL_PORT } else { VPORT };
    RealConfig { address: IpAddr::V4(real(n)), port, forward, weight: 1, upper: 0, lower: 0 }
}

/// Reals are on the link, clients behind a gateway; all neighbours are known.
fn fib() -> Fib {
    let gateway = Ipv4Addr::new(192, 0, 2, 254);
    let mut fib = Fib::default();
    fib.set_ports(vec![FibPort { mac: MAC, mtu: 1500 }]);
    fib.set_routes([
        (Ipv4Addr::UNSPECIFIED, 0, Route { port: 0, gateway: Some(gateway) }),
        (Ipv4Addr::new(192, 0, 2, 0), 24, Route { port: 0, gateway: None }),
    ]);
    for address in (0..REALS).map(real).chain([gateway]) {
        fib.set_neighbour(0, address, Some(NEIGHBOUR));
    }
    fib
}
