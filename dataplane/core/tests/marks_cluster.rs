//! Fwmark services on several lcores: packets arrive anywhere, and any may be a request or a reply.
mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use common::wire::seen;
use common::*;
use proptest::prelude::*;
use sluice_core::{
    Director, DropReason, FlowView, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats, Limits, MarkRule,
    NewMark, Protocol, RealTable, ServiceKey, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::{ACK, SYN};

const MARK: ServiceKey = ServiceKey::Fwmark { mark: 7, ipv6: false };

struct Cluster {
    director: Director,
    lcores: Vec<Lcore>,
    random: u64,
}

impl Cluster {
    /// A service of mark 7 with masqueraded reals, and a rule that marks everything: what is a reply must be told by its
    /// flow.
    fn new(lcores: u16, seed: u64) -> Self {
        let table = Arc::new(RealTable::new(32));
        let mut director = Director::new(Limits { services: 8 }, Arc::clone(&table));
        director.set_fib(Arc::new(fib()));
        director.add_service(marked(7, "rr")).unwrap();
        for (n, port) in [(1, 0), (2, 8080), (3, 0)] {
            director.add_real(&MARK, masq(n, port)).unwrap();
        }
        director.add_mark(NewMark { id: None, rule: MarkRule::any(0, 7) }).unwrap();
        let lcore = |id| {
            let config = LcoreConfig { id, lcores, flows: 4096, seed: [seed, !seed], now: Jiffies(0) };
            let stats = Arc::new(LcoreStats::new(32).with_marks(director.mark_slots()));
            Lcore::new(config, director.snapshot(), Arc::clone(&table), stats, &|_, _| ())
        };
        let lcores = (0..lcores).map(lcore).collect();
        Self { director, lcores, random: seed | 1 }
    }

    fn change(&mut self, change: impl FnOnce(&mut Director)) {
        change(&mut self.director);
        for lcore in &mut self.lcores {
            lcore.load(self.director.snapshot());
        }
    }

    /// To any lcore, and on as it is steered: to the owner of the replies and to that of the requests at most.
    fn send(&mut self, port: u16, frame: &Frame) -> (Verdict, Vec<u8>) {
        let frame = frame.build();
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let mut at = (self.random >> 33) as usize % self.lcores.len();
        let mut ingress = ingress(port);
        for _ in 0..3 {
            let mut burst = [ArrayBuf::new(&frame)];
            let mut verdicts = [Verdict::ToKernel; 32];
            self.lcores[at].process_burst(Jiffies(0), &ingress, &mut burst, &mut verdicts);
            let Verdict::Steer { lcore } = verdicts[0] else {
                return (verdicts[0], burst[0].data().to_vec());
            };
            assert_ne!(usize::from(lcore), at);
            assert_eq!(burst[0].data(), frame, "steered unchanged");
            at = lcore.into();
            ingress = Ingress { steered: true, ..ingress };
        }
        panic!("steered three times");
    }

    fn flows(&self) -> Vec<FlowView> {
        let mut flows = Vec::new();
        for lcore in &self.lcores {
            let mut page = Vec::with_capacity(lcore.capacity());
            assert_eq!(lcore.flows_page(Jiffies(0), 0, u32::MAX, &mut page), None);
            flows.append(&mut page);
        }
        flows
    }

    fn hits(&self) -> u64 {
        let slot = self.director.marks()[0].slot;
        self.lcores.iter().map(|lcore| lcore.stats().mark_hits(slot)).sum()
    }
}

/// A client's connection to an address that nobody here has.
#[derive(Clone, Copy, Debug)]
struct Connection {
    client: Ipv4Addr,
    cport: u16,
    site: Ipv4Addr,
    udp: bool,
}

impl Connection {
    fn number(n: u16) -> Self {
        let client = Ipv4Addr::new(203, 0, 113, (n % 50) as u8);
        Self {
            client,
            cport: 1024 + n * 7,
            site: Ipv4Addr::new(192, 0, 2, (n % 9) as u8),
            udp: n.is_multiple_of(2),
        }
    }

    fn over(&self, ends: Frame, sport: u16, dport: u16, flags: u8) -> Frame {
        if self.udp { ends.udp(sport, dport) } else { ends.tcp(sport, dport, flags) }
    }

    fn request(&self, flags: u8) -> Frame {
        let ends = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(self.client, self.site);
        self.over(ends, self.cport, 53, flags)
    }

    fn sends(&self, cluster: &mut Cluster, flags: u8) -> u8 {
        let (verdict, bytes) = cluster.send(OUTSIDE, &self.request(flags));
        assert_eq!(verdict, TO_REAL, "{self:?}");
        bytes[5]
    }

    fn answered(&self, cluster: &mut Cluster, n: u8) {
        let rport = if n == 2 { 8080 } else { 53 };
        let frame = self.over(from_link(n).ipv4(real(n), self.client), rport, self.cport, SYN | ACK);
        let (verdict, bytes) = cluster.send(INSIDE, &frame);
        assert_eq!(verdict, TO_CLIENT, "{self:?} by {n}");
        let seen = seen(&bytes);
        assert_eq!(seen.source, SocketAddr::from((self.site, 53)));
        assert!(seen.checksum_is_right());
    }

    fn open(&self, cluster: &mut Cluster) -> u8 {
        let n = self.sends(cluster, SYN);
        self.answered(cluster, n);
        assert_eq!(self.sends(cluster, ACK), n, "the same real");
        n
    }
}

fn every_packet_meets_its_flow(mut cluster: Cluster, connections: u16) {
    for connection in (0..connections).map(Connection::number) {
        connection.open(&mut cluster);
    }
    assert_eq!(cluster.flows().len(), usize::from(connections), "no flow on two lcores, no reply a request");
    assert_eq!(cluster.hits(), u64::from(connections), "first packets only, each once");
}

#[test]
fn from_1_to_16_lcores() {
    for lcores in 1..=16 {
        every_packet_meets_its_flow(Cluster::new(lcores, 0x9e37_79b9), 120);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn wherever_packets_arrive(lcores in 2u16..=16, seed: u64) {
        every_packet_meets_its_flow(Cluster::new(lcores, seed), 40);
    }
}

/// A real that is a client itself: its packets look like replies until no flow is found where those would be.
#[test]
fn reals_can_be_clients() {
    let mut cluster = Cluster::new(8, 5);
    let others: Vec<_> = (0..40).map(Connection::number).collect();
    for connection in &others {
        connection.open(&mut cluster);
    }
    for n in 0..60 {
        let own = Connection { client: real(1), ..Connection::number(n) };
        let frame = |flags| own.over(from_link(1).ipv4(own.client, own.site), own.cport, 53, flags);
        let (verdict, bytes) = cluster.send(INSIDE, &frame(SYN));
        assert_eq!(verdict, TO_REAL);
        let (verdict, again) = cluster.send(INSIDE, &frame(ACK));
        assert_eq!((verdict, again[5]), (TO_REAL, bytes[5]), "the same real");
    }
    assert_eq!(cluster.flows().len(), 100);
}

/// Under direct routing a reply names the virtual service, and is looked for where it would be before it is taken for a
/// request of a fwmark service.
#[test]
fn replies_of_addressed_services_are_told_from_requests() {
    let mut cluster = Cluster::new(8, 11);
    let addressed = service(Protocol::Udp, 53, "rr");
    let key = addressed.key;
    cluster.change(|director| {
        director.add_service(addressed).unwrap();
        director.add_real(&key, route(4, 53)).unwrap();
        // The addressed service comes after the rule that marks everything.
        director.replace_marks(Vec::new()).unwrap();
    });
    for n in 0..40 {
        let client = Connection::number(n).client;
        let (verdict, _) = cluster.send(OUTSIDE, &from_gateway(client).udp(1024 + n, 53));
        assert_eq!(verdict, TO_REAL);
    }
    cluster.change(|director| {
        let rule = MarkRule::any(0, 7);
        director.replace_marks(vec![NewMark { id: None, rule }]).unwrap();
    });
    for n in 0..40 {
        let client = Connection::number(n).client;
        let (verdict, _) = cluster.send(INSIDE, &from_link(4).ipv4(VIP, client).udp(53, 1024 + n));
        assert_eq!(verdict, Verdict::ToKernel);
    }
    let real = cluster.director.service(&key).unwrap().reals[0].id;
    let replies: u64 = cluster.lcores.iter().map(|lcore| lcore.stats().real_stats(real).out_packets).sum();
    assert_eq!((replies, cluster.flows().len()), (40, 40));
}

/// Flows stay with their owner, whatever becomes of the rules and the service.
#[test]
fn flows_outlast_their_rules_and_their_service() {
    let mut cluster = Cluster::new(8, 3);
    let opened: Vec<_> = (0..60).map(Connection::number).map(|one| (one, one.open(&mut cluster))).collect();
    cluster.change(|director| director.replace_marks(Vec::new()).unwrap());
    for (connection, n) in &opened {
        assert_eq!(connection.sends(&mut cluster, ACK), *n);
        connection.answered(&mut cluster, *n);
    }
    let changes: [fn(&mut Director); 2] =
        [|director| director.delete_service(&MARK).unwrap(), |director| director.flush()];
    for change in changes {
        cluster.change(|director| {
            if director.service(&MARK).is_err() {
                director.add_service(marked(7, "rr")).unwrap();
            }
            change(director);
        });
        for (connection, n) in &opened {
            let (verdict, _) = cluster.send(OUTSIDE, &connection.request(ACK));
            assert_eq!(verdict, Verdict::Drop(DropReason::RealGone));
            connection.answered(&mut cluster, *n);
        }
    }
}

/// Once the last flow of the last fwmark service is gone, nothing is steered for its sake any more.
#[test]
fn what_is_left_behind_is_forgotten_with_the_last_flow() {
    let mut cluster = Cluster::new(8, 3);
    cluster.change(|director| director.delete_service(&MARK).unwrap());
    let steered =
        |cluster: &Cluster| cluster.lcores.iter().map(|lcore| lcore.stats().steered.get()).sum::<u64>();
    let strangers = |cluster: &mut Cluster| {
        for connection in (0..40).map(Connection::number) {
            assert_eq!(cluster.send(OUTSIDE, &connection.request(SYN)).0, Verdict::ToKernel);
        }
    };
    strangers(&mut cluster);
    let before = steered(&cluster);
    assert!(before > 0);
    cluster.change(|director| {
        director.collect_trash(Jiffies(0));
        assert_eq!(director.collect_trash(Jiffies(Jiffies::ticks(121))).len(), 3);
    });
    strangers(&mut cluster);
    assert_eq!(steered(&cluster), before);
}
