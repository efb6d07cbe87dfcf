//! TCP: whole conversations, and the states they go through.

use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, PSH, RST, SYN, URG};

use super::super::answers::SERVER_SEQ;
use super::super::frames::{VIP, client, real, tcp};
use super::super::scenario::Scenario;
use super::{rules, syn};

/// The only real server of most scenarios, and its port.
const REAL: u8 = 10;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        conversations("NAT, whole conversations", "-m", 8080),
        conversations("direct routing, what clients send", "-g", 80),
        replies_past_direct_routing(),
        closed_by_the_client(),
        closed_by_the_server(),
        resets(),
        flags_out_of_place(),
        port_used_again("conn_reuse_mode=1"),
        port_used_again("conn_reuse_mode=0"),
        secure_tcp(),
        headers_kept(),
        port_mapped(),
    ]
}

fn one_real(name: &'static str) -> Scenario {
    Scenario::with(name, &rules(&format!("-t {VIP}:80"), "-s rr", &[(REAL, ":80 -m")]))
}

/// A segment of client 1 to the service.
fn up(source: u16, flags: u8) -> Frame {
    tcp((client(1), source), (VIP, 80), flags).seq(5001).ack(SERVER_SEQ + 1)
}

/// A segment of the real server to client 1.
fn down(source: u16, flags: u8) -> Frame {
    tcp((real(REAL), 80), (client(1), source), flags).seq(SERVER_SEQ).ack(5001)
}

fn conversations(name: &'static str, method: &str, port: u16) -> Scenario {
    let rest = format!(":{port} {method}");
    let rules = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, &rest), (11, &rest), (12, &rest)]);
    let mut scenario = Scenario::with(name, &rules).answered();
    for n in 1..5 {
        let segment = |flags| tcp((client(n), 40000), (VIP, 80), flags);
        let after = |seq: u32, ack: u32| segment(ACK).seq(5000 + seq).ack(SERVER_SEQ + ack);
        scenario = scenario
            .opened(n, 40000, 80)
            .frame("request", &segment(PSH | ACK).seq(5001).ack(SERVER_SEQ + 1).payload(b"GET /"))
            .frame("ACK", &after(6, 15))
            .frame("FIN", &segment(FIN | ACK).seq(5006).ack(SERVER_SEQ + 15))
            .frame("last ACK", &after(7, 16));
    }
    scenario.tables().counters()
}

/// Replies of direct routing that do come by the balancer move the state and are left as they are.
fn replies_past_direct_routing() -> Scenario {
    let from_vip = |flags| {
        tcp((VIP, 80), (client(1), 40000), flags)
            .seq(SERVER_SEQ)
            .ack(5001)
            .eth(super::super::frames::PORT_MACS[1], super::super::frames::real_mac(real(REAL)))
    };
    Scenario::with(
        "direct routing, replies that come by the balancer",
        &rules(&format!("-t {VIP}:80"), "-s rr", &[(REAL, ":80 -g")]),
    )
    .frame("SYN", &syn(1, 40000, 80))
    .frame("SYN-ACK from the VIP", &from_vip(SYN | ACK))
    .ipvsadm("-Lnc")
    .frame("ACK", &up(40000, ACK))
    .frame("FIN from the VIP", &from_vip(FIN | ACK))
    .tables()
    .counters()
}

fn states(scenario: Scenario, steps: &[(&str, Frame)]) -> Scenario {
    steps.iter().fold(scenario, |scenario, (label, frame)| scenario.frame(label, frame).ipvsadm("-Lnc"))
}

fn closed_by_the_client() -> Scenario {
    let steps = [
        ("SYN", syn(1, 40000, 80)),
        ("SYN-ACK", down(40000, SYN | ACK)),
        ("ACK", up(40000, ACK)),
        ("FIN from the client", up(40000, FIN | ACK)),
        ("its ACK", down(40000, ACK)),
        ("FIN from the server", down(40000, FIN | ACK)),
        ("last ACK", up(40000, ACK)),
    ];
    states(one_real("states, closed by the client"), &steps).tables().counters()
}

