//! ICMP errors find the flow whose packet they quote, both ways, and come out as the kernel's do (reference 4.7).
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::*;
use sluice_core::{DropReason, FlowView, Protocol, ServiceConfig, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

/// Somewhere between director and client, and between director and real.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);
const INNER_ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

const ICMP_AT: usize = 34;
const QUOTE_AT: usize = 42;

/// The ones'-complement sum, word by word: 0xffff over anything with a right checksum in it.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    words.fold(0, |sum, word| (sum + word) % 0x10000 + (sum + word) / 0x10000)
}

fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap())
}

fn port(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// What an error says: around it source, destination and TTL, then source and destination of the packet it quotes.
#[derive(Debug, PartialEq, Eq)]
struct Error {
    ends: (Ipv4Addr, Ipv4Addr),
    ttl: u8,
    quoted: ((Ipv4Addr, u16), (Ipv4Addr, u16)),
}

/// Reads an error; all three checksums that a router on its way could verify have to be right.
fn read(frame: &[u8]) -> Error {
    let total = usize::from(port(frame, 16));
    let header = usize::from(frame[QUOTE_AT] & 15) * 4;
    assert_eq!(sum(&frame[14..34]), 0xffff, "header checksum");
    assert_eq!(sum(&frame[ICMP_AT..14 + total]), 0xffff, "ICMP checksum");
    assert_eq!(sum(&frame[QUOTE_AT..QUOTE_AT + header]), 0xffff, "quoted header checksum");
    let ports = QUOTE_AT + header;
    Error {
        ends: (address(frame, 26), address(frame, 30)),
        ttl: frame[22],
        quoted: (
            (address(frame, QUOTE_AT + 12), port(frame, ports)),
            (address(frame, QUOTE_AT + 16), port(frame, ports + 2)),
        ),
    }
}

/// A router on the client's side about a packet of the service to the client.
fn from_outside(quoted: &Frame) -> Frame {
    Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(ROUTER, VIP).icmp_error(3, 4, 1400, &quoted.packet())
}

/// A router on the real's side about a request.
fn from_inside(quoted: &Frame) -> Frame {
    from_link(1).ipv4(INNER_ROUTER, CLIENT).icmp_error(3, 4, 1400, &quoted.packet())
}

/// What left for the client of port 40,000, as it looks on its way.
fn answer() -> Frame {
    Frame::new().ipv4(VIP, CLIENT).ttl(61).tcp(80, 40_000, SYN | ACK).payload(&[7; 20])
}

/// What reached the real, as it looks on its way.
fn request_at_real(port: u16) -> Frame {
    Frame::new().ipv4(CLIENT, real(1)).ttl(61).tcp(40_000, port, ACK).payload(&[7; 20])
}

/// A flow from port 40,000 to a real that listens on 8080.
fn masqueraded() -> Lab {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 8080)]);
    lab.sends(40_000, &[SYN]);
    lab
}

fn direct() -> Lab {
    let (mut lab, _) = Lab::tcp("rr", [route(1, 80)]);
    lab.sends(40_000, &[SYN]);
    lab
}

fn counted(lab: &Lab) -> (u64, u64, u64, u64) {
    let stats = lab.real_stats(lab.flow().real);
    (stats.in_packets, stats.in_bytes, stats.out_packets, stats.out_bytes)
}

#[test]
fn from_the_clients_side_to_the_masqueraded_real() {
    let mut lab = masqueraded();
    lab.wait_seconds(20);
    let (before, state) = (counted(&lab), lab.state());
    let sent = from_outside(&answer()).ttl(50);
    let (verdict, bytes) = lab.client_sends(&sent);
    assert_eq!(verdict, TO_REAL);
    assert_eq!((&bytes[..6], &bytes[6..12]), (&real_mac(1)[..], &INSIDE_MAC[..]));
    let expected = Error { ends: (ROUTER, real(1)), ttl: 49, quoted: ((real(1), 8080), (CLIENT, 40_000)) };
    assert_eq!(read(&bytes), expected);
    assert_eq!(bytes[ICMP_AT..ICMP_AT + 2], [3, 4]);
    assert_eq!(port(&bytes, ICMP_AT + 6), 1400, "the MTU stays");
    let checksum = QUOTE_AT + 20 + 16;
    assert_eq!(
        bytes[checksum..checksum + 2],
        sent.build()[checksum..checksum + 2],
        "the quoted TCP checksum"
    );
    let len = 20 + 8 + 60;
    assert_eq!(counted(&lab), (before.0 + 1, before.1 + len, before.2, before.3));
    assert_eq!(lab.state(), state, "neither state nor timer moves");
}

