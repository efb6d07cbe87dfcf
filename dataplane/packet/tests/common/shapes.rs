//! A sound frame of every shape that classification tells apart.
use sluice_packet::Kind;
use sluice_packet::build::Frame;
use sluice_packet::header::{Icmp, ethertype, flags, protocol};

pub const CLIENT4: [u8; 4] = [203, 0, 113, 7];
pub const VIP4: [u8; 4] = [192, 0, 2, 1];
pub const CLIENT6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
pub const VIP6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A frame and what is true of it by construction.
pub struct Shape {
    pub name: &'static str,
    pub frame: Vec<u8>,
    pub kind: Kind,
    /// Bytes of VLAN tags.
    pub tags: usize,
    /// 4 or 6; 0 where there is no IP.
    pub version: u8,
    /// Bytes of the IP header with options, or of the IPv6 header and its extension headers.
    pub headers: usize,
    /// Bytes that the transport header must have; 0 where none is looked for.
    pub need: usize,
}

pub fn v4() -> Frame {
    Frame::new().ipv4(CLIENT4, VIP4)
}

pub fn v6() -> Frame {
    Frame::new().ipv6(CLIENT6, VIP6)
}

fn shape(name: &'static str, frame: Frame, kind: Kind, version: u8, headers: usize, need: usize) -> Shape {
    Shape { name, frame: frame.build(), kind, tags: 0, version, headers, need }
}

pub fn shapes() -> Vec<Shape> {
    let mut all = of_v4();
    all.extend(fragments_and_errors_v4());
    all.extend(of_v6());
    all.extend(others());
    all.extend(tagged());
    all
}

fn of_v4() -> Vec<Shape> {
    use Kind::{Flow4, Ipsec4, Other, Sctp4};
    let options = [7, 7, 4, 0, 0, 0, 0, 0];
    vec![
        shape(
            "tcp4_syn",
            v4().tcp(40_000, 80, flags::SYN).seq(9).tcp_options(&[2, 4, 5, 180]),
            Flow4,
            4,
            20,
            20,
        ),
        shape(
            "tcp4_data",
            v4().tcp(40_000, 80, flags::ACK).payload(b"GET / HTTP/1.0\r\n\r\n"),
            Flow4,
            4,
            20,
            20,
        ),
        shape("tcp4_padded", v4().tcp(40_000, 80, flags::FIN | flags::ACK).pad_to(60), Flow4, 4, 20, 20),
        shape("tcp4_options", v4().options(&options).tcp(40_000, 80, flags::RST), Flow4, 4, 28, 20),
        shape("tcp4_options_full", v4().options(&[1; 40]).tcp(40_000, 80, flags::ACK), Flow4, 4, 60, 20),
        shape("udp4", v4().udp(5353, 53).payload(b"query"), Flow4, 4, 20, 8),
        shape("udp4_empty", v4().udp(5353, 53), Flow4, 4, 20, 8),
        shape("udp4_no_checksum", v4().udp(5353, 53).no_udp_checksum().payload(b"x"), Flow4, 4, 20, 8),
        shape("udp4_dont_fragment", v4().dont_fragment().ttl(1).tos(0xb9).udp(5353, 53), Flow4, 4, 20, 8),
        shape("sctp4_init", v4().sctp(2905, 2905, 1).payload(&[0; 16]), Sctp4, 4, 20, 12),
        shape(
            "sctp4_aborted",
            v4().sctp(2905, 2905, 10).payload(&[1, 2, 3, 0, 6, 0, 0, 4]),
            Sctp4,
            4,
            20,
            12,
        ),
        shape("icmp4_echo", v4().icmp(8, 0, 0x1234_0001).payload(b"ping"), Other, 4, 20, 8),
        shape("icmp4_parameter_problem", v4().icmp(12, 0, 0).payload(&[0x45; 28]), Other, 4, 20, 8),
        shape("gre4", v4().protocol(protocol::GRE).payload(&[0, 0, 8, 0]), Other, 4, 20, 0),
        shape("esp4", v4().protocol(protocol::ESP).payload(&[1; 24]), Ipsec4, 4, 20, 0),
        shape("ah4", v4().protocol(protocol::AH).payload(&[1; 24]), Ipsec4, 4, 20, 0),
        shape("ipip4", v4().protocol(protocol::IPIP).payload(&v4().udp(1, 2).packet()), Other, 4, 20, 0),
        shape("icmpv6_over_v4", v4().protocol(protocol::ICMPV6).payload(&[1, 0]), Other, 4, 20, 0),
        shape("multicast4", Frame::new().ipv4(CLIENT4, [224, 0, 0, 18]).protocol(112), Other, 4, 20, 0),
        shape("broadcast4", Frame::new().ipv4(CLIENT4, [255; 4]).udp(68, 67), Other, 4, 20, 0),
        shape("unspecified4", Frame::new().ipv4([0; 4], VIP4).udp(68, 67), Other, 4, 20, 0),
        shape("loopback4", Frame::new().ipv4(CLIENT4, [127, 0, 0, 1]).udp(68, 67), Other, 4, 20, 0),
        shape("class_e4", Frame::new().ipv4([240, 0, 0, 1], VIP4).udp(68, 67), Flow4, 4, 20, 8),
    ]
}

