//! Who is chosen, flow after flow, and what edits in between make of it.

use std::net::Ipv4Addr;

use super::super::frames::{VIP, client, udp, vip};
use super::super::scenario::Scenario;
use super::rules;

/// Four real servers of these weights behind an address of their own.
const WEIGHTS: [(u8, u32); 4] = [(10, 1), (11, 4), (12, 2), (13, 3)];

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<_> = ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "lblc", "lblcr"]
        .map(|scheduler| connections(scheduler).named(scheduler))
        .into();
    all.extend([
        hashed("sh", "sh-fallback"),
        hashed("mh", "mh-fallback"),
        by_destination(),
        wrr_of_common_factors(),
        datagrams("wlc", "wlc, UDP flows, which count as inactive"),
        datagrams("sed", "sed, UDP flows, which count as inactive"),
        nothing_chosen(),
    ]);
    all
}

/// TCP connections that stay open, and edits in between.
fn connections(scheduler: &str) -> Scenario {
    let service = format!("-t {VIP}:80");
    let mut scenario = Scenario::with("", &weighted(&service, &format!("-s {scheduler}"))).answered();
    let mut next = 0;
    let mut open = |mut scenario: Scenario, count: u8| {
        for _ in 0..count {
            next += 1;
            scenario = scenario.opened(next, 40000, 80);
        }
        scenario
    };
    scenario = open(scenario, 12).ipvsadm(&format!("-e {service} -r 10.0.0.12:8080 -m -w 6"));
    scenario = open(scenario, 6).ipvsadm(&format!("-a {service} -r 10.0.0.14:8080 -m -w 2"));
    scenario = open(scenario, 6).ipvsadm(&format!("-d {service} -r 10.0.0.11:8080"));
    scenario = open(scenario, 6).ipvsadm(&format!("-e {service} -r 10.0.0.13:8080 -m -w 0"));
    open(scenario, 6).tables()
}

fn weighted(service: &str, words: &str) -> String {
    let reals: Vec<_> = WEIGHTS.map(|(n, weight)| (n, format!(":8080 -m -w {weight}"))).into();
    let reals: Vec<_> = reals.iter().map(|(n, rest)| (*n, rest.as_str())).collect();
    rules(service, words, &reals)
}

/// Clients and ports by hash, and again with one real server at weight 0.
fn hashed(scheduler: &'static str, flags: &'static str) -> Scenario {
    let service = format!("-u {VIP}:53");
    let words =
        if flags.is_empty() { format!("-s {scheduler}") } else { format!("-s {scheduler} -b {flags}") };
    let name = if flags.is_empty() { scheduler } else { flags };
    let clients = |mut scenario: Scenario, source: u16| {
        for n in 1..=24 {
            let frame = udp((client(n * 7), source + u16::from(n)), (VIP, 53));
            scenario = scenario.frame(&format!("client {}", n * 7), &frame);
        }
        scenario
    };
    let scenario = clients(Scenario::with(name, &weighted(&service, &words)), 5000);
    let scenario = scenario.ipvsadm(&format!("-e {service} -r 10.0.0.11:8080 -m -w 0"));
    clients(scenario, 6000).tables()
}

/// dh looks at the address that a client asks for.
fn by_destination() -> Scenario {
    let vips: [Ipv4Addr; 4] = [vip(1), vip(2), vip(3), vip(4)];
    let all: String = vips.iter().map(|vip| weighted(&format!("-u {vip}:53"), "-s dh")).collect();
    let mut scenario = Scenario::with("dh", &all);
    for vip in vips {
        for n in 1..=2 {
            scenario = scenario.frame(&format!("client {n} to {vip}"), &udp((client(n), 5000), (vip, 53)));
        }
    }
    scenario.tables()
}

fn wrr_of_common_factors() -> Scenario {
    let reals = [(10, ":53 -m -w 6"), (11, ":53 -m -w 4"), (12, ":53 -m -w 2")];
    let rules = rules(&format!("-u {VIP}:53"), "-s wrr", &reals);
    let mut scenario = Scenario::with("wrr, weights with a common factor", &rules);
    for n in 1..=18 {
        scenario = scenario.frame(&format!("flow {n}"), &udp((client(n), 5000), (VIP, 53)));
    }
    scenario.tables()
}

fn datagrams(scheduler: &str, name: &'static str) -> Scenario {
    let mut scenario =
        Scenario::with(name, &weighted(&format!("-u {VIP}:53"), &format!("-s {scheduler}"))).answered();
    for n in 1..=20 {
        scenario = scenario.frame(&format!("flow {n}"), &udp((client(n), 5000), (VIP, 53)));
    }
    scenario.tables()
}

/// Flows stay with their real server while every scheduler that there is comes and goes.
fn nothing_chosen() -> Scenario {
    let service = format!("-t {VIP}:80");
    let mut scenario =
        Scenario::with("a change of scheduler in the middle", &weighted(&service, "-s rr")).answered();
    for (n, scheduler) in (1..).zip(["wrr", "lc", "sh", "mh", "lblcr", "dh", "rr"]) {
        scenario = scenario
            .opened(n, 40000, 80)
            .opened(n, 40001, 80)
            .ipvsadm(&format!("-E {service} -s {scheduler}"))
            .frame("another ACK of the first flow", &super::ack(1, 40000, 80));
    }
    scenario.tables()
}
