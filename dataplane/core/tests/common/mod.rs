//! The bench all tests stand on: a director with two ports and resolved neighbours, one lcore and a clock.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
pub(crate) mod sctp_table;
pub(crate) mod tcp_table;
pub(crate) mod wire;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sluice_core::{
    Director, DropReason, Encapsulation, Fib, FibPort, FlowView, Forward, Ingress, Jiffies, Lcore,
    LcoreConfig, LcoreStats, Limits, Overhead, Persistence, Protocol, RealConfig, RealCounts, RealId,
    RealStats, RealTable, Route, ServiceConfig, ServiceKey, Switches, TemplateView, Templates, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::SYN;

/// The port towards the clients.
pub(crate) const OUTSIDE: u16 = 0;
/// The port towards the reals.
pub(crate) const INSIDE: u16 = 1;
pub(crate) const OUTSIDE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa0];
pub(crate) const INSIDE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xa1];
/// Behind it are all clients.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
pub(crate) const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xfe];
/// The source of tunnels to the reals.
pub(crate) const INSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub(crate) const MTU: u16 = 1500;

/// What the lcore sends out of a port.
pub(crate) const TO_CLIENT: Verdict = Verdict::Transmit { port: OUTSIDE };
/// What the lcore sends out of the other.
pub(crate) const TO_REAL: Verdict = Verdict::Transmit { port: INSIDE };

/// The address of real `n`, on the link of the inside port.
pub(crate) fn real(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

/// By which clients and reals are told apart.
pub(crate) fn last_byte(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    }
}

pub(crate) fn real_mac(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, n]
}

/// Real `n` with network address translation and weight 1.
pub(crate) fn masq(n: u8, port: u16) -> RealConfig {
    let address = IpAddr::V4(real(n));
    RealConfig {
        address,
        port,
        forward: Forward::Masq,
        weight: 1,
        upper: 0,
        lower: 0,
        encapsulation: Encapsulation::default(),
    }
}

/// Real `n` with direct routing and weight 1.
pub(crate) fn route(n: u8, port: u16) -> RealConfig {
    RealConfig { forward: Forward::Route, ..masq(n, port) }
}

/// Real `n` with a tunnel and weight 1.
pub(crate) fn tunnel(n: u8, port: u16, encapsulation: Encapsulation) -> RealConfig {
    RealConfig { forward: Forward::Tunnel, encapsulation, ..masq(n, port) }
}

pub(crate) fn service(protocol: Protocol, port: u16, scheduler: &str) -> ServiceConfig {
    ServiceConfig {
        key: ServiceKey::Address { protocol, address: IpAddr::V4(VIP), port },
        scheduler: scheduler.to_owned(),
        flags: 0,
        persistence: None,
        one_packet: false,
        engine: None,
    }
}

/// The same, whose clients keep their real for so many seconds; clients of one /`length` count as one.
pub(crate) fn persistent(config: ServiceConfig, timeout: u32, length: u32) -> ServiceConfig {
    let netmask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    ServiceConfig { persistence: Some(Persistence { timeout, netmask }), ..config }
}

/// A service of packets that carry a mark.
pub(crate) fn marked(mark: u32, scheduler: &str) -> ServiceConfig {
    ServiceConfig { key: ServiceKey::Fwmark { mark, ipv6: false }, ..service(Protocol::Tcp, 0, scheduler) }
}

/// The default route leads to the gateway, 10/8 is on the inside link; the gateway and reals 1 to 9 are resolved.
pub(crate) fn fib() -> Fib {
    let mut fib = Fib::default();
    fib.set_ports(vec![FibPort { mac: OUTSIDE_MAC, mtu: MTU }, FibPort { mac: INSIDE_MAC, mtu: MTU }]);
    fib.set_routes([
        (Ipv4Addr::UNSPECIFIED, 0, Route { port: OUTSIDE, gateway: Some(GATEWAY), source: None }),
        (Ipv4Addr::new(10, 0, 0, 0), 8, Route { port: INSIDE, gateway: None, source: Some(INSIDE_ADDRESS) }),
    ]);
    fib.set_neighbour(OUTSIDE, GATEWAY, Some(GATEWAY_MAC));
    for n in 1..10 {
        fib.set_neighbour(INSIDE, real(n), Some(real_mac(n)));
    }
    fib
}

/// A frame from the client to the virtual service's TCP port 80.
pub(crate) fn request(cport: u16, flags: u8) -> Frame {
    from_gateway(CLIENT).tcp(cport, 80, flags)
}

/// A frame from real `n` to the client.
pub(crate) fn reply(n: u8, rport: u16, cport: u16, flags: u8) -> Frame {
    from_link(n).ipv4(real(n), CLIENT).tcp(rport, cport, flags)
}

/// As the gateway sends it: from a client to the VIP.
pub(crate) fn from_gateway(client: Ipv4Addr) -> Frame {
    Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(client, VIP)
}

