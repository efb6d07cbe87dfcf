//! IPv4: the checks of the kernel's `ip_rcv`, in its order.
use super::transport::{self, Transport};
use super::{bad, contiguous};
use crate::checksum::Sum;
use crate::header::{Header, Icmp, Ipv4, protocol};
use crate::{Kind, Malformed, Parsed};
use zerocopy::IntoBytes;

/// The straight line: a header without options. Anything else goes to [`general`].
#[inline(always)]
pub(super) fn plain(frame: &[u8], frame_len: usize, l3: usize, checksum_good: bool, out: &mut Parsed) {
    match Ipv4::at(frame, l3) {
        Some(ip) if ip.version_ihl() == Ipv4::PLAIN => {
            if !checksum_good && !Sum::of_bytes(ip.as_bytes()).is_right() {
                return bad(out, Malformed::Ipv4Checksum);
            }
            after_header(frame, frame_len, l3, ip, Ipv4::LEN, out);
        }
        _ => general(frame, frame_len, l3, checksum_good, out),
    }
}

/// Any header, options included.
#[inline(never)]
pub(super) fn general(frame: &[u8], frame_len: usize, l3: usize, checksum_good: bool, out: &mut Parsed) {
    let Some(ip) = Ipv4::at(frame, l3) else {
        return bad(out, Malformed::Ipv4Truncated);
    };
    if ip.version() != 4 {
        return bad(out, Malformed::Ipv4Version);
    }
    let header_len = ip.header_len();
    if header_len < Ipv4::LEN {
        return bad(out, Malformed::Ipv4HeaderLength);
    }
    let Some(header) = frame.get(l3..l3.saturating_add(header_len)) else {
        return bad(out, Malformed::Ipv4Truncated);
    };
    if !checksum_good && !Sum::of_bytes(header).is_right() {
        return bad(out, Malformed::Ipv4Checksum);
    }
    after_header(frame, frame_len, l3, ip, header_len, out);
}

/// The header itself is sound: its total length, its addresses, and what it carries.
#[inline(always)]
fn after_header(frame: &[u8], frame_len: usize, l3: usize, ip: &Ipv4, header_len: usize, out: &mut Parsed) {
    let ip_len = usize::from(ip.total_len());
    if ip_len < header_len || ip_len > frame_len.saturating_sub(l3) {
        return bad(out, Malformed::Ipv4TotalLength);
    }
    let l4 = l3.saturating_add(header_len);
    out.protocol = ip.protocol();
    out.l3 = l3 as u16;
    out.l4 = l4 as u16;
    out.ip_len = ip.total_len();
    out.src = ip.source();
    out.dst = ip.destination();
    if is_special(ip.source()) || is_special(ip.destination()) {
        return;
    }
    let payload = contiguous(frame, l4, l3.saturating_add(ip_len));
    if ip.is_fragment() {
        return fragment(ip, payload, out);
    }
    match transport::read(ip.protocol(), payload, protocol::ICMP) {
        Transport::Flow { sport, dport, flags } => {
            out.kind = Kind::Flow4;
            out.flags = flags;
            out.sport = sport;
            out.dport = dport;
        }
        Transport::Sctp { sport, dport, chunk } => {
            out.kind = Kind::Sctp4;
            out.flags = chunk;
            out.sport = sport;
            out.dport = dport;
        }
        Transport::Ipsec => out.kind = Kind::Ipsec4,
        Transport::Icmp(Icmp::UNREACHABLE | Icmp::SOURCE_QUENCH | Icmp::TIME_EXCEEDED) => {
            out.kind = Kind::IcmpError4;
        }
        Transport::Icmp(_) | Transport::Other => {}
        Transport::Truncated => bad(out, Malformed::TransportTruncated),
    }
}

/// A fragment has a transport header where it is the first and not too short for one. A first fragment that
/// is too short is sound all the same: Linux puts IPv4 packets together before it looks (`ip_defrag`). ESP and
/// AH have no ports to look for, so their fragments can go one by one; what arrives is the same.
#[inline(never)]
fn fragment(ip: &Ipv4, payload: &[u8], out: &mut Parsed) {
    let is_ipsec = matches!(ip.protocol(), protocol::ESP | protocol::AH);
    out.kind = if is_ipsec { Kind::Ipsec4 } else { Kind::Fragment4 };
    if ip.fragment_offset() != 0 {
        out.l4 = 0;
        return;
    }
    match transport::read(ip.protocol(), payload, protocol::ICMP) {
        Transport::Flow { sport, dport, flags } | Transport::Sctp { sport, dport, chunk: flags } => {
            out.flags = flags;
            out.sport = sport;
            out.dport = dport;
        }
        Transport::Ipsec | Transport::Icmp(_) | Transport::Other => {}
        Transport::Truncated => out.l4 = 0,
    }
}

/// Whether no flow can have this address at either end: 0/8, 127/8, multicast and the limited broadcast.
/// Linux refuses them as martian (`ip_route_input_slow`) or delivers them as broadcast before IPVS could see
/// them.
#[inline(always)]
fn is_special(address: u32) -> bool {
    let network = address >> 24;
    // One comparison sorts out the first 223 networks but loopback, 0 wrapping to the top.
    let common = network.wrapping_sub(1) < 223 && network != 127;
    !common && !is_class_e(address)
}

/// 240/4, which Linux routes like any unicast address.
#[cold]
const fn is_class_e(address: u32) -> bool {
    address >> 28 == 0xf && address != u32::MAX
}