#[test]
fn from_the_masqueraded_reals_side_to_the_client() {
    let mut lab = masqueraded();
    lab.wait_seconds(20);
    let (before, state) = (counted(&lab), lab.state());
    let sent = from_inside(&request_at_real(8080)).ttl(50);
    let (verdict, bytes) = lab.real_sends(&sent);
    assert_eq!(verdict, TO_CLIENT);
    assert_eq!((&bytes[..6], &bytes[6..12]), (&GATEWAY_MAC[..], &OUTSIDE_MAC[..]));
    let expected = Error { ends: (VIP, CLIENT), ttl: 49, quoted: ((CLIENT, 40_000), (VIP, 80)) };
    assert_eq!(read(&bytes), expected);
    assert_eq!(counted(&lab), (before.0, before.1, before.2 + 1, before.3 + 20 + 8 + 60));
    assert_eq!(lab.state(), state, "neither state nor timer moves");
}

/// Every type that is an error to the kernel, quotes as short as RFC 792 has them, with options, of fragments, and with a
/// header checksum that a router on the way has spoilt: that one is made right.
#[test]
fn any_error_about_any_quote() {
    let mut lab = masqueraded();
    let quotes = [
        answer().packet()[..28].to_vec(),
        answer().options(&[1; 9]).packet()[..36].to_vec(),
        answer().fragment(0, true).packet(),
        answer().wrong_ip_checksum().packet(),
    ];
    for (kind, code) in [(3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (4, 0), (11, 0), (11, 1)] {
        for quote in &quotes {
            let frame =
                Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(ROUTER, VIP).icmp_error(kind, code, 0, quote);
            let (verdict, bytes) = lab.client_sends(&frame);
            assert_eq!(verdict, TO_REAL, "{kind}/{code}");
            assert_eq!(read(&bytes).quoted, ((real(1), 8080), (CLIENT, 40_000)));
        }
    }
}

/// Which of the director's addresses the error is for makes no difference to the kernel.
#[test]
fn the_error_may_be_for_any_address() {
    let mut lab = masqueraded();
    let other = Ipv4Addr::new(198, 51, 100, 77);
    let frame = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(ROUTER, other).icmp_error(
        3,
        3,
        0,
        &answer().packet(),
    );
    let (verdict, bytes) = lab.client_sends(&frame);
    assert_eq!((verdict, read(&bytes).ends), (TO_REAL, (ROUTER, real(1))));
}

#[test]
fn udp_and_sctp_and_the_key_exchange_of_esp() {
    let mut lab = Lab::new();
    lab.add(service(Protocol::Udp, 500, "rr"), [masq(1, 500)]);
    lab.add(service(Protocol::Sctp, 9899, "rr"), [masq(1, 2905)]);
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).udp(500, 500)).0, TO_REAL);
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).sctp(40_000, 9899, 1).payload(&[0; 16])).0, TO_REAL);
    let reply = || Frame::new().ipv4(VIP, CLIENT);
    for (quote, ports) in
        [(reply().udp(500, 500), (500, 500)), (reply().sctp(9899, 40_000, 2), (2905, 40_000))]
    {
        let (verdict, bytes) = lab.client_sends(&from_outside(&quote));
        assert_eq!(verdict, TO_REAL);
        assert_eq!(read(&bytes).quoted, ((real(1), ports.0), (CLIENT, ports.1)));
    }
    // What ESP carries is not touched.
    let quote = reply().protocol(50).payload(&[9; 16]);
    let (verdict, bytes) = lab.client_sends(&from_outside(&quote));
    assert_eq!(verdict, TO_REAL);
    assert_eq!(read(&bytes).quoted.0.0, real(1));
    assert_eq!(bytes[QUOTE_AT + 20..], [9; 16]);
}

