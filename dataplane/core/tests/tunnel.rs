//! Tunnels: what the kernel makes of the same packets, the outer header, flows, MTU.
mod common;

use std::sync::Arc;

use common::*;
use sluice_core::{
    Director, DropReason, Encapsulation, Fib, FibPort, Lcore, LcoreConfig, LcoreStats, Limits, Protocol,
    RealTable, Route, ServiceConfig, ServiceKey, TunnelChecksum, TunnelKind, Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::ArrayBuf;
use sluice_packet::checksum;
use sluice_packet::header::flags::{ACK, FIN, PSH, SYN};
use sluice_packet::header::{Header, Ipv4, Udp, protocol};

const IPIP: Encapsulation = Encapsulation { kind: TunnelKind::Ipip, port: 0, checksum: TunnelChecksum::None };
const GUE: Encapsulation =
    Encapsulation { kind: TunnelKind::Gue, port: 6080, checksum: TunnelChecksum::None };
const GRE: Encapsulation = Encapsulation { kind: TunnelKind::Gre, port: 0, checksum: TunnelChecksum::None };

fn summed(how: Encapsulation) -> Encapsulation {
    Encapsulation { checksum: TunnelChecksum::Full, ..how }
}

const ALL: [Encapsulation; 5] = [
    IPIP,
    GUE,
    Encapsulation { checksum: TunnelChecksum::Full, ..GUE },
    GRE,
    Encapsulation { checksum: TunnelChecksum::Full, ..GRE },
];

/// Bytes in front of the packet inside, the outer IP header included.
fn overhead(how: Encapsulation) -> usize {
    match (how.kind, how.checksum) {
        (TunnelKind::Ipip, _) => 20,
        (TunnelKind::Gue, _) => 32,
        (TunnelKind::Gre, TunnelChecksum::None) => 24,
        (TunnelKind::Gre, _) => 28,
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A frame to a tunnelled real, checked for what two directors need not have in common, which is blanked: the
/// identification of a packet that may be cut, and the port that a flow's packets are sent from.
fn comparable(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let ip = *Ipv4::at(&frame, 14).unwrap();
    assert_eq!(ip.checksum(), checksum::ipv4_header(&ip, &[]), "outer header checksum");
    assert_eq!(usize::from(ip.total_len()), frame.len() - 14);
    if !ip.dont_fragment() {
        let ip = Ipv4::at_mut(&mut frame, 14).unwrap();
        ip.set_ident(0);
        ip.set_checksum(0);
    }
    if ip.protocol() == protocol::UDP {
        let udp = *Udp::at(&frame, 34).unwrap();
        assert!((32768..61000).contains(&udp.source_port()), "{}", udp.source_port());
        if udp.checksum() != 0 {
            let pseudo =
                checksum::pseudo_v4(ip.source(), ip.destination(), protocol::UDP, udp.datagram_len());
            assert_eq!(checksum::udp(pseudo, &frame[34..]), Some(udp.checksum()));
            Udp::at_mut(&mut frame, 34).unwrap().set_checksum(1);
        }
        Udp::at_mut(&mut frame, 34).unwrap().set_source_port(0);
    }
    frame
}

/// The director that the kernel's frames come from (`tunnels.txt`), with one tunnel.
struct Twin {
    lcore: Lcore,
}

impl Twin {
    fn new(how: Encapsulation, n: u8) -> Self {
        let table = Arc::new(RealTable::new(8));
        let stats = Arc::new(LcoreStats::new(8));
        let mut director = Director::new(Limits { services: 8 }, Arc::clone(&table));
        let mut fib = Fib::default();
        fib.set_ports([0, 1].map(|n| FibPort { mac: [2, 0, 0, 0, 0, n], mtu: 1500 }).to_vec());
        let inside = Route { port: 1, gateway: None, source: Some([10, 0, 0, 1].into()) };
        fib.set_routes([([10, 0, 0, 0].into(), 24, inside)]);
        fib.set_neighbour(1, [10, 0, 0, n].into(), Some([2, 0, 0, 0, 2, n / 10 * 16 + n % 10]));
        director.set_fib(Arc::new(fib));
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let address = [203, 0, 113, 1].into();
            let key = ServiceKey::Address { protocol, address, port: 8000 };
            director.add_service(ServiceConfig { key, ..service(protocol, 8000, "rr") }).unwrap();
            let address = [10, 0, 0, n].into();
            director.add_real(&key, sluice_core::RealConfig { address, ..tunnel(1, 8000, how) }).unwrap();
        }
        let config = LcoreConfig { id: 0, lcores: 1, flows: 64, seed: [1, 2], now: sluice_core::Jiffies(0) };
        Self { lcore: Lcore::new(config, director.snapshot(), table, stats, &|_, _| ()) }
    }

    fn send(&mut self, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let ingress = sluice_core::Ingress { mac: [2, 0, 0, 0, 0, 0], ..ingress(OUTSIDE) };
        let mut burst = [ArrayBuf::new(frame)];
        let mut verdicts = [Verdict::Steer { lcore: 9 }; 32];
        self.lcore.process_burst(sluice_core::Jiffies(0), &ingress, &mut burst, &mut verdicts);
        (verdicts[0], burst[0].data().to_vec())
    }
}

#[test]
fn frames_are_the_kernels() {
    let mut twins: Vec<(String, Twin)> = Vec::new();
    let mut frames = 0;
    for line in include_str!("common/tunnels.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        let [way, "4", "4", sent, left] = words[..] else { panic!("{line}") };
        let (how, n) = match way {
            "ipip" => (IPIP, 10),
            "gue" => (GUE, 11),
            "gue-csum" => (summed(GUE), 12),
            "gue-remcsum" => (Encapsulation { checksum: TunnelChecksum::Remote, ..GUE }, 13),
            "gre" => (GRE, 14),
            "gre-csum" => (summed(GRE), 15),
            _ => panic!("{way}"),
        };
        if twins.last().is_none_or(|(last, _)| last != way) {
            twins.push((way.to_owned(), Twin::new(how, n)));
        }
        let (verdict, bytes) = twins.last_mut().unwrap().1.send(&hex(sent));
        assert_eq!(verdict, Verdict::Transmit { port: 1 }, "{line}");
        assert_eq!(comparable(&bytes), comparable(&hex(left)), "{line}");
        frames += 1;
    }
    assert_eq!(frames, 30);
}

/// The packet inside a frame to real 1.
fn inside(how: Encapsulation, frame: &[u8]) -> Vec<u8> {
    comparable(frame);
    let ip = Ipv4::at(frame, 14).unwrap();
    assert_eq!((ip.source(), ip.destination()), (INSIDE_ADDRESS.to_bits(), real(1).to_bits()));
    frame[14 + overhead(how)..].to_vec()
}

/// Its first packet takes the general way, the others the straight line.
#[test]
fn every_packet_of_a_flow_is_wrapped() {
    for how in ALL {
        let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, how)]);
        let mut ports = Vec::new();
        for (n, flags) in [SYN, ACK, PSH | ACK, ACK, FIN | ACK].into_iter().enumerate() {
            let frame =
                request(40_000, flags).tos(0x48).ident(n as u32).dont_fragment().payload(&[7; 33][..n]);
            let (verdict, bytes) = lab.client_sends(&frame);
            assert_eq!(verdict, TO_REAL);
            assert_eq!(bytes[..14], frame.clone().eth(real_mac(1), INSIDE_MAC).build()[..14]);
            assert_eq!(inside(how, &bytes), frame.ttl(63).packet());
            ports.push(u16::from_be_bytes([bytes[34], bytes[35]]));
        }
        assert_eq!(lab.state().0, "FIN_WAIT");
        ports.dedup();
        assert_eq!(ports.len(), 1, "one port for all of a flow");
    }
}

