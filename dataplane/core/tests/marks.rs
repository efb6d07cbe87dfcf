//! Mark rules and fwmark services, frames in and out.
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use sluice_core::{ConfigError, DropReason, MarkRule, NewMark, Prefix, Protocol, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::SctpChunk;
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};

/// Where clients' packets go that pass the director: nobody's virtual address.
const SITE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
const MARK: ServiceKey = ServiceKey::Fwmark { mark: 7, ipv6: false };

fn host(address: Ipv4Addr) -> Option<Prefix> {
    Some(Prefix { address: address.into(), length: 32 })
}

/// A rule that marks with 7 what goes to the site.
fn to_site() -> MarkRule {
    MarkRule { destination: host(SITE), ..MarkRule::any(100, 7) }
}

fn add(lab: &mut Lab, rule: MarkRule) -> u32 {
    lab.change(|director| director.add_mark(NewMark { id: None, rule })).unwrap().id
}

/// A fwmark service with these reals, and the rule that sends it what goes to the site.
fn lab(reals: impl IntoIterator<Item = sluice_core::RealConfig>) -> Lab {
    let mut lab = Lab::new();
    lab.add(marked(7, "rr"), reals);
    add(&mut lab, to_site());
    lab
}

fn site(cport: u16) -> Frame {
    Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).tcp(cport, 443, SYN)
}

fn hits(lab: &Lab, id: u32) -> u64 {
    let marks = lab.director.marks();
    lab.stats.mark_hits(marks.iter().find(|entry| entry.id == id).unwrap().slot)
}

#[test]
fn nat_and_back_keeps_the_address_the_client_asked_for() {
    let mut lab = lab([masq(1, 0)]);
    let (verdict, bytes) = lab.client_sends(&site(40_000));
    assert_eq!(verdict, TO_REAL);
    let there = seen(&bytes);
    assert_eq!(there.destination, SocketAddr::from((real(1), 443)), "port 0 keeps the client's");
    assert!(there.checksum_is_right());

    let (verdict, bytes) = lab.real_sends(&reply(1, 443, 40_000, SYN | ACK));
    assert_eq!(verdict, TO_CLIENT);
    let back = seen(&bytes);
    assert_eq!(back.source, SocketAddr::from((SITE, 443)));
    assert!(back.checksum_is_right());
    assert_eq!(lab.flow().virtual_endpoint, SocketAddr::from((SITE, 443)));
}

#[test]
fn one_service_takes_all_ports_and_protocols() {
    let mut lab = lab([masq(1, 0), masq(2, 8080)]);
    let udp = |cport| Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).udp(cport, 53);
    let mut met = Vec::new();
    for frame in [site(1), udp(2), udp(3), site(4)] {
        let (verdict, bytes) = lab.client_sends(&frame);
        assert_eq!(verdict, TO_REAL);
        met.push(seen(&bytes).destination);
    }
    // A real's port, where it has one, counts for a service without persistence (reference 4.1).
    let (first, second) = (real(1), real(2));
    assert_eq!(
        met,
        [(second, 8080), (first, 53), (second, 8080), (first, 443)].map(|(a, p)| SocketAddr::from((a, p)))
    );
    let sctp = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).sctp(5, 9899, SctpChunk::INIT);
    let (verdict, bytes) = lab.client_sends(&sctp);
    assert_eq!((verdict, bytes[5]), (TO_REAL, 2), "SCTP");
    let answer = from_link(2).ipv4(second, CLIENT).sctp(8080, 5, SctpChunk::INIT_ACK);
    assert_eq!(lab.real_sends(&answer).0, TO_CLIENT);
    for (n, frame) in [
        (1, Frame::udp(from_link(1).ipv4(first, CLIENT), 53, 2)),
        (2, Frame::udp(from_link(2).ipv4(second, CLIENT), 8080, 3)),
    ] {
        let (verdict, bytes) = lab.real_sends(&frame);
        assert_eq!((verdict, seen(&bytes).source), (TO_CLIENT, SocketAddr::from((SITE, 53))), "real {n}");
    }
}

