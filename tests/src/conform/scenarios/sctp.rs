//! SCTP: its states by the first chunk, and its checksum made anew.

use sluice_packet::build::Frame;

use super::super::frames::{VIP, client, ip, real};
use super::super::scenario::Scenario;
use super::rules;

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const ABORT: u8 = 6;
const SHUTDOWN: u8 = 7;
const SHUTDOWN_ACK: u8 = 8;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;
const SHUTDOWN_COMPLETE: u8 = 14;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        association("NAT, an association from its start to its end", "-m"),
        aborted(),
        direct(),
        without_init(),
    ]
}

fn up(chunk: u8) -> Frame {
    ip(client(1), VIP).sctp(40000, 9899, chunk).verification_tag(77).payload(&[1, 2, 3, 4, 5, 6, 7, 8])
}

fn down(chunk: u8) -> Frame {
    ip(real(10), client(1)).sctp(9900, 40000, chunk).verification_tag(78).payload(&[8, 7, 6, 5])
}

fn service(rest: &str) -> String {
    rules(&format!("--sctp-service {VIP}:9899"), "-s rr", &[(10, rest)])
}

fn states(scenario: Scenario, steps: &[(&str, Frame)]) -> Scenario {
    steps.iter().fold(scenario, |scenario, (label, frame)| scenario.frame(label, frame).ipvsadm("-Lnc"))
}

fn association(name: &'static str, method: &str) -> Scenario {
    let steps = [
        ("INIT", up(INIT)),
        ("INIT ACK", down(INIT_ACK)),
        ("COOKIE ECHO", up(COOKIE_ECHO)),
        ("COOKIE ACK", down(COOKIE_ACK)),
        ("DATA", up(DATA)),
        ("DATA back", down(DATA)),
        ("SHUTDOWN", up(SHUTDOWN)),
        ("SHUTDOWN ACK", down(SHUTDOWN_ACK)),
        ("SHUTDOWN COMPLETE", up(SHUTDOWN_COMPLETE)),
        ("INIT again", up(INIT)),
    ];
    states(Scenario::with(name, &service(&format!(":9900 {method}"))), &steps).tables().counters()
}

fn aborted() -> Scenario {
    let steps = [
        ("INIT", up(INIT)),
        ("ABORT from the server", down(ABORT)),
        ("INIT once more", up(INIT)),
        ("INIT ACK", down(INIT_ACK)),
        ("ABORT", up(ABORT)),
    ];
    states(Scenario::with("aborted", &service(":9900 -m")), &steps).tables()
}

fn direct() -> Scenario {
    let steps = [
        ("INIT", up(INIT)),
        ("COOKIE ECHO", up(COOKIE_ECHO)),
        ("DATA", up(DATA)),
        ("SHUTDOWN", up(SHUTDOWN)),
    ];
    states(Scenario::with("direct routing", &service(":9899 -g")), &steps).tables()
}

fn without_init() -> Scenario {
    let scenario = Scenario::with("sloppy_sctp", &service(":9900 -m"));
    let scenario = scenario.frame("ABORT without a flow", &up(ABORT)).switch("sloppy_sctp=1");
    states(scenario, &[("DATA without a flow", up(DATA)), ("ABORT", up(ABORT))]).tables()
}
