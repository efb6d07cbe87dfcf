//! Classification: every shape, cut at every length, mutated, and against two other opinions.
mod common;

use common::naive;
use common::shapes::{CLIENT4, CLIENT6, Shape, VIP4, VIP6, shapes, v4, v6};
use proptest::prelude::*;
use sluice_packet::build::Frame;
use sluice_packet::header::{Header, Ipv4, Ipv6, flags};
use sluice_packet::{Kind, Malformed, Parsed, classify, classify_into};

const MAC: [u8; 6] = Frame::DESTINATION;

/// Classifies, checking on the way that all ways to ask give one answer, and that it is the naive one.
fn ask(frame: &[u8], frame_len: usize) -> Parsed {
    let parsed = classify(frame, frame_len, &MAC, false);
    assert_eq!(parsed, naive::classify(frame, frame_len, &MAC, false), "{frame:02x?} of {frame_len}");
    let vouched = classify(frame, frame_len, &MAC, true);
    assert_eq!(vouched, naive::classify(frame, frame_len, &MAC, true), "vouched {frame:02x?} of {frame_len}");
    if parsed.malformed != Malformed::Ipv4Checksum {
        assert_eq!(parsed, vouched);
    }
    // What was in the place before does not shine through.
    let mut stale = classify(&v4().vlan(1).tcp(1, 2, 3).build(), 58, &MAC, false);
    classify_into(frame, frame_len, &MAC, false, &mut stale);
    assert_eq!(parsed, stale);
    parsed
}

fn bad(frame: &[u8]) -> Malformed {
    let parsed = ask(frame, frame.len());
    assert_eq!(parsed.kind == Kind::Bad, parsed.malformed != Malformed::None);
    parsed.malformed
}

impl Shape {
    fn l3(&self) -> usize {
        14 + self.tags
    }

    fn ip_len(&self) -> usize {
        match self.version {
            4 => usize::from(Ipv4::at(&self.frame, self.l3()).unwrap().total_len()),
            6 => 40 + usize::from(Ipv6::at(&self.frame, self.l3()).unwrap().payload_len()),
            _ => 0,
        }
    }

    /// Where classification stops for its MAC address or its IP addresses, before it comes to what is cut
    /// off.
    fn is_beside(&self) -> bool {
        ["multicast", "loopback", "unspecified", "broadcast", "group_mac", "other_mac"]
            .iter()
            .any(|name| self.name.contains(name))
    }
}

#[test]
fn tells_the_shapes_apart() {
    for shape in shapes() {
        let parsed = ask(&shape.frame, shape.frame.len());
        assert_eq!(parsed.kind, shape.kind, "{}", shape.name);
    }
}

#[test]
fn reads_tuple_offsets_and_flags() {
    let [client, vip] = [CLIENT4, VIP4].map(u32::from_be_bytes);
    let frame =
        v4().vlan(0xa00a).options(&[1; 4]).tcp(40_000, 80, flags::SYN).payload(b"hello").pad_to(90).build();
    let expected = Parsed {
        kind: Kind::Flow4,
        malformed: Malformed::None,
        protocol: 6,
        flags: flags::SYN,
        l3: 18,
        l4: 42,
        ip_len: 49,
        vlan: 0xa00a,
        src: client,
        dst: vip,
        sport: 40_000,
        dport: 80,
    };
    assert_eq!(ask(&frame, frame.len()), expected);

    let frame = v6().service_vlan(7).vlan(8).extension(0, &[]).sctp(1, 2, 10).payload(b"abc").build();
    let expected = Parsed {
        kind: Kind::Sctp6,
        protocol: 132,
        flags: 10,
        l3: 22,
        l4: 70,
        ip_len: 48 + 12 + 4 + 4,
        vlan: 7,
        src: 0,
        dst: 0,
        sport: 1,
        dport: 2,
        ..expected
    };
    assert_eq!(ask(&frame, frame.len()), expected);
}

