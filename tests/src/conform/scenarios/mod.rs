//! All scenarios, by area.

mod edits;
mod icmp;
mod ipvsadm;
mod marks;
mod ops;
mod persistence;
mod schedulers;
mod sctp;
mod strangers;
mod switches;
mod tcp;
mod thresholds;
mod timeouts;
mod tunnels;
mod udp;

use std::fmt::Write;

use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

use super::answers::SERVER_SEQ;
use super::frames::{VIP, client, tcp};
use super::scenario::Scenario;

/// Scenarios about one subject.
#[derive(Clone, Debug)]
pub struct Area {
    /// The subject.
    pub name: &'static str,
    /// Its scenarios.
    pub scenarios: Vec<Scenario>,
}

/// Every area, in the order of the report.
pub fn all() -> Vec<Area> {
    let area = |name, scenarios| Area { name, scenarios };
    vec![
        area("schedulers", schedulers::scenarios()),
        area("tcp", tcp::scenarios()),
        area("udp", udp::scenarios()),
        area("sctp", sctp::scenarios()),
        area("persistence", persistence::scenarios()),
        area("one-packet scheduling", ops::scenarios()),
        area("marks", marks::scenarios()),
        area("thresholds", thresholds::scenarios()),
        area("edits", edits::scenarios()),
        area("icmp", icmp::scenarios()),
        area("tunnels", tunnels::scenarios()),
        area("timeouts", timeouts::scenarios()),
        area("switches", switches::scenarios()),
        area("strangers", strangers::scenarios()),
        area("ipvsadm", ipvsadm::scenarios()),
    ]
}

/// Lines that add a service and its real servers: their numbers, and what follows their address.
fn rules(service: &str, words: &str, reals: &[(u8, &str)]) -> String {
    let mut lines = format!("-A {service} {words}\n");
    for (n, rest) in reals {
        let _ = writeln!(lines, "-a {service} -r 10.0.0.{n}{rest}");
    }
    lines
}

/// A client's first segment to the first virtual address.
fn syn(n: u8, source: u16, port: u16) -> Frame {
    tcp((client(n), source), (VIP, port), SYN).seq(5000).tcp_options(&[2, 4, 5, 0xb4])
}

/// A client's answer to the SYN-ACK of a server.
fn ack(n: u8, source: u16, port: u16) -> Frame {
    tcp((client(n), source), (VIP, port), ACK).seq(5001).ack(SERVER_SEQ + 1)
}

impl Scenario {
    /// Client `n` opens a connection, which an answering server accepts.
    fn opened(self, n: u8, source: u16, port: u16) -> Self {
        self.frame(&format!("client {n} port {source}: SYN"), &syn(n, source, port))
            .frame(&format!("client {n} port {source}: ACK"), &ack(n, source, port))
    }
}
