//! Header views: there when the bytes are, at any offset, and reading back what was written.
use sluice_packet::header::{
    Ethernet, Gre, Gue, Header, Icmp, Ipv4, Ipv6, Ipv6Extension, Ipv6Fragment, Sctp, SctpChunk, Tcp, Udp,
    Vlan, protocol,
};

/// A view needs its whole fixed part, no more, and never panics.
fn needs<H: Header>(len: usize) {
    assert_eq!(H::LEN, len);
    let mut bytes = [0; 100];
    for have in 0..bytes.len() {
        for offset in (0..110).chain([usize::MAX - 1, usize::MAX]) {
            let fits = offset.checked_add(len).is_some_and(|end| end <= have);
            assert_eq!(H::at(&bytes[..have], offset).is_some(), fits);
            assert_eq!(H::at_mut(&mut bytes[..have], offset).is_some(), fits);
        }
    }
}

#[test]
fn views_need_their_fixed_part() {
    needs::<Ethernet>(14);
    needs::<Vlan>(4);
    needs::<Ipv4>(20);
    needs::<Ipv6>(40);
    needs::<Ipv6Extension>(2);
    needs::<Ipv6Fragment>(8);
    needs::<Tcp>(20);
    needs::<Udp>(8);
    needs::<Sctp>(12);
    needs::<SctpChunk>(4);
    needs::<Icmp>(8);
    needs::<Gue>(4);
    needs::<Gre>(4);
}

/// The bytes of one header, all ones, changed by `write`.
fn written<H: Header>(write: impl FnOnce(&mut H)) -> Vec<u8> {
    let mut bytes = vec![0xff; H::LEN];
    write(H::at_mut(&mut bytes, 0).unwrap());
    bytes
}

#[test]
fn link_fields_are_in_place() {
    let bytes = written(|ethernet: &mut Ethernet| {
        ethernet.set_addresses([2, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]);
        ethernet.set_ethertype(0x0806);
    });
    assert_eq!(bytes, [2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 8, 6]);
    let ethernet = Ethernet::at(&bytes, 0).unwrap();
    assert_eq!((ethernet.destination(), ethernet.source()), (&[2, 1, 2, 3, 4, 5], &[6, 7, 8, 9, 10, 11]));
    assert_eq!((ethernet.ethertype(), ethernet.is_group()), (0x0806, false));
    assert!(Ethernet::at(&[0xff; 14], 0).unwrap().is_group());

    let bytes = written(|vlan: &mut Vlan| {
        vlan.set_tag(0xa00a);
        vlan.set_ethertype(0x86dd);
    });
    assert_eq!(bytes, [0xa0, 0x0a, 0x86, 0xdd]);
    let vlan = Vlan::at(&bytes, 0).unwrap();
    assert_eq!((vlan.tag(), vlan.id(), vlan.ethertype()), (0xa00a, 10, 0x86dd));
}

#[test]
fn ipv4_fields_are_in_place() {
    let bytes = written(|ip: &mut Ipv4| {
        ip.set_version_ihl(0x46);
        ip.set_tos(0xb9);
        ip.set_total_len(0x0102);
        ip.set_ident(0x0304);
        ip.set_flags_offset(0x2001);
        ip.set_ttl(7);
        ip.set_protocol(6);
        ip.set_checksum(0x0506);
        ip.set_source(0x0a00_0001);
        ip.set_destination(0x0a00_0002);
    });
    assert_eq!(bytes, [0x46, 0xb9, 1, 2, 3, 4, 0x20, 1, 7, 6, 5, 6, 10, 0, 0, 1, 10, 0, 0, 2]);
    let ip = Ipv4::at(&bytes, 0).unwrap();
    assert_eq!((ip.version_ihl(), ip.version(), ip.header_len(), ip.tos()), (0x46, 4, 24, 0xb9));
    assert_eq!((ip.total_len(), ip.ident(), ip.flags_offset()), (0x0102, 0x0304, 0x2001));
    assert_eq!((ip.dont_fragment(), ip.more_fragments(), ip.fragment_offset()), (false, true, 8));
    assert_eq!((ip.ttl(), ip.protocol(), ip.checksum()), (7, 6, 0x0506));
    assert_eq!((ip.source(), ip.destination()), (0x0a00_0001, 0x0a00_0002));
    for (word, is_fragment, offset) in
        [(0, false, 0), (0x4000, false, 0), (0x8000, false, 0), (0x1fff, true, 65_528), (0x6000, true, 0)]
    {
        let bytes = written(|ip: &mut Ipv4| ip.set_flags_offset(word));
        let ip = Ipv4::at(&bytes, 0).unwrap();
        assert_eq!((ip.is_fragment(), ip.fragment_offset()), (is_fragment, offset));
        assert_eq!(ip.dont_fragment(), word & 0x4000 != 0);
    }
}