/// Reference 4.1: one template for all that carries the mark; the real's port does not count.
#[test]
fn a_persistent_client_keeps_its_real_over_ports_and_protocols() {
    let mut lab = Lab::new();
    lab.add(persistent(marked(7, "rr"), 300, 32), [masq(1, 8080), masq(2, 8080)]);
    add(&mut lab, to_site());
    let (verdict, bytes) = lab.client_sends(&site(1));
    assert_eq!((verdict, seen(&bytes).destination.port()), (TO_REAL, 443));
    let n = bytes[5];
    for port in [53, 54, 8080] {
        let query = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).udp(port, port);
        let (verdict, bytes) = lab.client_sends(&query);
        assert_eq!((verdict, bytes[5], seen(&bytes).destination.port()), (TO_REAL, n, port));
        let answer = from_link(n).ipv4(real(n), CLIENT).udp(port, port);
        assert_eq!(lab.real_sends(&answer).0, TO_CLIENT, "replies come from any port");
    }
    let other = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(real(200), SITE).tcp(1, 443, SYN);
    assert_ne!(lab.client_sends(&other).1[5], n, "another client");
}

#[test]
fn direct_routing_leaves_the_packet_as_it_is() {
    let mut lab = lab([route(3, 0)]);
    let (verdict, bytes) = lab.client_sends(&site(40_000));
    let there = seen(&bytes);
    assert_eq!((verdict, there.to), (TO_REAL, real_mac(3)));
    assert_eq!(there.destination, SocketAddr::from((SITE, 443)));
    // A reply that passes the director is counted and passed on, not taken for a request.
    add(&mut lab, MarkRule::any(0, 7));
    let (verdict, _) = lab.real_sends(&from_link(3).ipv4(SITE, CLIENT).tcp(443, 40_000, SYN | ACK));
    assert_eq!(verdict, Verdict::ToKernel);
    let id = lab.id(&MARK, 3);
    assert_eq!((lab.real_stats(id).out_packets, lab.flows().len()), (1, 1));
}

/// Reference 1: by mark, then by address; a mark that no service has is none.
#[test]
fn marks_come_before_addresses() {
    let mut lab = Lab::new();
    lab.add(service(Protocol::Tcp, 80, "rr"), [masq(1, 80)]);
    lab.add(marked(7, "rr"), [masq(2, 80)]);
    assert_eq!(lab.reaches(&request(1, SYN)), 1, "no rule");
    let to_nobody = add(&mut lab, MarkRule { destination: host(VIP), ..MarkRule::any(10, 9) });
    assert_eq!(lab.reaches(&request(2, SYN)), 1, "no service has mark 9");
    assert_eq!(hits(&lab, to_nobody), 1);
    let before = add(&mut lab, MarkRule { destination: host(VIP), ..MarkRule::any(9, 7) });
    assert_eq!(lab.reaches(&request(3, SYN)), 2);
    assert_eq!((hits(&lab, to_nobody), hits(&lab, before)), (1, 1), "the first rule only");
    assert_eq!(lab.client_sends(&site(4)).0, Verdict::ToKernel, "unmarked, and no service's");
    assert_eq!(lab.reaches(&request(1, ACK)), 1, "known flows stay");
}

#[test]
fn packets_of_known_flows_meet_no_rule() {
    let mut lab = lab([masq(1, 0)]);
    let id = lab.director.marks()[0].id;
    for flags in [SYN, ACK, ACK, FIN | ACK] {
        let frame = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).tcp(40_000, 443, flags);
        assert_eq!(lab.client_sends(&frame).0, TO_REAL);
    }
    assert_eq!(lab.real_sends(&reply(1, 443, 40_000, ACK)).0, TO_CLIENT);
    assert_eq!(hits(&lab, id), 1);
    lab.change(|director| director.delete_mark(id)).unwrap();
    let frame = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).tcp(40_000, 443, ACK);
    assert_eq!(lab.client_sends(&frame).0, TO_REAL, "a flow outlasts its rule");
    assert_eq!(lab.client_sends(&site(40_001)).0, Verdict::ToKernel);
}

