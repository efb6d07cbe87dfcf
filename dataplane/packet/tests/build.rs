//! The builder: what it makes is what etherparse reads, checksums and all.
mod common;

use common::shapes::{CLIENT4, CLIENT6, VIP4, VIP6, shapes, v4, v6};
use etherparse::{Ipv6Header, NetSlice, SlicedPacket, TransportSlice};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::checksum;
use sluice_packet::header::{Header, Sctp, ethertype, flags, protocol};

/// Recomputes every checksum of a frame as etherparse does; `false` where one differs.
fn is_right(frame: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ethernet(frame).expect("a sound frame");
    let transport = sliced.transport.as_ref().expect("a transport header");
    match sliced.net.as_ref().expect("IP") {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header().to_header();
            ip.calc_header_checksum() == ip.header_checksum
                && is_right_v4(transport, ip.source, ip.destination)
        }
        NetSlice::Ipv6(ip) => {
            let Ipv6Header { source, destination, .. } = ip.header().to_header();
            is_right_v6(transport, source, destination)
        }
        NetSlice::Arp(_) => panic!("ARP has no checksum"),
    }
}

fn is_right_v4(transport: &TransportSlice<'_>, src: [u8; 4], dst: [u8; 4]) -> bool {
    match transport {
        TransportSlice::Tcp(tcp) => {
            tcp.to_header().calc_checksum_ipv4_raw(src, dst, tcp.payload()) == Ok(tcp.checksum())
        }
        TransportSlice::Udp(udp) => {
            udp.to_header().calc_checksum_ipv4_raw(src, dst, udp.payload()) == Ok(udp.checksum())
        }
        TransportSlice::Icmpv4(icmp) => {
            icmp.header().icmp_type.calc_checksum(icmp.payload()) == icmp.header().checksum
        }
        other => panic!("{other:?} over IPv4"),
    }
}

fn is_right_v6(transport: &TransportSlice<'_>, src: [u8; 16], dst: [u8; 16]) -> bool {
    match transport {
        TransportSlice::Tcp(tcp) => {
            tcp.to_header().calc_checksum_ipv6_raw(src, dst, tcp.payload()) == Ok(tcp.checksum())
        }
        TransportSlice::Udp(udp) => {
            udp.to_header().calc_checksum_ipv6_raw(src, dst, udp.payload()) == Ok(udp.checksum())
        }
        TransportSlice::Icmpv6(icmp) => icmp.is_checksum_valid(src, dst),
        other => panic!("{other:?} over IPv6"),
    }
}

#[test]
fn checksums_are_right() {
    let reply = v4().tcp(1, 2, flags::ACK).packet();
    for frame in [v4(), v6(), v4().vlan(5).options(&[1; 5]), v6().extension(0, &[]).extension(60, &[0; 9])] {
        for payload in [&b""[..], b"x", b"hello, world"] {
            let frame = frame.clone().payload(payload);
            assert!(is_right(
                &frame.clone().tcp(40_000, 80, flags::SYN).tcp_options(&[2, 4, 5, 180]).build()
            ));
            assert!(is_right(&frame.clone().udp(5353, 53).build()));
            assert!(is_right(&frame.clone().icmp(128, 0, 0x1234_0001).build()));
        }
        assert!(is_right(&frame.icmp_error(3, 1, 0, &reply).build()));
    }
}

#[test]
fn checksums_are_wrong_when_asked() {
    for frame in [v4(), v6()] {
        let frame = frame.wrong_transport_checksum();
        assert!(!is_right(&frame.clone().tcp(40_000, 80, flags::SYN).build()));
        assert!(!is_right(&frame.clone().udp(5353, 53).build()));
        assert!(!is_right(&frame.clone().icmp(8, 0, 1).build()));
        let sctp = frame.sctp(1, 2, 0).packet();
        let segment = &sctp[sctp.len() - 16..];
        assert_ne!(checksum::sctp(segment), Some(Sctp::at(segment, 0).unwrap().checksum()));
    }
    assert!(!is_right(&v4().wrong_ip_checksum().udp(5353, 53).build()));
}

#[test]
fn fields_are_where_etherparse_reads_them() {
    let frame = v4()
        .eth([2, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2])
        .service_vlan(0x2064)
        .vlan(0xa007)
        .ttl(7)
        .tos(0xb9)
        .ident(0x1_0203)
        .dont_fragment()
        .tcp(40_000, 80, flags::SYN | flags::ACK | flags::PSH)
        .seq(0x0102_0304)
        .ack(0x0506_0708)
        .window(0x1122)
        .payload(b"hello")
        .pad_to(100)
        .build();
    assert_eq!(frame.len(), 100);
    let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(etherparse::LinkSlice::Ethernet2(ethernet)) = &sliced.link else { panic!("Ethernet") };
    assert_eq!((ethernet.destination(), ethernet.source()), ([2, 1, 1, 1, 1, 1], [2; 6]));
    let ids: Vec<u16> = sliced.vlan_ids().iter().map(|id| id.value()).collect();
    assert_eq!(ids, [0x064, 0x007]);
    let Some(NetSlice::Ipv4(ip)) = &sliced.net else { panic!("IPv4") };
    let ip = ip.header();
    assert_eq!((ip.source(), ip.destination()), (CLIENT4, VIP4));
    assert_eq!((ip.ttl(), ip.dcp().value(), ip.ecn().value()), (7, 0xb9 >> 2, 1));
    assert_eq!((ip.identification(), ip.dont_fragment(), ip.total_len()), (0x0203, true, 45));
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { panic!("TCP") };
    assert_eq!((tcp.source_port(), tcp.destination_port()), (40_000, 80));
    assert_eq!((tcp.sequence_number(), tcp.acknowledgment_number()), (0x0102_0304, 0x0506_0708));
    assert_eq!((tcp.syn(), tcp.ack(), tcp.psh(), tcp.fin(), tcp.rst()), (true, true, true, false, false));
    assert_eq!((tcp.window_size(), tcp.payload()), (0x1122, &b"hello"[..]));
}

