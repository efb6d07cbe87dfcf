//! Full Internet checksums of IPv4 headers, TCP, UDP, ICMP and ICMPv6.
use super::Sum;
use crate::header::{Header, Icmp, Ipv4, Tcp};
use zerocopy::IntoBytes;

// Where each header holds its checksum. All are even, so the words on both sides stay aligned.
const TCP_FIELD: usize = 16;
const UDP_FIELD: usize = 6;
const ICMP_FIELD: usize = 2;

/// The sum over an IPv4 pseudo-header (RFC 9293 section 3.1): addresses, protocol and `len`, the length of
/// the transport header and payload in bytes.
#[inline]
pub const fn pseudo_v4(source: u32, destination: u32, protocol: u8, len: u16) -> Sum {
    let addresses = Sum::of_u32(source).plus(Sum::of_u32(destination));
    addresses.plus(Sum::of_u32(protocol as u32)).plus(Sum::of_u32(len as u32))
}

/// The sum over an IPv6 pseudo-header (RFC 8200 section 8.1). `protocol` is that of the transport header, not
/// of an extension header before it.
#[inline]
pub fn pseudo_v6(source: &[u8; 16], destination: &[u8; 16], protocol: u8, len: u32) -> Sum {
    let addresses = Sum::of_bytes(source).plus(Sum::of_bytes(destination));
    addresses.plus(Sum::of_u32(u32::from(protocol))).plus(Sum::of_u32(len))
}

/// The header checksum of an IPv4 header; `options` is what the header holds after its first 20 bytes.
#[inline]
pub fn ipv4_header(header: &Ipv4, options: &[u8]) -> u16 {
    let mut header = *header;
    header.set_checksum(0);
    Sum::of_bytes(header.as_bytes()).plus(Sum::of_bytes(options)).checksum()
}

/// The checksum of a TCP segment (header and payload), its field taken as 0; `None` where the segment is
/// shorter than a TCP header.
#[inline]
pub fn tcp(pseudo: Sum, segment: &[u8]) -> Option<u16> {
    if segment.len() < Tcp::LEN {
        return None;
    }
    around(pseudo, segment, TCP_FIELD)
}

/// The checksum of a UDP datagram, its field taken as 0; never 0, which says "none" (RFC 768). `None` where
/// the datagram is shorter than a UDP header.
#[inline]
pub fn udp(pseudo: Sum, datagram: &[u8]) -> Option<u16> {
    match around(pseudo, datagram, UDP_FIELD) {
        Some(0) => Some(0xffff),
        checksum => checksum,
    }
}

/// The checksum of an ICMP message, its field taken as 0; `None` where the message is shorter than eight
/// bytes.
#[inline]
pub fn icmp(message: &[u8]) -> Option<u16> {
    icmpv6(Sum::default(), message)
}

/// As [`icmp`], for ICMPv6, which sums a pseudo-header too.
#[inline]
pub fn icmpv6(pseudo: Sum, message: &[u8]) -> Option<u16> {
    if message.len() < Icmp::LEN {
        return None;
    }
    around(pseudo, message, ICMP_FIELD)
}

/// Sums what lies before and after the 16-bit field at `offset`.
#[inline]
fn around(pseudo: Sum, bytes: &[u8], offset: usize) -> Option<u16> {
    let (before, rest) = bytes.split_at_checked(offset)?;
    let (_, after) = rest.split_first_chunk::<2>()?;
    Some(pseudo.plus(Sum::of_bytes(before)).plus(Sum::of_bytes(after)).checksum())
}