/// Under direct routing an error goes to the real as it is, and from the real's side the kernel forwards it.
#[test]
fn direct_routing_leaves_errors_as_they_are() {
    let mut lab = direct();
    let sent = from_outside(&answer());
    let (verdict, bytes) = lab.client_sends(&sent);
    assert_eq!((verdict, &bytes[..6]), (TO_REAL, &real_mac(1)[..]));
    assert_eq!(read(&bytes).ttl, 63);
    assert_eq!(bytes[26..], sent.build()[26..]);
    let before = counted(&lab);

    let about = Frame::new().ipv4(CLIENT, VIP).tcp(40_000, 80, ACK);
    let sent = from_inside(&about).build();
    let (verdict, bytes) = lab.send(&ingress(INSIDE), &sent);
    assert_eq!((verdict, &bytes), (Verdict::ToKernel, &sent));
    assert_eq!(counted(&lab), (before.0, before.1, before.2 + 1, before.3 + 20 + 8 + 40));
}

/// The kernel verifies what it translates, and everything from the client's side.
#[test]
fn a_wrong_checksum_is_dropped_by_name() {
    for (mut lab, out) in [
        (masqueraded(), request_at_real(8080)),
        (direct(), Frame::new().ipv4(CLIENT, VIP).tcp(40_000, 80, ACK)),
    ] {
        let before = counted(&lab);
        let (verdict, _) = lab.client_sends(&from_outside(&answer()).wrong_transport_checksum());
        assert_eq!(verdict, Verdict::Drop(DropReason::IcmpChecksum));
        assert_eq!(counted(&lab), before);
        let verdict = lab.real_sends(&from_inside(&out).wrong_transport_checksum()).0;
        let is_masq = lab.flow().forward == sluice_core::Forward::Masq;
        let expected = if is_masq { Verdict::Drop(DropReason::IcmpChecksum) } else { Verdict::ToKernel };
        assert_eq!(verdict, expected);
        assert_eq!(lab.dropped(DropReason::IcmpChecksum), 1 + u64::from(is_masq));
    }
}

#[test]
fn what_is_nobodys_is_the_kernels() {
    let mut lab = masqueraded();
    let quote = answer().packet();
    let later = Frame::new().ipv4(VIP, CLIENT).fragment(8, false).protocol(6).payload(&[0; 30]);
    let outside = || Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(ROUTER, VIP);
    for (what, frame) in [
        ("another client's", from_outside(&Frame::new().ipv4(VIP, CLIENT).tcp(80, 40_001, ACK))),
        ("another service's", from_outside(&Frame::new().ipv4(VIP, CLIENT).tcp(22, 40_000, ACK))),
        ("the director's own", from_outside(&Frame::new().ipv4(ROUTER, CLIENT).tcp(22, 40_000, ACK))),
        ("the flow's, but not as it travels", from_outside(&request_at_real(80))),
        ("another protocol's", from_outside(&Frame::new().ipv4(VIP, CLIENT).icmp(8, 0, 1))),
        ("a later fragment's", from_outside(&later)),
        ("without the ports", outside().icmp_error(3, 3, 0, &quote[..23])),
        ("without a quote", outside().icmp(3, 3, 0)),
        ("parameter problem", outside().icmp_error(12, 0, 0, &quote)),
        ("redirect", outside().icmp_error(5, 1, 0, &quote)),
        ("echo", outside().icmp(8, 0, 1)),
        ("tagged", outside().vlan(5).icmp_error(3, 3, 0, &quote)),
    ] {
        let sent = frame.build();
        let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &sent);
        assert_eq!((verdict, &bytes), (Verdict::ToKernel, &sent), "{what}");
    }
    assert_eq!(lab.flows().len(), 1);
}

/// No error answers an error.
#[test]
fn what_cannot_leave_is_dropped_by_name() {
    for reason in [DropReason::TtlExpired, DropReason::NoRoute] {
        let mut lab = masqueraded();
        let ttl = if reason == DropReason::TtlExpired { 1 } else { 64 };
        if reason == DropReason::NoRoute {
            lab.rewire(|fib| fib.set_routes([]));
        }
        let before = counted(&lab);
        assert_eq!(lab.client_sends(&from_outside(&answer()).ttl(ttl)).0, Verdict::Drop(reason));
        assert_eq!(lab.real_sends(&from_inside(&request_at_real(8080)).ttl(ttl)).0, Verdict::Drop(reason));
        assert_eq!(lab.dropped(reason), 2);
        if reason == DropReason::TtlExpired {
            let after = counted(&lab);
            assert_eq!(
                (after.0, after.2),
                (before.0 + 1, before.2),
                "the router comes before the count of replies"
            );
        }
    }
}

