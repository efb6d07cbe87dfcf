//! Every cell of the TCP state tables that packets can reach, driven by packets and compared with the tables as text.
mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::tcp_table::{Event, Seen, Table};
use common::*;
use sluice_core::{Forward, Timeouts, Verdict};
use sluice_packet::header::flags::{ACK, FIN, PSH, RST, SYN};

/// One packet of a connection: whether the client sends it, and its event.
type Step = (bool, Event);

fn flags(event: Event) -> u8 {
    match event {
        Event::Syn => SYN,
        Event::Fin => FIN | ACK,
        Event::Ack => ACK | PSH,
        Event::Rst => RST | ACK,
        Event::Nothing => PSH,
    }
}

/// A service with one real, on which a SYN never replaces a flow and any packet but RST starts one.
fn lab(forward: Forward) -> Lab {
    let real = if forward == Forward::Masq { masq(1, 80) } else { route(1, 80) };
    let (mut lab, _) = Lab::tcp("rr", [real]);
    lab.switch(|switches| (switches.conn_reuse_mode, switches.sloppy_tcp) = (0, true));
    lab
}

/// With the tables of secure_tcp in force.
fn secure_lab(forward: Forward) -> Lab {
    let mut lab = lab(forward);
    lab.switch(|switches| switches.secure_tcp = true);
    lab
}

fn step(lab: &mut Lab, forward: Forward, (from_client, event): Step) {
    let flags = flags(event);
    let verdict = match (from_client, forward) {
        (true, _) => (lab.client_sends(&request(40_000, flags)).0, TO_REAL),
        (false, Forward::Masq) => (lab.real_sends(&reply(1, 80, 40_000, flags)).0, TO_CLIENT),
        (false, _) => {
            let frame = from_link(1).ipv4(VIP, CLIENT).tcp(80, 40_000, flags);
            (lab.real_sends(&frame).0, Verdict::ToKernel)
        }
    };
    assert_eq!(verdict.0, verdict.1);
}

/// From where the director sees the next packet: direct flows are input-only until a reply has passed.
fn seen(forward: Forward, path: &[Step], from_client: bool) -> Seen {
    let replied = path.iter().any(|&(from_client, _)| !from_client);
    match (from_client, forward) {
        (false, _) => Seen::Output,
        (true, Forward::Route) if !replied => Seen::InputOnly,
        (true, _) => Seen::Input,
    }
}

/// By the table alone: a shortest path of packets to every state, apart for each way the next packet may be seen in.
fn paths(table: &Table, forward: Forward) -> BTreeMap<(String, Seen), Vec<Step>> {
    let mut found = BTreeMap::new();
    let mut open = VecDeque::from([("NONE".to_owned(), vec![])]);
    while let Some((state, path)) = open.pop_front() {
        let first = seen(forward, &path, true);
        if found.contains_key(&(state.clone(), first)) {
            continue;
        }
        found.insert((state.clone(), first), path.clone());
        for (from_client, event) in steps(&path) {
            let next = table.next(&state, seen(forward, &path, from_client), event);
            open.push_back((next.to_owned(), [&path[..], &[(from_client, event)]].concat()));
        }
    }
    found
}

/// The packets that may come next: the first is the client's, and no RST.
fn steps(path: &[Step]) -> impl Iterator<Item = Step> {
    let begun = !path.is_empty();
    let both = [true, false].into_iter().flat_map(|side| Event::ALL.map(|event| (side, event)));
    both.filter(move |&(from_client, event)| begun || (from_client && event != Event::Rst))
}

/// Drives every reachable cell of one forwarding method and returns the cells.
fn drive(table: &Table, forward: Forward, lab: fn(Forward) -> Lab) -> BTreeSet<(Seen, String, Event)> {
    let mut driven = BTreeSet::new();
    for ((state, _), path) in paths(table, forward) {
        for (from_client, event) in steps(&path) {
            let mut lab = lab(forward);
            for &earlier in &path {
                step(&mut lab, forward, earlier);
            }
            if !path.is_empty() {
                assert_eq!(lab.flow().state, state);
            }
            step(&mut lab, forward, (from_client, event));
            let column = seen(forward, &path, from_client);
            let next = table.row(table.next(&state, column, event));
            let cell = format!("{forward:?} {state} {column:?} {event:?}");
            assert_eq!(lab.state(), (next.name.as_str(), next.timeout), "{cell}");
            let active = u32::from(next.active);
            assert_eq!(lab.connections(lab.flow().real), (active, 1 - active), "{cell}");
            driven.insert((column, state.clone(), event));
        }
    }
    driven
}