#[test]
fn ipv6_fields_are_where_etherparse_reads_them() {
    let frame = v6().ttl(7).tos(0xb9).extension(0, &[1, 0]).extension(protocol::AH, &[9; 10]).udp(5353, 53);
    let frame = frame.payload(b"abc").build();
    let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv6(ip)) = &sliced.net else { panic!("IPv6") };
    let header = ip.header();
    assert_eq!((header.source(), header.destination()), (CLIENT6, VIP6));
    assert_eq!((header.hop_limit(), header.traffic_class(), header.flow_label().value()), (7, 0xb9, 0));
    assert_eq!(ip.extensions().slice().len(), 8 + 16);
    let Some(TransportSlice::Udp(udp)) = &sliced.transport else { panic!("UDP") };
    assert_eq!((udp.source_port(), udp.destination_port(), udp.payload()), (5353, 53, &b"abc"[..]));
}

#[test]
fn sctp_carries_one_padded_chunk() {
    let packet = v4().sctp(1, 2, 10).verification_tag(0x0102_0304).payload(b"abcde").packet();
    let segment = &packet[20..];
    assert_eq!(segment[..8], [0, 1, 0, 2, 1, 2, 3, 4]);
    assert_eq!(segment[12..], [10, 0, 0, 9, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
    assert_eq!(checksum::sctp(segment), Some(Sctp::at(segment, 0).unwrap().checksum()));
}

/// etherparse puts the fragments together again, to the packet that was cut.
#[test]
fn fragments_make_the_packet() {
    for (frame, mtu) in [(v4().options(&[1; 4]), 576), (v6().extension(60, &[0; 6]), 1280)] {
        let payload: Vec<u8> = (0..4000_u32).map(|i| (i * 7) as u8).collect();
        let frame = frame.ident(9).udp(5353, 53).payload(&payload);
        let whole = frame.build();
        let fragments = frame.fragments(mtu);
        assert!(fragments.len() >= 4);
        let mut pool = etherparse::defrag::IpDefragPool::<(), ()>::new();
        let mut done = None;
        for fragment in fragments.iter().rev() {
            assert!(fragment.len() <= 14 + mtu);
            let sliced = SlicedPacket::from_ethernet(fragment).unwrap();
            done = done.or(pool.process_sliced_packet(&sliced, (), ()).unwrap());
        }
        let done = done.expect("all fragments were there");
        assert_eq!(done.payload[..], whole[whole.len() - 4008..]);
    }
    assert_eq!(v4().udp(1, 2).fragments(1500), [v4().udp(1, 2).build()]);
}

/// Everything etherparse knows how to read, it reads without complaint.
#[test]
fn shapes_are_sound() {
    // etherparse takes one extension header of a kind and three tags as we do not, wants a first fragment to
    // hold what its UDP length says, and reads ICMP of the other IP version.
    let otherwise =
        ["frag4_first", "icmp_over_v6", "icmpv6_over_v4", "nine_extensions6", "udp6_eight_extensions"];
    for shape in shapes().iter().filter(|shape| !otherwise.contains(&shape.name)) {
        if let Err(error) = SlicedPacket::from_ethernet(&shape.frame) {
            panic!("{}: {error}", shape.name);
        }
    }
}

#[test]
fn raw_frames_carry_their_payload() {
    let frame = Frame::new().vlan(3).ethertype(ethertype::ARP).payload(&[1, 2, 3]).build();
    assert_eq!(frame[12..], [0x81, 0, 0, 3, 8, 6, 1, 2, 3]);
}

#[test]
fn array_buf_keeps_its_bounds() {
    let mut buf = ArrayBuf::with_headroom(&[1, 2, 3, 4], 20).chained(100).vouched();
    assert_eq!((buf.data(), buf.frame_len(), buf.ip_checksum_good()), (&[1, 2, 3, 4][..], 104, true));
    assert!(!buf.trim_front(5));
    assert!(buf.trim_front(1));
    assert_eq!((buf.data(), buf.frame_len()), (&[2, 3, 4][..], 103));
    assert!(buf.prepend(22).is_none());
    let room = buf.prepend(21).expect("20 bytes of headroom and the one trimmed");
    assert!(room.iter().all(|byte| *byte == 0xa5) && room.len() == 21);
    room.fill(9);
    assert_eq!((buf.data().len(), buf.frame_len()), (24, 124));
    buf.data_mut()[21] = 7;
    assert_eq!(buf.data()[20..], [9, 7, 3, 4]);
    assert!(!buf.truncate(25));
    assert_eq!(buf.frame_len(), 124);
    assert!(buf.truncate(23));
    assert_eq!((buf.data().len(), buf.frame_len()), (23, 23), "further pieces go");
    assert!(buf.trim_front(23) && buf.data().is_empty());
}
