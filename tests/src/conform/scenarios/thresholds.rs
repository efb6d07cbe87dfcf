//! Thresholds: real servers that are full, and when they are so no more.

use sluice_packet::header::flags::RST;

use super::super::frames::{VIP, client, tcp, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![upper(), upper_and_lower(), all_full()]
}

fn service(one: &str) -> String {
    let one = format!(":80 -m {one}");
    rules(&format!("-t {VIP}:80"), "-s rr", &[(10, &one), (11, ":80 -m")])
}

fn upper() -> Scenario {
    let mut scenario = Scenario::with("an upper one", &service("-x 2")).answered();
    for n in 1..=8 {
        scenario = scenario.opened(n, 40000, 80);
    }
    scenario.tables()
}

fn upper_and_lower() -> Scenario {
    let mut scenario = Scenario::with("an upper and a lower one", &service("-x 4 -y 2")).answered();
    for n in 1..=12 {
        scenario = scenario.opened(n, 40000, 80);
    }
    scenario.tables()
}

fn all_full() -> Scenario {
    let rules = rules(&format!("-u {VIP}:53"), "-s wlc", &[(10, ":53 -m -x 1"), (11, ":53 -m -x 1")]);
    Scenario::with("flows go, and there is room again", &rules)
        .ipvsadm("--set 0 0 2")
        .frame("client 1", &udp((client(1), 5000), (VIP, 53)))
        .frame("client 2", &udp((client(2), 5000), (VIP, 53)))
        .ipvsadm("-Ln --thresholds")
        .pause(3.2)
        .frame("client 3", &udp((client(3), 5000), (VIP, 53)))
        .frame("client 4", &udp((client(4), 5000), (VIP, 53)))
        .frame("a RST to nobody", &tcp((client(4), 5000), (VIP, 53), RST))
        .tables()
}
