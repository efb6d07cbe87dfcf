//! Persistence: every kind of template.

use sluice_packet::header::flags::SYN;

use super::super::frames::{VIP, client, tcp, udp, vip};
use super::super::scenario::Scenario;
use super::rules;

/// Three real servers under NAT, each at the client's own port.
const REALS: [(u8, &str); 3] = [(10, ":80 -m"), (11, ":80 -m"), (12, ":80 -m")];
const ANY_PORT: [(u8, &str); 3] = [(10, ":0 -m"), (11, ":0 -m"), (12, ":0 -m")];

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        by_client(),
        by_network(),
        port_zero(),
        ftp_ports(),
        by_mark(),
        quiesced(),
        quiesced_for_good(),
        removed(),
        expired(),
        datagrams(),
        full_real(),
        edited(),
    ]
}

fn persistent(name: &'static str, words: &str) -> Scenario {
    Scenario::with(name, &rules(&format!("-t {VIP}:80"), &format!("-s rr {words}"), &REALS)).answered()
}

fn by_client() -> Scenario {
    let mut scenario = persistent("by client", "-p 300");
    for (n, source) in [(1, 40000), (1, 40001), (2, 40000), (1, 40002), (3, 40000), (2, 40001)] {
        scenario = scenario.opened(n, source, 80);
    }
    scenario.tables().counters()
}

fn by_network() -> Scenario {
    let mut scenario = persistent("by network", "-p 300 -M 255.255.255.240");
    for n in [1, 14, 17, 2, 30, 33, 18] {
        scenario = scenario.opened(n, 40000, 80);
    }
    scenario.tables()
}

fn port_zero() -> Scenario {
    let all = rules(&format!("-t {VIP}:0"), "-s rr -p 100", &ANY_PORT)
        + &rules(&format!("-t {VIP}:443"), "-s rr", &[(20, ":443 -m")]);
    Scenario::with("port 0, all ports as one", &all)
        .answered()
        .opened(1, 40000, 80)
        .opened(1, 40001, 22)
        .opened(2, 40000, 8080)
        .opened(1, 40002, 443)
        .opened(2, 40001, 80)
        .tables()
        .counters()
}

fn ftp_ports() -> Scenario {
    Scenario::with(
        "FTP's ports without a helper",
        &rules(&format!("-t {VIP}:21"), "-s rr -p 100", &[(10, ":21 -m"), (11, ":21 -m")]),
    )
    .answered()
    .opened(1, 40000, 21)
    .opened(2, 40000, 21)
    .opened(1, 40001, 35000)
    .opened(2, 40001, 20)
    .opened(1, 40002, 80)
    .tables()
}

fn by_mark() -> Scenario {
    let mut scenario = Scenario::with(
        "by mark, whatever the protocol and address",
        &rules("-f 9", "-s rr -p 200", &[(10, ":0 -m"), (11, ":0 -m")]),
    )
    .mark("-d 203.0.113.0/24", 9)
    .answered();
    for n in 1..=3 {
        scenario = scenario
            .frame("TCP", &tcp((client(n), 40000), (VIP, 80), SYN))
            .frame("UDP", &udp((client(n), 5000), (vip(2), 53)))
            .frame("TCP to another port", &tcp((client(n), 40001), (vip(3), 443), SYN));
    }
    scenario.tables().counters()
}

fn quiesced() -> Scenario {
    persistent("weight 0 keeps its clients", "-p 300")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-e -t {VIP}:80 -r 10.0.0.12:80 -m -w 0"))
        .opened(1, 40001, 80)
        .opened(3, 40000, 80)
        .opened(4, 40000, 80)
        .tables()
}

fn quiesced_for_good() -> Scenario {
    persistent("expire_quiescent_template=1", "-p 300")
        .switch("expire_quiescent_template=1")
        .opened(1, 40000, 80)
        .opened(2, 40000, 80)
        .ipvsadm(&format!("-e -t {VIP}:80 -r 10.0.0.12:80 -m -w 0"))
        .opened(1, 40001, 80)
        .opened(1, 40002, 80)
        .opened(2, 40001, 80)
        .tables()
}

fn removed() -> Scenario {
    persistent("a real server is removed and comes back", "-p 300")
        .opened(1, 40000, 80)
        .ipvsadm(&format!("-d -t {VIP}:80 -r 10.0.0.12:80"))
        .tables()
        .opened(1, 40001, 80)
        .tables()
        .ipvsadm(&format!("-a -t {VIP}:80 -r 10.0.0.12:80 -m"))
        .opened(1, 40002, 80)
        .opened(2, 40000, 80)
        .tables()
}

fn expired() -> Scenario {
    Scenario::with(
        "a template expires once its flows are gone",
        &rules(&format!("-u {VIP}:53"), "-s rr -p 2", &[(10, ":53 -m"), (11, ":53 -m")]),
    )
    .ipvsadm("--set 0 0 1")
    .frame("client 1", &udp((client(1), 5000), (VIP, 53)))
    .ipvsadm("-Lnc")
    .pause(3.5)
    .tables()
    .frame("client 1 again", &udp((client(1), 5001), (VIP, 53)))
    .tables()
}

fn datagrams() -> Scenario {
    let all = rules(&format!("-u {VIP}:80"), "-s rr -p 300", &[(10, ":80 -m"), (11, ":80 -m")])
        + &rules(&format!("-t {VIP}:80"), "-s rr -p 300", &[(10, ":80 -m"), (11, ":80 -m")]);
    let mut scenario = Scenario::with("UDP and TCP of one port are two", &all).answered();
    for n in 1..=2 {
        scenario = scenario.frame("UDP", &udp((client(n), 5000), (VIP, 80))).opened(n, 40000, 80);
    }
    scenario.frame("UDP from another port", &udp((client(1), 5001), (VIP, 80))).tables().counters()
}

fn full_real() -> Scenario {
    let reals = [(10, ":80 -m -x 1"), (11, ":80 -m")];
    let rules = rules(&format!("-t {VIP}:80"), "-s rr -p 300", &reals);
    let mut scenario = Scenario::with("a full real server keeps its clients", &rules).answered();
    for (n, source) in [(1, 40000), (2, 40000), (2, 40001), (3, 40000), (2, 40002)] {
        scenario = scenario.opened(n, source, 80);
    }
    scenario.tables()
}

fn edited() -> Scenario {
    let edit = |words: &str| format!("-E -t {VIP}:80 -s rr {words}");
    persistent("the service is edited", "-p 300")
        .opened(1, 40000, 80)
        .ipvsadm(&edit("-p 120 -M 255.255.255.0"))
        .opened(1, 40001, 80)
        .opened(2, 40001, 80)
        .tables()
        .ipvsadm(&edit(""))
        .opened(1, 40002, 80)
        .opened(1, 40003, 80)
        .tables()
}
