//! ICMP errors about flows, from both sides.

use std::net::Ipv4Addr;

use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, PSH, SYN};

use super::super::answers::SERVER_SEQ;
use super::super::frames::{VIP, client, ip, real, tcp, udp};
use super::super::scenario::Scenario;
use super::rules;

/// A router between the clients and the balancer.
const HOP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

/// How much of a packet routers of old quote: its header and eight bytes.
const SHORT: usize = 28;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        about_requests("NAT, about requests", "-m"),
        about_replies("NAT, about replies", "-m"),
        about_replies("direct routing, about replies", "-g"),
        about_nothing("about no flow", "schedule_icmp=0"),
        about_nothing("about no flow, schedule_icmp=1", "schedule_icmp=1"),
        malformed(),
        about_a_later_fragment(),
        about_sctp(),
        questions(),
    ]
}

fn service(method: &str) -> String {
    let rest = |port: u16| format!(":{port} {method}");
    rules(&format!("-t {VIP}:80"), "-s rr", &[(10, &rest(8080))])
        + &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, &rest(5353))])
}

/// A flow of each protocol.
fn flows(name: &'static str, method: &str) -> Scenario {
    Scenario::with(name, &service(method))
        .answered()
        .opened(1, 40000, 80)
        .frame("query", &udp((client(1), 5000), (VIP, 53)))
}

/// An error from `source`, on the way to where the quoted packet came from.
fn error(source: Ipv4Addr, to: Ipv4Addr, (kind, code, rest): (u8, u8, u32), about: &[u8]) -> Frame {
    ip(source, to).icmp_error(kind, code, rest, about)
}

