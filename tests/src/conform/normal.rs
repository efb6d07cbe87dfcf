//! What is compared of a frame and of a listing: all but what nobody can foresee, or that says nothing.

use std::net::Ipv4Addr;

use etherparse::{EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4Header, Ipv4HeaderSlice, UdpHeader};

use super::frames::{DIRECTORS, IDENT, VIPS};

/// How far the seconds left of a connection may be apart: both sides round down, and look at their own pace.
const SECONDS: u32 = 2;

/// The frame without the padding of its cable. In packets that the balancer has made itself the IP identification is only
/// nought or not, and so is the source port of a tunnel over UDP.
pub fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Ok(ethernet) = Ethernet2HeaderSlice::from_slice(&bytes) else { return bytes };
    let start = ethernet.slice().len();
    if ethernet.ether_type() != EtherType::IPV4 {
        return bytes;
    }
    let Ok(ip) = Ipv4HeaderSlice::from_slice(&bytes[start..]) else { return bytes };
    let mut header = ip.to_header();
    bytes.truncate(start + usize::from(header.total_len));
    // A wrong checksum stays, and shows.
    let right = header.header_checksum == header.calc_header_checksum();
    if right && made_here(&header) {
        header.identification = header.identification.min(1);
        header.header_checksum = header.calc_header_checksum();
        let payload = start + header.header_len();
        bytes[start..payload].copy_from_slice(&header.to_bytes());
        if header.protocol == IpNumber::UDP && !header.is_fragmenting_payload() {
            without_source_port(&header, &mut bytes[payload..]);
        }
    }
    bytes
}

/// Whether the balancer has made the packet, or what is around it, rather than passed it on.
fn made_here(header: &Ipv4Header) -> bool {
    let source = Ipv4Addr::from(header.source);
    let tunnel = [IpNumber::IPV4, IpNumber::IPV6, IpNumber::GRE, IpNumber::UDP].contains(&header.protocol)
        && DIRECTORS.contains(&source);
    let error = header.protocol == IpNumber::ICMP
        && (DIRECTORS.contains(&source) || VIPS.contains(&source))
        && header.identification != IDENT;
    tunnel || error
}

fn without_source_port(ip: &Ipv4Header, datagram: &mut [u8]) {
    let Ok((mut udp, payload)) = UdpHeader::from_slice(datagram) else { return };
    let right = udp.calc_checksum_ipv4(ip, payload) == Ok(udp.checksum);
    if right || udp.checksum == 0 {
        udp.source_port = 0;
        udp.checksum = udp.checksum.min(1);
        datagram[..UdpHeader::LEN].copy_from_slice(&udp.to_bytes());
    }
}

/// A listing of `ipvsadm` line by line: without its banner, which tells the size of a table, and connections, whose order
/// is nobody's, in one of their own.
pub fn listing(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("IP Virtual Server version"))
        .map(str::to_owned)
        .collect();
    let rows = lines.iter().position(|line| row(line).is_some()).unwrap_or(lines.len());
    lines[rows..].sort_by_key(|line| row(line).map(|(_, words)| words.join(" ")));
    lines
}

/// Whether two lines say the same: seconds left may be a little apart.
pub fn same_line(one: &str, other: &str) -> bool {
    let close = || {
        let ((here, row), (there, other_row)) = (row(one)?, row(other)?);
        Some(here.abs_diff(there) <= SECONDS && row == other_row)
    };
    one == other || close().unwrap_or(false)
}

/// The seconds left and the other words of a line about one connection.
fn row(line: &str) -> Option<(u32, Vec<&str>)> {
    let mut words: Vec<_> = line.split_whitespace().collect();
    let (minutes, seconds) = words.get(1)?.split_once(':')?;
    let left = minutes.parse::<u32>().ok()?.checked_mul(60)? + seconds.parse::<u32>().ok()?;
    words.remove(1);
    (words.len() >= 5).then_some((left, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::frames::{VIP, client, ip, tcp};

    #[test]
    fn own_identifications_do_not_count_and_others_do() {
        let error = |ident| ip(VIP, client(1)).ident(ident).icmp(3, 3, 0).build();
        assert_eq!(frame(&error(1)), frame(&error(2)));
        let data = |ident| tcp((VIP, 80), (client(1), 4000), 2).ident(ident).build();
        assert_ne!(frame(&data(1)), frame(&data(2)));
        assert_ne!(frame(&error(0)), frame(&error(2)));
        let passed_on = |ident| ip(client(1), VIP).ident(ident).icmp(3, 3, 0).build();
        assert_ne!(frame(&passed_on(1)), frame(&passed_on(2)));
    }

    #[test]
    fn padding_does_not_count_and_payload_does() {
        let plain = tcp((client(1), 4000), (VIP, 80), 2);
        assert_eq!(frame(&plain.clone().pad_to(60).build()), plain.build());
        assert_ne!(frame(&plain.clone().payload(&[0]).build()), plain.build());
    }

    #[test]
    fn a_wrong_checksum_shows() {
        let error = ip(VIP, client(1)).icmp(3, 3, 0).ident(1);
        assert_ne!(frame(&error.clone().wrong_ip_checksum().build()), frame(&error.build()));
    }

    #[test]
    fn seconds_left_may_differ_a_little() {
        let row =
            |left| format!("TCP {left}  SYN_RECV    198.51.100.1:4000  203.0.113.1:80     10.0.0.10:80");
        assert!(same_line(&row("00:59"), &row("01:01")));
        assert!(!same_line(&row("00:58"), &row("01:01")));
        assert!(!same_line(&row("00:59"), &row("00:59").replace("SYN_RECV", "FIN_WAIT")));
        assert!(!same_line("Timeout (tcp tcpfin udp): 900 120 300", "Timeout (tcp tcpfin udp): 900 121 300"));
    }

    #[test]
    fn connections_have_an_order() {
        let text = "IPVS connection entries\npro expire state       source             virtual            destination\n";
        let [one, other] = [
            "TCP 00:50  SYN_RECV    198.51.100.2:4000  203.0.113.1:80     10.0.0.10:80",
            "TCP 00:59  SYN_RECV    198.51.100.1:4000  203.0.113.1:80     10.0.0.10:80",
        ];
        let lines = listing(&format!("{text}{one}\n{other}\n"));
        assert_eq!(lines, listing(&format!("{text}{other}\n{one}\n")));
        assert_eq!(lines[2..], [other, one]);
    }
}