/// Reference 3.7: the first chunk counts, except for an ABORT right behind a cookie.
#[test]
fn reads_the_chunk_that_tells() {
    const ABORT: [u8; 4] = [6, 0, 0, 4];
    let chunk = |kind: u8, len: u16, value: &[u8]| [&[kind, 0], &len.to_be_bytes()[..], value].concat();
    let told = |chunks: &[u8]| {
        let frame = v4().protocol(132).payload(&[&[0, 1, 0, 2], &[0; 8][..], chunks].concat()).build();
        let parsed = ask(&frame, frame.len());
        assert_eq!((parsed.kind, parsed.sport, parsed.dport), (Kind::Sctp4, 1, 2));
        parsed.flags
    };
    for kind in 0..=u8::MAX {
        let known = if kind <= 14 { kind } else { 0 };
        assert_eq!(told(&chunk(kind, 4, &[])), known);
        let before_abort = told(&[chunk(kind, 4, &[]), ABORT.to_vec()].concat());
        assert_eq!(before_abort, if matches!(kind, 10 | 11) { 6 } else { known });
    }
    for kind in [10, 11] {
        for value in 0..12 {
            let mut chunks = chunk(kind, 4 + value, &vec![6; usize::from(value.next_multiple_of(4))]);
            chunks.extend(ABORT);
            assert_eq!(told(&chunks), 6, "a value of {value} bytes and its padding");
            for cut in 0..chunks.len() {
                assert_eq!(told(&chunks[..cut]), if cut < 4 { 255 } else { kind }, "cut at {cut}");
            }
        }
        // A length that does not hold the header, or reaches over the packet.
        for len in [0, 3, 12, u16::MAX] {
            assert_eq!(told(&[chunk(kind, len, &[]), ABORT.to_vec()].concat()), kind);
        }
        let third = [chunk(kind, 4, &[]), chunk(0, 4, &[]), ABORT.to_vec()].concat();
        assert_eq!(told(&third), kind);
    }
}

#[test]
fn gives_fragments_what_they_have() {
    let mut firsts = 0;
    for frame in [v4(), v6()] {
        for fragment in frame.ident(77).udp(5353, 53).payload(&[3; 3000]).fragments(1400) {
            let parsed = ask(&fragment, fragment.len());
            assert!(matches!(parsed.kind, Kind::Fragment4 | Kind::Fragment6));
            assert_eq!(
                (parsed.l4 != 0, parsed.sport, parsed.dport),
                match parsed.sport {
                    0 => (false, 0, 0),
                    _ => (true, 5353, 53),
                }
            );
            firsts += u32::from(parsed.l4 != 0);
        }
    }
    assert_eq!(firsts, 2);
    let tiny = v4().fragment(0, true).protocol(6).payload(&[1; 8]).build();
    assert_eq!(ask(&tiny, tiny.len()).l4, 0);
}

/// A frame cut short on the wire: the layer that does not fit any more is named.
#[test]
fn names_what_a_short_frame_lacks() {
    for shape in shapes().iter().filter(|shape| !shape.name.contains("three_tags")) {
        let whole = ask(&shape.frame, shape.frame.len());
        let l3 = shape.l3();
        for cut in 0..shape.frame.len() {
            let malformed = bad(&shape.frame[..cut]);
            let expected = match shape.version {
                _ if cut < 14 => Malformed::EthernetTruncated,
                _ if shape.name.ends_with("_mac") || shape.name == "arp_broadcast" => Malformed::None,
                _ if cut < l3 => Malformed::EthernetTruncated,
                4 if cut < l3 + shape.headers => Malformed::Ipv4Truncated,
                4 if cut < l3 + shape.ip_len() => Malformed::Ipv4TotalLength,
                6 if cut < l3 + 40 => Malformed::Ipv6Truncated,
                6 if cut < l3 + shape.ip_len() => Malformed::Ipv6PayloadLength,
                _ => whole.malformed,
            };
            assert_eq!(malformed, expected, "{} cut at {cut}", shape.name);
        }
    }
}