/// Errors follow their flow although its real is gone: the kernel does not ask (ip_vs_in_icmp).
#[test]
fn a_removed_real_still_hears_of_its_packets() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    lab.sends(40_000, &[SYN]);
    lab.change(|director| director.delete_real(&key, real(1).into(), 8080)).unwrap();
    let before = counted(&lab);
    assert_eq!(lab.client_sends(&from_outside(&answer())).0, TO_REAL);
    assert_eq!(counted(&lab), before, "but nothing is counted for it");
}

/// A real that is the director itself: translated, and handed to the kernel with its TTL.
#[test]
fn a_local_real_gets_errors_through_the_kernel() {
    let mut lab = masqueraded();
    lab.rewire(|fib| fib.set_locals([real(1)]));
    let (verdict, bytes) = lab.client_sends(&from_outside(&answer()).ttl(9));
    let expected = Error { ends: (ROUTER, real(1)), ttl: 9, quoted: ((real(1), 8080), (CLIENT, 40_000)) };
    assert_eq!((verdict, read(&bytes)), (Verdict::ToKernel, expected));
}

fn related(lab: &mut Lab) {
    lab.switch(|switches| switches.schedule_icmp = true);
}

#[test]
fn schedule_icmp_makes_a_flow_of_three_seconds() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    assert_eq!(lab.client_sends(&from_outside(&answer())).0, Verdict::ToKernel);
    assert_eq!(lab.flows(), []);

    related(&mut lab);
    let (verdict, bytes) = lab.client_sends(&from_outside(&answer()));
    assert_eq!(verdict, TO_REAL);
    assert_eq!(read(&bytes).quoted, ((real(1), 8080), (CLIENT, 40_000)));
    let FlowView { client, virtual_endpoint, destination, state, expires, .. } = lab.flow();
    assert_eq!(client, SocketAddr::from((CLIENT, 40_000)));
    assert_eq!(virtual_endpoint, SocketAddr::from((VIP, 80)));
    assert_eq!(destination, SocketAddr::from((real(1), 8080)));
    assert_eq!((state, expires), ("NONE", 3));
    let id = lab.id(&key, 1);
    let stats = lab.real_stats(id);
    assert_eq!((stats.conns, stats.in_packets, lab.connections(id)), (1, 1, (0, 1)));
    lab.wait_seconds(3);
    assert_eq!((lab.flows(), lab.connections(id)), (vec![], (0, 0)));
}

#[test]
fn schedule_icmp_asks_the_service_as_a_request_would() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    related(&mut lab);
    // The flow is made before the checksum is looked at.
    let spoilt = from_outside(&answer()).wrong_transport_checksum();
    assert_eq!(lab.client_sends(&spoilt).0, Verdict::Drop(DropReason::IcmpChecksum));
    assert_eq!(lab.flow().state, "NONE");
    lab.wait_seconds(4);

    let from_ftp = from_outside(&Frame::new().ipv4(VIP, CLIENT).tcp(80, 20, ACK));
    assert_eq!(lab.client_sends(&from_ftp).0, Verdict::ToKernel);
    let stranger = from_outside(&Frame::new().ipv4(VIP, CLIENT).tcp(22, 40_000, ACK));
    assert_eq!(lab.client_sends(&stranger).0, Verdict::ToKernel);
    let inside = from_inside(&request_at_real(8080));
    assert_eq!(lab.real_sends(&inside).0, Verdict::ToKernel);
    lab.change(|director| director.delete_real(&key, real(1).into(), 8080)).unwrap();
    assert_eq!(lab.client_sends(&from_outside(&answer())).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!(lab.flows(), []);
}

#[test]
fn schedule_icmp_under_one_packet_scheduling_keeps_no_flow() {
    let mut lab = Lab::new();
    let config = ServiceConfig { one_packet: true, ..service(Protocol::Udp, 53, "rr") };
    let key = lab.add(config, [masq(1, 5353)]);
    related(&mut lab);
    let about = Frame::new().ipv4(VIP, CLIENT).udp(53, 40_000);
    let (verdict, bytes) = lab.client_sends(&from_outside(&about));
    assert_eq!((verdict, read(&bytes).quoted.0), (TO_REAL, (real(1), 5353)));
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.real_stats(lab.id(&key, 1)).conns, 1);
}