/// The outer header's checksum comes from a sum made once: with every length, class, time to live and identification.
#[test]
fn the_outer_header_checksum_is_right() {
    let (mut lab, _) = Lab::udp("rr", [tunnel(1, 53, IPIP)]);
    let (mut idents, mut n) = (Vec::new(), 0u32);
    for len in 0..1400 {
        n = n.wrapping_mul(0x9e37_79b1).wrapping_add(len);
        let frame = from_gateway(CLIENT).udp(5000, 53).tos(n as u8).ttl((n >> 8) as u8 % 254 + 2);
        let frame = frame.payload(&vec![0; len as usize]);
        let frame = if n >> 16 & 1 == 0 { frame.dont_fragment() } else { frame };
        let (verdict, bytes) = lab.client_sends(&frame);
        assert_eq!(verdict, TO_REAL);
        let outer = *Ipv4::at(&bytes, 14).unwrap();
        let sent = frame.packet();
        let inner = Ipv4::at(&sent, 0).unwrap();
        assert_eq!(outer.checksum(), checksum::ipv4_header(&outer, &[]));
        assert_eq!((outer.ttl(), outer.dont_fragment()), (inner.ttl() - 1, inner.dont_fragment()));
        if outer.dont_fragment() {
            assert_eq!(outer.ident(), 0);
        } else {
            idents.push(outer.ident());
        }
    }
    let count = idents.len();
    idents.sort_unstable();
    idents.dedup();
    assert!(count > 500 && idents.len() == count, "identifications do not repeat");
}