/// A chained frame whose first piece ends early: all headers must lie in it.
#[test]
fn names_what_a_short_first_piece_lacks() {
    for shape in shapes().iter().filter(|shape| shape.version != 0 && shape.kind != Kind::Bad) {
        let l3 = shape.l3();
        for cut in l3..shape.frame.len() {
            let parsed = ask(&shape.frame[..cut], shape.frame.len());
            let fixed = if shape.version == 4 { 20 } else { 40 };
            let expected = match shape.version {
                4 if cut < l3 + shape.headers => Malformed::Ipv4Truncated,
                6 if cut < l3 + fixed => Malformed::Ipv6Truncated,
                _ if shape.is_beside() => Malformed::None,
                6 if cut < l3 + shape.headers => Malformed::Ipv6Extension,
                _ if cut < l3 + shape.headers + shape.need => Malformed::TransportTruncated,
                _ => Malformed::None,
            };
            assert_eq!(parsed.malformed, expected, "{} first piece of {cut}", shape.name);
        }
    }
}

/// An IP packet that ends early inside a frame that goes on: padding is no header.
#[test]
fn names_what_a_short_packet_lacks() {
    for shape in shapes().iter().filter(|shape| shape.version != 0 && shape.kind != Kind::Bad) {
        let l3 = shape.l3();
        let fixed = if shape.version == 4 { 0 } else { 40 };
        for len in fixed..shape.ip_len() {
            let mut frame = shape.frame.clone();
            if shape.version == 4 {
                let ip = Ipv4::at_mut(&mut frame, l3).unwrap();
                let old = ip.total_len();
                let delta = sluice_packet::checksum::Delta::of_u16(old, len as u16);
                ip.set_total_len(len as u16);
                ip.set_checksum(delta.apply(ip.checksum()));
            } else {
                Ipv6::at_mut(&mut frame, l3).unwrap().set_payload_len((len - 40) as u16);
            }
            let hop_by_hop = shape.version == 6 && frame[l3 + 6] == 0;
            let expected = match shape.version {
                4 if len < shape.headers => Malformed::Ipv4TotalLength,
                6 if shape.is_beside() || (hop_by_hop && len == 40) => Malformed::None,
                4 if shape.is_beside() => Malformed::None,
                6 if len < shape.headers => Malformed::Ipv6Extension,
                _ if len < shape.headers + shape.need => Malformed::TransportTruncated,
                _ => Malformed::None,
            };
            assert_eq!(bad(&frame), expected, "{} as {len} bytes", shape.name);
        }
    }
}

#[test]
fn checks_the_ip_header() {
    let frame = v4().tcp(1, 2, flags::SYN);
    assert_eq!(bad(&frame.clone().wrong_ip_checksum().build()), Malformed::Ipv4Checksum);
    assert_eq!(bad(&frame.clone().options(&[1; 8]).wrong_ip_checksum().build()), Malformed::Ipv4Checksum);
    assert_eq!(bad(&frame.clone().vlan(1).wrong_ip_checksum().build()), Malformed::Ipv4Checksum);
    let with_first_byte = |frame: Frame, byte| {
        let mut bytes = frame.build();
        bytes[14] = byte;
        bad(&bytes)
    };
    for version in (0..16).filter(|version| *version != 4) {
        assert_eq!(with_first_byte(frame.clone(), version << 4 | 5), Malformed::Ipv4Version);
    }
    for words in 0..5 {
        assert_eq!(with_first_byte(frame.clone(), 0x40 | words), Malformed::Ipv4HeaderLength);
    }
    for version in (0..16).filter(|version| *version != 6) {
        assert_eq!(with_first_byte(v6().tcp(1, 2, 2), version << 4), Malformed::Ipv6Version);
    }
}

/// A wrong transport checksum is the receiver's to find: IPVS passes it on.
#[test]
fn leaves_the_transport_checksum_alone() {
    for frame in [v4(), v6()] {
        assert_eq!(bad(&frame.clone().tcp(1, 2, 2).wrong_transport_checksum().build()), Malformed::None);
        assert_eq!(bad(&frame.udp(1, 2).wrong_transport_checksum().build()), Malformed::None);
    }
}

