//! Timeouts, those that `--set` makes short enough to wait for.

use sluice_packet::header::flags::{ACK, FIN};

use super::super::answers::SERVER_SEQ;
use super::super::frames::{VIP, client, tcp, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![set(), short()]
}

fn service() -> String {
    rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m")])
        + &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -m")])
}

/// A flow takes a new timeout with its next packet.
fn set() -> Scenario {
    let query = udp((client(1), 5000), (VIP, 53));
    Scenario::with("--set, and when flows take it up", &service())
        .answered()
        .ipvsadm("-L --timeout")
        .opened(1, 40000, 80)
        .frame("query", &query)
        .ipvsadm("--set 200 30 40")
        .ipvsadm("-L --timeout")
        .ipvsadm("-Lnc")
        .frame("query again", &query)
        .frame("another ACK", &super::ack(1, 40000, 80))
        .ipvsadm("-Lnc")
        .ipvsadm("--set 0 0 50")
        .ipvsadm("-L --timeout")
        .frame("query again", &query)
        .tables()
}

/// Flows come to their end, and counts with them.
fn short() -> Scenario {
    let fin = tcp((client(2), 40000), (VIP, 80), FIN | ACK).seq(5001).ack(SERVER_SEQ + 1);
    Scenario::with("flows expire", &service())
        .answered()
        .ipvsadm("--set 3 2 2")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .frame("FIN", &fin)
        .frame("query", &udp((client(1), 5000), (VIP, 53)))
        .tables()
        .pause(2.6)
        .ipvsadm("-Lnc")
        .pause(1.2)
        .tables()
        .frame("ACK of a flow that is gone", &super::ack(1, 40000, 80))
        .frame("query", &udp((client(1), 5000), (VIP, 53)))
        .tables()
}
