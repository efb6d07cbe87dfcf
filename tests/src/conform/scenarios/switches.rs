//! Switches of net.ipv4.vs that no other area is about.

use sluice_packet::header::flags::{ACK, PSH, RST, SYN};

use super::super::frames::{VIP, client, tcp};
use super::super::scenario::Scenario;
use super::{rules, syn};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![sloppy_tcp(), drop_packet()]
}

fn sloppy_tcp() -> Scenario {
    let segment = |source, flags| tcp((client(1), source), (VIP, 80), flags).seq(7).ack(9);
    Scenario::with("sloppy_tcp", &rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m")]))
        .switch("sloppy_tcp=1")
        .frame("ACK without a flow", &segment(40000, ACK))
        .frame("data without a flow", &segment(40001, PSH | ACK).payload(b"x"))
        .frame("RST without a flow", &segment(40002, RST))
        .frame("SYN", &segment(40003, SYN))
        .tables()
        .switch("sloppy_tcp=0")
        .frame("ACK without a flow", &segment(40004, ACK))
        .tables()
}

fn drop_packet() -> Scenario {
    let rules = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m")]);
    let mut scenario =
        Scenario::with("drop_packet=3", &rules).switch("am_droprate=3").switch("drop_packet=3").pause(1.2);
    for n in 1..=10 {
        scenario = scenario.frame(&format!("SYN {n}"), &syn(n, 40000, 80));
    }
    scenario.tables()
}
