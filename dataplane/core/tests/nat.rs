//! Network address translation: every byte that changes, every byte that must not, and what is counted.
mod common;

use std::net::SocketAddr;

use common::wire::seen;
use common::*;
use sluice_core::{RealStats, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, PSH, SYN};

const PAYLOAD: &[u8] = b"GET / HTTP/1.1\r\n";

/// A TCP service with one masqueraded real on port 8080 and an established flow from client port 40000.
fn established() -> (Lab, ServiceKey) {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    for flags in [SYN, ACK] {
        assert_eq!(lab.client_sends(&request(40_000, flags)).0, TO_REAL);
    }
    (lab, key)
}

/// What must leave for real 1 when `request` comes in: the same frame, built anew with the real as its destination.
fn translated(request: Frame) -> Vec<u8> {
    request.eth(real_mac(1), INSIDE_MAC).ttl(63).build()
}

#[test]
fn a_tcp_request_is_rewritten_and_nothing_else() {
    let (mut lab, _) = established();
    let dress = |frame: Frame| {
        frame.seq(7).ack(9).window(512).tcp_options(&[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]).payload(PAYLOAD)
    };
    let frame = dress(request(40_000, ACK | PSH).tos(0xb9).ident(0x1234).dont_fragment());
    let (verdict, bytes) = lab.client_sends(&frame);
    assert_eq!(verdict, TO_REAL);
    let at_real = Frame::new().ipv4(CLIENT, real(1)).tcp(40_000, 8080, ACK | PSH);
    assert_eq!(bytes, translated(dress(at_real.tos(0xb9).ident(0x1234).dont_fragment())));
    let seen = seen(&bytes);
    assert_eq!((seen.to, seen.from, seen.ttl), (real_mac(1), INSIDE_MAC, 63));
    assert_eq!(seen.source, SocketAddr::from((CLIENT, 40_000)));
    assert_eq!(seen.destination, SocketAddr::from((real(1), 8080)));
    assert!(seen.checksum_is_right());
}

#[test]
fn a_tcp_reply_comes_from_the_virtual_service() {
    let (mut lab, _) = established();
    let (verdict, bytes) = lab.real_sends(&reply(1, 8080, 40_000, ACK | PSH).ttl(61).payload(PAYLOAD));
    assert_eq!(verdict, TO_CLIENT);
    let expected = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4(VIP, CLIENT).ttl(60);
    assert_eq!(bytes, expected.tcp(80, 40_000, ACK | PSH).payload(PAYLOAD).build());
    assert!(seen(&bytes).checksum_is_right());
}

#[test]
fn udp_goes_both_ways() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 5353)]);
    let (verdict, bytes) = lab.client_sends(&from_gateway(CLIENT).udp(5000, 53).payload(b"query"));
    assert_eq!(verdict, TO_REAL);
    assert_eq!(bytes, translated(Frame::new().ipv4(CLIENT, real(1)).udp(5000, 5353).payload(b"query")));
    assert!(seen(&bytes).checksum_is_right());

    let answer = from_link(1).ipv4(real(1), CLIENT).udp(5353, 5000).payload(b"answer");
    let (verdict, bytes) = lab.real_sends(&answer);
    assert_eq!(verdict, TO_CLIENT);
    let expected = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4(VIP, CLIENT).ttl(63);
    assert_eq!(bytes, expected.udp(53, 5000).payload(b"answer").build());
    assert!(seen(&bytes).checksum_is_right());
    assert_eq!(lab.state(), ("UDP", 300));
}

/// A device that loops back may hand over a request and its reply at once: the flow is known to the reply all the same.
#[test]
fn a_reply_in_the_burst_of_its_request_is_translated() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 5353)]);
    let ask = |cport| from_gateway(CLIENT).udp(cport, 53).build();
    let answer = |cport| {
        let frame = from_link(1).eth(OUTSIDE_MAC, real_mac(1)).ipv4(real(1), CLIENT);
        frame.udp(5353, cport).build()
    };
    let frames: Vec<_> = (5000..5016).map(ask).chain((5000..5016).map(answer)).collect();
    for _ in 0..2 {
        let sent = lab.send_all(&ingress(OUTSIDE), &frames);
        for (n, (verdict, bytes)) in sent.iter().enumerate() {
            assert_eq!(*verdict, if n < 16 { TO_REAL } else { TO_CLIENT });
            assert!(n < 16 || seen(bytes).source == SocketAddr::from((VIP, 53)));
        }
        assert_eq!(lab.flows().len(), 16);
    }
    lab.wait_seconds(301);
    assert_eq!(lab.flows(), []);
    assert_eq!(
        lab.send(&ingress(OUTSIDE), &answer(5000)).0,
        Verdict::ToKernel,
        "no key is left in the index"
    );
}

/// RFC 1624: over all values of a payload word the checksum takes all values, the one that comes out 0 among them.
#[test]
fn every_checksum_comes_out_right() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 5353)]);
    let mut all_ones = 0;
    for word in 0..=u16::MAX {
        let payload = word.to_be_bytes();
        let (_, bytes) = lab.client_sends(&from_gateway(CLIENT).udp(5000, 53).payload(&payload));
        let at_real = Frame::new().ipv4(CLIENT, real(1)).udp(5000, 5353).payload(&payload);
        assert_eq!(bytes, translated(at_real));
        all_ones += u32::from(bytes[40..42] == [0xff, 0xff]);
    }
    assert!(all_ones > 0, "a computed 0 is sent as 0xffff (RFC 768)");
}

