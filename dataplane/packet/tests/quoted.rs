//! The packet quoted in an ICMP error: read as far as it is there, and not a byte further.
mod common;

use common::naive;
use common::shapes::{CLIENT4, VIP4, v4};
use proptest::prelude::*;
use sluice_packet::build::Frame;
use sluice_packet::header::flags::ACK;
use sluice_packet::{Quoted4, classify};

/// The outer headers of an untagged error: Ethernet, IPv4, ICMP.
const BEFORE: usize = 14 + 20 + 8;

fn read(frame: &[u8]) -> Option<Quoted4> {
    Quoted4::of(frame, &classify(frame, frame.len(), &Frame::DESTINATION, false))
}

/// A router's error about `packet`.
fn error(packet: &[u8]) -> Vec<u8> {
    v4().icmp_error(3, 4, 1400, packet).build()
}

#[test]
fn reads_addresses_and_ports() {
    for (protocol, frame) in [
        (6, v4().tcp(40_000, 80, ACK)),
        (17, v4().udp(40_000, 80)),
        (132, v4().sctp(40_000, 80, 0)),
        (6, v4().options(&[1; 9]).tcp(40_000, 80, ACK)),
        (6, v4().dont_fragment().tcp(40_000, 80, ACK)),
        (6, v4().fragment(0, true).tcp(40_000, 80, ACK)),
    ] {
        let packet = frame.packet();
        let quoted = read(&error(&packet)).expect("all of it is there");
        let l4 = BEFORE + usize::from(packet[0] & 15) * 4;
        let expected = Quoted4 {
            protocol,
            l3: BEFORE as u16,
            l4: l4 as u16,
            src: u32::from_be_bytes(CLIENT4),
            dst: u32::from_be_bytes(VIP4),
            sport: 40_000,
            dport: 80,
        };
        assert_eq!(quoted, expected);
        let tagged = v4().vlan(9).icmp_error(11, 0, 0, &packet).build();
        assert_eq!(read(&tagged).map(|quoted| quoted.l3), Some(BEFORE as u16 + 4));
    }
    for protocol in [50, 51] {
        let quoted = read(&error(&v4().protocol(protocol).packet())).expect("no ports to be there");
        assert_eq!((quoted.protocol, quoted.sport, quoted.dport), (protocol, 0, 0));
    }
}

/// The header and four bytes of ports are enough; less is not.
#[test]
fn is_there_from_the_ports_on() {
    for frame in [v4().tcp(1, 2, ACK), v4().udp(1, 2).payload(&[7; 30]), v4().options(&[1; 20]).sctp(1, 2, 0)]
    {
        let packet = frame.packet();
        let enough = usize::from(packet[0] & 15) * 4 + 4;
        for len in 0..=packet.len() {
            assert_eq!(read(&error(&packet[..len])).is_some(), len >= enough, "{len} of {}", packet.len());
        }
    }
}

/// What follows the message in the frame is no part of it.
#[test]
fn padding_is_not_quoted() {
    let packet = v4().tcp(1, 2, ACK).packet();
    let frame = v4().icmp_error(3, 3, 0, &packet[..20]).pad_to(100).build();
    assert_eq!(read(&frame), None);
}

#[test]
fn a_later_fragment_has_no_ports() {
    for protocol in [6, 17, 50] {
        let packet = v4().fragment(8, true).protocol(protocol).payload(&[1; 16]).packet();
        assert_eq!(read(&error(&packet)), None);
    }
}

#[test]
fn lying_headers_are_refused() {
    let packet = v4().tcp(1, 2, ACK).payload(&[5; 40]).packet();
    for first in [0x65, 0x05, 0x40, 0x44] {
        let mut lying = packet.clone();
        lying[0] = first;
        assert_eq!(read(&error(&lying)), None, "{first:#x}");
    }
    // A header that reaches over the quote, and one that reaches into the packet: only the first can be seen.
    let mut lying = packet[..36].to_vec();
    lying[0] = 0x4f;
    assert_eq!(read(&error(&lying)), None);
    // The length that the packet states is the sender's word and means nothing here.
    for len in [0_u16, 20, u16::MAX] {
        let mut lying = packet.clone();
        lying[2..4].copy_from_slice(&len.to_be_bytes());
        assert!(read(&error(&lying)).is_some());
    }
}

#[test]
fn only_errors_quote() {
    let packet = v4().tcp(1, 2, ACK).packet();
    for frame in [
        v4().icmp(8, 0, 1).payload(&packet),
        v4().icmp_error(12, 0, 0, &packet),
        v4().icmp_error(5, 1, 0, &packet),
        v4().tcp(1, 2, ACK).payload(&packet),
        v4().fragment(0, true).icmp_error(3, 3, 0, &packet),
    ] {
        assert_eq!(read(&frame.build()), None);
    }
}

/// The rules, read one after the other.
fn naive(frame: &[u8]) -> Option<Quoted4> {
    let parsed = naive::classify(frame, frame.len(), &Frame::DESTINATION, false);
    if parsed.kind != sluice_packet::Kind::IcmpError4 {
        return None;
    }
    let at = usize::from(parsed.l4) + 8;
    let quote = &frame[at..usize::from(parsed.l3) + usize::from(parsed.ip_len)];
    let header = quote.get(..20).filter(|header| header[0] >= 0x45 && header[0] < 0x50)?;
    let header_len = usize::from(header[0] - 0x40) * 4;
    if quote.len() < header_len || header[6] & 0x1f != 0 || header[7] != 0 {
        return None;
    }
    let word = |at: usize| u32::from_be_bytes([quote[at], quote[at + 1], quote[at + 2], quote[at + 3]]);
    let ports = match header[9] {
        6 | 17 | 132 if quote.len() < header_len + 4 => return None,
        6 | 17 | 132 => word(header_len),
        _ => 0,
    };
    Some(Quoted4 {
        protocol: header[9],
        l3: at as u16,
        l4: (at + header_len) as u16,
        src: word(12),
        dst: word(16),
        sport: (ports >> 16) as u16,
        dport: ports as u16,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is quoted, both readings agree, and neither leaves the frame.
    #[test]
    fn any_quote_is_read_as_the_rules_say(
        mut start in prop::collection::vec(any::<u8>(), 0..90),
        first in prop::sample::select(vec![0x45_u8, 0x46, 0x4f, 0x44, 0x35]),
        protocol in prop::sample::select(vec![6_u8, 17, 132, 50, 1]),
        whole in any::<bool>(),
        padding in 0usize..40,
    ) {
        if let Some(byte) = start.first_mut() {
            *byte = first;
        }
        if let Some(byte) = start.get_mut(9) {
            *byte = protocol;
        }
        if whole && let Some(words) = start.get_mut(6..8) {
            words.fill(0);
        }
        let frame = v4().icmp_error(11, 0, 0, &start).build();
        let frame = [frame, vec![0xee; padding]].concat();
        let read = read(&frame);
        prop_assert_eq!(read, naive(&frame));
        if let Some(quoted) = read {
            prop_assert!(usize::from(quoted.l4) <= frame.len() - padding);
        }
    }
}