#[test]
fn congestion_stays_inside() {
    let (mut lab, _) = Lab::udp("rr", [tunnel(1, 53, IPIP)]);
    for tos in 0..=255u8 {
        let (_, bytes) = lab.client_sends(&from_gateway(CLIENT).udp(5000, 53).tos(tos));
        let outer = if tos & 3 == 3 { tos & !3 | 2 } else { tos };
        assert_eq!((bytes[15], bytes[35]), (outer, tos));
    }
}

#[test]
fn pmtu_disc_lets_outer_packets_be_cut() {
    let (mut lab, _) = Lab::udp("rr", [tunnel(1, 53, IPIP)]);
    let frame = from_gateway(CLIENT).udp(5000, 53).dont_fragment();
    for (pmtu_disc, flag) in [(true, 0x40), (false, 0), (true, 0x40)] {
        lab.switch(|switches| switches.pmtu_disc = pmtu_disc);
        for _ in 0..2 {
            assert_eq!(lab.client_sends(&frame).1[20], flag);
        }
    }
}

#[test]
fn padding_is_left_behind() {
    for how in ALL {
        let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, how)]);
        for flags in [SYN, ACK] {
            let frame = request(40_000, flags).pad_to(60);
            let (_, bytes) = lab.client_sends(&frame);
            assert_eq!(inside(how, &bytes), frame.ttl(63).packet());
        }
    }
}

/// As under direct routing: the director sees one side.
#[test]
fn flows_are_those_of_direct_routing() {
    let (mut lab, key) = Lab::tcp("rr", [tunnel(1, 8080, IPIP)]);
    let id = lab.id(&key, 1);
    lab.sends(40_000, &[SYN, ACK]);
    assert_eq!((lab.state(), lab.connections(id)), (("ESTABLISHED", 900), (1, 0)));
    let stats = lab.real_stats(id);
    assert_eq!((stats.in_packets, stats.in_bytes), (2, 80), "the packets inside are counted");
    let reply = from_link(1).ipv4(VIP, CLIENT).tcp(80, 40_000, FIN | ACK);
    assert_eq!(lab.real_sends(&reply).0, Verdict::ToKernel);
    assert_eq!((lab.state().0, lab.real_stats(id).out_packets), ("FIN_WAIT", 1));
}

#[test]
fn one_packet_services_have_tunnels() {
    let mut lab = Lab::new();
    lab.add(ServiceConfig { one_packet: true, ..service(Protocol::Udp, 53, "rr") }, [tunnel(1, 53, GUE)]);
    for _ in 0..2 {
        let frame = from_gateway(CLIENT).udp(5000, 53).payload(b"query");
        let (verdict, bytes) = lab.client_sends(&frame);
        assert_eq!(verdict, TO_REAL);
        assert_eq!(inside(GUE, &bytes), frame.ttl(63).packet());
    }
}

/// What is edited counts for the flows that there are; the method does not.
#[test]
fn edits_are_followed() {
    let (mut lab, key) = Lab::tcp("rr", [tunnel(1, 80, IPIP)]);
    lab.sends(40_000, &[SYN, ACK]);
    let protocol = |lab: &mut Lab| lab.client_sends(&request(40_000, ACK)).1[23];
    assert_eq!(protocol(&mut lab), protocol::IPIP);
    for (how, number) in [(GRE, protocol::GRE), (GUE, protocol::UDP), (IPIP, protocol::IPIP)] {
        lab.change(|director| director.edit_real(&key, tunnel(1, 80, how))).unwrap();
        assert_eq!((protocol(&mut lab), protocol(&mut lab)), (number, number));
    }
    lab.change(|director| director.edit_real(&key, route(1, 80))).unwrap();
    assert_eq!(protocol(&mut lab), protocol::IPIP);
    assert_eq!(lab.client_sends(&request(40_001, SYN)).1[23], protocol::TCP);
}