#[test]
fn what_cannot_start_a_flow_meets_no_rule() {
    let mut lab = lab([masq(1, 0)]);
    let id = lab.director.marks()[0].id;
    let tcp =
        |cport, flags| Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE).tcp(cport, 443, flags);
    for frame in [tcp(1, ACK), tcp(2, RST)] {
        assert_eq!(lab.client_sends(&frame).0, Verdict::ToKernel);
    }
    assert_eq!(hits(&lab, id), 0);
    assert_eq!(lab.client_sends(&tcp(20, SYN)).0, Verdict::ToKernel, "marked, and never scheduled");
    assert_eq!((hits(&lab, id), lab.flows().len()), (1, 0));
}

#[test]
fn rules_go_by_the_port_and_not_by_what_the_director_sends() {
    let mut lab = Lab::new();
    lab.add(marked(7, "rr"), [masq(1, 0)]);
    add(&mut lab, MarkRule { port: Some(OUTSIDE), ..MarkRule::any(1, 7) });
    assert_eq!(lab.client_sends(&site(1)).0, TO_REAL);
    let inside = Frame::new().eth(INSIDE_MAC, real_mac(5)).ipv4(real(5), SITE).tcp(2, 443, SYN);
    assert_eq!(lab.real_sends(&inside).0, Verdict::ToKernel);
    // The twin's own clients, a health check say.
    let own = Frame::new().eth(GATEWAY_MAC, OUTSIDE_MAC).ipv4(VIP, SITE).tcp(3, 443, SYN);
    assert_eq!(lab.kernel_sends(OUTSIDE, &own).0, TO_CLIENT);
    assert_eq!(lab.flows().len(), 1);
}

/// A tag belongs to a VLAN interface of the twin, as for every service.
#[test]
fn tagged_frames_are_the_kernels() {
    let mut lab = lab([masq(1, 0)]);
    add(&mut lab, MarkRule { vlan: Some(5), ..MarkRule::any(0, 7) });
    assert_eq!(lab.client_sends(&site(1).vlan(5)).0, Verdict::ToKernel);
    add(&mut lab, MarkRule { vlan: Some(0), ..MarkRule::any(0, 8) });
    assert_eq!(
        lab.client_sends(&site(1)).0,
        Verdict::ToKernel,
        "untagged: the new rule's mark has no service"
    );
}

#[test]
fn a_deleted_service_leaves_its_flows_as_any_other_does() {
    let mut lab = lab([masq(1, 0)]);
    assert_eq!(lab.client_sends(&site(40_000)).0, TO_REAL);
    let old = lab.id(&MARK, 1);
    lab.change(|director| director.delete_service(&MARK)).unwrap();
    assert_eq!(lab.client_sends(&site(40_000)).0, Verdict::Drop(DropReason::RealGone));
    assert_eq!(lab.client_sends(&site(40_001)).0, Verdict::ToKernel);
    assert_eq!(lab.real_sends(&reply(1, 443, 40_000, ACK)).0, TO_CLIENT);
    lab.add(marked(7, "rr"), [masq(1, 0)]);
    assert_eq!(lab.client_sends(&site(40_000)).0, TO_REAL);
    assert_eq!(lab.id(&MARK, 1), old, "the real has come back from the trash");
}

#[test]
fn without_a_real_it_is_as_with_any_service() {
    let mut marked = lab([]);
    let (mut addressed, _) = Lab::tcp("rr", []);
    assert_eq!(marked.client_sends(&site(1)).0, addressed.client_sends(&request(1, SYN)).0);
    assert_eq!(marked.dropped(DropReason::NoReal), 1);
}

#[test]
fn services_that_cannot_be_are_refused() {
    let mut lab = Lab::new();
    let zero = marked(0, "rr");
    let v6 =
        sluice_core::ServiceConfig { key: ServiceKey::Fwmark { mark: 7, ipv6: true }, ..marked(7, "rr") };
    let refused = |lab: &mut Lab, config| lab.director.add_service(config).unwrap_err().to_string();
    assert_eq!(refused(&mut lab, zero), "the mark may not be 0");
    assert_eq!(refused(&mut lab, v6), "an IPv6 service is not supported yet");
    lab.add(marked(7, "rr"), []);
    assert_eq!(lab.director.add_service(marked(7, "wlc")), Err(ConfigError::ServiceExists));
    lab.change(|director| director.edit_service(marked(7, "wlc"))).unwrap();
    assert_eq!(lab.director.service(&MARK).unwrap().config.scheduler, "wlc");
}