/// The Ethernet header of a frame from real `n`.
pub(crate) fn from_link(n: u8) -> Frame {
    Frame::new().eth(INSIDE_MAC, real_mac(n))
}

/// Frames of a port.
pub(crate) fn ingress(port: u16) -> Ingress {
    let mac = if port == OUTSIDE { OUTSIDE_MAC } else { INSIDE_MAC };
    Ingress { port, mac, from_kernel: false, steered: false }
}

/// The director, its one lcore, and the clock.
pub(crate) struct Lab {
    pub(crate) director: Director,
    pub(crate) fib: Fib,
    pub(crate) table: Arc<RealTable>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) stats: Arc<LcoreStats>,
    pub(crate) lcore: Lcore,
    pub(crate) now: Jiffies,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_flows(1024)
    }

    /// A flow table of that size.
    pub(crate) fn with_flows(flows: usize) -> Self {
        Self::with_tables(flows, 256)
    }

    /// Tables of these sizes for flows and templates.
    pub(crate) fn with_tables(flows: usize, templates: usize) -> Self {
        Self::with(flows, templates, RealTable::new(64))
    }

    /// Reals whose load is counted so.
    pub(crate) fn with_overhead(overhead: Overhead) -> Self {
        Self::with(1024, 256, RealTable::with_overhead(64, overhead))
    }

    /// The clock starts short of its wrap.
    fn with(flows: usize, templates: usize, table: RealTable) -> Self {
        let table = Arc::new(table);
        let templates = Arc::new(Templates::new(templates, [0x7e3d, 0x71a7], Arc::clone(&table)));
        let stats = Arc::new(LcoreStats::new(64).with_marks(64));
        let mut director = Director::new(Limits { services: 8 }, Arc::clone(&table));
        let fib = fib();
        director.set_fib(Arc::new(fib.clone()));
        let now = Jiffies(u32::MAX - Jiffies::ticks(100));
        let config = LcoreConfig { id: 0, lcores: 1, flows, seed: [0x5eed, 0xfeed], now };
        let lcore =
            Lcore::new(config, director.snapshot(), Arc::clone(&table), Arc::clone(&stats), &|_, _| ())
                .with_templates(Arc::clone(&templates));
        Self { director, fib, table, templates, stats, lcore, now }
    }

    /// A TCP service on port 80 with these reals, the first added first.
    pub(crate) fn tcp(scheduler: &str, reals: impl IntoIterator<Item = RealConfig>) -> (Self, ServiceKey) {
        let mut lab = Self::new();
        let key = lab.add(service(Protocol::Tcp, 80, scheduler), reals);
        (lab, key)
    }

    /// A UDP service on port 53.
    pub(crate) fn udp(scheduler: &str, reals: impl IntoIterator<Item = RealConfig>) -> (Self, ServiceKey) {
        let mut lab = Self::new();
        let key = lab.add(service(Protocol::Udp, 53, scheduler), reals);
        (lab, key)
    }

    pub(crate) fn add(
        &mut self,
        config: ServiceConfig,
        reals: impl IntoIterator<Item = RealConfig>,
    ) -> ServiceKey {
        let key = config.key;
        self.change(|director| director.add_service(config)).unwrap();
        for real in reals {
            self.change(|director| director.add_real(&key, real)).unwrap();
        }
        key
    }

    /// Changes the configuration and lets the lcore take it over.
    pub(crate) fn change<T>(&mut self, change: impl FnOnce(&mut Director) -> T) -> T {
        let outcome = change(&mut self.director);
        self.load();
        outcome
    }

    pub(crate) fn load(&mut self) {
        self.lcore.load(self.director.snapshot());
    }

    pub(crate) fn switch(&mut self, change: impl FnOnce(&mut Switches)) {
        let mut switches = self.director.snapshot().switches;
        change(&mut switches);
        self.change(|director| director.set_switches(switches));
    }

    /// Changes routes or neighbours.
    pub(crate) fn rewire<T>(&mut self, change: impl FnOnce(&mut Fib) -> T) -> T {
        let outcome = change(&mut self.fib);
        let fib = Arc::new(self.fib.clone());
        self.change(|director| director.set_fib(fib));
        outcome
    }

    /// One frame, one burst.
    pub(crate) fn send(&mut self, ingress: &Ingress, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let mut burst = [ArrayBuf::new(frame)];
        let mut verdicts = [Verdict::Steer { lcore: u16::MAX }; 32];
        self.lcore.process_burst(self.now, ingress, &mut burst, &mut verdicts);
        (verdicts[0], burst[0].data().to_vec())
    }

    /// Frames in one burst.
    pub(crate) fn send_all(&mut self, ingress: &Ingress, frames: &[Vec<u8>]) -> Vec<(Verdict, Vec<u8>)> {
        let mut burst: Vec<_> = frames.iter().map(|frame| ArrayBuf::new(frame)).collect();
        let mut verdicts = [Verdict::Steer { lcore: u16::MAX }; 32];
        self.lcore.process_burst(self.now, ingress, &mut burst, &mut verdicts);
        verdicts.into_iter().zip(burst.iter().map(|frame| frame.data().to_vec())).collect()
    }

    pub(crate) fn client_sends(&mut self, frame: &Frame) -> (Verdict, Vec<u8>) {
        self.send(&ingress(OUTSIDE), &frame.build())
    }

    pub(crate) fn real_sends(&mut self, frame: &Frame) -> (Verdict, Vec<u8>) {
        self.send(&ingress(INSIDE), &frame.build())
    }

    /// From the kernel twin of a port.
    pub(crate) fn kernel_sends(&mut self, port: u16, frame: &Frame) -> (Verdict, Vec<u8>) {
        self.send(&Ingress { from_kernel: true, ..ingress(port) }, &frame.build())
    }

    /// Requests with these flags, which have to reach a real.
    pub(crate) fn sends(&mut self, cport: u16, steps: &[u8]) {
        for &flags in steps {
            assert_eq!(self.client_sends(&request(cport, flags)).0, TO_REAL);
        }
    }

    /// Sends a request that has to reach a real, and says which.
    pub(crate) fn reaches(&mut self, frame: &Frame) -> u8 {
        let (verdict, bytes) = self.client_sends(frame);
        assert_eq!(verdict, TO_REAL);
        bytes[5]
    }

    /// Opens connections from these client ports, each with a SYN: the reals chosen, as digits, `-` for none.
    pub(crate) fn open(&mut self, cports: impl IntoIterator<Item = u16>) -> String {
        let choice = |cport| match self.client_sends(&request(cport, SYN)) {
            (TO_REAL, bytes) => bytes[5].to_string(),
            (Verdict::Drop(DropReason::NoReal), _) => "-".to_owned(),
            other => panic!("a SYN met {:?}", other.0),
        };
        cports.into_iter().map(choice).collect()
    }

    /// Moves the clock without letting flows expire.
    pub(crate) fn tick(&mut self, jiffies: u32) {
        self.now = self.now.after(jiffies);
    }

    /// Lets time pass, with the lcore's loop running: flows expire.
    pub(crate) fn wait(&mut self, jiffies: u32) {
        self.tick(jiffies);
        // More than any test needs, so that a wheel that stands still fails the test and does not hang it.
        self.lcore.expire(self.now, 1 << 20);
    }

    /// Seconds, and the half second that the timer wheel may be late.
    pub(crate) fn wait_seconds(&mut self, seconds: u32) {
        self.wait(Jiffies::ticks(seconds) + Jiffies::HZ / 2);
    }

    /// All flows.
    pub(crate) fn flows(&self) -> Vec<FlowView> {
        let mut page = Vec::with_capacity(self.lcore.capacity());
        assert_eq!(self.lcore.flows_page(self.now, 0, u32::MAX, &mut page), None);
        page
    }

    /// All templates, in the order of their clients, then endpoints.
    pub(crate) fn templates(&self) -> Vec<TemplateView> {
        let mut page = Vec::with_capacity(self.templates.capacity());
        assert_eq!(self.templates.page(self.now, 0, u32::MAX, &mut page), None);
        page.sort_by_key(|template| (template.client, template.virtual_endpoint, template.destination));
        page
    }

    /// The only template.
    pub(crate) fn template(&self) -> TemplateView {
        let templates = self.templates();
        assert_eq!(templates.len(), 1, "{templates:?}");
        templates[0]
    }

    /// Templates that name the real.
    pub(crate) fn persistent(&self, id: RealId) -> u32 {
        self.counts(id).persistent()
    }

    /// The only flow.
    pub(crate) fn flow(&self) -> FlowView {
        let flows = self.flows();
        assert_eq!(flows.len(), 1, "{flows:?}");
        flows[0]
    }

    /// The flow's state and the seconds it still has.
    pub(crate) fn state(&self) -> (&'static str, u32) {
        let flow = self.flow();
        (flow.state, flow.expires)
    }

    /// The id of real `n` of a service, whatever its port.
    pub(crate) fn id(&self, key: &ServiceKey, n: u8) -> RealId {
        let service = self.director.service(key).unwrap();
        service.reals.iter().find(|other| other.config.address == IpAddr::V4(real(n))).unwrap().id
    }

    pub(crate) fn counts(&self, id: RealId) -> &RealCounts {
        self.table.get(id).unwrap()
    }

    /// Active and inactive connections.
    pub(crate) fn connections(&self, id: RealId) -> (u32, u32) {
        (self.counts(id).active(), self.counts(id).inactive())
    }

    pub(crate) fn real_stats(&self, id: RealId) -> RealStats {
        self.stats.real_stats(id)
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.stats.dropped(reason)
    }
}