/// Requests as the real server has them.
fn requests() -> [(&'static str, Vec<u8>); 2] {
    let data = tcp((client(1), 40000), (real(10), 8080), PSH | ACK).seq(5001).ack(SERVER_SEQ + 1);
    [
        ("TCP", data.payload(&[7; 400]).ttl(63).packet()),
        ("UDP", udp((client(1), 5000), (real(10), 5353)).ttl(63).packet()),
    ]
}

/// Replies as the client has them.
fn replies() -> [(&'static str, Vec<u8>); 2] {
    let data = tcp((VIP, 80), (client(1), 40000), PSH | ACK).seq(SERVER_SEQ + 1).ack(5001);
    [
        ("TCP", data.payload(&[7; 400]).ttl(60).packet()),
        ("UDP", udp((VIP, 53), (client(1), 5000)).payload(b"reply to query").ttl(60).packet()),
    ]
}

const KINDS: [(&str, (u8, u8, u32)); 6] = [
    ("port unreachable", (3, 3, 0)),
    ("fragmentation needed", (3, 4, 1400)),
    ("source quench", (4, 0, 0)),
    ("time exceeded", (11, 0, 0)),
    ("redirect", (5, 1, 0x0a00_0002)),
    ("parameter problem", (12, 0, 0x0900_0000)),
];

fn about_requests(name: &'static str, method: &str) -> Scenario {
    let mut scenario = flows(name, method);
    for (protocol, packet) in requests() {
        for (kind, head) in KINDS {
            scenario = scenario
                .frame(&format!("{kind} about {protocol}"), &error(real(10), client(1), head, &packet));
        }
        let short = error(real(10), client(1), (3, 1, 0), &packet[..SHORT]);
        scenario = scenario.frame(&format!("host unreachable about {protocol}, eight bytes quoted"), &short);
    }
    scenario.tables().counters()
}

fn about_replies(name: &'static str, method: &str) -> Scenario {
    let mut scenario = flows(name, method);
    for (protocol, packet) in replies() {
        for (kind, head) in KINDS {
            scenario = scenario.frame(&format!("{kind} about {protocol}"), &error(HOP, VIP, head, &packet));
        }
        let short = error(HOP, VIP, (3, 1, 0), &packet[..SHORT]);
        scenario = scenario.frame(&format!("host unreachable about {protocol}, eight bytes quoted"), &short);
    }
    scenario.tables().counters()
}

fn about_nothing(name: &'static str, switch: &'static str) -> Scenario {
    let unknown = tcp((VIP, 80), (client(9), 1), ACK).packet();
    let datagram = udp((VIP, 53), (client(9), 5000)).packet();
    let request = tcp((client(9), 1), (real(10), 8080), SYN).packet();
    Scenario::with(name, &service("-m"))
        .switch(switch)
        .frame("about a reply, TCP", &error(HOP, VIP, (3, 4, 1400), &unknown))
        .frame("about a reply, UDP", &error(HOP, VIP, (3, 3, 0), &datagram))
        .frame("about a reply, again", &error(HOP, VIP, (11, 0, 0), &unknown))
        .frame("about a request", &error(real(10), client(9), (3, 3, 0), &request))
        .tables()
        .counters()
}

fn malformed() -> Scenario {
    let [(_, tcp_reply), (_, udp_reply)] = replies();
    let [(_, request), _] = requests();
    let wrong = |frame: Frame| frame.wrong_transport_checksum();
    let mut wrong_inside = udp_reply.clone();
    wrong_inside[26] ^= 0xff;
    flows("wrong and cut off", "-m")
        .frame("a wrong checksum, to the real server", &wrong(error(HOP, VIP, (3, 3, 0), &tcp_reply)))
        .frame("a wrong checksum, to the client", &wrong(error(real(10), client(1), (3, 3, 0), &request)))
        .frame("a wrong checksum in the quoted packet", &error(HOP, VIP, (3, 3, 0), &wrong_inside))
        .frame("cut off in the quoted header", &error(HOP, VIP, (3, 3, 0), &tcp_reply[..19]))
        .frame("no ports quoted", &error(HOP, VIP, (3, 3, 0), &tcp_reply[..22]))
        .frame("a TTL of 2", &error(HOP, VIP, (3, 3, 0), &tcp_reply).ttl(2))
        .tables()
        .counters()
}

fn about_a_later_fragment() -> Scenario {
    let [(_, mut reply), _] = replies();
    // Offset 160; its header checksum is nobody's business.
    reply[7] = 20;
    flows("about a later fragment", "-m").frame("host unreachable", &error(HOP, VIP, (3, 1, 0), &reply)).differs(
        "an ICMP error quotes a later fragment of TCP or UDP: the kernel takes payload for ports, and may find the flow of \
         somebody else; Sluice leaves the error to the host",
    )
}

fn about_sctp() -> Scenario {
    let rules = rules(&format!("--sctp-service {VIP}:9899"), "-s rr", &[(10, ":9900 -m")]);
    let up = ip(client(1), VIP).sctp(40000, 9899, 1).verification_tag(7).payload(&[1; 16]);
    let seen = ip(client(1), real(10)).sctp(40000, 9900, 1).verification_tag(7).payload(&[1; 16]).ttl(63);
    Scenario::with("NAT, about SCTP", &rules)
        .frame("INIT", &up)
        .frame("protocol unreachable", &error(real(10), client(1), (3, 2, 0), &seen.packet()))
        .frame("eight bytes quoted", &error(real(10), client(1), (3, 2, 0), &seen.packet()[..SHORT]))
        .tables()
        .counters()
}

/// Echo requests are the host's.
fn questions() -> Scenario {
    let echo = |kind, to| ip(client(1), to).icmp(kind, 0, 0x0007_0001).payload(b"abcdefgh");
    flows("echo requests and replies", "-m")
        .frame("ping of the VIP", &echo(8, VIP))
        .frame("an odd length", &echo(8, VIP).payload(b"odd"))
        .frame("a reply that nobody asked for", &echo(0, VIP))
        .frame("a real server pings a client", &ip(real(10), client(1)).icmp(8, 0, 1).payload(b"abcdefgh"))
        .tables()
}
