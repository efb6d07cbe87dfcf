//! The kernel's rules for a packet that meets a flow, and for one that meets none (reference 4.4).
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, Forward, Jiffies, Protocol, RealConfig, RealStats, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, PSH, RST, SYN};

/// Two reals, of which the second is the newer and so the first to be chosen.
fn two(forward: fn(u8, u16) -> RealConfig) -> (Lab, ServiceKey) {
    Lab::tcp("rr", [forward(1, 80), forward(2, 80)])
}

fn delete(lab: &mut Lab, key: &ServiceKey, n: u8) {
    lab.change(|director| director.delete_real(key, real(n).into(), 80)).unwrap();
}

// A SYN on a known flow.

#[test]
fn a_syn_replaces_a_closed_flow() {
    for close in [&[SYN, ACK, RST][..], &[SYN, FIN]] {
        let (mut lab, key) = two(masq);
        lab.sends(40_000, close);
        assert!(["CLOSE", "TIME_WAIT"].contains(&lab.flow().state));
        assert_eq!(lab.reaches(&request(40_000, SYN)), 1, "scheduled anew");
        assert_eq!(lab.state(), ("SYN_RECV", 60));
        assert_eq!(lab.connections(lab.id(&key, 2)), (0, 0));
        assert_eq!(lab.connections(lab.id(&key, 1)), (1, 0));
        assert_eq!(lab.stats.flows_made.get(), 2);
    }
}

#[test]
fn a_syn_follows_a_flow_that_is_not_closed() {
    for (steps, state) in
        [(&[SYN][..], "SYN_RECV"), (&[SYN, ACK], "ESTABLISHED"), (&[SYN, ACK, FIN], "SYN_RECV")]
    {
        let (mut lab, _) = two(masq);
        lab.sends(40_000, steps);
        assert_eq!(lab.reaches(&request(40_000, SYN)), 2);
        assert_eq!(lab.flow().state, state);
        assert_eq!(lab.stats.flows_made.get(), 1);
    }
}

#[test]
fn with_reuse_mode_0_a_syn_follows_any_flow() {
    let (mut lab, _) = two(masq);
    lab.switch(|switches| switches.conn_reuse_mode = 0);
    lab.sends(40_000, &[SYN, FIN]);
    assert_eq!(lab.flow().state, "TIME_WAIT");
    assert_eq!(lab.reaches(&request(40_000, SYN)), 2);
    assert_eq!(lab.state(), ("SYN_RECV", 60));
}

/// Direct routing sees no FIN of the real: mode 2 takes FIN_WAIT for the end, unless a reply was seen.
#[test]
fn with_reuse_mode_2_a_syn_replaces_fin_wait_of_one_side() {
    for (mode, replied, expected) in [(1, false, 2), (2, false, 1), (3, false, 1), (2, true, 2)] {
        let (mut lab, _) = two(route);
        lab.switch(|switches| switches.conn_reuse_mode = mode);
        lab.sends(40_000, &[SYN, ACK]);
        if replied {
            lab.real_sends(&from_link(2).ipv4(VIP, CLIENT).tcp(80, 40_000, FIN | ACK));
        } else {
            lab.sends(40_000, &[FIN]);
        }
        assert_eq!(lab.flow().state, "FIN_WAIT");
        assert_eq!(lab.reaches(&request(40_000, SYN)), expected, "mode {mode}, replied {replied}");
    }
    let (mut lab, _) = two(masq);
    lab.switch(|switches| switches.conn_reuse_mode = 2);
    lab.sends(40_000, &[SYN, ACK]);
    lab.real_sends(&reply(2, 80, 40_000, FIN | ACK));
    assert_eq!(lab.flow().state, "FIN_WAIT");
    assert_eq!(lab.reaches(&request(40_000, SYN)), 2, "of NAT both sides are seen");
}

