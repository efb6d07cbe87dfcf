//! The packet that an ICMP error quotes.
use crate::header::{Header, Icmp, Ipv4, protocol};
use crate::{Kind, Parsed};

/// The headers of an IPv4 packet as an ICMP error quotes them. Addresses and ports are in host order; offsets count from
/// the first byte of the frame.
///
/// An error quotes as much of the packet as its sender chose to, at least the IP header and eight bytes (RFC 792), so the
/// lengths that the quoted headers state say nothing about what is there, and none of them is relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted4 {
    /// The IP protocol.
    pub protocol: u8,
    /// Offset of the quoted IP header.
    pub l3: u16,
    /// Offset of what follows it.
    pub l4: u16,
    /// Source address.
    pub src: u32,
    /// Destination address.
    pub dst: u32,
    /// Source port; 0 for a protocol without.
    pub sport: u16,
    /// Destination port; 0 for a protocol without.
    pub dport: u16,
}

impl Quoted4 {
    /// Reads the packet that the ICMP error in `frame` quotes, `parsed` being what classification says of the frame.
    ///
    /// `None` where the frame is no [`Kind::IcmpError4`], where the quoted IP header is broken or not whole, where the
    /// packet was a later fragment, or where the ports of TCP, UDP or SCTP are cut off.
    pub fn of(frame: &[u8], parsed: &Parsed) -> Option<Self> {
        if parsed.kind != Kind::IcmpError4 {
            return None;
        }
        let end = usize::from(parsed.l3).saturating_add(usize::from(parsed.ip_len)).min(frame.len());
        let message = frame.get(..end)?;
        let l3 = usize::from(parsed.l4).checked_add(Icmp::LEN)?;
        let ip = Ipv4::at(message, l3)?;
        let l4 = l3.checked_add(ip.header_len())?;
        if ip.version() != 4 || ip.header_len() < Ipv4::LEN || l4 > end || ip.fragment_offset() != 0 {
            return None;
        }
        let (sport, dport) = match ip.protocol() {
            protocol::TCP | protocol::UDP | protocol::SCTP => ports(message.get(l4..)?)?,
            _ => (0, 0),
        };
        Some(Self {
            protocol: ip.protocol(),
            l3: l3 as u16,
            l4: l4 as u16,
            src: ip.source(),
            dst: ip.destination(),
            sport,
            dport,
        })
    }
}

/// TCP, UDP and SCTP begin alike.
fn ports(transport: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *transport.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}
