//! Statistics (reference 8) from frames to what is shown: services, reals and everything together, over several lcores.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sluice_core::{
    BURST, Director, Encapsulation, Fib, FibPort, Forward, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats,
    Limits, Protocol, RealConfig, RealStats, RealTable, Route, Service, ServiceConfig, ServiceKey, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::{ACK, SYN};
use sluiced::counters::{Accounts, Rates, Shown};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const PORT: Verdict = Verdict::Transmit { port: 0 };

/// A director and its accounts, and lcores that frames reach in turn, whosever they are.
struct Bed {
    director: Director,
    accounts: Accounts,
    lcores: Vec<Lcore>,
    turn: usize,
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: VIP.into(), port }
}

fn real(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

/// One neighbour for all: who is next does not matter here.
fn fib() -> Fib {
    let mut fib = Fib::default();
    fib.set_ports(vec![FibPort { mac: MAC, mtu: 1500 }]);
    let gateway = Ipv4Addr::new(192, 0, 2, 254);
    fib.set_routes([(Ipv4Addr::UNSPECIFIED, 0, Route { port: 0, gateway: Some(gateway), source: None })]);
    fib.set_neighbour(0, gateway, Some([2, 0, 0, 0, 0, 2]));
    fib
}

impl Bed {
    fn new(lcores: u16) -> Self {
        let table = Arc::new(RealTable::new(16));
        let mut director = Director::new(Limits { services: 8 }, Arc::clone(&table));
        director.set_fib(Arc::new(fib()));
        let lcore = |id| {
            let config = LcoreConfig { id, lcores, flows: 4096, seed: [3, 4], now: Jiffies(0) };
            let stats = Arc::new(LcoreStats::new(16));
            Lcore::new(config, director.snapshot(), Arc::clone(&table), stats, &|_, _| ())
        };
        let lcores: Vec<Lcore> = (0..lcores).map(lcore).collect();
        let accounts = Accounts::new(lcores.iter().map(|lcore| Arc::clone(lcore.stats())).collect());
        Self { director, accounts, lcores, turn: 0 }
    }

    fn load(&mut self) {
        for lcore in &mut self.lcores {
            lcore.load(self.director.snapshot());
        }
    }

    fn service(&self, port: u16) -> Arc<Service> {
        Arc::clone(self.director.service(&key(port)).expect("there"))
    }

    fn add_service(&mut self, port: u16) {
        let config = ServiceConfig {
            key: key(port),
            scheduler: "rr".to_owned(),
            flags: 0,
            persistence: None,
            one_packet: false,
            engine: None,
        };
        self.director.add_service(config).expect("added");
        self.accounts.add_service(self.service(port).uid);
        self.load();
    }

    fn delete_service(&mut self, port: u16) {
        let uid = self.service(port).uid;
        self.director.delete_service(&key(port)).expect("deleted");
        self.accounts.delete_service(uid);
        self.load();
    }

    fn add_real(&mut self, port: u16, n: u8) {
        let config = RealConfig {
            address: real(n).into(),
            port,
            forward: Forward::Masq,
            weight: 1,
            upper: 0,
            lower: 0,
            encapsulation: Encapsulation::default(),
        };
        let added = self.director.add_real(&key(port), config).expect("added");
        self.accounts.add_real(added);
        self.load();
    }

    fn delete_real(&mut self, port: u16, n: u8) {
        let uid = self.service(port).uid;
        let gone = self.director.delete_real(&key(port), real(n).into(), port).expect("deleted");
        self.accounts.delete_real(uid, gone);
        self.load();
    }

    /// To the next lcore, and on to the owner.
    fn send(&mut self, frame: &Frame) -> (Verdict, Vec<u8>) {
        self.turn = (self.turn + 1) % self.lcores.len();
        let (verdict, bytes) = self.process(self.turn, frame, false);
        let Verdict::Steer { lcore } = verdict else { return (verdict, bytes) };
        self.process(usize::from(lcore), frame, true)
    }

    fn process(&mut self, lcore: usize, frame: &Frame, steered: bool) -> (Verdict, Vec<u8>) {
        let mut burst = [ArrayBuf::new(&frame.build())];
        let mut verdicts = [Verdict::ToKernel; BURST];
        let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered };
        self.lcores[lcore].process_burst(Jiffies(0), &ingress, &mut burst, &mut verdicts);
        (verdicts[0], burst[0].data().to_vec())
    }

    /// From a client whose port is given, with so many bytes of payload: the real that it reaches.
    fn request(&mut self, cport: u16, port: u16, flags: u8, payload: usize) -> Option<u8> {
        let frame = Frame::new().eth(MAC, [2, 0, 0, 0, 0, 2]).ipv4(client(), VIP).tcp(cport, port, flags);
        let (verdict, bytes) = self.send(&frame.payload(&vec![0; payload]));
        // The last byte of the destination address.
        (verdict == PORT).then(|| bytes[33])
    }

    fn reply(&mut self, n: u8, port: u16, cport: u16, payload: usize) {
        let frame = Frame::new().eth(MAC, [2, 0, 0, 0, 0, n]).ipv4(real(n), client()).tcp(port, cport, ACK);
        assert_eq!(self.send(&frame.payload(&vec![0; payload])).0, PORT);
    }

    fn shown(&self, port: u16, n: u8) -> Shown {
        let service = self.service(port);
        let found = service.reals.iter().find(|other| other.config.address == real(n)).expect("there");
        self.accounts.real(found.id)
    }

    fn tick(&mut self) {
        self.accounts.tick(self.director.services());
    }
}