fn fragments_and_errors_v4() -> Vec<Shape> {
    use Kind::{Fragment4, IcmpError4, Ipsec4};
    let reply = Frame::new().ipv4(VIP4, CLIENT4).tcp(80, 40_000, flags::ACK).packet();
    let error = |kind, code, rest| v4().icmp_error(kind, code, rest, &reply[..28]);
    let first = v4().ident(7).fragment(0, true);
    vec![
        shape("icmp4_unreachable", error(Icmp::UNREACHABLE, 3, 0), IcmpError4, 4, 20, 8),
        shape("icmp4_too_big", error(Icmp::UNREACHABLE, 4, 1400), IcmpError4, 4, 20, 8),
        shape("icmp4_quench", error(Icmp::SOURCE_QUENCH, 0, 0), IcmpError4, 4, 20, 8),
        shape("icmp4_time_exceeded", error(Icmp::TIME_EXCEEDED, 0, 0), IcmpError4, 4, 20, 8),
        shape("frag4_first", first.clone().udp(5353, 53).payload(&[1; 16]), Fragment4, 4, 20, 0),
        shape("frag4_first_tcp", first.clone().tcp(40_000, 80, flags::ACK), Fragment4, 4, 20, 0),
        shape("frag4_tiny", first.protocol(protocol::TCP).payload(&[1; 8]), Fragment4, 4, 20, 0),
        shape("frag4_middle", v4().fragment(1480, true).udp(1, 2).payload(&[2; 16]), Fragment4, 4, 20, 0),
        shape("frag4_last", v4().fragment(65_528, false).udp(1, 2).payload(&[2; 5]), Fragment4, 4, 20, 0),
        shape("frag4_icmp", v4().fragment(0, true).icmp(8, 0, 1).payload(&[2; 16]), Fragment4, 4, 20, 0),
        shape("frag4_esp", v4().fragment(0, true).protocol(protocol::ESP), Ipsec4, 4, 20, 0),
        shape("frag4_esp_later", v4().fragment(8, false).protocol(protocol::ESP), Ipsec4, 4, 20, 0),
        shape("frag4_sctp", v4().fragment(0, true).sctp(1, 2, 1).payload(&[0; 16]), Fragment4, 4, 20, 0),
    ]
}

