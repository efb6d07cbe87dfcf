//! Fwmark services: iptables' marks in the kernel, mark rules in Sluice.

use sluice_packet::header::flags::SYN;

use super::super::frames::{VIP, client, tcp, udp, vip};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![ports_as_one(), mapped(), mark_before_address(), direct(), mark_of_no_service()]
}

fn ports_as_one() -> Scenario {
    Scenario::with("several ports as one service", &rules("-f 7", "-s rr", &[(10, ":0 -m"), (11, ":0 -m")]))
        .mark("-p tcp -d 203.0.113.1 --dport 80", 7)
        .mark("-p tcp -d 203.0.113.1 --dport 443", 7)
        .answered()
        .opened(1, 40000, 80)
        .opened(2, 40000, 443)
        .opened(3, 40000, 80)
        .frame("a port that is not marked", &tcp((client(1), 40001), (VIP, 81), SYN))
        .tables()
        .counters()
}

fn mapped() -> Scenario {
    Scenario::with(
        "the real server's port in place of the client's",
        &rules("-f 7", "-s wlc", &[(10, ":8080 -m")]),
    )
    .mark("-p tcp -d 203.0.113.1", 7)
    .answered()
    .opened(1, 40000, 80)
    .opened(1, 40001, 443)
    .tables()
}

fn mark_before_address() -> Scenario {
    let all = rules("-f 7", "-s rr", &[(10, ":0 -m")])
        + &rules(&format!("-t {VIP}:80"), "-s rr", &[(11, ":80 -m")])
        + &rules("-f 8", "-s rr", &[(12, ":0 -m")]);
    Scenario::with("the mark comes before the address", &all)
        .mark("-p tcp -s 198.51.100.1 --dport 80", 7)
        .mark("-p udp", 8)
        .answered()
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .frame("UDP", &udp((client(2), 5000), (vip(2), 53)))
        .tables()
        .counters()
}

fn direct() -> Scenario {
    Scenario::with("direct routing", &rules("-f 7", "-s rr", &[(10, ":0 -g"), (11, ":0 -g")]))
        .mark("-d 203.0.113.0/24", 7)
        .frame("TCP", &tcp((client(1), 40000), (VIP, 80), SYN))
        .frame("UDP", &udp((client(1), 40000), (vip(2), 80)))
        .frame("TCP to another address", &tcp((client(1), 40000), (vip(3), 8080), SYN))
        .tables()
}

fn mark_of_no_service() -> Scenario {
    let all = rules(&format!("-t {VIP}:80"), "-s rr", &[(11, ":80 -m")]) + "-A -f 8 -s rr\n";
    Scenario::with("a mark that has no service is as none", &all)
        .mark("-p tcp", 99)
        .answered()
        .opened(1, 40000, 80)
        .tables()
}