fn client() -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 7)
}

fn stats(conns: u64, [in_packets, out_packets]: [u64; 2], [in_bytes, out_bytes]: [u64; 2]) -> RealStats {
    RealStats { conns, in_packets, out_packets, in_bytes, out_bytes }
}

/// Two services of two reals each; on any number of lcores each packet and byte counts once, for its real, its service and
/// everything together. Bytes are those of the IP packet.
#[test]
fn every_packet_is_counted_once_on_many_lcores() {
    for lcores in [1, 2, 7] {
        let mut bed = Bed::new(lcores);
        for port in [80, 81] {
            bed.add_service(port);
            bed.add_real(port, 1);
            bed.add_real(port, 2);
        }
        let mut expected = [[RealStats::default(); 2]; 2];
        for turn in 0..400u16 {
            let (at, port) = [(0, 80), (1, 81)][usize::from(turn % 2)];
            let (cport, payload) = (1000 + turn, usize::from(turn % 97));
            let n = bed.request(cport, port, SYN, 0).expect("a real");
            assert_eq!(bed.request(cport, port, ACK, payload), Some(n));
            bed.reply(n, port, cport, payload + 1);
            let of = &mut expected[at][usize::from(n - 1)];
            let bytes = payload as u64;
            *of = stats(
                of.conns + 1,
                [of.in_packets + 2, of.out_packets + 1],
                [of.in_bytes + 80 + bytes, of.out_bytes + 41 + bytes],
            );
        }
        let plus = |a: RealStats, b: RealStats| {
            let packets = [a.in_packets + b.in_packets, a.out_packets + b.out_packets];
            stats(a.conns + b.conns, packets, [a.in_bytes + b.in_bytes, a.out_bytes + b.out_bytes])
        };
        for (port, [one, two]) in [80, 81].into_iter().zip(expected) {
            assert!(one.conns > 0 && two.conns > 0, "both reals of {port} are used");
            assert_eq!((bed.shown(port, 1).stats, bed.shown(port, 2).stats), (one, two), "{lcores} lcores");
            assert_eq!(bed.accounts.service(&bed.service(port)).stats, plus(one, two), "{lcores} lcores");
        }
        let all = expected.as_flattened().iter().copied().fold(RealStats::default(), plus);
        assert_eq!(bed.accounts.total().stats, all, "{lcores} lcores");
    }
}

/// The kernel's own figures: 1000 packets, 100,000 bytes, then silence.
#[test]
fn a_burst_decays_as_in_the_kernel() {
    let mut bed = Bed::new(3);
    bed.add_service(80);
    bed.add_real(80, 1);
    bed.request(1000, 80, SYN, 60);
    for _ in 1..1000 {
        bed.request(1000, 80, ACK, 60);
    }
    for (packets, bytes) in [(125, 12_500), (94, 9375), (70, 7031), (53, 5273)] {
        bed.tick();
        let service = bed.accounts.service(&bed.service(80)).rates;
        for rates in [service, bed.shown(80, 1).rates, bed.accounts.total().rates] {
            assert_eq!((rates.in_packets, rates.in_bytes), (packets, bytes));
        }
    }
    assert_eq!(bed.shown(80, 1).stats, stats(1, [1000, 0], [100_000, 0]), "100 bytes each");
}