fn of_v6() -> Vec<Shape> {
    use Kind::{Flow6, Fragment6, IcmpError6, Ipsec6, Other, Sctp6};
    let reply = Frame::new().ipv6(VIP6, CLIENT6).tcp(80, 40_000, flags::ACK).packet();
    let chain = v6().extension(0, &[5, 2, 0, 0, 1, 0]).extension(43, &[2, 0]).extension(60, &[1, 4]);
    let full = (0..8).fold(v6(), |frame, _| frame.extension(60, &[1, 20]));
    let many = full.clone().extension(60, &[]);
    let other6 = |destination: [u8; 16]| Frame::new().ipv6(CLIENT6, destination).udp(546, 547);
    let mut loopback = [0; 16];
    loopback[15] = 1;
    let mut all_routers = [0; 16];
    (all_routers[0], all_routers[1], all_routers[15]) = (0xff, 0x02, 2);
    let mut shapes = vec![
        shape("tcp6_syn", v6().tcp(40_000, 80, flags::SYN), Flow6, 6, 40, 20),
        shape("udp6", v6().udp(5353, 53).payload(b"query"), Flow6, 6, 40, 8),
        shape("sctp6_data", v6().sctp(2905, 2905, 0).payload(&[0; 13]), Sctp6, 6, 40, 12),
        shape("tcp6_extensions", chain.tcp(40_000, 80, flags::ACK), Flow6, 6, 64, 20),
        shape("udp6_eight_extensions", full.udp(5353, 53), Flow6, 6, 40 + 64, 8),
        shape("udp6_ah", v6().extension(protocol::AH, &[9; 22]).udp(5353, 53), Flow6, 6, 64, 8),
        shape("icmp6_too_big", v6().icmp_error(2, 0, 1400, &reply), IcmpError6, 6, 40, 8),
        shape("icmp6_unreachable", v6().icmp_error(1, 4, 0, &reply), IcmpError6, 6, 40, 8),
        shape(
            "icmp6_behind_options",
            v6().extension(60, &[]).icmp_error(3, 0, 0, &reply),
            IcmpError6,
            6,
            48,
            8,
        ),
        shape("icmp6_echo", v6().icmp(128, 0, 1).payload(b"ping"), Other, 6, 40, 8),
        shape("icmp6_neighbour", v6().ttl(255).icmp(135, 0, 0).payload(&VIP6), Other, 6, 40, 8),
        shape("no_next6", v6().protocol(protocol::NO_NEXT), Other, 6, 40, 0),
        shape("esp6", v6().protocol(protocol::ESP).payload(&[1; 24]), Ipsec6, 6, 40, 0),
        shape("icmp_over_v6", v6().protocol(protocol::ICMP).payload(&[3, 0]), Other, 6, 40, 0),
        shape(
            "frag6_first",
            v6().ident(7).fragment(0, true).udp(5353, 53).payload(&[1; 8]),
            Fragment6,
            6,
            48,
            8,
        ),
        shape("frag6_atomic", v6().fragment(0, false).tcp(1, 2, flags::SYN), Fragment6, 6, 48, 20),
        shape("frag6_icmp", v6().fragment(0, true).icmp(1, 4, 0).payload(&[2; 8]), Fragment6, 6, 48, 8),
        shape("frag6_esp", v6().fragment(0, true).protocol(protocol::ESP), Fragment6, 6, 48, 0),
        shape("frag6_later", v6().fragment(1232, false).udp(1, 2).payload(&[2; 5]), Fragment6, 6, 48, 0),
        shape("multicast6", other6(all_routers), Other, 6, 40, 0),
        shape("loopback6", other6(loopback), Other, 6, 40, 0),
        shape("unspecified6", other6([0; 16]), Other, 6, 40, 0),
    ];
    shapes.push(shape("nine_extensions6", many.udp(5353, 53), Kind::Bad, 6, 40 + 72, 8));
    shapes
}

/// Who has 192.0.2.1?
fn arp() -> Frame {
    let mut request = [0; 28];
    request[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    request[8..14].copy_from_slice(&Frame::SOURCE);
    request[24..].copy_from_slice(&VIP4);
    Frame::new().ethertype(ethertype::ARP).payload(&request)
}

fn others() -> Vec<Shape> {
    use Kind::{NotOurs, Other};
    let arp = arp();
    let to = |destination| v4().eth(destination, Frame::SOURCE).tcp(40_000, 80, flags::SYN);
    vec![
        shape("arp", arp.clone(), Other, 0, 0, 0),
        shape("arp_broadcast", arp.eth([0xff; 6], Frame::SOURCE).pad_to(60), Other, 0, 0, 0),
        shape("lldp", Frame::new().ethertype(ethertype::LLDP).payload(&[2, 7, 4]), Other, 0, 0, 0),
        shape("length_802_3", Frame::new().ethertype(38).payload(&[0x42; 38]), Other, 0, 0, 0),
        shape("three_tags", v4().vlan(1).vlan(2).vlan(3).udp(1, 2), Other, 0, 0, 0),
        shape("group_mac", to([0x01, 0, 0x5e, 0, 0, 1]), Other, 0, 0, 0),
        shape("other_mac", to([0x02, 0, 0, 0, 0, 0x03]), NotOurs, 0, 0, 0),
    ]
}

fn tagged() -> Vec<Shape> {
    let tag = |name, frame: Frame, kind, tags, version, headers, need| Shape {
        tags,
        ..shape(name, frame, kind, version, headers, need)
    };
    let stacked = |frame: Frame| frame.service_vlan(0x2064).vlan(0xa007);
    vec![
        tag("vlan_tcp4", v4().vlan(0xa00a).tcp(40_000, 80, flags::SYN), Kind::Flow4, 4, 4, 20, 20),
        tag("stacked_udp4", stacked(v4()).udp(5353, 53), Kind::Flow4, 8, 4, 20, 8),
        tag("vlan_udp6", v6().vlan(10).udp(5353, 53), Kind::Flow6, 4, 6, 40, 8),
        tag("stacked_frag4", stacked(v4()).fragment(8, true).payload(&[1; 8]), Kind::Fragment4, 8, 4, 20, 0),
        tag("vlan_arp", arp().vlan(10), Kind::Other, 4, 0, 0, 0),
    ]
}
