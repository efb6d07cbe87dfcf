//! Direct routing: the packet stays as it is, and the replies that pass the director all the same.
mod common;

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, RealStats, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, PSH, RST, SYN};

/// A reply of real 1 in the name of the VIP, on its way through the director.
fn vip_reply(cport: u16, flags: u8) -> Frame {
    from_link(1).ipv4(VIP, CLIENT).tcp(80, cport, flags)
}

#[test]
fn a_request_loses_a_hop_and_nothing_else() {
    let (mut lab, _) = Lab::tcp("rr", [route(1, 80)]);
    let frame = request(40_000, SYN).tos(0xb9).ident(7).options(&[7, 7, 4, 0, 0, 0, 0]).payload(b"early");
    let (verdict, bytes) = lab.client_sends(&frame);
    assert_eq!(verdict, TO_REAL);
    assert_eq!(bytes, frame.eth(real_mac(1), INSIDE_MAC).ttl(63).build());
    assert!(seen(&bytes).checksum_is_right());
}

/// The header checksum is brought up to date by a difference: for every TTL, and with every checksum.
#[test]
fn the_header_checksum_stays_right() {
    let (mut lab, _) = Lab::tcp("rr", [route(1, 80)]);
    for ident in 0..=u32::from(u16::MAX) {
        let frame = request(40_000, SYN).ident(ident).ttl((ident % 254) as u8 + 2);
        let (_, bytes) = lab.client_sends(&frame);
        assert_eq!(bytes, frame.eth(real_mac(1), INSIDE_MAC).ttl((ident % 254) as u8 + 1).build());
    }
}

#[test]
fn transport_checksums_are_nobodys_business() {
    let (mut lab, _) = Lab::udp("rr", [route(1, 53)]);
    for frame in [
        from_gateway(CLIENT).udp(5000, 53).no_udp_checksum().payload(b"query"),
        from_gateway(CLIENT).udp(5000, 53).wrong_transport_checksum().payload(b"query"),
    ] {
        let (verdict, bytes) = lab.client_sends(&frame);
        assert_eq!(verdict, TO_REAL);
        assert_eq!(bytes, frame.eth(real_mac(1), INSIDE_MAC).ttl(63).build());
    }
}

#[test]
fn the_director_sees_one_side_only() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80)]);
    let id = lab.id(&key, 1);
    let mut step = |flags| {
        assert_eq!(lab.client_sends(&request(40_000, flags)).0, TO_REAL);
        (lab.state(), lab.connections(id))
    };
    assert_eq!(step(SYN), (("SYN_RECV", 60), (1, 0)));
    assert_eq!(step(ACK), (("ESTABLISHED", 900), (1, 0)));
    assert_eq!(step(FIN | ACK), (("FIN_WAIT", 120), (0, 1)));
    assert_eq!(step(ACK), (("FIN_WAIT", 120), (0, 1)), "and no further");
    assert_eq!(step(RST), (("CLOSE", 10), (0, 1)));
}

#[test]
fn a_reply_through_the_director_is_counted_and_passed_on() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    let frame = vip_reply(40_000, SYN | ACK).payload(&[0; 60]);
    let (verdict, bytes) = lab.real_sends(&frame);
    assert_eq!(verdict, Verdict::ToKernel, "which forwards it, and takes the hop off");
    assert_eq!(bytes, frame.build());
    let expected = RealStats { conns: 1, in_packets: 1, out_packets: 1, in_bytes: 40, out_bytes: 100 };
    assert_eq!(lab.real_stats(lab.id(&key, 1)), expected);
}

/// The kernel sends it on by the twin of another port, and it is the same packet still.
#[test]
fn a_reply_through_the_director_is_counted_once() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    lab.real_sends(&vip_reply(40_000, SYN | ACK));
    let forwarded = vip_reply(40_000, SYN | ACK).ttl(63);
    assert_eq!(
        lab.kernel_sends(OUTSIDE, &forwarded),
        (Verdict::Transmit { port: OUTSIDE }, forwarded.build())
    );
    assert_eq!(lab.real_stats(lab.id(&key, 1)).out_packets, 1);
}

/// One reply seen, and requests count as those of a connection of which both sides are seen.
#[test]
fn a_reply_through_the_director_moves_the_state() {
    let (mut lab, _) = Lab::tcp("rr", [route(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    lab.real_sends(&vip_reply(40_000, SYN | ACK));
    assert_eq!(lab.state(), ("SYN_RECV", 60));
    lab.client_sends(&request(40_000, ACK));
    assert_eq!(lab.state(), ("ESTABLISHED", 900));
    lab.client_sends(&request(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("CLOSE_WAIT", 60));
    lab.real_sends(&vip_reply(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("TIME_WAIT", 120));
}

#[test]
fn a_reply_restarts_the_timer() {
    let (mut lab, _) = Lab::udp("rr", [route(1, 53)]);
    lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
    lab.wait_seconds(200);
    lab.real_sends(&from_link(1).ipv4(VIP, CLIENT).udp(53, 5000));
    assert_eq!(lab.state(), ("UDP", 300));
}

#[test]
fn what_is_no_reply_is_not_counted() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80), masq(2, 8080)]);
    let id = lab.id(&key, 1);
    // The newest real, that of NAT, comes first.
    assert_eq!(lab.open([40_000, 40_001]), "21");
    for frame in [
        vip_reply(40_002, ACK),                         // no such flow
        vip_reply(40_000, ACK),                         // its flow is one of NAT: replies come from the real
        reply(1, 80, 40_001, ACK),                      // the real's own address is none of a direct flow
        from_link(1).ipv4(VIP, CLIENT).udp(80, 40_001), // another protocol
    ] {
        let (verdict, bytes) = lab.real_sends(&frame);
        assert_eq!((verdict, bytes), (Verdict::ToKernel, frame.build()));
    }
    assert_eq!(lab.real_stats(id).out_packets, 0);
    assert_eq!(lab.real_stats(lab.id(&key, 2)).out_packets, 0);
    assert!(lab.flows().iter().all(|flow| flow.state == "SYN_RECV"));
}

/// Reference 4.4: statistics are kept only while the real is available.
#[test]
fn a_reply_of_a_removed_real_moves_the_state_uncounted() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    let id = lab.id(&key, 1);
    lab.change(|director| director.delete_real(&key, real(1).into(), 80)).unwrap();
    lab.real_sends(&vip_reply(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("TIME_WAIT", 120));
    assert_eq!(lab.real_stats(id).out_packets, 0);
    let (verdict, _) = lab.client_sends(&request(40_000, PSH | ACK));
    assert_eq!(verdict, Verdict::Drop(DropReason::RealGone));
}

/// The kernel looks replies up by their flow, whether or not the service is still there (reference 3.2).
#[test]
fn a_reply_of_a_deleted_service_still_moves_the_state() {
    let (mut lab, key) = Lab::tcp("rr", [route(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    lab.change(|director| director.delete_service(&key)).unwrap();
    lab.real_sends(&vip_reply(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("TIME_WAIT", 120));
}
