//! One-packet scheduling: every datagram is chosen for anew.

use super::super::frames::{VIP, client, real, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        datagrams("NAT, replies included", "-s rr -o", "-m"),
        datagrams("direct routing", "-s wlc -o", "-g"),
        datagrams("with persistence", "-s rr -o -p 60", "-m"),
        datagrams("by hash", "-s sh -o", "-m"),
    ]
}

fn datagrams(name: &'static str, words: &str, method: &str) -> Scenario {
    let rest = format!(":53 {method}");
    let rules = rules(&format!("-u {VIP}:53"), words, &[(10, &rest), (11, &rest), (12, &rest)]);
    let mut scenario = Scenario::with(name, &rules);
    for n in [1, 1, 1, 2, 2, 1] {
        scenario = scenario.frame(&format!("client {n}"), &udp((client(n), 5000), (VIP, 53)));
    }
    scenario.frame("a reply", &udp((real(12), 53), (client(1), 5000))).tables().counters()
}
