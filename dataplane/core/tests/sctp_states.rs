//! Every cell of the SCTP state tables that packets can reach, driven by packets and compared with the tables as text.
mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::sctp_table::{CHUNKS, event, next, timeout};
use common::tcp_table::Seen;
use common::*;
use sluice_core::{Forward, Protocol, Verdict};
use sluice_packet::build::Frame;

/// One packet of an association: whether the client sends it, and its chunk type.
type Step = (bool, u8);

/// A service with one real, on which an INIT never replaces a flow and any packet but ABORT starts one.
fn lab(forward: Forward) -> Lab {
    let mut lab = Lab::new();
    let real = if forward == Forward::Masq { masq(1, 9899) } else { route(1, 9899) };
    lab.add(service(Protocol::Sctp, 9899, "rr"), [real]);
    lab.switch(|switches| (switches.conn_reuse_mode, switches.sloppy_sctp) = (0, true));
    lab
}

fn frame(forward: Forward, from_client: bool, chunk: u8) -> Frame {
    match (from_client, forward) {
        (true, _) => from_gateway(CLIENT).sctp(40_000, 9899, chunk),
        (false, Forward::Masq) => from_link(1).ipv4(real(1), CLIENT).sctp(9899, 40_000, chunk),
        (false, _) => from_link(1).ipv4(VIP, CLIENT).sctp(9899, 40_000, chunk),
    }
}

fn step(lab: &mut Lab, forward: Forward, (from_client, chunk): Step) {
    send(lab, forward, from_client, &frame(forward, from_client, chunk));
}

fn send(lab: &mut Lab, forward: Forward, from_client: bool, frame: &Frame) {
    let verdict = match (from_client, forward) {
        (true, _) => (lab.client_sends(frame).0, TO_REAL),
        (false, Forward::Masq) => (lab.real_sends(frame).0, TO_CLIENT),
        (false, _) => (lab.real_sends(frame).0, Verdict::ToKernel),
    };
    assert_eq!(verdict.0, verdict.1);
}

fn seen(forward: Forward, path: &[Step], from_client: bool) -> Seen {
    let replied = path.iter().any(|&(from_client, _)| !from_client);
    match (from_client, forward) {
        (false, _) => Seen::Output,
        (true, Forward::Route) if !replied => Seen::InputOnly,
        (true, _) => Seen::Input,
    }
}

/// The packets that may come next: the first is the client's, and no ABORT.
fn steps(path: &[Step]) -> impl Iterator<Item = Step> {
    let begun = !path.is_empty();
    let both = [true, false].into_iter().flat_map(|side| CHUNKS.map(|chunk| (side, chunk)));
    both.filter(move |&(from_client, chunk)| begun || (from_client && chunk != 6))
}

/// By the tables alone: a shortest path of packets to every state, apart for each way the next packet may be seen in.
fn paths(forward: Forward) -> BTreeMap<(&'static str, Seen), Vec<Step>> {
    let mut found = BTreeMap::new();
    let mut open = VecDeque::from([("NONE", vec![])]);
    while let Some((state, path)) = open.pop_front() {
        let from_client = seen(forward, &path, true);
        if found.contains_key(&(state, from_client)) {
            continue;
        }
        found.insert((state, from_client), path.clone());
        for (side, chunk) in steps(&path) {
            let after = next(state, seen(forward, &path, side), event(chunk).unwrap());
            open.push_back((after, [&path[..], &[(side, chunk)]].concat()));
        }
    }
    found
}

fn walked(forward: Forward, path: &[Step]) -> Lab {
    let mut lab = lab(forward);
    for &earlier in path {
        step(&mut lab, forward, earlier);
    }
    lab
}

/// Drives every reachable cell of one forwarding method and returns the cells.
fn drive(forward: Forward) -> BTreeSet<(Seen, &'static str, u8)> {
    let mut driven = BTreeSet::new();
    for ((state, _), path) in paths(forward) {
        for (from_client, chunk) in steps(&path) {
            let mut lab = walked(forward, &path);
            if !path.is_empty() {
                assert_eq!(lab.flow().state, state);
            }
            step(&mut lab, forward, (from_client, chunk));
            let column = seen(forward, &path, from_client);
            let after = next(state, column, event(chunk).unwrap());
            let cell = format!("{forward:?} {state} {column:?} chunk {chunk}");
            assert_eq!(lab.state(), (after, timeout(after)), "{cell}");
            let active = u32::from(after == "ESTABLISHED");
            assert_eq!(lab.connections(lab.flow().real), (active, 1 - active), "{cell}");
            driven.insert((column, state, chunk));
        }
    }
    driven
}