fn closed_by_the_server() -> Scenario {
    let steps = [
        ("SYN", syn(1, 40000, 80)),
        ("SYN-ACK", down(40000, SYN | ACK)),
        ("ACK", up(40000, ACK)),
        ("FIN from the server", down(40000, FIN | ACK)),
        ("FIN from the client", up(40000, FIN | ACK)),
        ("last ACK", down(40000, ACK)),
    ];
    states(one_real("states, closed by the server"), &steps).tables()
}

fn resets() -> Scenario {
    let steps = [
        ("SYN", syn(1, 40000, 80)),
        ("refused", down(40000, RST | ACK)),
        ("another SYN", syn(1, 40001, 80)),
        ("RST from the client", up(40001, RST)),
        ("a third SYN", syn(1, 40002, 80)),
        ("SYN-ACK", down(40002, SYN | ACK)),
        ("ACK", up(40002, ACK)),
        ("RST from the server", down(40002, RST)),
        ("data after it", up(40002, PSH | ACK).payload(b"late")),
    ];
    states(one_real("states, resets"), &steps).tables()
}

fn flags_out_of_place() -> Scenario {
    let steps = [
        ("SYN and ACK from a client, without a flow", up(40000, SYN | ACK)),
        ("SYN and FIN", up(40001, SYN | FIN)),
        ("SYN", syn(1, 40002, 80)),
        ("no flags", up(40002, 0)),
        ("SYN again", syn(1, 40002, 80)),
        ("URG alone", up(40002, URG)),
        ("SYN-ACK", down(40002, SYN | ACK)),
        ("SYN-ACK from the client", up(40002, SYN | ACK)),
        ("all flags", up(40002, FIN | SYN | RST | PSH | ACK | URG)),
    ];
    states(one_real("states, flags out of place"), &steps).tables()
}

fn port_used_again(switch: &'static str) -> Scenario {
    let name = if switch.ends_with('1') {
        "a client's port used again in TIME_WAIT"
    } else {
        "a client's port used again in TIME_WAIT, conn_reuse_mode=0"
    };
    let rules = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":80 -m"), (11, ":80 -m")]);
    let scenario = Scenario::with(name, &rules).switch(switch).answered().opened(1, 40000, 80);
    scenario
        .frame("FIN", &up(40000, FIN | ACK))
        .frame("last ACK", &up(40000, ACK))
        .ipvsadm("-Lnc")
        .frame("SYN, half a minute early", &syn(1, 40000, 80).seq(900_000))
        .ipvsadm("-Lnc")
        .frame("a SYN that was sent twice", &syn(1, 40000, 80).seq(900_000))
        .tables()
        .counters()
}

fn secure_tcp() -> Scenario {
    let steps = [
        ("SYN", syn(1, 40000, 80)),
        ("SYN-ACK", down(40000, SYN | ACK)),
        ("ACK", up(40000, ACK)),
        ("data from the client", up(40000, PSH | ACK).payload(b"x")),
        ("ACK from the server", down(40000, ACK)),
    ];
    states(one_real("secure_tcp=3").switch("secure_tcp=3"), &steps).tables()
}

/// What a balancer must leave as it is, and a checksum that must stay wrong.
fn headers_kept() -> Scenario {
    let data = |payload: &[u8]| up(40000, PSH | ACK).payload(payload);
    one_real("headers that are left as they are")
        .answered()
        .opened(1, 40000, 80)
        .frame("TOS and a TTL of 2", &data(b"tos").tos(0xb9).ttl(2))
        .frame("an odd length", &data(b"odd"))
        .frame("1460 bytes", &data(&[0x55; 1460]))
        .frame("a wrong checksum", &data(b"wrong").wrong_transport_checksum())
        .frame("options of IP", &data(b"options").options(&[1, 1, 1, 0]))
        .frame("an urgent pointer", &up(40000, ACK | URG).payload(b"!"))
        .tables()
        .counters()
}

fn port_mapped() -> Scenario {
    let mut all = rules(&format!("-t {VIP}:80"), "-s rr", &[(10, ":8080 -m"), (11, ":8081 -m")]);
    all += &rules(&format!("-t {VIP}:443"), "-s rr", &[(10, ":8443 -m"), (11, ":443 -m")]);
    let mut scenario = Scenario::with("NAT, ports mapped, two services", &all).answered();
    for n in 1..=4 {
        scenario = scenario.opened(n, 40000, 80).opened(n, 40000, 443);
    }
    scenario.tables().counters()
}