#[test]
fn a_syn_ack_of_the_client_counts_as_a_syn() {
    let (mut lab, _) = two(masq);
    assert_eq!(lab.reaches(&request(40_000, SYN | ACK)), 2);
    lab.sends(40_000, &[FIN]);
    assert_eq!(lab.reaches(&request(40_000, SYN | ACK)), 1);
}

// Reals that quiesce, go, and come back.

#[test]
fn weight_0_keeps_the_flows_and_takes_no_more() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN, ACK]);
    lab.change(|director| director.edit_real(&key, RealConfig { weight: 0, ..masq(2, 80) })).unwrap();
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2);
    assert_eq!(lab.reaches(&request(40_000, SYN)), 2, "even its SYNs");
    assert_eq!(lab.real_sends(&reply(2, 80, 40_000, ACK)).0, TO_CLIENT);
    assert_eq!(lab.open([40_001, 40_002]), "11");
}

#[test]
fn with_expire_nodest_conn_a_syn_leaves_a_quiesced_real() {
    let (mut lab, key) = two(masq);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    lab.sends(40_000, &[SYN, ACK]);
    lab.change(|director| director.edit_real(&key, RealConfig { weight: 0, ..masq(2, 80) })).unwrap();
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2);
    assert_eq!(lab.reaches(&request(40_000, SYN)), 1);
    assert_eq!(lab.connections(lab.id(&key, 2)), (0, 0));
}

#[test]
fn packets_for_a_removed_real_are_dropped() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN, ACK]);
    let id = lab.id(&key, 2);
    delete(&mut lab, &key, 2);
    for flags in [ACK, SYN, RST] {
        let (verdict, _) = lab.client_sends(&request(40_000, flags));
        assert_eq!(verdict, Verdict::Drop(DropReason::RealGone));
    }
    assert_eq!(lab.dropped(DropReason::RealGone), 3);
    assert_eq!(lab.connections(id), (1, 0));
    assert_eq!(lab.real_stats(id).in_packets, 2);
    assert_eq!(lab.state(), ("ESTABLISHED", 900));
}

/// And yet the removed real's replies are translated, uncounted.
#[test]
fn replies_of_a_removed_real_are_translated() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN, ACK]);
    let id = lab.id(&key, 2);
    delete(&mut lab, &key, 2);
    let (verdict, bytes) = lab.real_sends(&reply(2, 80, 40_000, ACK | PSH).payload(b"data"));
    assert_eq!(verdict, TO_CLIENT);
    assert_eq!(seen(&bytes).source, SocketAddr::from((VIP, 80)));
    assert_eq!(lab.real_stats(id).out_packets, 0);
}

#[test]
fn a_deleted_service_leaves_its_flows_as_a_removed_real_does() {
    let (mut lab, key) = two(masq);
    // One service stays: without any the kernel would take its hooks away (appendix B 6).
    lab.add(service(Protocol::Udp, 53, "rr"), [masq(1, 53)]);
    lab.sends(40_000, &[SYN, ACK]);
    lab.change(|director| director.delete_service(&key)).unwrap();
    assert_eq!(lab.client_sends(&request(40_000, ACK)).0, Verdict::Drop(DropReason::RealGone));
    assert_eq!(lab.real_sends(&reply(2, 80, 40_000, ACK)).0, TO_CLIENT);
    assert_eq!(lab.client_sends(&request(40_001, SYN)).0, Verdict::ToKernel, "a stranger's is no service's");
}

