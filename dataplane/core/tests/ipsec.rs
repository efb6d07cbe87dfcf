//! ESP and AH: they go the way of their hosts' key exchange over UDP, or past the load balancer (reference 3.2).
mod common;

use common::*;
use sluice_core::{DropReason, Forward, Protocol, RealConfig, ServiceKey, Verdict};
use sluice_packet::build::Frame;

const ESP: u8 = 50;
const AH: u8 = 51;
/// The port of IKE.
const IKE: u16 = 500;

fn lab(reals: impl IntoIterator<Item = RealConfig>) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(service(Protocol::Udp, IKE, "rr"), reals);
    (lab, key)
}

/// What begins with the bytes of ports of another flow, to see that nobody reads them.
fn carried() -> Vec<u8> {
    [&[0x9c, 0x40, 0, 80], &[0xee; 37][..]].concat()
}

fn request(protocol: u8) -> Frame {
    from_gateway(CLIENT).protocol(protocol).payload(&carried())
}

fn reply(n: u8, protocol: u8) -> Frame {
    from_link(n).ipv4(real(n), CLIENT).protocol(protocol).payload(&carried())
}

fn exchange() -> Frame {
    from_gateway(CLIENT).udp(IKE, IKE).payload(b"IKE")
}

/// Source and destination; the header has to be sound, and all behind it as it was sent.
fn addresses(frame: &[u8]) -> ([u8; 4], [u8; 4]) {
    let sum: u32 = frame[14..34].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "IPv4 header checksum");
    assert_eq!(frame[34..34 + carried().len()], carried());
    (frame[26..30].try_into().unwrap(), frame[30..34].try_into().unwrap())
}

#[test]
fn without_a_flow_they_are_the_kernels() {
    let (mut lab, _) = lab([masq(1, IKE)]);
    for protocol in [ESP, AH] {
        assert_eq!(lab.client_sends(&request(protocol)).0, Verdict::ToKernel);
        assert_eq!(lab.real_sends(&reply(1, protocol)).0, Verdict::ToKernel);
        assert_eq!(lab.kernel_sends(OUTSIDE, &request(protocol)).0, TO_CLIENT);
    }
    assert_eq!(lab.flows(), [], "they are never scheduled");
}

#[test]
fn nat_changes_addresses_alone() {
    for protocol in [ESP, AH] {
        let (mut lab, key) = lab([masq(1, IKE), masq(2, IKE)]);
        assert_eq!(lab.reaches(&exchange()), 2);
        let sent = request(protocol).build();
        let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &sent);
        assert_eq!((verdict, addresses(&bytes)), (TO_REAL, (CLIENT.octets(), real(2).octets())));
        assert_eq!((bytes[5], bytes[22]), (2, sent[22] - 1));

        let (verdict, bytes) = lab.real_sends(&reply(2, protocol));
        assert_eq!((verdict, addresses(&bytes)), (TO_CLIENT, (VIP.octets(), CLIENT.octets())));
        assert_eq!(lab.real_sends(&reply(1, protocol)).0, Verdict::ToKernel, "the other real has no flow");
        let stats = lab.real_stats(lab.id(&key, 2));
        assert_eq!((stats.conns, stats.in_packets, stats.out_packets), (1, 2, 1));
        assert_eq!((stats.in_bytes, stats.out_bytes), (20 + 8 + 3 + 20 + 41, 20 + 41));
        assert_eq!(lab.flows().len(), 1);
    }
}

/// Under direct routing only the hop changes; a reply in the name of the service counts and passes.
#[test]
fn direct_routing() {
    let (mut lab, key) = lab([route(1, IKE)]);
    assert_eq!(lab.reaches(&exchange()), 1);
    let (verdict, bytes) = lab.client_sends(&request(ESP));
    assert_eq!((verdict, addresses(&bytes)), (TO_REAL, (CLIENT.octets(), VIP.octets())));
    let answer = from_link(1).ipv4(VIP, CLIENT).protocol(ESP).payload(&carried());
    assert_eq!(lab.real_sends(&answer), (Verdict::ToKernel, answer.build()));
    assert_eq!(lab.real_stats(lab.id(&key, 1)).out_packets, 1);
}