#[test]
fn leaves_jumbograms_to_the_kernel() {
    let jumbo = v6().extension(0, &[0xc2, 4, 0, 1, 0, 0]);
    let mut frame = jumbo.udp(1, 2).build();
    Ipv6::at_mut(&mut frame, 14).unwrap().set_payload_len(0);
    assert_eq!(ask(&frame, 70_000).kind, Kind::Other);
    let mut frame = v6().udp(1, 2).build();
    Ipv6::at_mut(&mut frame, 14).unwrap().set_payload_len(65_496);
    assert_eq!(ask(&frame, 70_000).kind, Kind::Other);
    Ipv6::at_mut(&mut frame, 14).unwrap().set_payload_len(65_495);
    assert_eq!(ask(&frame, 70_000).ip_len, 65_535);
}

/// Where etherparse reads a transport header, so do we, and the same one; where it finds none, neither do we.
fn agrees_with_etherparse(frame: &[u8]) -> Result<(), TestCaseError> {
    use etherparse::{LaxNetSlice, SlicedPacket, TransportSlice};
    let parsed = ask(frame, frame.len());
    let Ok(sliced) = SlicedPacket::from_ethernet(frame) else { return Ok(()) };
    let ports = match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => Some((6, tcp.source_port(), tcp.destination_port())),
        Some(TransportSlice::Udp(udp)) => Some((17, udp.source_port(), udp.destination_port())),
        _ => None,
    };
    let lax = etherparse::LaxSlicedPacket::from_ethernet(frame).expect("it was sliced strictly");
    match (ports, parsed.kind) {
        (Some(ports), Kind::Flow4 | Kind::Flow6) => {
            prop_assert_eq!(ports, (parsed.protocol, parsed.sport, parsed.dport));
        }
        (None, Kind::Flow4 | Kind::Flow6) => prop_assert!(false, "{:?}", parsed),
        _ => {}
    }
    if let (Some(LaxNetSlice::Ipv4(ip)), Kind::Flow4 | Kind::Fragment4 | Kind::IcmpError4) =
        (&lax.net, parsed.kind)
    {
        let header = ip.header();
        prop_assert_eq!(header.source(), parsed.src.to_be_bytes());
        prop_assert_eq!(header.destination(), parsed.dst.to_be_bytes());
        prop_assert_eq!(header.total_len(), parsed.ip_len);
        prop_assert_eq!(header.is_fragmenting_payload(), parsed.kind == Kind::Fragment4);
    }
    Ok(())
}

#[test]
fn agrees_with_etherparse_on_the_shapes() {
    let mut sliced = 0;
    for shape in shapes() {
        agrees_with_etherparse(&shape.frame).unwrap_or_else(|error| panic!("{}: {error}", shape.name));
        sliced += u32::from(etherparse::SlicedPacket::from_ethernet(&shape.frame).is_ok());
    }
    assert!(sliced > 40, "etherparse takes only {sliced} of the shapes");
}

/// A frame for etherparse to write, so that no builder of ours stands on both sides.
#[derive(Clone, Debug)]
struct Drawn {
    is_v6: bool,
    tag: Option<u16>,
    src: u32,
    dst: u32,
    ttl: u8,
    is_tcp: bool,
    sport: u16,
    dport: u16,
    /// FIN, SYN, RST and ACK.
    bits: [bool; 4],
    payload: Vec<u8>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let addresses = (0x0100_0000_u32..0x7f00_0000, 0x8000_0000_u32..0xe000_0000);
    let ip = (any::<bool>(), proptest::option::of(1_u16..4095), addresses, any::<u8>());
    let transport = (any::<bool>(), any::<u16>(), any::<u16>(), any::<[bool; 4]>());
    (ip, transport, any::<Vec<u8>>()).prop_map(|(ip, transport, payload)| {
        let (is_v6, tag, (src, dst), ttl) = ip;
        let (is_tcp, sport, dport, bits) = transport;
        Drawn { is_v6, tag, src, dst, ttl, is_tcp, sport, dport, bits, payload }
    })
}