/// The states of which every event was driven in a column, and for NONE those that may start a flow.
fn rows(driven: &BTreeSet<(Seen, String, Event)>, column: Seen) -> Vec<String> {
    let states: BTreeSet<&String> =
        driven.iter().filter(|cell| cell.0 == column).map(|cell| &cell.1).collect();
    for state in &states {
        for event in Event::ALL {
            let never = state.as_str() == "NONE" && event == Event::Rst;
            assert_eq!(driven.contains(&(column, (*state).clone(), event)), !never, "{column:?} {state}");
        }
    }
    states.into_iter().cloned().collect()
}

/// SYNACK is entered under secure_tcp only, LISTEN by the FTP helper, LAST_ACK by nothing; a reply cannot come first.
const BOTH_SIDES: [&str; 7] =
    ["CLOSE", "CLOSE_WAIT", "ESTABLISHED", "FIN_WAIT", "SYN_RECV", "SYN_SENT", "TIME_WAIT"];

#[test]
fn every_cell_of_a_masqueraded_connection() {
    let driven = drive(&Table::read(), Forward::Masq, lab);
    assert_eq!(rows(&driven, Seen::Output), BOTH_SIDES);
    let mut with_none = BOTH_SIDES.to_vec();
    with_none.insert(4, "NONE");
    assert_eq!(rows(&driven, Seen::Input), with_none);
    assert_eq!(rows(&driven, Seen::InputOnly), [""; 0]);
}

#[test]
fn every_cell_of_a_directly_routed_connection() {
    let driven = drive(&Table::read(), Forward::Route, lab);
    // From the client alone neither SYN_SENT nor CLOSE_WAIT is reached.
    let alone = ["CLOSE", "ESTABLISHED", "FIN_WAIT", "NONE", "SYN_RECV", "TIME_WAIT"];
    assert_eq!(rows(&driven, Seen::InputOnly), alone);
    assert_eq!(rows(&driven, Seen::Input), BOTH_SIDES);
    assert_eq!(rows(&driven, Seen::Output), BOTH_SIDES);
}

/// With SYNACK.
const BOTH_SIDES_SECURE: [&str; 8] =
    ["CLOSE", "CLOSE_WAIT", "ESTABLISHED", "FIN_WAIT", "SYNACK", "SYN_RECV", "SYN_SENT", "TIME_WAIT"];

#[test]
fn every_cell_of_a_masqueraded_connection_under_secure_tcp() {
    let driven = drive(&Table::secure(), Forward::Masq, secure_lab);
    assert_eq!(rows(&driven, Seen::Output), BOTH_SIDES_SECURE);
    let mut with_none = BOTH_SIDES_SECURE.to_vec();
    with_none.insert(4, "NONE");
    assert_eq!(rows(&driven, Seen::Input), with_none);
}

#[test]
fn every_cell_of_a_directly_routed_connection_under_secure_tcp() {
    let driven = drive(&Table::secure(), Forward::Route, secure_lab);
    // SYN_RECV is never entered from the client alone.
    let alone = ["CLOSE", "ESTABLISHED", "FIN_WAIT", "NONE", "SYNACK", "TIME_WAIT"];
    assert_eq!(rows(&driven, Seen::InputOnly), alone);
    assert_eq!(rows(&driven, Seen::Input), BOTH_SIDES_SECURE);
    assert_eq!(rows(&driven, Seen::Output), BOTH_SIDES_SECURE);
}