#[test]
fn encapsulation_fields_are_in_place() {
    let bytes = written(|gue: &mut Gue| gue.set_data(41));
    assert_eq!(bytes, [0, 41, 0, 0]);
    let gue = Gue::at(&[0x02, 4, 0x00, 0x01], 0).unwrap();
    assert_eq!((gue.is_data(), gue.header_len(), gue.protocol(), gue.flags()), (true, 12, 4, 1));
    for (first, is_data, len) in [(0x00, true, 4), (0x1f, true, 128), (0x20, false, 4), (0x40, false, 4)] {
        let gue = *Gue::at(&[first, 4, 0, 0], 0).unwrap();
        assert_eq!((gue.is_data(), gue.header_len()), (is_data, len));
    }

    let bytes = written(|gre: &mut Gre| gre.set(Gre::CHECKSUM, 0x86dd));
    assert_eq!(bytes, [0x80, 0, 0x86, 0xdd]);
    assert_eq!(Gre::at(&bytes, 0).unwrap().protocol(), 0x86dd);
    // Routing, strict source routing, recursion and version 1 (PPTP) are not for us.
    for (word, len) in [(0, Some(4)), (0x8000, Some(8)), (0x2000, Some(8)), (0xb000, Some(16))]
        .into_iter()
        .chain([0x4000, 0x0800, 0x0100, 0x0001].map(|word| (word, None)))
    {
        let bytes = written(|gre: &mut Gre| gre.set(word, 0x0800));
        let gre = Gre::at(&bytes, 0).unwrap();
        assert_eq!((gre.flags_version(), gre.header_len()), (word, len));
    }
}

#[test]
fn ipv6_fields_are_in_place() {
    let (source, destination) = ([1; 16], [2; 16]);
    let bytes = written(|ip: &mut Ipv6| {
        ip.set_class_label(0xb9, 0xfff1_2345);
        ip.set_payload_len(0x0102);
        ip.set_next_header(17);
        ip.set_hop_limit(7);
        ip.set_source(source);
        ip.set_destination(destination);
    });
    assert_eq!(bytes[..8], [0x6b, 0x91, 0x23, 0x45, 1, 2, 17, 7]);
    assert_eq!(bytes[8..], [source, destination].concat());
    let ip = Ipv6::at(&bytes, 0).unwrap();
    assert_eq!((ip.version(), ip.traffic_class(), ip.flow_label()), (6, 0xb9, 0x1_2345));
    assert_eq!((ip.payload_len(), ip.next_header(), ip.hop_limit()), (0x0102, 17, 7));
    assert_eq!((ip.source(), ip.destination()), (&source, &destination));

    let extension = Ipv6Extension::at(&[17, 3], 0).unwrap();
    assert_eq!(extension.next_header(), 17);
    assert_eq!(extension.header_len(protocol::HOP_BY_HOP), 32);
    assert_eq!(extension.header_len(protocol::AH), 20);
    assert_eq!(extension.header_len(protocol::FRAGMENT), 8);
    assert_eq!(Ipv6Extension::at(&[0, 255], 0).unwrap().header_len(protocol::ROUTING), 2048);

    let fragment = Ipv6Fragment::at(&[17, 0xff, 0xff, 0xff, 1, 2, 3, 4], 0).unwrap();
    assert_eq!(
        (fragment.next_header(), fragment.fragment_offset(), fragment.more_fragments()),
        (17, 65_528, true)
    );
    assert_eq!(fragment.ident(), 0x0102_0304);
    assert!(!Ipv6Fragment::at(&[17, 0, 0, 6, 0, 0, 0, 0], 0).unwrap().more_fragments());
}

#[test]
fn transport_fields_are_in_place() {
    let bytes = written(|tcp: &mut Tcp| {
        tcp.set_source_port(0x0102);
        tcp.set_destination_port(0x0304);
        tcp.set_seq(0x0506_0708);
        tcp.set_ack(0x090a_0b0c);
        tcp.set_offset(6);
        tcp.set_flags(0x12);
        tcp.set_window(0x0d0e);
        tcp.set_checksum(0x0f10);
    });
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x60, 0x12, 13, 14, 15, 16, 0xff, 0xff]);
    let tcp = Tcp::at(&bytes, 0).unwrap();
    assert_eq!((tcp.source_port(), tcp.destination_port()), (0x0102, 0x0304));
    assert_eq!((tcp.seq(), tcp.ack(), tcp.header_len()), (0x0506_0708, 0x090a_0b0c, 24));
    assert_eq!((tcp.flags(), tcp.window(), tcp.checksum()), (0x12, 0x0d0e, 0x0f10));

    let bytes = written(|udp: &mut Udp| {
        udp.set_source_port(0x0102);
        udp.set_destination_port(0x0304);
        udp.set_datagram_len(0x0506);
        udp.set_checksum(0x0708);
    });
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
    let udp = Udp::at(&bytes, 0).unwrap();
    assert_eq!((udp.source_port(), udp.destination_port()), (0x0102, 0x0304));
    assert_eq!((udp.datagram_len(), udp.checksum()), (0x0506, 0x0708));

    let bytes = written(|sctp: &mut Sctp| {
        sctp.set_source_port(0x0102);
        sctp.set_destination_port(0x0304);
        sctp.set_tag(0x0506_0708);
        sctp.set_checksum(0x0c0b_0a09);
    });
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let sctp = Sctp::at(&bytes, 0).unwrap();
    assert_eq!((sctp.source_port(), sctp.destination_port()), (0x0102, 0x0304));
    assert_eq!((sctp.tag(), sctp.checksum()), (0x0506_0708, 0x0c0b_0a09));

    let chunk = SctpChunk::at(&[10, 0xff, 1, 2], 0).unwrap();
    assert_eq!((chunk.kind(), chunk.length()), (10, 0x0102));

    let bytes = written(|icmp: &mut Icmp| {
        icmp.set_kind(3, 4);
        icmp.set_checksum(0x0506);
        icmp.set_rest(1400);
    });
    assert_eq!(bytes, [3, 4, 5, 6, 0, 0, 5, 0x78]);
    let icmp = Icmp::at(&bytes, 0).unwrap();
    assert_eq!((icmp.kind(), icmp.code(), icmp.checksum(), icmp.rest()), (3, 4, 0x0506, 1400));
}
