//! Checksums: against a slow sum, against etherparse, and by difference against computing afresh.
mod common;

use common::naive::slow_sum;
use common::shapes::{CLIENT6, VIP6};
use proptest::prelude::*;
use sluice_packet::build::Frame;
use sluice_packet::checksum::{self, Crc32c, Delta, Sum, pseudo_v4, pseudo_v6};
use sluice_packet::header::{Header, Ipv4, Ipv6, Tcp, Udp, protocol};

/// Where ones'-complement arithmetic has its seams.
const CORNERS: [u16; 10] = [0, 1, 2, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xfefe, 0xfffe, 0xffff];

/// A slow CRC32c, one bit at a time.
fn slow_crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// The number in 0..0xffff that a ones'-complement word stands for: 0 has two names.
fn value(word: u16) -> u32 {
    u32::from(word) % 0xffff
}

#[test]
fn delta_is_a_fresh_sum_at_every_corner() {
    for rest in CORNERS.into_iter().filter(|rest| *rest != 0) {
        for old in CORNERS {
            for new in CORNERS {
                let sum = |word: u16| [rest.to_be_bytes(), word.to_be_bytes()].concat();
                let field = !slow_sum(&sum(old));
                let fresh = !slow_sum(&sum(new));
                let delta = Delta::of_u16(old, new);
                assert_eq!(delta.apply(field), fresh, "{rest:04x}: {old:04x} to {new:04x}");
                assert_eq!(delta.apply_udp(field), if fresh == 0 { 0xffff } else { fresh });
                assert_eq!(delta.negated().apply(fresh), field);
            }
        }
    }
}

/// Every possible field, right or wrong, moves by as much as the right one does.
#[test]
fn delta_keeps_the_difference_of_every_field() {
    for old in CORNERS {
        for new in CORNERS {
            let moved = (value(old) + 0xffff - value(new)) % 0xffff;
            for field in 0..=0xffff {
                let adjusted = Delta::of_u16(old, new).apply(field);
                assert_eq!(
                    value(adjusted),
                    (value(field) + moved) % 0xffff,
                    "{field:04x}: {old:04x} to {new:04x}"
                );
            }
        }
    }
}

#[test]
fn zero_is_no_udp_checksum() {
    // A payload that makes the sum 0xffff, so that the checksum comes out as 0.
    let pseudo = pseudo_v4(0x0a00_0001, 0x0a00_0002, protocol::UDP, 10);
    let mut datagram = [0, 1, 0, 2, 0, 10, 0, 0, 0, 0];
    let missing = pseudo.plus(Sum::of_bytes(&datagram)).checksum();
    datagram[8..].copy_from_slice(&missing.to_be_bytes());
    assert_eq!(checksum::udp(pseudo, &datagram), Some(0xffff));
    let pseudo = pseudo_v4(0x0a00_0001, 0x0a00_0002, protocol::TCP, 22);
    let mut segment = [0; 22];
    let missing = pseudo.plus(Sum::of_bytes(&segment)).checksum();
    segment[20..].copy_from_slice(&missing.to_be_bytes());
    assert_eq!(checksum::tcp(pseudo, &segment), Some(0));
}

#[test]
fn too_short_has_no_checksum() {
    for len in 0..24 {
        let bytes = vec![1; len];
        assert_eq!(checksum::tcp(Sum::default(), &bytes).is_some(), len >= 20);
        assert_eq!(checksum::udp(Sum::default(), &bytes).is_some(), len >= 8);
        assert_eq!(checksum::icmp(&bytes).is_some(), len >= 8);
        assert_eq!(checksum::icmpv6(Sum::default(), &bytes).is_some(), len >= 8);
        assert_eq!(checksum::sctp(&bytes).is_some(), len >= 12);
    }
}

/// One end of a flow, before or after translation.
#[derive(Clone, Copy, Debug)]
struct End {
    v4: u32,
    v6: [u8; 16],
    port: u16,
}

fn end() -> impl Strategy<Value = End> {
    let corner = prop::sample::select(&CORNERS[..]);
    let word = prop_oneof![any::<u16>(), corner];
    (proptest::array::uniform8(word.clone()), word.clone(), word.clone(), word).prop_map(
        |(v6, high, low, port)| {
            let mut bytes = [0; 16];
            for (to, from) in bytes.chunks_exact_mut(2).zip(v6) {
                to.copy_from_slice(&from.to_be_bytes());
            }
            End { v4: u32::from(high) << 16 | u32::from(low), v6: bytes, port }
        },
    )
}

