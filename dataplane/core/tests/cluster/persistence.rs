//! Persistence over many lcores: a client's ports are spread over them, and its real is one.
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use sluice_core::{ServiceConfig, TemplateView};
use sluice_packet::header::flags::RST;

use super::*;

impl Cluster {
    fn add(&mut self, config: ServiceConfig, ports: [u16; 3]) -> ServiceKey {
        let key = config.key;
        self.director.add_service(config).unwrap();
        for (n, port) in (1..).zip(ports) {
            self.director.add_real(&key, masq(n, port)).unwrap();
        }
        self.load();
        key
    }

    fn templates(&self) -> Vec<TemplateView> {
        let mut page = Vec::with_capacity(self.templates.capacity());
        assert_eq!(self.templates.page(Jiffies(0), 0, u32::MAX, &mut page), None);
        page
    }

    /// Sends a client's packet, which has to reach a real: which, and where it is addressed to.
    fn reaches(&mut self, frame: &Frame) -> (u8, SocketAddr) {
        let (verdict, bytes) = self.send(OUTSIDE, frame);
        assert_eq!(verdict, TO_REAL);
        (bytes[5], seen(&bytes).destination)
    }
}

#[test]
fn the_ports_of_a_client_share_a_template_and_a_real() {
    let mut cluster = Cluster::new(4, 3);
    let key = cluster.add(persistent(service(Protocol::Tcp, 8000, "rr"), 300, 32), [80; 3]);
    for client in 1..=9 {
        let from = from_gateway(Ipv4Addr::new(203, 0, 113, client));
        let reals: BTreeSet<u8> =
            (5000..5040).map(|cport| cluster.reaches(&from.clone().tcp(cport, 8000, SYN)).0).collect();
        assert_eq!(reals.len(), 1, "client {client}");
    }
    let lcores: BTreeSet<usize> = cluster.flows().iter().map(|(lcore, _)| *lcore).collect();
    assert_eq!(lcores.len(), 4, "on every lcore");
    let templates = cluster.templates();
    assert_eq!(templates.len(), 9);
    assert!(templates.iter().all(|template| template.controls == 40));
    let reals = &cluster.director.service(&key).unwrap().reals;
    let persistent: u32 = reals.iter().map(|real| cluster.table.get(real.id).unwrap().persistent()).sum();
    assert_eq!(persistent, 9);
}

/// A reply on one lcore assures the template that all use; flows on all lcores end under it.
#[test]
fn all_lcores_speak_of_the_same_template() {
    let mut cluster = Cluster::new(4, 3);
    cluster.add(persistent(service(Protocol::Tcp, 8000, "rr"), 300, 32), [80; 3]);
    let frame = |cport, flags| from_gateway(CLIENT).tcp(cport, 8000, flags);
    for cport in 5000..5040 {
        cluster.reaches(&frame(cport, SYN));
    }
    assert_eq!(cluster.templates()[0].state, "NONE");
    cluster.reaches(&frame(5007, ACK));
    assert_eq!(cluster.templates()[0].state, "ASSURED");
    for cport in 5000..5040 {
        cluster.reaches(&frame(cport, ACK));
        cluster.reaches(&frame(cport, RST));
    }
    for lcore in &mut cluster.lcores {
        lcore.expire(Jiffies(Jiffies::ticks(12)), 1 << 20);
    }
    assert_eq!(cluster.flows().len(), 0);
    assert_eq!((cluster.templates().len(), cluster.templates()[0].controls), (1, 0));
    for lcore in &mut cluster.lcores {
        lcore.expire(Jiffies(Jiffies::ticks(301)), 1 << 20);
    }
    assert_eq!(cluster.templates.used(), 0, "between them they walk over all of it");
}

/// The packets of services of many ports, and their replies from whatever port, meet their flow.
#[test]
fn flows_of_wide_services_have_one_owner() {
    for (service_port, dports) in [(0, [80, 443, 9000]), (21, [21, 20, 9000])] {
        let mut cluster = Cluster::new(8, 5);
        // The reals' own port is another.
        let config = persistent(service(Protocol::Tcp, service_port, "rr"), 300, 32);
        let key = cluster.add(config, [service_port.max(1); 3]);
        let mut opened = Vec::new();
        for (cport, dport) in (5000..5060).zip(dports.into_iter().cycle()) {
            // Its services of one port have these.
            let dport = if dport == 80 { 8080 } else { dport };
            let (n, destination) = cluster.reaches(&from_gateway(CLIENT).tcp(cport, dport, SYN));
            assert_eq!(destination, SocketAddr::from((real(n), dport)));
            opened.push((cport, dport, n));
        }
        let answered = |cluster: &mut Cluster| {
            for &(cport, dport, n) in &opened {
                let reply = from_link(n).ipv4(real(n), CLIENT).tcp(dport, cport, SYN | ACK);
                let (verdict, bytes) = cluster.send(INSIDE, &reply);
                assert_eq!((verdict, seen(&bytes).source), (TO_CLIENT, SocketAddr::from((VIP, dport))));
            }
        };
        answered(&mut cluster);
        assert_eq!(cluster.templates().len(), 1);
        cluster.director.delete_service(&key).unwrap();
        cluster.load();
        answered(&mut cluster);
        for &(cport, dport, _) in &opened {
            let (verdict, _) = cluster.send(OUTSIDE, &from_gateway(CLIENT).tcp(cport, dport, ACK));
            assert_eq!(verdict, Verdict::Drop(DropReason::RealGone), "port {dport}");
        }
        assert!(cluster.steered > 100);
    }
}

/// One-packet scheduling needs no owner, persistence or not; every packet is counted once.
#[test]
fn packets_scheduled_one_by_one_are_counted_once() {
    let mut cluster = Cluster::new(4, 9);
    let config = persistent(service(Protocol::Udp, 5300, "rr"), 300, 32);
    let key = cluster.add(ServiceConfig { one_packet: true, ..config }, [53; 3]);
    let reals: BTreeSet<u8> =
        (0..400u16).map(|n| cluster.reaches(&from_gateway(CLIENT).udp(5000 + n % 40, 5300)).0).collect();
    assert_eq!((reals.len(), cluster.flows().len()), (1, 0));
    let stats = cluster.real_stats(&key);
    assert_eq!((stats.conns, stats.in_packets), (400, 400));
    assert_eq!((cluster.templates().len(), cluster.templates()[0].in_packets), (1, 400));
}