/// The states of which every event was driven in a column, and for NONE those that may start a flow.
fn rows(driven: &BTreeSet<(Seen, &'static str, u8)>, column: Seen) -> Vec<&'static str> {
    let states: BTreeSet<&'static str> =
        driven.iter().filter(|cell| cell.0 == column).map(|cell| cell.1).collect();
    for state in &states {
        for chunk in CHUNKS {
            let never = *state == "NONE" && chunk == 6;
            assert_eq!(driven.contains(&(column, state, chunk)), !never, "{column:?} {state} {chunk}");
        }
    }
    states.into_iter().collect()
}

/// All states but NONE, which a reply never meets.
const BOTH_SIDES: [&str; 13] = [
    "C-ECHOED",
    "C-REPLIED",
    "C-SENT",
    "C-WAIT",
    "CLOSED",
    "COOKIE",
    "ESTABLISHED",
    "INIT",
    "INIT1",
    "REJECTED",
    "S-ACK-SENT",
    "S-RECEIVED",
    "S-SENT",
];

#[test]
fn every_cell_of_a_masqueraded_association() {
    let driven = drive(Forward::Masq);
    assert_eq!(rows(&driven, Seen::Output), BOTH_SIDES);
    let mut with_none = BOTH_SIDES.to_vec();
    with_none.insert(9, "NONE");
    assert_eq!(rows(&driven, Seen::Input), with_none);
    assert_eq!(rows(&driven, Seen::InputOnly), [""; 0]);
}

#[test]
fn every_cell_of_a_directly_routed_association() {
    let driven = drive(Forward::Route);
    // What only a packet from the real leads to is not reached from the client alone.
    let alone = ["C-ECHOED", "CLOSED", "ESTABLISHED", "INIT", "INIT1", "NONE", "S-RECEIVED"];
    assert_eq!(rows(&driven, Seen::InputOnly), alone);
    for column in [Seen::Input, Seen::Output] {
        let driven = rows(&driven, column);
        assert!(BOTH_SIDES.iter().all(|state| driven.contains(state)), "{column:?}: {driven:?}");
    }
}

/// Types that are not told apart count as DATA.
#[test]
fn every_chunk_type_has_its_event() {
    for (path, state) in [(vec![], "NONE"), (vec![(true, 1)], "INIT1"), (vec![(true, 0)], "ESTABLISHED")] {
        for chunk in (0..=u8::MAX).filter(|&chunk| chunk != 6 || !path.is_empty()) {
            let mut lab = walked(Forward::Masq, &path);
            step(&mut lab, Forward::Masq, (true, chunk));
            // On the wire 255 is a type like any that nobody knows.
            let after = next(state, Seen::Input, event(chunk).unwrap_or(0));
            assert_eq!(lab.flow().state, after, "{state}, chunk {chunk}");
        }
    }
}

/// COOKIE ECHO or COOKIE ACK with ABORT behind it ends the association; in any other place ABORT is not looked for.
#[test]
fn an_abort_behind_a_cookie_counts() {
    let abort = [6, 0, 0, 4];
    for (chunk, value, after) in [
        (10, 5, "CLOSED"),
        (11, 0, "CLOSED"),
        (11, 8, "CLOSED"),
        (0, 8, "ESTABLISHED"),
        (3, 0, "ESTABLISHED"),
        (9, 4, "ESTABLISHED"),
    ] {
        let mut lab = walked(Forward::Masq, &[(true, 1), (true, 2), (false, 11)]);
        assert_eq!(lab.flow().state, "ESTABLISHED");
        // A chunk's length does not count its padding; that of the first is set by hand.
        let padded = vec![0xee; usize::from(value as u8).next_multiple_of(4)];
        let first = [&[chunk, 0, 0, 4 + value as u8], &padded[..]].concat();
        let packet = [&[0x9c, 0x40, 0x26, 0xab, 0, 0, 0, 0, 0, 0, 0, 0], &first[..], &abort].concat();
        send(&mut lab, Forward::Masq, true, &from_gateway(CLIENT).protocol(132).payload(&packet));
        assert_eq!(lab.flow().state, after, "chunk {chunk} with {value} bytes");
    }
}

/// Every state lasts as long as the table says: there until its last moment, gone a moment after.
#[test]
fn states_time_out() {
    for ((state, _), path) in paths(Forward::Masq) {
        if path.is_empty() {
            continue;
        }
        let mut lab = walked(Forward::Masq, &path);
        let ticks = timeout(state) * 250;
        lab.wait(ticks - 1);
        assert_eq!(lab.state(), (state, 0));
        // 256 ms, and the jiffy in which it looks.
        lab.wait(1 + 64);
        assert_eq!(lab.flows(), [], "{state}");
    }
}
