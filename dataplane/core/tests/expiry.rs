//! When flows end: to the moment, within the budget, and what a full table does.
mod common;

use common::*;
use sluice_core::{DropReason, Forward, Jiffies, RealConfig, Timeouts, Verdict};
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};

/// How late a flow may end: a slot of the wheel, 256 ms.
const SLOT: u32 = 64;

/// Lets the lcore look every `step` jiffies and says after how many the table was empty.
fn ends_after(lab: &mut Lab, step: u32) -> u32 {
    let start = lab.now;
    while !lab.flows().is_empty() {
        lab.wait(step);
        assert!(lab.now.since(start) < 5_000_000, "it never ends");
    }
    lab.now.since(start).cast_unsigned()
}

/// From every phase of the wheel, and whatever the step.
#[test]
fn a_flow_ends_on_time() {
    for (phase, step) in [(0, 1), (1, 1), (13, 7), (63, 1), (31, 64), (50, 250)] {
        let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
        lab.wait(phase);
        lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
        let late = ends_after(&mut lab, step) - Jiffies::ticks(300);
        assert!(late <= SLOT + step, "phase {phase}, step {step}: {late} jiffies late");
    }
}

/// The kernel gives a flow 3 s until its first state says otherwise. Its first packet does, so no flow shows them:
/// not even one whose first packet is dropped on its way out.
#[test]
fn the_first_state_replaces_the_timeout_of_creation() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    let (verdict, _) = lab.client_sends(&request(40_000, SYN).ttl(1));
    assert_eq!(verdict, Verdict::Drop(DropReason::TtlExpired));
    assert_eq!(lab.state(), ("SYN_RECV", 60));
    lab.wait_seconds(3);
    assert_eq!(lab.flow().state, "SYN_RECV");
}

#[test]
fn every_packet_puts_the_end_off() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
    for round in 0..8 {
        lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
        lab.wait_seconds(299);
        lab.real_sends(&from_link(1).ipv4(real(1), CLIENT).udp(53, 5000));
        lab.wait_seconds(299);
        assert_eq!(lab.flows().len(), 1, "round {round}");
    }
    lab.wait_seconds(1);
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.stats.flows_expired.get(), 1);
}

/// A deadline far out is filed at the wheel's far end and filed anew; FIN and RST bring it near.
#[test]
fn a_state_can_bring_the_end_nearer() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    lab.client_sends(&request(40_000, ACK));
    lab.wait_seconds(100);
    lab.client_sends(&request(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("CLOSE_WAIT", 60));
    let late = ends_after(&mut lab, 1) - Jiffies::ticks(60);
    assert!(late <= SLOT + 1, "{late} jiffies late");

    for flags in [SYN, ACK, RST] {
        lab.client_sends(&request(40_000, flags));
    }
    assert_eq!(lab.state(), ("CLOSE", 10));
    let late = ends_after(&mut lab, 1) - Jiffies::ticks(10);
    assert!(late <= SLOT + 1, "{late} jiffies late");
}

/// Longer than the wheel goes round (1048 s), again and again.
#[test]
fn deadlines_beyond_the_wheel() {
    for seconds in [1048, 1049, 2096, 2097, 3600, 10_000] {
        let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
        let timeouts = sluice_core::Timeouts { tcp: 0, tcp_fin: 0, udp: seconds };
        lab.change(|director| director.set_timeouts(timeouts)).unwrap();
        lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
        // The daemon's budget: at each step a little.
        let start = lab.now;
        while !lab.flows().is_empty() {
            lab.tick(50);
            lab.lcore.expire(lab.now, 64);
            assert!(lab.now.since(start) < 5_000_000, "{seconds} s never end");
        }
        let late = lab.now.since(start).cast_unsigned() - Jiffies::ticks(seconds);
        assert!(late <= SLOT + 50, "{seconds} s: {late} jiffies late");
    }
}