/// Reference 4.4: only while the real is one of its service's, though its replies are translated all the same.
#[test]
fn packets_of_a_removed_real_are_not_counted_until_it_comes_back() {
    let mut bed = Bed::new(2);
    bed.add_service(80);
    bed.add_real(80, 1);
    bed.request(1000, 80, SYN, 0);
    bed.reply(1, 80, 1000, 0);
    let before = stats(1, [1, 1], [40, 40]);
    bed.delete_real(80, 1);
    bed.reply(1, 80, 1000, 0);
    assert_eq!(bed.request(1000, 80, ACK, 0), None, "dropped");
    assert_eq!(bed.accounts.service(&bed.service(80)).stats, before, "the service keeps what it had");
    assert_eq!(bed.accounts.total().stats, before);
    bed.add_real(80, 1);
    assert_eq!(bed.shown(80, 1).stats, before, "and so does the real");
    bed.reply(1, 80, 1000, 0);
    let after = stats(1, [1, 2], [40, 80]);
    let service = bed.accounts.service(&bed.service(80)).stats;
    assert_eq!((bed.shown(80, 1).stats, service, bed.accounts.total().stats), (after, after, after));
}

/// Its flows go on, but it is another service and starts at nothing; everything together does not.
#[test]
fn a_service_made_anew_starts_at_nothing_with_the_reals_that_come_back() {
    let mut bed = Bed::new(2);
    bed.add_service(80);
    bed.add_real(80, 1);
    bed.request(1000, 80, SYN, 0);
    bed.delete_service(80);
    bed.add_service(80);
    bed.add_real(80, 1);
    assert_eq!(bed.request(1000, 80, ACK, 0), Some(1));
    let after = stats(0, [1, 0], [40, 0]);
    assert_eq!((bed.shown(80, 1).stats, bed.accounts.service(&bed.service(80)).stats), (after, after));
    assert_eq!(bed.accounts.total().stats, stats(1, [2, 0], [80, 0]));
}

#[test]
fn zeroing_one_service_covers_its_reals_and_zeroing_all_everything() {
    let mut bed = Bed::new(2);
    for port in [80, 81] {
        bed.add_service(port);
        bed.add_real(port, 1);
        bed.request(1000, port, SYN, 0);
    }
    bed.tick();
    let one = stats(1, [1, 0], [40, 0]);
    let service = bed.service(80);
    bed.accounts.zero(&service);
    let nothing = Shown::default();
    assert_eq!((bed.shown(80, 1), bed.accounts.service(&service)), (nothing, nothing));
    assert_eq!((bed.shown(81, 1).stats, bed.accounts.total().stats), (one, stats(2, [2, 0], [80, 0])));
    assert_ne!(bed.shown(81, 1).rates, Rates::default());
    bed.accounts.zero_all(bed.director.services());
    assert_eq!((bed.shown(81, 1), bed.accounts.total()), (nothing, nothing));
    bed.request(1000, 80, ACK, 0);
    assert_eq!(bed.shown(80, 1).stats, stats(0, [1, 0], [40, 0]));
    assert_eq!(bed.accounts.total().stats, stats(0, [1, 0], [40, 0]));
}

/// The live numbers of connections are not statistics: nothing holds or zeroes them.
#[test]
fn without_estimation_what_is_shown_stands_still_and_flows_are_counted_on() {
    let mut bed = Bed::new(2);
    bed.add_service(80);
    bed.add_real(80, 1);
    bed.request(1000, 80, SYN, 0);
    bed.accounts.estimate(false, bed.director.services());
    bed.request(1001, 80, SYN, 0);
    bed.tick();
    let held = Shown { stats: stats(1, [1, 0], [40, 0]), rates: Rates::default() };
    assert_eq!((bed.shown(80, 1), bed.accounts.total()), (held, held));
    bed.accounts.estimate(true, bed.director.services());
    assert_eq!(bed.accounts.total().stats, stats(2, [2, 0], [80, 0]));
}
