//! Changes of the tables while flows are alive.

use sluice_packet::header::flags::{ACK, PSH};

use super::super::answers::SERVER_SEQ;
use super::super::frames::{VIP, client, real, tcp, udp};
use super::super::scenario::Scenario;
use super::{ack, rules, syn};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        removed_and_back(),
        removed_with_expire(),
        quiesced(),
        method_changed(),
        service_removed(),
        cleared(),
        zeroed(),
        weight_zero_with_expire(),
    ]
}

fn two(name: &'static str) -> Scenario {
    let rules = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m"), (11, ":80 -m")]);
    Scenario::with(name, &rules).answered()
}

/// Data on an open connection of client `n`, and what its server might send.
fn talk(scenario: Scenario, n: u8, server: u8) -> Scenario {
    let up = tcp((client(n), 40000), (VIP, 80), PSH | ACK).seq(5001).ack(SERVER_SEQ + 1).payload(b"data");
    let down = tcp((real(server), 80), (client(n), 40000), ACK).seq(SERVER_SEQ + 1).ack(5001);
    scenario.frame(&format!("client {n}: data"), &up).frame(&format!("server {server}: ACK"), &down)
}

fn removed_and_back() -> Scenario {
    let scenario = two("a real server is removed and comes back")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-d -t {VIP}:80 -r 10.0.0.11:80"));
    let scenario =
        talk(talk(scenario, 1, 11), 2, 10).frame("SYN on the lost flow", &syn(1, 40000, 80)).tables();
    let scenario = scenario.ipvsadm(&format!("-a -t {VIP}:80 -r 10.0.0.11:80 -m -w 5"));
    talk(scenario, 1, 11).opened(3, 40000, 80).tables().counters()
}

fn removed_with_expire() -> Scenario {
    let scenario = two("expire_nodest_conn=1")
        .switch("expire_nodest_conn=1")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-d -t {VIP}:80 -r 10.0.0.11:80"))
        .pause(0.2)
        .ipvsadm("-Lnc");
    scenario.frame("SYN of the lost flow", &syn(1, 40000, 80)).frame("ACK", &ack(1, 40000, 80)).tables()
}

fn quiesced() -> Scenario {
    let scenario = two("weight 0 keeps flows")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-e -t {VIP}:80 -r 10.0.0.11:80 -m -w 0"));
    talk(scenario, 1, 11).opened(3, 40000, 80).opened(4, 40000, 80).tables()
}

fn weight_zero_with_expire() -> Scenario {
    two("weight 0 and expire_nodest_conn=1: a SYN goes elsewhere")
        .switch("expire_nodest_conn=1")
        .opened(1, 40000, 80)
        .ipvsadm(&format!("-e -t {VIP}:80 -r 10.0.0.11:80 -m -w 0"))
        .frame("ACK of the flow", &ack(1, 40000, 80))
        .frame("SYN of the flow", &syn(1, 40000, 80))
        .tables()
}

/// Flows go on with the method that they were made with, new ones take the new one.
fn method_changed() -> Scenario {
    const ONE_ROUTE: &str = "a real server's forwarding method is changed from NAT to direct routing: the kernel remembers \
                             one route per real server for both, and once a NAT flow has renewed it, packets of new \
                             flows ask the wire for the VIP's MAC address and are lost; Sluice sends them to the real \
                             server";
    let scenario = two("the forwarding method is changed")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-e -t {VIP}:80 -r 10.0.0.11:80 -g"));
    talk(scenario, 1, 11)
        .frame("SYN of a new flow", &syn(3, 40000, 80))
        .differs(ONE_ROUTE)
        .frame("its ACK", &ack(3, 40000, 80))
        .differs(ONE_ROUTE)
        // Nobody has answered the kernel.
        .pause(3.5)
        .differs(ONE_ROUTE)
        .tables()
}

fn service_removed() -> Scenario {
    let rules = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m")])
        + &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -m")]);
    let scenario = Scenario::with("the service is removed and comes back, another one stays", &rules)
        .answered()
        .opened(1, 40000, 80)
        .ipvsadm(&format!("-D -t {VIP}:80"));
    let scenario = talk(scenario, 1, 10)
        .frame("SYN to where nothing is", &syn(2, 40000, 80))
        .tables()
        .ipvsadm(&format!("-A -t {VIP}:80 -s rr"))
        .ipvsadm(&format!("-a -t {VIP}:80 -r 10.0.0.10:80 -m"));
    talk(scenario, 1, 10).opened(2, 40000, 80).tables()
}

fn cleared() -> Scenario {
    two("all is cleared").opened(1, 40000, 80).ipvsadm("-C").ipvsadm("-Ln").ipvsadm("-Lnc").ipvsadm("-C")
}

fn zeroed() -> Scenario {
    let rules = rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -m"), (11, ":53 -m")])
        + &rules(&format!("-u {VIP}:54"), "-s rr", &[(10, ":54 -m")]);
    let mut scenario = Scenario::with("counters are set to zero", &rules).answered();
    for n in 1..=4 {
        scenario = scenario.frame("query", &udp((client(n), 5000), (VIP, 53)));
    }
    scenario
        .frame("query to the other service", &udp((client(1), 5000), (VIP, 54)))
        .counters()
        .ipvsadm(&format!("-Z -u {VIP}:53"))
        .ipvsadm("-Ln --stats --exact")
        .frame("query", &udp((client(1), 5000), (VIP, 53)))
        .frame("query to the other service", &udp((client(1), 5000), (VIP, 54)))
        .counters()
        .ipvsadm("-Z")
        .ipvsadm("-Ln --stats --exact")
        .ipvsadm("-Z -t 203.0.113.1:99")
}
