//! Services that take packets of more than one port: port 0, and FTP's (reference 1, 4.1, 4.2).
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, Protocol, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

fn to(dport: u16) -> Frame {
    from_gateway(CLIENT).tcp(40_000, dport, SYN)
}

/// A persistent TCP service of that port, with real `n`.
fn kept(lab: &mut Lab, port: u16, n: u8) -> ServiceKey {
    lab.add(persistent(service(Protocol::Tcp, port, "rr"), 300, 32), [masq(n, port)])
}

/// Two FTP servers.
fn ftp(lab: &mut Lab) -> ServiceKey {
    lab.add(persistent(service(Protocol::Tcp, 21, "rr"), 300, 32), [masq(1, 21), masq(2, 21)])
}

// Which service a packet finds.

#[test]
fn its_own_port_then_ftp_then_port_0() {
    let mut lab = Lab::new();
    for (port, n) in [(8080, 1), (21, 2), (0, 3)] {
        kept(&mut lab, port, n);
    }
    for (client, (dport, n)) in (1..).zip([(8080, 1), (21, 2), (5000, 2), (80, 3), (1023, 3)]) {
        // A client each: FTP's and port 0's share a template.
        let from = from_gateway(Ipv4Addr::new(203, 0, 113, client));
        assert_eq!(lab.reaches(&from.tcp(40_000, dport, SYN)), n, "port {dport}");
    }
    let udp = from_gateway(CLIENT).udp(40_000, 2000);
    assert_eq!(lab.client_sends(&udp).0, Verdict::ToKernel, "port 0 of TCP is not UDP's");
    let other = Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(CLIENT, Ipv4Addr::new(198, 51, 100, 2));
    assert_eq!(lab.client_sends(&other.tcp(40_000, 80, SYN)).0, Verdict::ToKernel);
}

#[test]
fn ports_20_and_from_1024_on_are_ftps() {
    let mut lab = Lab::new();
    ftp(&mut lab);
    let control = lab.reaches(&to(21));
    for dport in [20, 1024, 5000, 65_535] {
        let (verdict, bytes) = lab.client_sends(&to(dport));
        assert_eq!((verdict, bytes[5]), (TO_REAL, control), "port {dport}");
        assert_eq!(seen(&bytes).destination, SocketAddr::from((real(control), dport)), "as it came");
    }
    for dport in [19, 22, 1023] {
        assert_eq!(lab.client_sends(&to(dport)).0, Verdict::ToKernel, "port {dport}");
    }
    // A server opens its data connections from port 20; under direct routing the client's answer makes the flow.
    let answer = from_gateway(CLIENT).tcp(40_001, 20, SYN | ACK);
    assert_eq!(lab.reaches(&answer), control);
    assert_eq!(lab.templates().len(), 1, "one client, one template");
}

/// The order of the two does not matter: data before control keeps its real as well.
#[test]
fn ftps_template_is_of_port_0() {
    let mut lab = Lab::new();
    ftp(&mut lab);
    let data = lab.reaches(&to(5000));
    assert_eq!(lab.reaches(&to(21)), data);
    let template = lab.template();
    assert_eq!((template.virtual_endpoint.port(), template.destination.port()), (0, 0));
    assert_eq!(lab.persistent(template.real), 1);
}

// Port 0, persistent.

#[test]
fn a_client_has_one_real_for_all_ports_and_ports_stay_as_they_are() {
    let mut lab = Lab::new();
    let reals = [masq(1, 8080), masq(2, 8080)];
    lab.add(persistent(service(Protocol::Tcp, 0, "rr"), 300, 32), reals);
    for dport in [80, 443, 1, 65_535] {
        let (verdict, bytes) = lab.client_sends(&to(dport));
        assert_eq!(verdict, TO_REAL);
        assert_eq!(
            seen(&bytes).destination,
            SocketAddr::from((real(2), dport)),
            "the real's port does not count"
        );
        let answer = reply(2, dport, 40_000, SYN | ACK);
        let (verdict, bytes) = lab.real_sends(&answer);
        assert_eq!(verdict, TO_CLIENT);
        assert_eq!(seen(&bytes).source, SocketAddr::from((VIP, dport)));
    }
    let template = lab.template();
    assert_eq!(template.virtual_endpoint, SocketAddr::from((VIP, 0)));
    assert_eq!(template.destination, SocketAddr::from((real(2), 0)));
    assert_eq!((template.controls, lab.flows().len()), (4, 4));
}

/// The address's other services have templates of their own.
#[test]
fn a_service_of_one_port_beside_port_0_keeps_its_own_real() {
    let mut lab = Lab::new();
    kept(&mut lab, 80, 1);
    kept(&mut lab, 0, 2);
    assert_eq!([80, 81].map(|dport| lab.reaches(&to(dport))), [1, 2]);
    assert_eq!(lab.templates().len(), 2);
}

/// FTP's and port 0's templates have one key: what the first connection chose holds for both, as in the kernel.
#[test]
fn ftp_and_port_0_of_one_address_share_a_template() {
    let mut lab = Lab::new();
    kept(&mut lab, 21, 1);
    kept(&mut lab, 0, 2);
    assert_eq!([21, 80, 5000].map(|dport| lab.reaches(&to(dport))), [1, 1, 1]);
    assert_eq!(lab.templates().len(), 1);
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

#[test]
fn ftp_without_a_real_drops_control_and_leaves_data_to_the_kernel() {
    let mut lab = Lab::new();
    lab.add(persistent(service(Protocol::Tcp, 21, "rr"), 300, 32), []);
    assert_eq!(lab.client_sends(&to(21)).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!(lab.client_sends(&to(5000)).0, Verdict::ToKernel);
}

/// With the last such service goes the search for it.
#[test]
fn deleted_wide_services_take_no_more() {
    let mut lab = Lab::new();
    let (ftp, all) = (kept(&mut lab, 21, 1), kept(&mut lab, 0, 2));
    assert_eq!(lab.reaches(&to(5000)), 1);
    lab.change(|director| director.delete_service(&ftp)).unwrap();
    assert_eq!(lab.reaches(&to(5001)), 2, "port 0 is left, and the template's real is gone");
    lab.change(|director| director.delete_service(&all)).unwrap();
    assert_eq!(lab.client_sends(&to(5002)).0, Verdict::ToKernel);
    assert_eq!(
        lab.client_sends(&from_gateway(CLIENT).tcp(40_000, 5001, ACK)).0,
        Verdict::Drop(DropReason::RealGone)
    );
}
