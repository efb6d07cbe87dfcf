//! Packets that are no service's, and those that concern a service only nearly.

use sluice_packet::header::flags::{ACK, PSH, RST, SYN};

use super::super::frames::{DIRECTORS, VIP, client, ip, real, tcp, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![without_a_flow(), without_a_service(), source_port_20(), from_reals()]
}

fn service() -> String {
    rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m")])
        + &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -m")])
}

fn without_a_flow() -> Scenario {
    let segment = |flags| tcp((client(1), 40000), (VIP, 80), flags).seq(7).ack(9);
    Scenario::with("TCP to a service without a flow", &service())
        .frame("ACK", &segment(ACK))
        .frame("data", &segment(PSH | ACK).payload(b"x"))
        .frame("RST", &segment(RST))
        .tables()
        .counters()
}

fn without_a_service() -> Scenario {
    let echo = |to| ip(client(1), to).icmp(8, 0, 0x0007_0001).payload(b"abcdefgh");
    Scenario::with("to addresses of the balancer where nothing is served", &service())
        .frame("SYN", &tcp((client(1), 40000), (VIP, 81), SYN).seq(7))
        .frame("UDP", &udp((client(1), 5000), (VIP, 54)))
        .frame("ping of the VIP", &echo(VIP))
        .frame("ping of the balancer", &echo(DIRECTORS[0]))
        .tables()
}

fn source_port_20() -> Scenario {
    Scenario::with("a client's port 20 is never served", &service())
        .frame("SYN", &tcp((client(1), 20), (VIP, 80), SYN).seq(7))
        .frame("UDP", &udp((client(1), 20), (VIP, 53)))
        .tables()
}

fn from_reals() -> Scenario {
    Scenario::with("real servers on their own account", &service())
        .frame("data of no flow", &tcp((real(10), 80), (client(1), 40000), ACK).seq(7).ack(9))
        .frame("a query of its own", &udp((real(10), 5000), (client(9), 53)))
        .frame("a reply of no flow", &udp((real(10), 53), (client(9), 5000)))
        .tables()
}