#[test]
fn with_expire_nodest_conn_a_flow_leaves_a_removed_real() {
    let (mut lab, key) = two(masq);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    for cport in [40_000, 40_001, 40_002] {
        lab.sends(cport, &[SYN]);
    }
    let id = lab.id(&key, 2);
    delete(&mut lab, &key, 2);
    assert_eq!(lab.reaches(&request(40_000, SYN)), 1);
    // Without SYN there is nothing to schedule: the kernel answers RST, and the flow is gone.
    assert_eq!(lab.client_sends(&request(40_002, ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.connections(id), (0, 0));
    assert_eq!(lab.flows().len(), 2);
}

/// Reference 1.1: with expire_nodest_conn they do not wait for a packet.
#[test]
fn with_expire_nodest_conn_the_flows_of_a_removed_real_end_by_themselves() {
    let (mut lab, key) = two(masq);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    lab.sends(40_000, &[SYN, ACK]);
    let id = lab.id(&key, 2);
    delete(&mut lab, &key, 2);
    lab.wait_seconds(1);
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.connections(id), (0, 0));
}

#[test]
fn a_removed_real_comes_back_with_its_flows() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN, ACK]);
    let id = lab.id(&key, 2);
    let before = lab.real_stats(id);
    delete(&mut lab, &key, 2);
    lab.client_sends(&request(40_000, ACK));
    lab.wait_seconds(300);
    assert_eq!(lab.director.collect_trash(lab.now), []);
    let added = lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!((added.id, added.fresh), (id, false));
    assert_eq!(lab.connections(id), (1, 0));
    assert_eq!(lab.real_stats(id), before);
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2);
    assert_eq!(lab.real_stats(id), RealStats { in_packets: 3, in_bytes: 120, ..before });
}

/// Deleted and added anew, a service is another, but what its reals still hold is live again.
#[test]
fn a_real_comes_back_to_a_new_service_as_fresh() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN, ACK]);
    let id = lab.id(&key, 2);
    lab.change(|director| director.delete_service(&key)).unwrap();
    lab.change(|director| director.add_service(service(Protocol::Tcp, 80, "rr"))).unwrap();
    let added = lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!((added.id, added.fresh), (id, true));
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2);
}

#[test]
fn trash_is_collected_two_minutes_after_the_last_flow() {
    let (mut lab, key) = two(masq);
    lab.sends(40_000, &[SYN]);
    let id = lab.id(&key, 2);
    delete(&mut lab, &key, 2);
    assert_eq!(lab.director.collect_trash(lab.now), []);
    lab.wait_seconds(61);
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.director.collect_trash(lab.now), [], "idle from now on");
    lab.wait(Jiffies::ticks(120) - 1);
    assert_eq!(lab.director.collect_trash(lab.now), []);
    lab.wait(1);
    assert_eq!(lab.director.collect_trash(lab.now), [id]);
    let added = lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert!(added.fresh);
}

/// A freed slot may be another real's, which must inherit nothing of it.
#[test]
fn another_real_in_a_freed_slot_gets_its_own_traffic() {
    let (mut lab, key) = Lab::tcp("rr", [RealConfig { upper: 1, ..masq(1, 80) }]);
    lab.sends(40_000, &[SYN]);
    let id = lab.id(&key, 1);
    delete(&mut lab, &key, 1);
    lab.wait_seconds(61);
    lab.director.collect_trash(lab.now);
    lab.wait_seconds(121);
    assert_eq!(lab.director.collect_trash(lab.now), [id]);
    let added = lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!(added.id, id, "the case this test is about");
    let (verdict, bytes) = lab.client_sends(&request(40_001, SYN));
    assert_eq!(verdict, TO_REAL);
    assert_eq!((seen(&bytes).to, seen(&bytes).destination.ip()), (real_mac(2), real(2).into()));
    assert_eq!(lab.open([40_002]), "2", "the old threshold is gone");
}

#[test]
fn a_flow_keeps_the_method_it_was_made_with() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80)]);
    lab.sends(40_000, &[SYN]);
    lab.change(|director| director.edit_real(&key, route(1, 80))).unwrap();
    let (_, bytes) = lab.client_sends(&request(40_000, ACK));
    assert_eq!(seen(&bytes).destination.ip(), real(1), "NAT");
    assert_eq!(lab.real_sends(&reply(1, 80, 40_000, ACK)).0, TO_CLIENT);
    let (_, bytes) = lab.client_sends(&request(40_001, SYN));
    assert_eq!(seen(&bytes).destination.ip(), VIP, "direct routing");
    assert_eq!(lab.director.service(&key).unwrap().reals[0].config.forward, Forward::Route);
}