#[test]
fn the_budget_bounds_the_work() {
    let (mut lab, key) = Lab::udp("rr", [masq(1, 53)]);
    for cport in 1024..1124 {
        lab.client_sends(&from_gateway(CLIENT).udp(cport, 53));
    }
    lab.tick(Jiffies::ticks(301));
    // So many empty slots lie before the one with the flows.
    let mut empty = 0;
    while lab.flows().len() == 100 {
        lab.lcore.expire(lab.now, 1);
        empty += 1;
    }
    assert!(empty <= 301 * 250 / SLOT + 2, "{empty} slots looked at");
    for left in (0..99).rev() {
        lab.lcore.expire(lab.now, 1);
        assert_eq!(lab.flows().len(), left);
    }
    assert_eq!(lab.stats.flows_expired.get(), 100);
    assert_eq!(lab.connections(lab.id(&key, 1)), (0, 0));
}

#[test]
fn a_budget_of_nothing_does_nothing() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
    lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
    lab.tick(Jiffies::ticks(400));
    lab.lcore.expire(lab.now, 0);
    assert_eq!(lab.flows().len(), 1);
}

/// Until the wheel gets to it, a flow whose time has come still takes packets, and lives on.
#[test]
fn an_overdue_flow_is_revived_by_a_packet() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53), masq(2, 53)]);
    let frame = from_gateway(CLIENT).udp(5000, 53);
    let first = lab.reaches(&frame);
    lab.tick(Jiffies::ticks(301));
    assert_eq!(lab.reaches(&frame), first);
    lab.wait(1);
    assert_eq!(lab.state(), ("UDP", 299));
    assert_eq!(lab.stats.flows_made.get(), 1);
}

fn small_lab(flows: usize) -> Lab {
    let mut lab = Lab::with_flows(flows);
    lab.add(service(sluice_core::Protocol::Tcp, 80, "rr"), [masq(1, 8080)]);
    lab
}

/// A table full of established flows, their clients' ports from 1024 on.
fn full_lab(flows: usize) -> Lab {
    let mut lab = small_lab(flows);
    let cports = 1024..1024 + flows as u16;
    lab.open(cports.clone());
    for cport in cports {
        lab.client_sends(&request(cport, ACK));
    }
    lab
}

/// A flood from random sources against a table with few established flows: those lose nothing, the flood only itself.
#[test]
fn half_open_and_closing_flows_make_room() {
    let mut lab = full_lab(16);
    for cport in 1034..1040 {
        lab.client_sends(&request(cport, FIN | ACK));
    }
    for cport in 2000..3000 {
        assert_eq!(lab.client_sends(&request(cport, SYN)).0, TO_REAL);
    }
    assert_eq!(lab.stats.evicted_closing.get(), 6);
    assert_eq!(lab.stats.evicted_half_open.get(), 994);
    assert_eq!(lab.dropped(DropReason::FlowTableFull), 0);
    assert_eq!(lab.flows().len(), 16);
    let established = lab.flows().iter().filter(|flow| flow.state == "ESTABLISHED").count();
    assert_eq!(established, 10);
    let id = lab.flows()[0].real;
    assert_eq!(lab.connections(id), (16, 0), "ended flows are not counted any more");
    for cport in 1024..1034 {
        assert_eq!(lab.client_sends(&request(cport, ACK)).0, TO_REAL);
        assert_eq!(lab.real_sends(&reply(1, 8080, cport, ACK)).0, TO_CLIENT);
    }
}

/// Of UDP flows those that have had more than one packet stay.
#[test]
fn udp_flows_of_one_packet_make_room() {
    let mut lab = Lab::with_flows(8);
    lab.add(service(sluice_core::Protocol::Udp, 53, "rr"), [masq(1, 53)]);
    let ask = |lab: &mut Lab, cport| lab.client_sends(&from_gateway(CLIENT).udp(cport, 53)).0;
    for cport in [1000, 1001, 1000, 1001] {
        assert_eq!(ask(&mut lab, cport), TO_REAL);
    }
    for cport in 2000..2100 {
        assert_eq!(ask(&mut lab, cport), TO_REAL);
    }
    assert_eq!(lab.stats.evicted_half_open.get(), 94);
    let kept = lab.flows().iter().filter(|flow| flow.client.port() < 2000).count();
    assert_eq!(kept, 2);
}

