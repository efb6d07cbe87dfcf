//! ICMP errors arrive at any lcore and are handled where the flow is that they are about.
use sluice_core::Protocol;
use sluice_packet::Quoted4;

use super::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

impl Connection {
    /// A router's error about a packet to the client.
    fn error_about_reply(&self) -> Frame {
        let packet = self.between(Frame::new().ipv4(VIP, self.client), false, ACK).packet();
        Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(ROUTER, VIP).icmp_error(3, 4, 1400, &packet)
    }

    /// And about a request, as it went to real `n`.
    fn error_about_request(&self, n: u8) -> Frame {
        let to = if self.port == 81 { VIP } else { real(n) };
        let packet = self.between(Frame::new().ipv4(self.client, to), true, ACK).packet();
        from_link(n).ipv4(real(99), self.client).icmp_error(11, 0, 0, &packet)
    }
}

fn quoted(frame: &[u8]) -> Quoted4 {
    let mac = *frame.first_chunk().unwrap();
    Quoted4::of(frame, &sluice_packet::classify(frame, frame.len(), &mac, false)).unwrap()
}

#[test]
fn errors_meet_the_flow_they_are_about() {
    for lcores in [1, 2, 5, 16] {
        let mut cluster = Cluster::new(lcores, 11);
        let connections: Vec<_> = (0..120).map(Connection::number).collect();
        let opened: Vec<_> = connections.iter().map(|one| (*one, one.open(&mut cluster))).collect();
        for (connection, n) in &opened {
            let masq = connection.port != 81;
            let (verdict, bytes) = cluster.send(OUTSIDE, &connection.error_about_reply());
            assert_eq!((verdict, bytes[5]), (TO_REAL, *n), "{connection:?} of {lcores} lcores");
            let from = if masq { real(*n) } else { VIP };
            assert_eq!(quoted(&bytes).src, from.to_bits());

            let (verdict, bytes) = cluster.send(INSIDE, &connection.error_about_request(*n));
            assert_eq!(verdict, if masq { TO_CLIENT } else { Verdict::ToKernel });
            assert_eq!(quoted(&bytes).dst, VIP.to_bits());
        }
        for (protocol, port) in [(Protocol::Tcp, 80), (Protocol::Tcp, 81), (Protocol::Udp, 53)] {
            let stats = cluster.real_stats(&key(protocol, port));
            assert_eq!((stats.in_packets, stats.out_packets), (3 * 40, 2 * 40), "port {port}");
        }
        assert_eq!(cluster.flows().len(), 120);
        if lcores == 1 {
            assert_eq!(cluster.steered, 0);
        }
    }
}

/// schedule_icmp: one flow each, where the client's packets would make it.
#[test]
fn errors_that_make_flows_make_them_at_the_owner() {
    let mut cluster = Cluster::new(8, 5);
    let mut switches = cluster.director.snapshot().switches;
    switches.schedule_icmp = true;
    cluster.director.set_switches(switches);
    cluster.load();
    for connection in (0..90).map(Connection::number) {
        let (verdict, bytes) = cluster.send(OUTSIDE, &connection.error_about_reply());
        assert_eq!(verdict, TO_REAL);
        let n = bytes[5];
        let (verdict, bytes) = cluster.send(OUTSIDE, &connection.request(SYN));
        assert_eq!((verdict, bytes[5]), (TO_REAL, n), "the flow that the error made");
    }
    assert_eq!(cluster.flows().len(), 90);
    assert!(cluster.steered > 90, "of 180 packets: {}", cluster.steered);
}