#[test]
fn an_absent_udp_checksum_is_computed() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 5353)]);
    // An odd payload, and padding behind it that the sum must not take in.
    let query = from_gateway(CLIENT).udp(5000, 53).no_udp_checksum().payload(b"odd").pad_to(60);
    let mut padded = query.build();
    padded[50..].fill(0xee);
    let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &padded);
    assert_eq!(verdict, TO_REAL);
    let at_real = translated(Frame::new().ipv4(CLIENT, real(1)).udp(5000, 5353).payload(b"odd"));
    assert_eq!(bytes[..at_real.len()], at_real);

    let answer = from_link(1).ipv4(real(1), CLIENT).udp(5353, 5000).no_udp_checksum().payload(b"answer");
    let (_, bytes) = lab.real_sends(&answer);
    assert_ne!(seen(&bytes).checksum.0, 0);
    assert!(seen(&bytes).checksum_is_right());
}

/// How far a checksum is off, in ones'-complement arithmetic.
fn error((held, right): (u16, u16)) -> u16 {
    let (sum, carry) = held.overflowing_add(!right);
    match sum + u16::from(carry) {
        0xffff => 0,
        error => error,
    }
}

#[test]
fn a_wrong_checksum_stays_wrong_by_the_same_difference() {
    let (mut lab, _) = established();
    let broken = request(40_000, ACK).payload(PAYLOAD).wrong_transport_checksum();
    let (verdict, bytes) = lab.client_sends(&broken);
    assert_eq!(verdict, TO_REAL);
    assert_ne!(error(seen(&bytes).checksum), 0);
    assert_eq!(error(seen(&bytes).checksum), error(seen(&broken.build()).checksum));

    let broken = reply(1, 8080, 40_000, ACK).payload(PAYLOAD).wrong_transport_checksum();
    let (_, bytes) = lab.real_sends(&broken);
    assert_ne!(error(seen(&bytes).checksum), 0);
    assert_eq!(error(seen(&bytes).checksum), error(seen(&broken.build()).checksum));
}

#[test]
fn ip_options_are_carried() {
    let (mut lab, _) = established();
    let record_route = [7, 7, 4, 0, 0, 0, 0];
    let (verdict, bytes) = lab.client_sends(&request(40_000, ACK).options(&record_route).payload(PAYLOAD));
    assert_eq!(verdict, TO_REAL);
    let at_real = Frame::new().ipv4(CLIENT, real(1)).options(&record_route);
    assert_eq!(bytes, translated(at_real.tcp(40_000, 8080, ACK).payload(PAYLOAD)));
    assert!(seen(&bytes).checksum_is_right());
}

#[test]
fn a_real_with_port_0_keeps_the_port() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 0)]);
    let (_, bytes) = lab.client_sends(&request(40_000, SYN));
    assert_eq!(seen(&bytes).destination, SocketAddr::from((real(1), 80)));
    let (verdict, bytes) = lab.real_sends(&reply(1, 80, 40_000, SYN | ACK));
    assert_eq!(verdict, TO_CLIENT);
    assert_eq!(seen(&bytes).source, SocketAddr::from((VIP, 80)));
}

#[test]
fn counts_connections_packets_and_ip_bytes() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    // 40 bytes of IP, padded to Ethernet's 60: the padding does not count.
    lab.client_sends(&request(40_000, SYN).pad_to(60));
    lab.real_sends(&reply(1, 8080, 40_000, SYN | ACK).pad_to(60));
    lab.client_sends(&request(40_000, ACK | PSH).payload(&[0; 100]));
    lab.client_sends(&request(40_001, SYN));
    // Nobody's, so nobody's to count.
    lab.real_sends(&reply(1, 8080, 40_002, ACK));

    let id = lab.id(&key, 1);
    let expected = RealStats { conns: 2, in_packets: 3, out_packets: 1, in_bytes: 220, out_bytes: 40 };
    assert_eq!(lab.real_stats(id), expected);
    assert_eq!(lab.connections(id), (2, 0));
    assert_eq!(lab.stats.packets.get(), 5);
    assert_eq!(lab.stats.flows_made.get(), 2);
    assert_eq!(lab.stats.to_kernel.get(), 1);
}

#[test]
fn the_listing_shows_the_flow() {
    let (mut lab, key) = established();
    let flow = lab.flow();
    assert_eq!(flow.protocol, 6);
    assert_eq!(flow.client, SocketAddr::from((CLIENT, 40_000)));
    assert_eq!(flow.virtual_endpoint, SocketAddr::from((VIP, 80)));
    assert_eq!(flow.destination, SocketAddr::from((real(1), 8080)));
    assert_eq!(flow.real, lab.id(&key, 1));
    assert_eq!((flow.state, flow.expires), ("ESTABLISHED", 900));
    lab.tick(1);
    assert_eq!(lab.flow().expires, 899, "whole seconds, rounded down");
}

#[test]
fn the_listing_goes_page_by_page() {
    let (mut lab, _) = established();
    lab.open(40_001..40_010);
    // By the page's room, and by the slots that it may look at; slots that never held a flow take no page.
    for (room, slots, pages) in [(4, 100, 3), (100, 3, 4), (100, 100, 1)] {
        let (mut from, mut listed, mut seen) = (Some(0), Vec::new(), 0);
        while let Some(at) = from {
            let mut page = Vec::with_capacity(room);
            from = lab.lcore.flows_page(lab.now, at, slots, &mut page);
            assert!(page.len() <= room.min(slots as usize));
            listed.extend(page.iter().map(|flow| flow.client.port()));
            seen += 1;
        }
        listed.sort_unstable();
        assert_eq!((listed, seen), ((40_000..40_010).collect::<Vec<u16>>(), pages));
    }
}
