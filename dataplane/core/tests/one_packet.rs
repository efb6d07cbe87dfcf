//! One-packet scheduling: every packet of a UDP service is scheduled by itself (reference 6).
mod common;

use std::net::SocketAddr;

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, Protocol, RealConfig, RealStats, ServiceConfig, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

fn ops(config: ServiceConfig) -> ServiceConfig {
    ServiceConfig { one_packet: true, ..config }
}

fn dns(reals: impl IntoIterator<Item = RealConfig>) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(ops(service(Protocol::Udp, 53, "rr")), reals);
    (lab, key)
}

fn query() -> Frame {
    from_gateway(CLIENT).udp(40_000, 53)
}

#[test]
fn packets_of_one_client_port_go_to_all_reals() {
    let (mut lab, key) = dns((1..=3).map(|n| masq(n, 5353)));
    let chosen: Vec<u8> = (0..6).map(|_| lab.reaches(&query())).collect();
    assert_eq!(chosen, [3, 2, 1, 3, 2, 1]);
    assert_eq!((lab.flows(), lab.stats.flows_made.get()), (vec![], 0), "never listed");
    for n in 1..=3 {
        let id = lab.id(&key, n);
        let stats = RealStats { conns: 2, in_packets: 2, in_bytes: 56, ..RealStats::default() };
        assert_eq!((lab.real_stats(id), lab.connections(id)), (stats, (0, 0)));
    }
}

#[test]
fn each_method_sends_as_ever() {
    let (mut lab, _) = dns([masq(1, 5353), route(2, 53)]);
    let (_, direct) = lab.client_sends(&query());
    assert_eq!((seen(&direct).to, seen(&direct).ttl), (real_mac(2), 63));
    assert_eq!(seen(&direct).destination, SocketAddr::from((VIP, 53)));
    let (_, nat) = lab.client_sends(&query());
    assert_eq!(seen(&nat).destination, SocketAddr::from((real(1), 5353)));
    assert!(seen(&nat).checksum_is_right());
}

/// A reply finds no flow: it leaves as it came, by the kernel.
#[test]
fn replies_meet_no_flow() {
    let (mut lab, key) = dns([masq(1, 5353)]);
    lab.reaches(&query());
    let reply = from_link(1).ipv4(real(1), CLIENT).udp(5353, 40_000);
    assert_eq!(lab.real_sends(&reply), (Verdict::ToKernel, reply.build()));
    assert_eq!(lab.real_stats(lab.id(&key, 1)).out_packets, 0);
}

#[test]
fn what_cannot_leave_is_dropped_and_counted_all_the_same() {
    let (mut lab, key) = dns([masq(1, 53)]);
    let id = lab.id(&key, 1);
    assert_eq!(lab.client_sends(&query().ttl(1)).0, Verdict::Drop(DropReason::TtlExpired));
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(1), None));
    let unresolved = Verdict::Resolve { port: INSIDE, address: real(1).to_bits() };
    assert_eq!(lab.client_sends(&query()).0, unresolved);
    lab.rewire(|fib| fib.set_routes([]));
    assert_eq!(lab.client_sends(&query()).0, Verdict::Drop(DropReason::NoRoute));
    assert_eq!(lab.real_stats(id).conns, 3);
    lab.change(|director| director.delete_real(&key, real(1).into(), 53)).unwrap();
    assert_eq!(lab.client_sends(&query()).0, Verdict::Drop(DropReason::NoReal));
}

/// The next hop that the real's line remembers is another's when routes change.
#[test]
fn a_change_of_routes_holds_for_the_next_packet() {
    let (mut lab, _) = dns([masq(1, 53)]);
    assert_eq!(lab.reaches(&query()), 1);
    lab.rewire(|fib| fib.set_neighbour(INSIDE, real(1), Some(real_mac(9))));
    assert_eq!(lab.reaches(&query()), 9);
}

/// A threshold never fills: no connection stays.
#[test]
fn thresholds_see_no_connection() {
    let (mut lab, key) = dns([RealConfig { upper: 1, ..masq(1, 53) }]);
    for _ in 0..3 {
        assert_eq!(lab.reaches(&query()), 1);
    }
    assert!(!lab.counts(lab.id(&key, 1)).overloaded());
}

/// Other protocols keep the flag and make nothing of it.
#[test]
fn tcp_is_not_scheduled_by_the_packet() {
    let mut lab = Lab::new();
    let config = ops(service(Protocol::Tcp, 80, "rr"));
    let key = lab.add(config.clone(), [masq(1, 80), masq(2, 80)]);
    lab.sends(40_000, &[SYN, ACK]);
    assert_eq!((lab.flow().state, lab.stats.flows_made.get()), ("ESTABLISHED", 1));
    assert_eq!(lab.director.service(&key).unwrap().config, config);
}

/// With `-p` the client keeps its real by a template, which counts the packets.
#[test]
fn with_persistence_there_is_a_template() {
    let mut lab = Lab::new();
    let config = ops(persistent(service(Protocol::Udp, 53, "rr"), 300, 32));
    let key = lab.add(config, [masq(1, 53), masq(2, 53)]);
    for packets in 1..=4 {
        assert_eq!(lab.reaches(&query()), 2);
        let template = lab.template();
        assert_eq!((template.in_packets, template.controls, template.expires), (packets, 0, 300));
        lab.wait_seconds(10);
    }
    assert_eq!((lab.flows(), lab.persistent(lab.id(&key, 2))), (vec![], 1));
    assert_eq!(lab.real_stats(lab.id(&key, 2)).conns, 4);
    lab.wait_seconds(290);
    assert_eq!((lab.templates(), lab.persistent(lab.id(&key, 2))), (vec![], 0));
}

/// A flow from before the flag was set goes on (reference 1.1).
#[test]
fn a_flow_from_before_goes_on() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53), masq(2, 53)]);
    assert_eq!(lab.reaches(&query()), 2);
    lab.change(|director| director.edit_service(ops(service(Protocol::Udp, 53, "rr")))).unwrap();
    assert_eq!([(); 3].map(|()| lab.reaches(&query())), [2, 2, 2]);
    lab.wait_seconds(300);
    assert_eq!([(); 3].map(|()| lab.reaches(&query())), [1, 2, 1]);
}
