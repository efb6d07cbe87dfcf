//! cache_bypass (reference 4.5, step 1): a fwmark service without a real sends packets where they wanted to go.
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use sluice_core::{
    ConfigError, DropReason, Forward, MarkRule, NewMark, Protocol, RealConfig, ServiceConfig, ServiceKey,
    Verdict,
};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, SYN};

/// Beyond the inside port's link, as a web server that a cache would stand in for.
const SITE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

/// Everything is marked, and the switch is on.
fn lab(config: ServiceConfig) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(ServiceConfig { key: marked(7, "rr").key, ..config }, []);
    let rule = MarkRule::any(1, 7);
    lab.change(|director| director.add_mark(NewMark { id: None, rule })).unwrap();
    lab.switch(|switches| switches.cache_bypass = true);
    (lab, key)
}

fn client() -> Frame {
    Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, SITE)
}

fn tcp(cport: u16, flags: u8) -> Frame {
    client().tcp(cport, 80, flags)
}

#[test]
fn packets_go_on_by_their_own_destination() {
    let (mut lab, _) = lab(marked(7, "rr"));
    let (verdict, bytes) = lab.client_sends(&tcp(1000, SYN));
    let there = seen(&bytes);
    assert_eq!((verdict, there.to, there.ttl), (TO_REAL, real_mac(5), 63));
    assert_eq!((there.source, there.destination), ((CLIENT, 1000).into(), (SITE, 80).into()));
    assert!(there.checksum_is_right());
    let flow = lab.flow();
    assert_eq!((flow.forward, flow.state, flow.expires), (Forward::Bypass, "SYN_RECV", 60));
    assert_eq!(flow.destination, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    assert_eq!(flow.virtual_endpoint, SocketAddr::from((SITE, 80)));
    assert_eq!(lab.stats.flows_made.get(), 1);
    // Its replies count as seen, so a FIN of the client's is the first of two.
    for (flags, state) in [(ACK, "ESTABLISHED"), (FIN | ACK, "CLOSE_WAIT")] {
        assert_eq!(lab.client_sends(&tcp(1000, flags)).0, TO_REAL);
        assert_eq!(lab.flow().state, state);
    }
    lab.wait_seconds(60);
    assert_eq!((lab.flows(), lab.dropped(DropReason::NoReal)), (vec![], 0));
}

/// Replies that pass the director are the kernel's to forward, and move the state.
#[test]
fn replies_are_seen_and_left_alone() {
    let (mut lab, _) = lab(marked(7, "rr"));
    lab.client_sends(&tcp(1000, SYN));
    lab.client_sends(&tcp(1000, ACK));
    let reply = from_link(5).ipv4(SITE, CLIENT).tcp(80, 1000, FIN | ACK);
    assert_eq!(lab.real_sends(&reply), (Verdict::ToKernel, reply.build()));
    assert_eq!(lab.flow().state, "FIN_WAIT");
}

/// Only where there is no real: one that is added later gets what comes then, and has no part in what was.
#[test]
fn a_real_goes_first() {
    let (mut lab, key) = lab(marked(7, "rr"));
    lab.client_sends(&tcp(1000, SYN));
    lab.change(|director| director.add_real(&key, masq(1, 0))).unwrap();
    let id = lab.id(&key, 1);
    assert_eq!(lab.client_sends(&tcp(1001, SYN)).1[5], 1);
    assert_eq!(lab.client_sends(&tcp(1000, ACK)).1[5], 5, "its flow goes on");
    assert_eq!((lab.real_stats(id).conns, lab.connections(id)), (1, (1, 0)));
    lab.change(|director| director.edit_real(&key, RealConfig { weight: 0, ..masq(1, 0) })).unwrap();
    assert_eq!(lab.client_sends(&tcp(1002, SYN)).1[5], 5);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    lab.wait(1);
    assert_eq!(lab.flows().len(), 3, "no real of theirs is gone");
}

#[test]
fn it_takes_switch_mark_and_a_place_elsewhere() {
    let no_real = Verdict::Drop(DropReason::NoReal);
    let (mut off, _) = lab(marked(7, "rr"));
    off.switch(|switches| switches.cache_bypass = false);
    assert_eq!(off.client_sends(&tcp(1000, SYN)).0, no_real);
    let (mut own, _) = lab(marked(7, "rr"));
    own.rewire(|fib| fib.set_locals([SITE]));
    assert_eq!(own.client_sends(&tcp(1000, SYN)).0, no_real, "the director itself");
    let (mut plain, _) = lab(marked(7, "rr"));
    plain.add(service(Protocol::Tcp, 80, "rr"), []);
    plain.change(|director| director.replace_marks(vec![])).unwrap();
    assert_eq!(plain.client_sends(&request(1000, SYN)).0, no_real, "no mark");
    let (mut about, _) = lab(marked(7, "rr"));
    about.switch(|switches| switches.schedule_icmp = true);
    let quoted = Frame::new().ipv4(SITE, CLIENT).tcp(80, 1000, ACK).payload(&[1; 8]);
    assert_eq!(about.client_sends(&client().icmp_error(3, 4, 1400, &quoted.packet())).0, no_real, "ICMP");
    for lab in [off, own, plain, about] {
        assert_eq!(lab.flows(), []);
    }
}

#[test]
fn with_persistence_there_is_no_template_and_by_the_packet_no_flow() {
    let (mut kept, _) = lab(persistent(marked(7, "rr"), 300, 32));
    assert_eq!(kept.client_sends(&tcp(1000, SYN)).1[5], 5);
    assert_eq!((kept.flows().len(), kept.templates()), (1, vec![]));
    let (mut single, _) = lab(ServiceConfig { one_packet: true, ..marked(7, "rr") });
    let (verdict, bytes) = single.client_sends(&client().udp(1000, 53));
    assert_eq!((verdict, bytes[5], seen(&bytes).ttl), (TO_REAL, 5, 63));
    assert_eq!(single.flows(), []);
}

#[test]
fn what_cannot_leave_is_dropped_by_name() {
    let (mut lab, _) = lab(marked(7, "rr"));
    assert_eq!(lab.client_sends(&tcp(1000, SYN).ttl(1)).0, Verdict::Drop(DropReason::TtlExpired));
    lab.rewire(|fib| fib.set_routes([]));
    assert_eq!(lab.client_sends(&tcp(1000, SYN)).0, Verdict::Drop(DropReason::NoRoute));
}

#[test]
fn a_full_table_and_the_defences_treat_it_as_any_flow() {
    let mut lab = Lab::with_flows(1);
    lab.add(marked(7, "rr"), []);
    lab.change(|director| director.add_mark(NewMark { id: None, rule: MarkRule::any(1, 7) })).unwrap();
    lab.switch(|switches| (switches.cache_bypass, switches.drop_entry) = (true, true));
    assert_eq!(lab.client_sends(&tcp(1000, SYN)).0, TO_REAL);
    assert_eq!(lab.client_sends(&tcp(1001, SYN)).0, TO_REAL);
    assert_eq!((lab.flow().client.port(), lab.stats.evicted_half_open.get()), (1001, 1));
    lab.wait(1);
    assert_eq!((lab.flows(), lab.stats.dropped_entries.get()), (vec![], 1));
}

#[test]
fn no_real_can_be_one() {
    let (mut lab, key) = lab(marked(7, "rr"));
    let real = RealConfig { forward: Forward::Bypass, ..masq(1, 0) };
    assert!(matches!(lab.director.add_real(&key, real), Err(ConfigError::Invalid(_))));
}