fn new(id: Option<u32>, priority: u32, mark: u32) -> NewMark {
    NewMark { id, rule: MarkRule::any(priority, mark) }
}

/// Number, priority and mark of each rule, in the order in which they are asked.
fn listed(lab: &Lab) -> Vec<(u32, u32, u32)> {
    lab.director.marks().iter().map(|entry| (entry.id, entry.rule.priority, entry.rule.mark)).collect()
}

#[test]
fn rules_are_numbered_and_ordered() {
    let mut lab = Lab::new();
    for (rule, id) in
        [(new(None, 5, 1), 1), (new(Some(9), 5, 2), 9), (new(None, 4, 3), 2), (new(None, 5, 1), 3)]
    {
        assert_eq!(lab.change(|director| director.add_mark(rule)).map(|entry| entry.id), Ok(id));
    }
    assert_eq!(listed(&lab), [(2, 4, 3), (1, 5, 1), (9, 5, 2), (3, 5, 1)]);
    assert_eq!(lab.director.add_mark(new(Some(9), 1, 1)), Err(ConfigError::MarkExists(9)));
    assert_eq!(
        lab.director.add_mark(new(Some(0), 1, 1)),
        Err(ConfigError::Range("the number of a mark rule (from 1)"))
    );
    assert_eq!(lab.director.delete_mark(4), Err(ConfigError::NoMark(4)));
    assert_eq!(lab.director.add_mark(new(None, 1, 0)), Err(ConfigError::Invalid("the mark may not be 0")));
    assert_eq!(listed(&lab).len(), 4, "what is refused changes nothing");
    lab.change(|director| director.delete_mark(1)).unwrap();
    assert_eq!(lab.change(|director| director.add_mark(new(None, 6, 6))).unwrap().id, 1, "the lowest free");
}

#[test]
fn replacing_keeps_what_stays() {
    let mut lab = lab([masq(1, 0)]);
    assert_eq!(lab.client_sends(&site(1)).0, TO_REAL);
    let next = vec![new(None, 7, 8), NewMark { id: None, rule: to_site() }, new(Some(3), 7, 9)];
    lab.change(|director| director.replace_marks(next)).unwrap();
    assert_eq!(listed(&lab), [(2, 7, 8), (3, 7, 9), (1, 100, 7)]);
    assert_eq!((hits(&lab, 1), hits(&lab, 2)), (1, 0), "counters stay with their rule");

    let before = lab.director.snapshot().version;
    for refused in [vec![new(Some(4), 1, 1), new(Some(4), 2, 2)], vec![new(None, 1, 1), new(None, 1, 0)]] {
        lab.director.replace_marks(refused).unwrap_err();
    }
    assert_eq!((listed(&lab).len(), lab.director.snapshot().version), (3, before));

    // Another rule under a known number counts from its own start.
    lab.change(|director| director.replace_marks(vec![NewMark { id: Some(1), ..new(None, 1, 7) }])).unwrap();
    assert_eq!(hits(&lab, 1), 0);
    lab.change(|director| director.replace_marks(Vec::new())).unwrap();
    assert_eq!(lab.client_sends(&site(2)).0, Verdict::ToKernel);
}

#[test]
fn the_rule_over_the_limit_is_refused() {
    let rules = |count| (0..count).map(|n| new(None, n, 1)).collect::<Vec<_>>();
    let full = ConfigError::Full { table: "marks", limit: 10_000 };
    let mut lab = Lab::new();
    lab.director.replace_marks(rules(10_000)).unwrap();
    assert_eq!(lab.director.replace_marks(rules(10_001)), Err(full.clone()));
    assert_eq!(lab.director.add_mark(new(None, 0, 1)), Err(full));
    assert_eq!(lab.director.marks().len(), 10_000);
    // All at once for all others: each has a counter of its own.
    let others = (0..10_000).map(|n| new(None, n, 2)).collect();
    lab.director.replace_marks(others).unwrap();
    let mut slots: Vec<_> = lab.director.marks().iter().map(|entry| entry.slot).collect();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), 10_000);
    assert!(slots.iter().all(|slot| (*slot as usize) < lab.director.mark_slots()));
}
