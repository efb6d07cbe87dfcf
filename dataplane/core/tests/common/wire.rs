//! Frames seen by another's eyes: etherparse reads addresses and recomputes checksums.
use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) to: [u8; 6],
    pub(crate) from: [u8; 6],
    pub(crate) ttl: u8,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// Transport checksum in the frame, and what it has to be.
    pub(crate) checksum: (u16, u16),
}

impl Seen {
    pub(crate) fn checksum_is_right(&self) -> bool {
        self.checksum.0 == self.checksum.1
    }
}

/// Reads a frame; its IPv4 header checksum has to be right.
pub(crate) fn seen(frame: &[u8]) -> Seen {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let ethernet = packet.link.unwrap().to_header().unwrap();
    let ethernet = ethernet.ethernet2().unwrap().clone();
    let Some(NetSlice::Ipv4(ip)) = packet.net else { panic!("no IPv4 header") };
    let header = ip.header().to_header();
    assert_eq!(header.header_checksum, header.calc_header_checksum(), "IPv4 header checksum");
    let (sport, dport, checksum) = match packet.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let right = tcp.calc_checksum_ipv4(header.source, header.destination).unwrap();
            (tcp.source_port(), tcp.destination_port(), (tcp.checksum(), right))
        }
        TransportSlice::Udp(udp) => {
            let right = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
            (udp.source_port(), udp.destination_port(), (udp.checksum(), right))
        }
        _ => panic!("neither TCP nor UDP"),
    };
    Seen {
        to: ethernet.destination,
        from: ethernet.source,
        ttl: header.time_to_live,
        source: SocketAddr::new(IpAddr::from(header.source), sport),
        destination: SocketAddr::new(IpAddr::from(header.destination), dport),
        checksum,
    }
}