/// The delta of an address and a port.
fn delta(is_v6: bool, old: End, new: End) -> (Delta, Delta) {
    let address = if is_v6 { Delta::of_v6(&old.v6, &new.v6) } else { Delta::of_u32(old.v4, new.v4) };
    (address, address.plus(Delta::of_u16(old.port, new.port)))
}

fn frame(is_v6: bool, is_tcp: bool, client: End, server: End, payload: &[u8]) -> Vec<u8> {
    let frame = match is_v6 {
        true => Frame::new().ipv6(client.v6, server.v6),
        false => Frame::new().ipv4(client.v4, server.v4),
    };
    let frame = match is_tcp {
        true => frame.tcp(client.port, server.port, 0x10),
        false => frame.udp(client.port, server.port),
    };
    frame.payload(payload).build()
}

/// What NAT does to a frame, every checksum by its delta.
fn translate(frame: &mut [u8], is_v6: bool, is_tcp: bool, old: End, new: End) {
    let (address, both) = delta(is_v6, old, new);
    let l4 = if is_v6 {
        Ipv6::at_mut(frame, 14).unwrap().set_destination(new.v6);
        54
    } else {
        let ip = Ipv4::at_mut(frame, 14).unwrap();
        ip.set_destination(new.v4);
        ip.set_checksum(address.apply(ip.checksum()));
        34
    };
    if is_tcp {
        let tcp = Tcp::at_mut(frame, l4).unwrap();
        tcp.set_destination_port(new.port);
        tcp.set_checksum(both.apply(tcp.checksum()));
    } else {
        let udp = Udp::at_mut(frame, l4).unwrap();
        udp.set_destination_port(new.port);
        udp.set_checksum(both.apply_udp(udp.checksum()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn sum_is_the_slow_sum(bytes in proptest::collection::vec(any::<u8>(), 0..300), start in 0..8_usize) {
        let bytes = bytes.get(start..).unwrap_or_default();
        prop_assert_eq!(Sum::of_bytes(bytes).fold(), slow_sum(bytes));
        let ones = vec![0xff; bytes.len()];
        prop_assert_eq!(Sum::of_bytes(&ones).fold(), slow_sum(&ones));
        let (a, b) = bytes.split_at(bytes.len() / 4 * 2);
        prop_assert_eq!(Sum::of_bytes(a).plus(Sum::of_bytes(b)).fold(), slow_sum(bytes));
        let theirs = etherparse::checksum::Sum16BitWords::new().add_slice(bytes).ones_complement();
        prop_assert_eq!(Sum::of_bytes(bytes).checksum(), theirs.to_be());
    }

    #[test]
    fn crc_is_the_slow_crc(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(Crc32c::default().plus(&bytes).value(), slow_crc32c(&bytes));
    }

    /// A port that changes moves the checksum as summing anew does, whatever follows and however much.
    #[test]
    fn crc_follows_a_changed_port(
        mut packet in proptest::collection::vec(any::<u8>(), 12..9000),
        port in any::<u16>(),
        is_destination in any::<bool>(),
        fault in any::<u32>(),
    ) {
        let offset = if is_destination { 2 } else { 0 };
        let old = u16::from_be_bytes([packet[offset], packet[offset + 1]]);
        let before = checksum::sctp(&packet).unwrap();
        packet[offset..offset + 2].copy_from_slice(&port.to_be_bytes());
        let after = checksum::sctp(&packet).unwrap();
        let changed = |sent| checksum::sctp_changed(sent, packet.len(), offset, old, port);
        prop_assert_eq!(changed(before), after);
        prop_assert_eq!(changed(before ^ fault), after ^ fault, "a wrong one stays as wrong");
    }

    #[test]
    fn sums_are_those_of_etherparse(
        (a, b) in (end(), end()),
        payload in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let (src, dst) = (a.v4.to_be_bytes(), b.v4.to_be_bytes());
        let header = etherparse::TcpHeader::new(a.port, b.port, 7, 8);
        let segment = [&header.to_bytes()[..], &payload[..]].concat();
        let len = segment.len() as u16;
        prop_assert_eq!(
            checksum::tcp(pseudo_v4(a.v4, b.v4, protocol::TCP, len), &segment),
            header.calc_checksum_ipv4_raw(src, dst, &payload).ok()
        );
        prop_assert_eq!(
            checksum::tcp(pseudo_v6(&a.v6, &b.v6, protocol::TCP, u32::from(len)), &segment),
            header.calc_checksum_ipv6_raw(a.v6, b.v6, &payload).ok()
        );
        let header = etherparse::UdpHeader {
            source_port: a.port,
            destination_port: b.port,
            length: 8 + payload.len() as u16,
            checksum: 0,
        };
        let datagram = [&header.to_bytes()[..], &payload[..]].concat();
        let len = datagram.len() as u16;
        prop_assert_eq!(
            checksum::udp(pseudo_v4(a.v4, b.v4, protocol::UDP, len), &datagram),
            header.calc_checksum_ipv4_raw(src, dst, &payload).ok()
        );
        prop_assert_eq!(
            checksum::udp(pseudo_v6(&a.v6, &b.v6, protocol::UDP, u32::from(len)), &datagram),
            header.calc_checksum_ipv6_raw(a.v6, b.v6, &payload).ok()
        );
        let echo = etherparse::IcmpEchoHeader { id: a.port, seq: b.port };
        let icmp = etherparse::Icmpv4Type::EchoRequest(echo);
        let message = [&etherparse::Icmpv4Header::new(icmp.clone()).to_bytes()[..], &payload[..]].concat();
        prop_assert_eq!(checksum::icmp(&message), Some(icmp.calc_checksum(&payload)));
        let icmp = etherparse::Icmpv6Type::PacketTooBig { mtu: a.v4 };
        let fresh = icmp.calc_checksum(a.v6, b.v6, &payload).unwrap();
        let header = etherparse::Icmpv6Header { icmp_type: icmp, checksum: 0 };
        let message = [&header.to_bytes()[..], &payload[..]].concat();
        let pseudo = pseudo_v6(&a.v6, &b.v6, protocol::ICMPV6, message.len() as u32);
        prop_assert_eq!(checksum::icmpv6(pseudo, &message), Some(fresh));
    }

    /// A translated frame is, bit for bit, one built with the new end; translated back, the one it was.
    #[test]
    fn translating_is_building_anew(
        client in end(),
        (vip, real) in (end(), end()),
        payload in proptest::collection::vec(any::<u8>(), 0..40),
        (is_v6, is_tcp) in any::<(bool, bool)>(),
    ) {
        let before = frame(is_v6, is_tcp, client, vip, &payload);
        let mut bytes = before.clone();
        translate(&mut bytes, is_v6, is_tcp, vip, real);
        prop_assert_eq!(&bytes, &frame(is_v6, is_tcp, client, real, &payload));
        translate(&mut bytes, is_v6, is_tcp, real, vip);
        prop_assert_eq!(bytes, before);
    }

    /// A frame broken on its way here is still broken, by as much, after translation.
    #[test]
    fn translating_hides_no_damage(
        (client, vip, real) in (end(), end(), end()),
        payload in proptest::collection::vec(any::<u8>(), 2..40),
        damage in 1..=0xffff_u16,
        is_v6 in any::<bool>(),
    ) {
        let right = frame(is_v6, true, client, real, &payload);
        let mut bytes = frame(is_v6, true, client, vip, &payload);
        let at = bytes.len() - payload.len() - 4;
        let field = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let broken = field ^ damage;
        bytes[at..at + 2].copy_from_slice(&broken.to_be_bytes());
        translate(&mut bytes, is_v6, true, vip, real);
        let adjusted = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let expected = u16::from_be_bytes([right[at], right[at + 1]]);
        let difference = |a: u16, b: u16| (value(a) + 0xffff - value(b)) % 0xffff;
        prop_assert_eq!(difference(adjusted, expected), difference(broken, field));
    }
}

#[test]
fn addresses_make_the_same_delta_however_they_are_cut() {
    let words = |bytes: &[u8; 16]| -> Vec<u16> {
        bytes.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect()
    };
    let by_word = words(&CLIENT6)
        .into_iter()
        .zip(words(&VIP6))
        .fold(Delta::ZERO, |delta, (old, new)| delta.plus(Delta::of_u16(old, new)));
    for field in 0..=0xffff {
        assert_eq!(by_word.apply(field), Delta::of_v6(&CLIENT6, &VIP6).apply(field));
    }
}
