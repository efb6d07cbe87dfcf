//! Tunnels: what is put around a request.

use sluice_packet::header::flags::{ACK, FIN, PSH};

use super::super::answers::SERVER_SEQ;
use super::super::frames::{VIP, client, tcp, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        around("IP in IP", ""),
        around("GUE", "--tun-type gue --tun-port 6080"),
        around("GUE with a checksum", "--tun-type gue --tun-port 6080 --tun-csum"),
        around("GUE, remcsum", "--tun-type gue --tun-port 6080 --tun-remcsum"),
        around("GRE", "--tun-type gre"),
        around("GRE with a checksum", "--tun-type gre --tun-csum"),
        without_path_mtu(),
    ]
}

fn service(words: &str) -> String {
    let rest = |port: u16| format!(":{port} -i {words}");
    rules(&format!("-t {VIP}:80"), "-s rr", &[(10, &rest(80)), (11, &rest(80))])
        + &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, &rest(53))])
}

fn around(name: &'static str, words: &str) -> Scenario {
    let mut scenario = Scenario::with(name, &service(words)).ipvsadm("-Ln --tun-info");
    for n in 1..=2 {
        let data = tcp((client(n), 40000), (VIP, 80), PSH | ACK).seq(5001).ack(SERVER_SEQ + 1);
        scenario = scenario
            .opened(n, 40000, 80)
            .frame("data, TOS and a TTL of 33", &data.clone().payload(&[3; 100]).tos(0xb9).ttl(33))
            .frame("congestion experienced", &data.clone().payload(b"x").tos(0x03))
            .frame("no data, TTL 2", &data.clone().ttl(2))
            .frame("FIN", &tcp((client(n), 40000), (VIP, 80), FIN | ACK).seq(5101).ack(SERVER_SEQ + 1))
            .frame("UDP", &udp((client(n), 5000), (VIP, 53)));
    }
    scenario.tables().counters()
}

fn without_path_mtu() -> Scenario {
    Scenario::with("pmtu_disc=0", &service(""))
        .switch("pmtu_disc=0")
        .opened(1, 40000, 80)
        .frame("UDP", &udp((client(1), 5000), (VIP, 53)))
        .tables()
}
