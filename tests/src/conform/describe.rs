//! A frame in a line of text, for reports; frames are compared byte by byte, not by this.

use std::fmt::Write;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::balancer::mac;
use super::frames::{PORT_MACS, REALS, ROUTER_MAC, real, real_mac};

/// The frame in words: who to, and each layer's main fields.
pub fn frame(bytes: &[u8]) -> String {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else { return hex(bytes) };
    let (to, from) = (bytes.get(..6), bytes.get(6..12));
    let name = |address: Option<&[u8]>| {
        address.and_then(|bytes| bytes.try_into().ok()).map_or_else(String::new, who)
    };
    format!("{} > {}: {}", name(from), name(to), layers(&packet))
}

fn who(address: [u8; 6]) -> String {
    let real = REALS.clone().find(|&n| real_mac(real(n)) == address).map(|n| format!("real {n}"));
    match address {
        _ if address == ROUTER_MAC => "router".into(),
        _ if address == PORT_MACS[0] => "wan".into(),
        _ if address == PORT_MACS[1] => "lan".into(),
        _ => real.unwrap_or_else(|| mac(address)),
    }
}

fn layers(packet: &LaxSlicedPacket<'_>) -> String {
    let mut text = String::new();
    let Some(net) = &packet.net else { return "not IP".into() };
    let payload = match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            let _ = write!(
                text,
                "{} > {} ttl {} tos {:#x} id {:#x} length {}",
                ip.header().source_addr(),
                ip.header().destination_addr(),
                header.time_to_live,
                ip.header().slice()[1],
                header.identification,
                header.total_len
            );
            for (set, word) in [(header.dont_fragment, " DF"), (header.more_fragments, " MF")] {
                text += if set { word } else { "" };
            }
            if header.fragment_offset.value() > 0 {
                let _ = write!(text, " offset {}", header.fragment_offset.byte_offset());
            }
            if header.calc_header_checksum() != header.header_checksum {
                text += " header checksum WRONG";
            }
            ip.payload().payload
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let _ = write!(
                text,
                "{} > {} hop limit {} class {:#x} length {}",
                header.source_addr(),
                header.destination_addr(),
                header.hop_limit(),
                header.traffic_class(),
                header.payload_length()
            );
            ip.payload().payload
        }
        LaxNetSlice::Arp(_) => return "ARP".into(),
    };
    text + &transport(packet, payload)
}

fn transport(packet: &LaxSlicedPacket<'_>, payload: &[u8]) -> String {
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let flags = [
                (tcp.syn(), 'S'),
                (tcp.fin(), 'F'),
                (tcp.rst(), 'R'),
                (tcp.psh(), 'P'),
                (tcp.ack(), 'A'),
                (tcp.urg(), 'U'),
            ];
            let flags: String = flags.into_iter().filter_map(|(set, letter)| set.then_some(letter)).collect();
            format!(
                " TCP {} > {} {flags} seq {} ack {} window {} checksum {:#x}{}",
                tcp.source_port(),
                tcp.destination_port(),
                tcp.sequence_number(),
                tcp.acknowledgment_number(),
                tcp.window_size(),
                tcp.checksum(),
                data(tcp.payload())
            )
        }
        Some(TransportSlice::Udp(udp)) => format!(
            " UDP {} > {} checksum {:#x}{}",
            udp.source_port(),
            udp.destination_port(),
            udp.checksum(),
            data(udp.payload())
        ),
        Some(TransportSlice::Icmpv4(icmp)) => {
            let (kind, code) = (icmp.type_u8(), icmp.code_u8());
            let rest = hex(&icmp.bytes5to8());
            let quoted = matches!(kind, 3 | 4 | 5 | 11 | 12)
                .then(|| LaxSlicedPacket::from_ip(icmp.payload()).ok())
                .flatten();
            let quoted =
                quoted.map_or_else(|| data(icmp.payload()), |packet| format!(" [{}]", layers(&packet)));
            format!(" ICMP {kind}/{code} {rest} checksum {:#x}{quoted}", icmp.checksum())
        }
        _ => format!(" {}", data(payload)),
    }
}

fn data(bytes: &[u8]) -> String {
    if bytes.is_empty() { String::new() } else { format!(" data {}", hex(&bytes[..bytes.len().min(24)])) }
}

/// Bytes as digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
