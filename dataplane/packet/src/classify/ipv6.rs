//! IPv6: the checks of the kernel's `ipv6_rcv`, then the extension headers as `ipv6_find_hdr` passes over
//! them.
use super::transport::{self, Transport};
use super::{bad, contiguous};
use crate::header::{Header, Icmp, Ipv6, Ipv6Extension, Ipv6Fragment, protocol};
use crate::{Kind, Malformed, Parsed};

/// Extension headers that are passed over; a packet with more is broken, so that none costs much time.
const MAX_EXTENSIONS: usize = 8;

/// Classifies the IPv6 packet that starts at `l3`.
#[inline(never)]
pub(super) fn classify(frame: &[u8], frame_len: usize, l3: usize, out: &mut Parsed) {
    let Some(ip) = Ipv6::at(frame, l3) else {
        return bad(out, Malformed::Ipv6Truncated);
    };
    if ip.version() != 6 {
        return bad(out, Malformed::Ipv6Version);
    }
    let ip_len = Ipv6::LEN.saturating_add(usize::from(ip.payload_len()));
    if ip_len > frame_len.saturating_sub(l3) {
        return bad(out, Malformed::Ipv6PayloadLength);
    }
    // A jumbogram (RFC 2675) states its length in an option, and then this field is 0.
    let jumbo = ip.payload_len() == 0 && ip.next_header() == protocol::HOP_BY_HOP;
    let Ok(len) = u16::try_from(ip_len) else { return };
    if jumbo || is_special(ip.source()) || is_special(ip.destination()) {
        return;
    }
    out.l3 = l3 as u16;
    out.ip_len = len;
    let packet = contiguous(frame, l3, l3.saturating_add(ip_len));
    if is_extension(ip.next_header()) {
        return pass_extensions(packet, l3, ip.next_header(), out);
    }
    carried(packet, l3, Ipv6::LEN, ip.next_header(), false, out);
}

const fn is_extension(next_header: u8) -> bool {
    use protocol::{AH, DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING};
    matches!(next_header, HOP_BY_HOP | ROUTING | FRAGMENT | AH | DESTINATION)
}

/// Passes over the extension headers of `packet`, which starts with the IPv6 header, and goes by what follows
/// them.
#[inline(never)]
fn pass_extensions(packet: &[u8], l3: usize, mut kind: u8, out: &mut Parsed) {
    let mut offset = Ipv6::LEN;
    let mut is_fragment = false;
    for _ in 0..MAX_EXTENSIONS {
        let Some(header) = Ipv6Extension::at(packet, offset) else {
            return bad(out, Malformed::Ipv6Extension);
        };
        let start = offset;
        offset = offset.saturating_add(header.header_len(kind));
        if offset > packet.len() {
            return bad(out, Malformed::Ipv6Extension);
        }
        if kind == protocol::FRAGMENT {
            is_fragment = true;
            if Ipv6Fragment::at(packet, start).is_some_and(|header| header.fragment_offset() != 0) {
                out.kind = Kind::Fragment6;
                out.protocol = header.next_header();
                return;
            }
        }
        kind = header.next_header();
        if !is_extension(kind) {
            return carried(packet, l3, offset, kind, is_fragment, out);
        }
    }
    bad(out, Malformed::Ipv6Extension);
}

/// What the packet carries at `offset`, after its extension headers.
///
/// An atomic fragment (offset 0, none follows) counts as a first fragment. Linux takes such a packet as whole
/// (`ipv6_frag_rcv`, RFC 6946); whoever puts fragments together can do so at once.
#[inline(always)]
fn carried(packet: &[u8], l3: usize, offset: usize, protocol: u8, is_fragment: bool, out: &mut Parsed) {
    out.protocol = protocol;
    out.l4 = l3.saturating_add(offset) as u16;
    let payload = packet.get(offset..).unwrap_or_default();
    match transport::read(protocol, payload, protocol::ICMPV6) {
        Transport::Flow { sport, dport, flags } => {
            out.kind = Kind::Flow6;
            out.flags = flags;
            out.sport = sport;
            out.dport = dport;
        }
        Transport::Sctp { sport, dport, chunk } => {
            out.kind = Kind::Sctp6;
            out.flags = chunk;
            out.sport = sport;
            out.dport = dport;
        }
        Transport::Ipsec => out.kind = Kind::Ipsec6,
        Transport::Icmp(kind) if kind < Icmp::V6_INFORMATIONAL => out.kind = Kind::IcmpError6,
        Transport::Icmp(_) | Transport::Other => {}
        // Of a first fragment too: Linux drops one that does not hold all headers (RFC 8200 section 4.5,
        // `ipv6frag_thdr_truncated`).
        Transport::Truncated => return bad(out, Malformed::TransportTruncated),
    }
    if is_fragment {
        out.kind = Kind::Fragment6;
    }
}

/// Whether no flow can have this address at either end: multicast (ff00::/8), and the unspecified and the
/// loopback address, which Linux does not accept off a wire.
#[inline(always)]
fn is_special(address: &[u8; 16]) -> bool {
    let [high, rest @ .., low] = address;
    *high == 0xff || (*high == 0 && *low <= 1 && *rest == [0; 14])
}