impl Drawn {
    fn ip(&self) -> etherparse::IpHeaders {
        use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header};
        if self.is_v6 {
            let (source, destination, hop_limit) = (CLIENT6, VIP6, self.ttl);
            let header = Ipv6Header { source, destination, hop_limit, ..Default::default() };
            return IpHeaders::Ipv6(header, Default::default());
        }
        let (src, dst) = (self.src.to_be_bytes(), self.dst.to_be_bytes());
        let header = Ipv4Header::new(0, self.ttl, IpNumber::TCP, src, dst).unwrap();
        IpHeaders::Ipv4(header, Default::default())
    }

    fn written(&self) -> Vec<u8> {
        let start = etherparse::PacketBuilder::ethernet2(Frame::SOURCE, MAC);
        let start = match self.tag {
            Some(tag) => start.single_vlan(tag.try_into().unwrap()).ip(self.ip()),
            None => start.ip(self.ip()),
        };
        let mut frame = Vec::new();
        if self.is_tcp {
            let [fin, syn, rst, ack] = self.bits;
            let header = etherparse::TcpHeader::new(self.sport, self.dport, 1, 2);
            let header = etherparse::TcpHeader { fin, syn, rst, ack, ..header };
            start.tcp_header(header).write(&mut frame, &self.payload).unwrap();
        } else {
            start.udp(self.sport, self.dport).write(&mut frame, &self.payload).unwrap();
        }
        frame
    }

    fn expected(&self, frame_len: usize) -> Parsed {
        let [fin, syn, rst, ack] = self.bits.map(u8::from);
        let l3 = if self.tag.is_some() { 18 } else { 14 };
        let (kind, header_len, src, dst) = match self.is_v6 {
            true => (Kind::Flow6, 40, 0, 0),
            false => (Kind::Flow4, 20, self.src, self.dst),
        };
        Parsed {
            kind,
            protocol: if self.is_tcp { 6 } else { 17 },
            flags: if self.is_tcp { fin | syn << 1 | rst << 2 | ack << 4 } else { 0 },
            l3,
            l4: l3 + header_len,
            ip_len: frame_len as u16 - l3,
            vlan: self.tag.unwrap_or(0),
            src,
            dst,
            sport: self.sport,
            dport: self.dport,
            ..naive::NOTHING
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6000) })]

    #[test]
    fn reads_what_etherparse_wrote(drawn in drawn()) {
        let frame = drawn.written();
        prop_assert_eq!(ask(&frame, frame.len()), drawn.expected(frame.len()));
    }

    #[test]
    fn takes_any_bytes(mut frame in proptest::collection::vec(any::<u8>(), 0..200), more in 0..100_usize) {
        ask(&frame, frame.len() + more);
        // The MAC address and an IP ethertype let it come further in.
        for (ethertype, first) in [([8, 0], 0x45), ([0x86, 0xdd], 0x60), ([0x81, 0], 0)] {
            if frame.len() > 15 {
                frame[..6].copy_from_slice(&MAC);
                frame[12..14].copy_from_slice(&ethertype);
                frame[14] = first;
                ask(&frame, frame.len() + more);
            }
        }
    }

    #[test]
    fn takes_any_mutation(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        more in 0..100_usize,
        repair in any::<bool>(),
    ) {
        let shapes = shapes();
        let mut frame = which.get(&shapes).frame.clone();
        for (at, byte) in changes {
            // Most changes hit the headers.
            let len = frame.len();
            frame[at.index(len.min(80))] = byte;
        }
        if repair && let Some(ip) = Ipv4::at_mut(&mut frame, 14) {
            ip.set_checksum(sluice_packet::checksum::ipv4_header(ip, &[]));
        }
        agrees_with_etherparse(&frame)?;
        let cut = cut.index(frame.len() + 1);
        ask(&frame[..cut], cut);
        ask(&frame[..cut], frame.len() + more);
    }
}
