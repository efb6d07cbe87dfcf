//! Sending: hops, links, neighbours and routes, and what the kernel sends (reference 4.3 and 5.1).
mod common;

use std::net::Ipv4Addr;

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, RealConfig, Route, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, RST, SYN};

/// State and counters move before the packet is sent, so also with one that is not (reference 3.5).
#[test]
fn a_packet_whose_hops_are_spent_is_dropped() {
    for forward in [masq, route] {
        let (mut lab, key) = Lab::tcp("rr", [forward(1, 80)]);
        // The first packet, a SYN of a known flow, and what follows an established one.
        let steps = [(SYN, "SYN_RECV"), (SYN, "SYN_RECV"), (ACK, "ESTABLISHED"), (ACK, "ESTABLISHED")];
        for ((flags, state), ttl) in steps.into_iter().zip([1, 0, 1, 0]) {
            let frame = request(40_000, flags).ttl(ttl);
            assert_eq!(lab.client_sends(&frame), (Verdict::Drop(DropReason::TtlExpired), frame.build()));
            assert_eq!(lab.flow().state, state);
        }
        assert_eq!(lab.real_stats(lab.id(&key, 1)).in_packets, 4);
        assert_eq!(lab.dropped(DropReason::TtlExpired), 4);
    }
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80)]);
    lab.sends(40_000, &[SYN, ACK]);
    for ttl in [1, 0] {
        let frame = reply(1, 80, 40_000, ACK).ttl(ttl);
        assert_eq!(lab.real_sends(&frame), (Verdict::Drop(DropReason::TtlExpired), frame.build()));
    }
    assert_eq!(lab.real_stats(lab.id(&key, 1)).out_packets, 2);
}

#[test]
fn a_packet_with_a_hop_left_is_sent() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    for flags in [SYN, SYN, ACK, ACK] {
        let (verdict, bytes) = lab.client_sends(&request(40_000, flags).ttl(2));
        assert_eq!((verdict, seen(&bytes).ttl), (TO_REAL, 1));
    }
    for _ in 0..2 {
        let (verdict, bytes) = lab.real_sends(&reply(1, 80, 40_000, ACK).ttl(2));
        assert_eq!((verdict, seen(&bytes).ttl), (TO_CLIENT, 1));
    }
}

#[test]
fn a_packet_larger_than_the_next_link_takes_is_dropped() {
    let payload = |ip_len: u16| vec![0; usize::from(ip_len) - 40];
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    // The first packet of a flow, and what follows an established one.
    for flags in [SYN, ACK, ACK] {
        let sized = |ip_len| request(40_000, flags).payload(&payload(ip_len));
        assert_eq!(lab.client_sends(&sized(MTU)).0, TO_REAL);
        let frame = sized(MTU + 1);
        assert_eq!(lab.client_sends(&frame), (Verdict::Drop(DropReason::MtuExceeded), frame.build()));
    }
    for _ in 0..2 {
        let sized = |ip_len| reply(1, 80, 40_000, ACK).payload(&payload(ip_len));
        assert_eq!(lab.real_sends(&sized(MTU)).0, TO_CLIENT);
        assert_eq!(lab.real_sends(&sized(MTU + 1)).0, Verdict::Drop(DropReason::MtuExceeded));
    }
    assert_eq!(lab.dropped(DropReason::MtuExceeded), 5);
    // The link of a neighbour that is not resolved yet has its limit too.
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(1), None));
    let sized = |ip_len| request(40_000, ACK).payload(&payload(ip_len));
    assert!(matches!(lab.client_sends(&sized(MTU)).0, Verdict::Resolve { .. }));
    assert_eq!(lab.client_sends(&sized(MTU + 1)).0, Verdict::Drop(DropReason::MtuExceeded));
}

#[test]
fn an_unresolved_neighbour_leaves_only_the_macs_open() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 8080)]);
    let (_, expected) = lab.client_sends(&request(40_000, SYN));
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(1), None));
    let (verdict, bytes) = lab.client_sends(&request(40_000, SYN));
    assert_eq!(verdict, Verdict::Resolve { port: INSIDE, address: real(1).to_bits() });
    assert_eq!(bytes[12..], expected[12..]);
    assert_eq!(bytes[..12], request(40_000, SYN).build()[..12]);
}

/// One that nobody has asked for yet, at a gateway, in both directions.
#[test]
fn an_unknown_neighbour_is_asked_for() {
    let (mut lab, _) = Lab::tcp("rr", [masq(77, 80)]);
    let (verdict, bytes) = lab.client_sends(&request(40_000, SYN));
    assert_eq!(verdict, Verdict::Resolve { port: INSIDE, address: real(77).to_bits() });
    assert_eq!(seen(&bytes).destination.ip(), real(77));
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(77), Some(real_mac(77))));
    assert_eq!(lab.reaches(&request(40_000, SYN)), 77);

    let gateway = Ipv4Addr::new(192, 0, 2, 253);
    lab.rewire(|fib| {
        fib.set_routes([(CLIENT, 32, Route { port: OUTSIDE, gateway: Some(gateway), source: None })])
    });
    let (verdict, _) = lab.real_sends(&reply(77, 80, 40_000, SYN | ACK));
    assert_eq!(verdict, Verdict::Resolve { port: OUTSIDE, address: gateway.to_bits() });
}