/// Reference 3.5: the last packet of the handshake does not open a connection under NAT, the real's next one does.
#[test]
fn secure_tcp_waits_for_the_real() {
    let mut lab = secure_lab(Forward::Masq);
    let steps = [
        (true, Event::Syn, "SYN_RECV"),
        (false, Event::Syn, "SYNACK"),
        (true, Event::Ack, "SYNACK"),
        (true, Event::Ack, "SYNACK"),
        (false, Event::Ack, "ESTABLISHED"),
        (true, Event::Ack, "ESTABLISHED"),
    ];
    for (from_client, event, state) in steps {
        step(&mut lab, Forward::Masq, (from_client, event));
        assert_eq!(lab.flow().state, state);
    }
}

/// An open connection does not notice that the tables change, in either direction.
#[test]
fn secure_tcp_comes_and_goes() {
    let mut lab = lab(Forward::Route);
    for (secure, half_open) in [(true, "SYNACK"), (false, "SYN_RECV"), (true, "SYNACK")] {
        lab.switch(|switches| switches.secure_tcp = secure);
        lab.sends(40_000, &[SYN, RST, SYN]);
        assert_eq!(lab.flow().state, half_open);
        lab.sends(40_000, &[ACK]);
        lab.switch(|switches| switches.secure_tcp = !secure);
        lab.sends(40_000, &[ACK]);
        assert_eq!(lab.flow().state, "ESTABLISHED");
    }
}

#[test]
fn flags_count_in_the_order_rst_syn_fin_ack() {
    let table = Table::read();
    for flags in 0..=u8::MAX {
        let mut lab = lab(Forward::Masq);
        for event in [Event::Syn, Event::Ack] {
            step(&mut lab, Forward::Masq, (true, event));
        }
        lab.client_sends(&request(40_000, flags));
        let next = table.next("ESTABLISHED", Seen::Input, Event::of(flags));
        assert_eq!(lab.flow().state, next, "flags {flags:#04x}");
    }
}

/// Every state lasts as long as the table says: there until its last moment, gone a moment after.
#[test]
fn states_time_out() {
    let table = Table::read();
    for ((state, _), path) in paths(&table, Forward::Masq) {
        if path.is_empty() {
            continue;
        }
        let mut lab = lab(Forward::Masq);
        for &earlier in &path {
            step(&mut lab, Forward::Masq, earlier);
        }
        let ticks = table.row(&state).timeout * 250;
        lab.wait(ticks - 1);
        assert_eq!(lab.state(), (state.as_str(), 0));
        // 256 ms, and the jiffy in which it looks.
        lab.wait(1 + 64);
        assert_eq!(lab.flows(), [], "{state}");
    }
}

#[test]
fn set_changes_established_and_fin_wait_from_the_next_packet_on() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    lab.client_sends(&request(40_000, SYN));
    lab.client_sends(&request(40_000, ACK));
    lab.change(|director| director.set_timeouts(Timeouts { tcp: 3600, tcp_fin: 0, udp: 0 })).unwrap();
    assert_eq!(lab.state(), ("ESTABLISHED", 900), "a running timer is left alone");
    lab.client_sends(&request(40_000, ACK));
    assert_eq!(lab.state(), ("ESTABLISHED", 3600));

    lab.change(|director| director.set_timeouts(Timeouts { tcp: 0, tcp_fin: 7, udp: 0 })).unwrap();
    lab.real_sends(&reply(1, 80, 40_000, FIN | ACK));
    assert_eq!(lab.state(), ("FIN_WAIT", 7));
    lab.client_sends(&request(40_000, FIN | ACK));
    assert_eq!(lab.state(), ("TIME_WAIT", 120), "the others are fixed");
    assert_eq!(lab.director.timeouts(), Timeouts { tcp: 3600, tcp_fin: 7, udp: 300 });
}

#[test]
fn set_changes_udp() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
    lab.change(|director| director.set_timeouts(Timeouts { tcp: 0, tcp_fin: 0, udp: 5 })).unwrap();
    lab.client_sends(&from_gateway(CLIENT).udp(5000, 53));
    assert_eq!(lab.state(), ("UDP", 5));
    lab.wait_seconds(5);
    assert_eq!(lab.flows(), []);
}