/// The flow has to be one between both ports 500.
#[test]
fn only_the_key_exchanges_flow_counts() {
    let (mut lab, _) = lab([masq(1, IKE)]);
    lab.add(service(Protocol::Udp, 4500, "rr"), [masq(2, 4500)]);
    lab.add(service(Protocol::Tcp, IKE, "rr"), [masq(3, IKE)]);
    for frame in [
        from_gateway(CLIENT).udp(4500, IKE),
        from_gateway(CLIENT).udp(IKE, 4500),
        from_gateway(CLIENT).tcp(IKE, IKE, 2),
    ] {
        assert_eq!(lab.client_sends(&frame).0, TO_REAL);
    }
    assert_eq!(lab.client_sends(&request(ESP)).0, Verdict::ToKernel);
    assert_eq!(lab.reaches(&exchange()), 1);
    assert_eq!(lab.reaches(&request(ESP)), 1);
}

/// Each goes by its addresses. The kernel puts a request together first, and sends it on in the same fragments.
#[test]
fn fragments_follow_the_flow() {
    let (mut lab, _) = lab([masq(1, IKE)]);
    for protocol in [ESP, AH] {
        let fragments = request(protocol).fragments(60);
        assert!(fragments.len() > 1);
        for fragment in &fragments {
            assert_eq!(lab.send(&ingress(OUTSIDE), fragment).0, Verdict::ToKernel);
        }
    }
    lab.client_sends(&exchange());
    for fragment in request(ESP).fragments(60) {
        let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &fragment);
        assert_eq!((verdict, &bytes[30..34]), (TO_REAL, &real(1).octets()[..]));
        assert_eq!(bytes[34..], fragment[34..]);
    }
}

/// The flow lives as long as there is traffic, however old the key exchange is.
#[test]
fn traffic_keeps_the_flow() {
    let (mut lab, _) = lab([masq(1, IKE)]);
    lab.client_sends(&exchange());
    for _ in 0..4 {
        lab.wait_seconds(200);
        assert_eq!(lab.client_sends(&request(ESP)).0, TO_REAL);
        lab.wait_seconds(200);
        assert_eq!(lab.real_sends(&reply(1, AH)).0, TO_CLIENT);
    }
    assert_eq!(lab.state(), ("UDP", 300));
    lab.wait_seconds(300);
    assert_eq!(lab.client_sends(&request(ESP)).0, Verdict::ToKernel);
}

#[test]
fn a_real_that_is_gone() {
    for (expire, expected) in [(false, Verdict::Drop(DropReason::RealGone)), (true, Verdict::ToKernel)] {
        let (mut lab, key) = lab([masq(1, IKE)]);
        lab.switch(|switches| switches.expire_nodest_conn = expire);
        lab.client_sends(&exchange());
        lab.change(|director| director.delete_real(&key, real(1).into(), IKE)).unwrap();
        assert_eq!(lab.client_sends(&request(ESP)).0, expected);
        assert_eq!(lab.flows().len(), usize::from(!expire));
    }
}

/// TTL and MTU hold for them as for all that is forwarded.
#[test]
fn limits_of_forwarding() {
    for forward in [Forward::Masq, Forward::Route] {
        let (mut lab, _) = lab([RealConfig { forward, ..masq(1, IKE) }]);
        lab.client_sends(&exchange());
        let (verdict, _) = lab.client_sends(&request(ESP).ttl(1));
        assert_eq!(verdict, Verdict::Drop(DropReason::TtlExpired));
        let (verdict, _) = lab.client_sends(&request(ESP).payload(&[0; 1481]));
        assert_eq!(verdict, Verdict::Drop(DropReason::MtuExceeded));
    }
}

/// Empty, they still have addresses.
#[test]
fn every_length() {
    let (mut lab, _) = lab([masq(1, IKE)]);
    lab.client_sends(&exchange());
    for len in 0..20 {
        for protocol in [ESP, AH] {
            let frame = from_gateway(CLIENT).protocol(protocol).payload(&vec![1; len]);
            assert_eq!(lab.client_sends(&frame).0, TO_REAL, "{len} bytes");
        }
    }
}