// A packet that meets no flow.

#[test]
fn what_cannot_start_a_flow_is_the_kernels() {
    let (mut lab, _) = two(masq);
    for flags in [ACK, FIN | ACK, RST, RST | SYN, PSH | ACK, 0] {
        let frame = request(40_000, flags);
        assert_eq!(lab.client_sends(&frame), (Verdict::ToKernel, frame.build()), "flags {flags:#04x}");
    }
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.stats.to_kernel.get(), 6);
}

#[test]
fn with_sloppy_tcp_all_but_a_reset_starts_a_flow() {
    let (mut lab, _) = two(masq);
    lab.switch(|switches| switches.sloppy_tcp = true);
    for (cport, flags) in (40_000..).zip([ACK, FIN | ACK, PSH | ACK, 0]) {
        assert_eq!(lab.client_sends(&request(cport, flags)).0, TO_REAL, "flags {flags:#04x}");
    }
    for flags in [RST, RST | ACK, RST | SYN] {
        assert_eq!(lab.client_sends(&request(50_000, flags)).0, Verdict::ToKernel);
    }
    assert_eq!(lab.flows().len(), 4);
}

#[test]
fn a_client_on_port_20_is_never_scheduled() {
    let (mut lab, _) = two(masq);
    lab.add(service(Protocol::Udp, 53, "rr"), [masq(1, 53)]);
    assert_eq!(lab.client_sends(&request(20, SYN)).0, Verdict::ToKernel);
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).udp(20, 53)).0, Verdict::ToKernel);
    assert_eq!(lab.flows(), []);
}

#[test]
fn without_a_real_the_packet_is_dropped() {
    let (mut lab, key) = Lab::tcp("wlc", [RealConfig { weight: 0, ..masq(1, 80) }]);
    assert_eq!(lab.client_sends(&request(40_000, SYN)).0, Verdict::Drop(DropReason::NoReal));
    lab.change(|director| director.edit_real(&key, RealConfig { upper: 1, ..masq(1, 80) })).unwrap();
    assert_eq!(lab.open([40_001, 40_002]), "1-");
    delete(&mut lab, &key, 1);
    assert_eq!(lab.client_sends(&request(40_003, SYN)).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!(lab.dropped(DropReason::NoReal), 3);
    assert_eq!(lab.stats.flows_made.get(), 1);
}

#[test]
fn what_is_no_service_is_the_kernels() {
    let (mut lab, _) = two(masq);
    let to = |address: Ipv4Addr| Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, address);
    for frame in [
        to(VIP).tcp(40_000, 81, SYN),
        to(VIP).udp(40_000, 80),
        to(Ipv4Addr::new(198, 51, 100, 2)).tcp(40_000, 80, SYN),
        to(VIP).icmp(8, 0, 1),
        to(VIP).protocol(89),
        request(40_000, SYN).vlan(7),
    ] {
        assert_eq!(lab.client_sends(&frame), (Verdict::ToKernel, frame.build()));
    }
}

/// Of two flows with one reply tuple the kernel finds the newer (reference 3.2).
#[test]
fn a_reply_that_two_flows_would_take_is_the_newers() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 8080)]);
    lab.add(service(Protocol::Tcp, 81, "rr"), [masq(1, 8080)]);
    lab.sends(40_000, &[SYN, ACK]);
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).tcp(40_000, 81, SYN)).0, TO_REAL);
    let (verdict, bytes) = lab.real_sends(&reply(1, 8080, 40_000, SYN | ACK));
    assert_eq!(verdict, TO_CLIENT);
    assert_eq!(seen(&bytes).source.port(), 81);
}
