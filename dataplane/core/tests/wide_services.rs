//! Services that take packets of more than one port: port 0, and FTP's (reference 1, 4.1, 4.2).
mod common;

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, Protocol, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

fn to(dport: u16) -> Frame {
    from_gateway(CLIENT).tcp(40_000, dport, SYN)
}

// Without persistence.

/// Port 0 then takes packets and has no real for any; so the kernel.
#[test]
fn port_0_without_persistence_has_no_real_for_any_port() {
    let mut lab = Lab::new();
    lab.add(service(Protocol::Tcp, 0, "rr"), [masq(1, 80)]);
    lab.add(service(Protocol::Udp, 0, "rr"), [masq(1, 80)]);
    assert_eq!(lab.client_sends(&to(80)).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).udp(40_000, 53)).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).tcp(40_000, 80, ACK)).0, Verdict::ToKernel);
    assert_eq!((lab.dropped(DropReason::NoReal), lab.flows().len()), (2, 0));
}

/// FTP without persistence serves its control port; the rest that it took is the kernel's.
#[test]
fn ftp_without_persistence_leaves_data_to_the_kernel() {
    let mut lab = Lab::new();
    lab.add(service(Protocol::Tcp, 21, "rr"), [masq(1, 2121)]);
    let (verdict, bytes) = lab.client_sends(&to(21));
    assert_eq!((verdict, seen(&bytes).destination.port()), (TO_REAL, 2121));
    for dport in [20, 5000] {
        assert_eq!(lab.client_sends(&to(dport)).0, Verdict::ToKernel);
    }
    assert_eq!(lab.dropped(DropReason::NoReal), 0);
}