#[test]
fn the_source_follows_the_route() {
    let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, IPIP)]);
    lab.sends(40_000, &[SYN, ACK]);
    let source =
        |lab: &mut Lab| <[u8; 4]>::try_from(&lab.client_sends(&request(40_000, ACK)).1[26..30]).unwrap();
    assert_eq!(source(&mut lab), INSIDE_ADDRESS.octets());
    let other = [10, 0, 0, 201];
    let route = Route { port: INSIDE, gateway: None, source: Some(other.into()) };
    lab.rewire(|fib| fib.set_routes([([10, 0, 0, 0].into(), 8, route)]));
    assert_eq!((source(&mut lab), source(&mut lab)), (other, other));
    lab.rewire(|fib| fib.set_routes([([10, 0, 0, 0].into(), 8, Route { source: None, ..route })]));
    let (verdict, _) = lab.client_sends(&request(40_000, ACK));
    assert_eq!(verdict, Verdict::Drop(DropReason::NoTunnelSource));
}

#[test]
fn an_unresolved_neighbour_gets_the_whole_frame() {
    let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, IPIP)]);
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(1), None));
    let frame = request(40_000, SYN);
    let (verdict, bytes) = lab.client_sends(&frame);
    assert_eq!(verdict, Verdict::Resolve { port: INSIDE, address: real(1).to_bits() });
    assert_eq!(inside(IPIP, &bytes), frame.ttl(63).packet());
}

#[test]
fn a_tunnel_costs_its_headers() {
    for how in ALL {
        let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, how)]);
        let room = usize::from(MTU) - overhead(how) - 40;
        lab.sends(40_000, &[SYN, ACK]);
        let send = |lab: &mut Lab, len| {
            lab.client_sends(&request(40_000, ACK).dont_fragment().payload(&vec![7; len])).0
        };
        assert_eq!(send(&mut lab, room), TO_REAL);
        assert_eq!(send(&mut lab, room + 1), Verdict::Drop(DropReason::MtuExceeded));
    }
}

/// What cannot be wrapped is dropped by name, whichever way it takes.
#[test]
fn buffers_without_room_are_named() {
    let send = |lab: &mut Lab, packet: ArrayBuf| {
        let mut burst = [packet];
        let mut verdicts = [TO_CLIENT; 32];
        lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
        verdicts[0]
    };
    for how in ALL {
        let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, how)]);
        for flags in [SYN, ACK] {
            let bytes = request(40_000, flags).build();
            for (room, verdict) in
                [(overhead(how) - 1, Verdict::Drop(DropReason::NoHeadroom)), (overhead(how), TO_REAL)]
            {
                assert_eq!(send(&mut lab, ArrayBuf::with_headroom(&bytes, room)), verdict);
            }
            let frame = request(40_000, flags).payload(&[7; 100]).build();
            let (first, rest) = frame.split_at(60);
            let verdict = match how.checksum {
                TunnelChecksum::None => TO_REAL,
                _ => Verdict::Drop(DropReason::TunnelChecksum),
            };
            assert_eq!(send(&mut lab, ArrayBuf::new(first).chained(rest.len())), verdict);
        }
    }
}

/// As data: from its own header on.
#[test]
fn icmp_errors_for_the_real_take_the_tunnel() {
    let (mut lab, _) = Lab::tcp("rr", [tunnel(1, 80, GRE)]);
    lab.sends(40_000, &[SYN, ACK]);
    let about = from_gateway(CLIENT).ipv4(VIP, CLIENT).tcp(80, 40_000, ACK).payload(&[7; 100]).packet();
    let error = from_gateway(GATEWAY).icmp_error(3, 4, 1400, &about[..28]);
    let (verdict, bytes) = lab.client_sends(&error);
    assert_eq!(verdict, TO_REAL);
    assert_eq!(inside(GRE, &bytes), error.ttl(63).packet());
}