#[test]
fn a_full_table_spares_the_flows_it_has() {
    let mut lab = full_lab(16);
    let id = lab.flows()[0].real;
    for cport in 2000..2005 {
        let (verdict, _) = lab.client_sends(&request(cport, SYN));
        assert_eq!(verdict, Verdict::Drop(DropReason::FlowTableFull));
    }
    assert_eq!(lab.dropped(DropReason::FlowTableFull), 5);
    assert_eq!(lab.flows().len(), 16);
    assert_eq!(lab.stats.flows_made.get(), 16);
    assert_eq!(lab.connections(id), (16, 0), "what was not made is not counted");
    assert_eq!(lab.real_stats(id).conns, 16);
    for cport in 1024..1040 {
        assert_eq!(lab.client_sends(&request(cport, ACK)).0, TO_REAL);
        assert_eq!(lab.real_sends(&reply(1, 8080, cport, ACK)).0, TO_CLIENT);
    }
}

/// Reuse takes the old flow's slot, so it works with a full table too.
#[test]
fn a_client_may_reuse_its_port_though_the_table_is_full() {
    let mut lab = full_lab(4);
    for flags in [ACK, RST, SYN] {
        assert_eq!(lab.client_sends(&request(1024, flags)).0, TO_REAL);
    }
    assert_eq!((lab.flows().len(), lab.stats.flows_made.get()), (4, 5));
}

/// Many times through the table: every slot and every index entry comes back.
#[test]
fn slots_are_used_again() {
    let mut lab = small_lab(16);
    lab.open(1024..1040);
    for round in 0u16..100 {
        lab.wait_seconds(60);
        lab.lcore.expire(lab.now, 1 << 20);
        assert_eq!(lab.flows(), [], "round {round}");
        assert_eq!(lab.stats.flows.get(), 0);
        let first = 3000 + round * 16;
        assert_eq!(lab.open(first..first + 16), "1".repeat(16), "round {round}");
    }
    let mut ports: Vec<u16> = lab.flows().iter().map(|flow| flow.client.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, (4584..4600).collect::<Vec<u16>>());
}

/// A pair of entries dies together: a late reply of an ended flow is nobody's.
#[test]
fn nothing_finds_an_ended_flow() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080)]);
    lab.client_sends(&request(40_000, SYN));
    lab.wait_seconds(60);
    assert_eq!(lab.connections(lab.id(&key, 1)), (0, 0));
    assert_eq!(lab.client_sends(&request(40_000, ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.real_sends(&reply(1, 8080, 40_000, ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.flows(), []);
}

/// Idle for a day, through the clock's wrap, in the time that the test takes.
#[test]
fn a_flow_with_a_timeout_of_24_hours_ends_after_24_hours() {
    const DAY: u32 = 24 * 3600;
    for forward in [Forward::Masq, Forward::Route] {
        let (mut lab, key) = Lab::tcp("rr", [RealConfig { forward, ..masq(1, 80) }]);
        let timeouts = Timeouts { tcp: DAY, tcp_fin: 0, udp: 0 };
        lab.change(|director| director.set_timeouts(timeouts)).unwrap();
        lab.sends(40_000, &[SYN, ACK]);
        for hour in 1..24 {
            lab.wait(Jiffies::ticks(3600));
            assert_eq!(lab.state(), ("ESTABLISHED", DAY - hour * 3600));
        }
        lab.sends(40_000, &[ACK]);
        assert_eq!(lab.state(), ("ESTABLISHED", DAY), "a packet starts the day anew");
        lab.wait(Jiffies::ticks(DAY) - 1);
        assert_eq!(lab.state(), ("ESTABLISHED", 0));
        lab.wait_seconds(0);
        assert_eq!((lab.flows(), lab.connections(lab.id(&key, 1))), (vec![], (0, 0)));
        assert_eq!(lab.client_sends(&request(40_000, ACK)).0, Verdict::ToKernel);
    }
}