#[test]
fn a_neighbour_that_moves_is_followed_at_once() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.sends(40_000, &[SYN]);
    assert_eq!(lab.real_sends(&reply(1, 80, 40_000, ACK)).0, TO_CLIENT);
    let moved = [2, 0, 0, 0, 9, 9];
    lab.rewire(|fib| {
        fib.set_neighbour(INSIDE, real(1), Some(moved));
        fib.set_neighbour(OUTSIDE, GATEWAY, Some(moved))
    });
    assert_eq!(seen(&lab.client_sends(&request(40_000, ACK)).1).to, moved);
    assert_eq!(seen(&lab.real_sends(&reply(1, 80, 40_000, ACK)).1).to, moved);
}

#[test]
fn a_route_that_changes_is_followed_at_once() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.sends(40_000, &[SYN]);
    assert_eq!(lab.real_sends(&reply(1, 80, 40_000, ACK)).0, TO_CLIENT);
    lab.rewire(|fib| {
        fib.set_routes([
            (CLIENT, 32, Route { port: INSIDE, gateway: Some(real(9)), source: None }),
            (real(1), 32, Route { port: OUTSIDE, gateway: Some(GATEWAY), source: None }),
        ]);
    });
    let (verdict, bytes) = lab.client_sends(&request(40_000, ACK));
    assert_eq!((verdict, seen(&bytes).to, seen(&bytes).from), (TO_CLIENT, GATEWAY_MAC, OUTSIDE_MAC));
    let (verdict, bytes) = lab.real_sends(&reply(1, 80, 40_000, ACK));
    assert_eq!((verdict, seen(&bytes).to, seen(&bytes).from), (TO_REAL, real_mac(9), INSIDE_MAC));
}

#[test]
fn without_a_route_the_packet_is_dropped() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.rewire(|fib| fib.set_routes([]));
    assert_eq!(lab.client_sends(&request(40_000, SYN)).0, Verdict::Drop(DropReason::NoRoute));
    assert_eq!(lab.flow().state, "SYN_RECV", "the flow is there all the same");
    assert_eq!(lab.dropped(DropReason::NoRoute), 1);
}

/// A real on the director itself: NAT rewrites, the others leave the packet alone, and it costs no hop.
#[test]
fn a_local_real_is_the_kernels() {
    for (forward, at_real) in [(masq as fn(u8, u16) -> RealConfig, real(1)), (route, VIP)] {
        let (mut lab, key) = Lab::tcp("rr", [forward(1, 80)]);
        lab.rewire(|fib| fib.set_locals([real(1)]));
        let (verdict, bytes) = lab.client_sends(&request(40_000, SYN).ttl(1));
        assert_eq!(verdict, Verdict::ToKernel);
        let expected = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, at_real).ttl(1);
        assert_eq!(bytes, expected.tcp(40_000, 80, SYN).build());
        assert_eq!(lab.connections(lab.id(&key, 1)), (1, 0));
    }
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.rewire(|fib| fib.set_locals([real(1)]));
    lab.client_sends(&request(40_000, SYN));
    // Its reply comes from the twin, and leaves as any other.
    let answer = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4(real(1), CLIENT).tcp(80, 40_000, SYN | ACK);
    let (verdict, bytes) = lab.kernel_sends(OUTSIDE, &answer);
    assert_eq!((verdict, seen(&bytes).source.ip()), (TO_CLIENT, VIP.into()));
}

// What the kernel sends.

#[test]
fn a_local_client_is_balanced() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    // To whatever MAC address the kernel had in mind.
    let frame = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4([192, 0, 2, 1], VIP).tcp(40_000, 80, SYN);
    let (verdict, bytes) = lab.kernel_sends(OUTSIDE, &frame);
    assert_eq!((verdict, seen(&bytes).to), (TO_REAL, real_mac(2)));
    assert_eq!(lab.connections(lab.id(&key, 2)), (1, 0));
    // The reply is for the director itself: the kernel's.
    lab.rewire(|fib| fib.set_locals([Ipv4Addr::new(192, 0, 2, 1)]));
    let answer = from_link(2).ipv4(real(2), [192, 0, 2, 1]).tcp(80, 40_000, SYN | ACK);
    let (verdict, bytes) = lab.real_sends(&answer);
    assert_eq!((verdict, seen(&bytes).source.ip()), (Verdict::ToKernel, VIP.into()));
}

#[test]
fn a_local_client_of_a_local_real_stays_in_the_kernel() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.rewire(|fib| fib.set_locals([real(1)]));
    let frame = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4([192, 0, 2, 1], VIP).tcp(40_000, 80, SYN);
    let (verdict, bytes) = lab.kernel_sends(OUTSIDE, &frame);
    assert_eq!((verdict, seen(&bytes).destination.ip()), (Verdict::ToKernel, real(1).into()));
}

#[test]
fn what_the_kernel_sends_to_others_leaves_by_its_port() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    let to_gateway = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC);
    for frame in [
        to_gateway.clone().ipv4(VIP, CLIENT).icmp(0, 0, 1),
        to_gateway.clone().ipv4(VIP, CLIENT).tcp(22, 40_000, ACK),
        to_gateway.clone().ipv4(VIP, CLIENT).tcp(80, 40_000, RST | ACK),
        to_gateway.clone().ipv6([1; 16], [2; 16]).udp(1, 2),
        Frame::new().eth([0xff; 6], OUTSIDE_MAC).ethertype(0x0806).payload(&[0; 28]),
        to_gateway.ipv4(VIP, CLIENT).tcp(22, 40_000, ACK).wrong_ip_checksum(),
    ] {
        assert_eq!(lab.kernel_sends(OUTSIDE, &frame), (TO_CLIENT, frame.build()));
        assert_eq!(lab.kernel_sends(INSIDE, &frame), (TO_REAL, frame.build()));
    }
    assert_eq!(lab.stats.to_kernel.get(), 0);
}
