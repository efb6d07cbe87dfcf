//! What is asked of either balancer: the kernel's IPVS and Sluice.

use std::fmt::Write;

use anyhow::Result;

use super::frames::{DIRECTORS, REALS, ROUTER, ROUTER_MAC, VIPS, real, real_mac};
use super::wires::Wires;

/// A balancer between two wires, configured by ipvsadm's command lines.
pub trait Balancer {
    /// Takes it back to no services, no connections and default switches.
    ///
    /// # Errors
    /// It cannot be had back.
    fn reset(&mut self) -> Result<()>;

    /// The wires.
    fn wires(&mut self) -> &mut Wires;

    /// Runs `ipvsadm` with these words, and `input` on its standard input.
    ///
    /// # Errors
    /// It cannot be run; a refusal is no error.
    fn ipvsadm(&mut self, words: &str, input: &str) -> Result<Answer>;

    /// Sets a switch of `net.ipv4.vs`: `NAME=VALUE`.
    ///
    /// # Errors
    /// It is refused.
    fn switch(&mut self, setting: &str) -> Result<()>;

    /// Marks packets from clients: the words that iptables and `sluicectl mark add` have in common, and the mark.
    ///
    /// # Errors
    /// It is refused.
    fn mark(&mut self, words: &str, mark: u32) -> Result<()>;
}

/// What came of a command: its exit status and what it printed, errors last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit status.
    pub code: i32,
    /// What it printed.
    pub text: String,
}

/// Settings of the stack beside the balancer, the same for both: it forwards, takes packets from addresses that are also its
/// own, as replies under direct routing are, and does not hold ICMP errors back.
pub(super) const STACK: &str = "net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.accept_local=1 \
                                net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0 \
                                net.ipv4.icmp_ratelimit=0";

/// Addresses, routes and neighbours, in `ip -batch`'s language; the same on devices of the same names.
pub(super) fn network() -> String {
    let [wan, lan] = DIRECTORS;
    let mut lines = format!("addr add {wan}/24 dev sl-wan\naddr add {lan}/24 dev sl-lan\n");
    let mut line = |line: std::fmt::Arguments<'_>| writeln!(lines, "{line}").unwrap_or_default();
    for vip in VIPS {
        line(format_args!("addr add {vip}/32 dev sl-wan"));
    }
    line(format_args!("route add default via {ROUTER} dev sl-wan"));
    line(format_args!("neigh replace {ROUTER} lladdr {} nud permanent dev sl-wan", mac(ROUTER_MAC)));
    for n in REALS {
        let address = real(n);
        line(format_args!(
            "neigh replace {address} lladdr {} nud permanent dev sl-lan",
            mac(real_mac(address))
        ));
    }
    lines
}

/// A MAC address as it is written.
pub(super) fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
