//! Many lcores in one thread: packets arrive at random ones, and yet every packet of a flow meets the same. Where cards
//! spread them by owner, they arrive there.
#[path = "cluster/card.rs"]
mod card;
mod common;
#[path = "cluster/icmp.rs"]
mod icmp;
#[path = "cluster/persistence.rs"]
mod persistence;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use card::Card;
use common::wire::seen;
use common::*;
use proptest::prelude::*;
use sluice_core::{
    Director, DropReason, FlowView, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats, Limits, Ownership,
    Protocol, RealStats, RealTable, RssInput, ServiceKey, Templates, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::{ACK, SYN};

struct Cluster {
    director: Director,
    table: Arc<RealTable>,
    templates: Arc<Templates>,
    lcores: Vec<Lcore>,
    /// By port; without them packets arrive anywhere.
    cards: Vec<Card>,
    /// State of the generator that stands for receive-side scaling without cards.
    random: u64,
    steered: u64,
}

impl Cluster {
    /// NAT on TCP 80, direct routing on TCP 81, NAT on UDP 53, three reals each.
    fn new(lcores: u16, seed: u64) -> Self {
        let table = Arc::new(RealTable::new(32));
        let mut director = Director::new(Limits { services: 8 }, Arc::clone(&table));
        director.set_fib(Arc::new(fib()));
        for (protocol, port, forward) in [
            (Protocol::Tcp, 80, masq as fn(u8, u16) -> _),
            (Protocol::Tcp, 81, route),
            (Protocol::Udp, 53, masq),
        ] {
            let config = service(protocol, port, "wrr");
            let key = config.key;
            director.add_service(config).unwrap();
            for n in 1..=3 {
                director.add_real(&key, forward(n, port)).unwrap();
            }
        }
        let templates = Arc::new(Templates::new(4096, [seed, !seed], Arc::clone(&table)));
        let lcore = |id| {
            let config = LcoreConfig { id, lcores, flows: 4096, seed: [seed, !seed], now: Jiffies(0) };
            let stats = Arc::new(LcoreStats::new(32));
            Lcore::new(config, director.snapshot(), Arc::clone(&table), stats, &|_, _| ())
                .with_templates(Arc::clone(&templates))
        };
        let lcores = (0..lcores).map(lcore).collect();
        Self { director, table, templates, lcores, cards: Vec::new(), random: seed | 1, steered: 0 }
    }

    /// With a card at each port that spreads by the table of owners.
    fn with_cards(mut self, table: &[u16], cards: [Card; 2]) -> Self {
        let ownership = Ownership::by_rss(table).unwrap();
        self.lcores = self.lcores.into_iter().map(|lcore| lcore.with_ownership(ownership.clone())).collect();
        self.cards = cards.into();
        self
    }

    /// The lcore that a frame arrives at.
    fn first(&mut self, port: u16, frame: &[u8]) -> u16 {
        if let Some(card) = self.cards.get(usize::from(port)) {
            return card.queue(frame);
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % self.lcores.len() as u64) as u16
    }

    fn load(&mut self) {
        for lcore in &mut self.lcores {
            lcore.load(self.director.snapshot());
        }
    }

    fn process(&mut self, lcore: u16, ingress: &Ingress, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let mut burst = [ArrayBuf::new(frame)];
        let mut verdicts = [Verdict::ToKernel; 32];
        self.lcores[usize::from(lcore)].process_burst(Jiffies(0), ingress, &mut burst, &mut verdicts);
        (verdicts[0], burst[0].data().to_vec())
    }

    /// To where it arrives, and on to the lcore that is named there.
    fn send(&mut self, port: u16, frame: &Frame) -> (Verdict, Vec<u8>) {
        let frame = frame.build();
        let first = self.first(port, &frame);
        let (verdict, bytes) = self.process(first, &ingress(port), &frame);
        let Verdict::Steer { lcore } = verdict else { return (verdict, bytes) };
        assert_ne!(lcore, first);
        assert_eq!(bytes, frame, "steered unchanged");
        self.steered += 1;
        let (verdict, bytes) = self.process(lcore, &Ingress { steered: true, ..ingress(port) }, &frame);
        assert!(!matches!(verdict, Verdict::Steer { .. }), "steered twice");
        (verdict, bytes)
    }

    /// Every flow with the lcore it lies on.
    fn flows(&self) -> Vec<(usize, FlowView)> {
        let page = |(at, lcore): (usize, &Lcore)| {
            let mut page = Vec::with_capacity(lcore.capacity());
            assert_eq!(lcore.flows_page(Jiffies(0), 0, u32::MAX, &mut page), None);
            page.into_iter().map(move |flow| (at, flow)).collect::<Vec<_>>()
        };
        self.lcores.iter().enumerate().flat_map(page).collect()
    }

    fn sum(&self, counter: impl Fn(&LcoreStats) -> u64) -> u64 {
        self.lcores.iter().map(|lcore| counter(lcore.stats())).sum()
    }

    /// A real's counters over all lcores.
    fn real_stats(&self, key: &ServiceKey) -> RealStats {
        let mut total = RealStats::default();
        for real in self.director.service(key).unwrap().reals.iter() {
            for lcore in &self.lcores {
                let one = lcore.stats().real_stats(real.id);
                total.conns += one.conns;
                total.in_packets += one.in_packets;
                total.out_packets += one.out_packets;
                total.in_bytes += one.in_bytes;
                total.out_bytes += one.out_bytes;
            }
        }
        total
    }
}

fn key(protocol: Protocol, port: u16) -> ServiceKey {
    service(protocol, port, "").key
}

/// One connection of a client: its request, and the reply of the real that it was sent to.
#[derive(Clone, Copy, Debug)]
struct Connection {
    client: Ipv4Addr,
    cport: u16,
    port: u16,
}

impl Connection {
    fn number(n: u16) -> Self {
        let client = Ipv4Addr::new(203, 0, 113, (n % 50) as u8);
        Self { client, cport: 1024 + n * 7, port: [80, 81, 53][usize::from(n % 3)] }
    }

    fn between(&self, ends: Frame, from_client: bool, flags: u8) -> Frame {
        let (sport, dport) = if from_client { (self.cport, self.port) } else { (self.port, self.cport) };
        if self.port == 53 { ends.udp(sport, dport) } else { ends.tcp(sport, dport, flags) }
    }

    fn request(&self, flags: u8) -> Frame {
        self.between(from_gateway(self.client), true, flags)
    }

    /// From the real with this last byte; under direct routing in the VIP's name.
    fn reply(&self, n: u8, flags: u8) -> Frame {
        let source = if self.port == 81 { VIP } else { real(n) };
        self.between(from_link(n).ipv4(source, self.client), false, flags)
    }

    /// Opens it and answers, and checks what comes out.
    fn open(&self, cluster: &mut Cluster) -> u8 {
        let (verdict, bytes) = cluster.send(OUTSIDE, &self.request(SYN));
        assert_eq!(verdict, TO_REAL);
        let n = bytes[5];
        self.answered(cluster, n, "the handshake");
        let (verdict, bytes) = cluster.send(OUTSIDE, &self.request(ACK));
        assert_eq!((verdict, bytes[5]), (TO_REAL, n), "the same real");
        n
    }

    fn answered(&self, cluster: &mut Cluster, n: u8, after: &str) {
        let (verdict, bytes) = cluster.send(INSIDE, &self.reply(n, SYN | ACK));
        assert_eq!(
            verdict,
            if self.port == 81 { Verdict::ToKernel } else { TO_CLIENT },
            "{self:?} after {after}"
        );
        let seen = seen(&bytes);
        assert_eq!(seen.source, SocketAddr::from((VIP, self.port)));
        assert_eq!(seen.destination, SocketAddr::from((self.client, self.cport)));
    }
}

fn every_packet_meets_its_flow(mut cluster: Cluster, connections: u16) -> Cluster {
    let mut opened: BTreeMap<SocketAddr, u16> = BTreeMap::new();
    for connection in (0..connections).map(Connection::number) {
        connection.open(&mut cluster);
        opened.insert(SocketAddr::from((connection.client, connection.cport)), connection.port);
    }
    let flows = cluster.flows();
    assert_eq!(flows.len(), usize::from(connections), "no flow on two lcores");
    for (_, flow) in &flows {
        assert_eq!(opened.remove(&flow.client), Some(flow.virtual_endpoint.port()));
        assert_eq!(flow.state, if flow.protocol == 17 { "UDP" } else { "ESTABLISHED" });
    }
    let per_service = u64::from(connections / 3);
    for (protocol, port, header) in
        [(Protocol::Tcp, 80, 40), (Protocol::Tcp, 81, 40), (Protocol::Udp, 53, 28)]
    {
        let key = key(protocol, port);
        let expected = RealStats {
            conns: per_service,
            in_packets: 2 * per_service,
            out_packets: per_service,
            in_bytes: 2 * per_service * header,
            out_bytes: per_service * header,
        };
        assert_eq!(cluster.real_stats(&key), expected);
        let reals = &cluster.director.service(&key).unwrap().reals;
        let counts: Vec<_> = reals.iter().map(|real| cluster.table.get(real.id).unwrap()).collect();
        let (active, total) = counts.iter().fold((0, 0), |sum, c| (sum.0 + c.active(), sum.1 + c.total()));
        assert_eq!(u64::from(total), per_service, "counts are everybody's");
        assert_eq!(u64::from(active), if protocol == Protocol::Udp { 0 } else { per_service });
    }
    assert_eq!(cluster.sum(|stats| stats.steered.get()), cluster.steered);
    assert_eq!(cluster.sum(|stats| stats.packets.get()), u64::from(connections) * 3 + cluster.steered);
    cluster
}

#[test]
fn from_1_to_16_lcores() {
    for lcores in 1..=16 {
        let cluster = every_packet_meets_its_flow(Cluster::new(lcores, 0x9e37_79b9), 480);
        let mut per_lcore = vec![0; usize::from(lcores)];
        for (at, _) in cluster.flows() {
            per_lcore[at] += 1;
        }
        let fair = 480 / usize::from(lcores);
        assert!(per_lcore.iter().all(|&n| n > fair / 3 && n < fair * 3), "{per_lcore:?}");
        assert_eq!(cluster.steered == 0, lcores == 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn wherever_packets_arrive(lcores in 1u16..=16, seed: u64) {
        every_packet_meets_its_flow(Cluster::new(lcores, seed), 60);
    }
}

/// The owners that a table of so many entries names, in turn.
fn in_turn(lcores: u16, entries: usize) -> Vec<u16> {
    (0..lcores).cycle().take(entries).collect()
}

/// Every packet arrives at its owner: requests, NAT replies at the other port, and what else a real sends there.
#[test]
fn cards_that_spread_by_client_leave_nothing_to_steer() {
    for lcores in 1..=16 {
        for (outside, inside) in [
            (RssInput::TupleBySource, RssInput::TupleByDestination),
            (RssInput::OneSide, RssInput::OneSide),
            (RssInput::TupleBySource, RssInput::OneSide),
        ] {
            let table = in_turn(lcores, 128);
            // Larger tables repeat the smallest.
            let cards = [Card::new(outside, OUTSIDE, &table, 128), Card::new(inside, INSIDE, &table, 512)];
            let cluster = every_packet_meets_its_flow(Cluster::new(lcores, 1).with_cards(&table, cards), 480);
            assert_eq!(cluster.steered, 0, "{lcores} lcores, {outside:?}, {inside:?}");
            assert!(cluster.lcores.iter().all(|lcore| lcore.stats().packets.get() > 0), "{lcores} lcores");
        }
    }
}

/// Requests and replies at ports that spread by the source: requests arrive right, replies are passed on.
#[test]
fn replies_at_a_card_that_spreads_by_source_are_steered() {
    let table = in_turn(8, 128);
    let cards = [OUTSIDE, INSIDE].map(|port| Card::new(RssInput::TupleBySource, port, &table, 128));
    let cluster = every_packet_meets_its_flow(Cluster::new(8, 1).with_cards(&table, cards), 480);
    assert!(cluster.steered > 240 && cluster.steered <= 480, "of 480 replies: {}", cluster.steered);
}

/// Each lcore has a table of its own, and what a lcore may not have it does not make.
#[test]
fn only_the_owner_makes_a_flow() {
    let mut cluster = Cluster::new(4, 1);
    let connection = Connection::number(0);
    for lcore in 0..4 {
        let frame = connection.request(SYN).build();
        let (verdict, _) = cluster.process(lcore, &ingress(OUTSIDE), &frame);
        assert!(verdict == TO_REAL || matches!(verdict, Verdict::Steer { .. }));
    }
    assert_eq!(cluster.flows().len(), 1);
}

/// Strangers' packets are steered nowhere.
#[test]
fn what_is_nobodys_is_the_kernels_on_every_lcore() {
    let mut cluster = Cluster::new(16, 1);
    for cport in 1024..1124 {
        let (verdict, _) = cluster.send(OUTSIDE, &from_gateway(CLIENT).tcp(cport, 22, SYN));
        assert_eq!(verdict, Verdict::ToKernel);
        let (verdict, _) = cluster.send(INSIDE, &from_link(9).ipv4(real(9), CLIENT).tcp(80, cport, ACK));
        assert_eq!(verdict, Verdict::ToKernel);
    }
    assert_eq!(cluster.steered, 0);
}

type Change = fn(&mut Director);

/// How a configuration can leave flows behind.
fn changes() -> [(&'static str, Change); 4] {
    [
        ("-d", |director| {
            for n in 1..=3 {
                director.delete_real(&key(Protocol::Tcp, 80), real(n).into(), 80).unwrap();
            }
        }),
        ("-D", |director| director.delete_service(&key(Protocol::Tcp, 80)).unwrap()),
        ("-C", |director| director.flush()),
        ("-e -g", |director| {
            for n in 1..=3 {
                director.edit_real(&key(Protocol::Tcp, 80), route(n, 80)).unwrap();
            }
        }),
    ]
}

/// Reference 4.4: replies are translated by their flow, whatever has become of real and service.
#[test]
fn replies_find_their_flow_after_any_change() {
    for (name, change) in changes() {
        let mut cluster = Cluster::new(8, 7);
        let opened: Vec<_> = (0..120)
            .map(Connection::number)
            .filter(|connection| connection.port == 80)
            .map(|connection| (connection, connection.open(&mut cluster)))
            .collect();
        change(&mut cluster.director);
        cluster.load();
        for (connection, n) in opened {
            connection.answered(&mut cluster, n, name);
        }
    }
}

/// Requests of a flow whose real is gone are dropped (reference 4.4), on whatever lcore they arrive.
#[test]
fn requests_of_flows_left_behind_are_dropped_on_every_lcore() {
    for (name, change) in &changes()[..2] {
        let mut cluster = Cluster::new(8, 7);
        let opened: Vec<_> = (0..120).map(Connection::number).filter(|one| one.port == 80).collect();
        for connection in &opened {
            connection.open(&mut cluster);
        }
        change(&mut cluster.director);
        cluster.load();
        for connection in opened {
            let (verdict, _) = cluster.send(OUTSIDE, &connection.request(ACK));
            assert_eq!(verdict, Verdict::Drop(DropReason::RealGone), "after {name}");
        }
    }
}

/// drop_packet counts attempts on each lcore by itself: no lcore drops more than its share and one.
#[test]
fn every_lcore_turns_away_its_own_nth_attempt() {
    let mut cluster = Cluster::new(4, 3);
    let mut switches = cluster.director.snapshot().switches;
    (switches.drop_rate, switches.drop_at_once) = (3, true);
    cluster.director.set_switches(switches);
    cluster.load();
    for n in 0..300 {
        cluster.send(OUTSIDE, &Connection::number(n).request(SYN));
    }
    let mut all = 0;
    for lcore in &cluster.lcores {
        let (made, dropped) = (lcore.stats().flows_made.get(), lcore.stats().dropped(DropReason::DropPacket));
        assert_eq!(dropped, (made + dropped).div_ceil(3));
        assert!(made > 0);
        all += made + dropped;
    }
    assert_eq!(all, 300);
}

/// SCTP, and ESP with the key exchange that it belongs to: requests and replies meet on the owner of the client, and of
/// ESP that is the owner of the client's port 500.
#[test]
fn sctp_and_esp_meet_their_flows() {
    let mut cluster = Cluster::new(8, 7);
    for (protocol, port) in [(Protocol::Sctp, 9899), (Protocol::Udp, 500)] {
        cluster.director.add_service(service(protocol, port, "rr")).unwrap();
        for n in 1..=3 {
            cluster.director.add_real(&key(protocol, port), masq(n, port)).unwrap();
        }
    }
    cluster.load();
    for n in 0..100 {
        let client = Ipv4Addr::new(203, 0, 113, n);
        let between = |ends: Frame, sport, dport, chunk| ends.sctp(sport, dport, chunk).payload(&[0; 4]);
        let (verdict, bytes) = cluster.send(OUTSIDE, &between(from_gateway(client), 40_000, 9899, 1));
        assert_eq!(verdict, TO_REAL);
        let ends = from_link(bytes[5]).ipv4(real(bytes[5]), client);
        assert_eq!(cluster.send(INSIDE, &between(ends, 9899, 40_000, 2)).0, TO_CLIENT);

        assert_eq!(cluster.send(OUTSIDE, &from_gateway(client).protocol(50)).0, Verdict::ToKernel);
        let (verdict, exchange) = cluster.send(OUTSIDE, &from_gateway(client).udp(500, 500));
        assert_eq!(verdict, TO_REAL);
        let (verdict, bytes) = cluster.send(OUTSIDE, &from_gateway(client).protocol(50));
        assert_eq!((verdict, bytes[5]), (TO_REAL, exchange[5]));
        let reply = from_link(bytes[5]).ipv4(real(bytes[5]), client).protocol(50);
        assert_eq!(cluster.send(INSIDE, &reply).0, TO_CLIENT);
    }
    assert_eq!(cluster.flows().len(), 200, "no flow on two lcores");
    assert!(cluster.steered > 400, "{} of 600 packets", cluster.steered);
}
