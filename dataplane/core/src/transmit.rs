//! Rewriting in place: NAT by the flow's precomputed checksum differences, direct routing, and the Ethernet header.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use sluice_packet::Parsed;
use sluice_packet::checksum::{self, Delta};

use crate::config::Protocol;
use crate::flow::{Direction, Flow};

/// A router takes one off the time to live, the upper byte of a header word.
const TTL_STEP: Delta = Delta::of_u16(0x0100, 0);

/// The IPv4 header without options.
#[inline(always)]
fn ip_header<'a>(frame: &'a mut [u8], parsed: &Parsed) -> Option<&'a mut [u8; 20]> {
    frame.get_mut(usize::from(parsed.l3)..)?.first_chunk_mut()
}

/// Bytes of an IPv4 header.
mod ip {
    pub(super) const TTL: usize = 8;
    pub(super) const CHECKSUM: usize = 10;
    pub(super) const SOURCE: usize = 12;
    pub(super) const DESTINATION: usize = 16;
}

#[inline(always)]
fn put<const N: usize>(header: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *place = bytes;
    }
}

#[inline(always)]
fn u16_at(header: &[u8], at: usize) -> u16 {
    header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// The packet's time to live; 0 where the frame has no whole IPv4 header.
#[inline(always)]
pub(crate) fn time_to_live(frame: &[u8], parsed: &Parsed) -> u8 {
    frame.get(usize::from(parsed.l3) + ip::TTL).copied().unwrap_or(0)
}

/// Takes one off the time to live and brings the header checksum up to date, with `more` on top. The time to live is
/// at least 1.
#[inline(always)]
fn step_ttl(header: &mut [u8; 20], more: Delta) {
    let checksum = TTL_STEP.plus(more).apply(u16_at(header, ip::CHECKSUM));
    header[ip::TTL] = header[ip::TTL].wrapping_sub(1);
    put(header, ip::CHECKSUM, checksum.to_be_bytes());
}

/// Direct routing: the packet stays as it is, but for its time to live.
#[inline(always)]
pub(crate) fn direct(frame: &mut [u8], parsed: &Parsed) {
    if let Some(header) = ip_header(frame, parsed) {
        step_ttl(header, Delta::ZERO);
    }
}

/// Writes destination and source MAC address.
#[inline(always)]
pub(crate) fn ethernet(frame: &mut [u8], macs: [u8; 12]) {
    put(frame, 0, macs);
}

/// Network address translation of a packet of `flow`: the destination of a request becomes the real, the source of a
/// reply the virtual service. `forwarded` says that the packet leaves the director, which costs one hop.
#[inline(always)]
pub(crate) fn nat(frame: &mut [u8], parsed: &Parsed, flow: &Flow, direction: Direction, forwarded: bool) {
    let (l3_delta, l4_delta) = match direction {
        Direction::In => (flow.l3_delta, flow.l4_delta),
        Direction::Out => (flow.l3_delta.negated(), flow.l4_delta.negated()),
    };
    let (address_at, address, port_at, port) = match direction {
        Direction::In => (ip::DESTINATION, flow.real_address, 2, flow.real_port),
        Direction::Out => (ip::SOURCE, flow.vip, 0, flow.vport),
    };
    let Some(header) = ip_header(frame, parsed) else { return };
    if forwarded {
        step_ttl(header, l3_delta);
    } else {
        let checksum = l3_delta.apply(u16_at(header, ip::CHECKSUM));
        put(header, ip::CHECKSUM, checksum.to_be_bytes());
    }
    put(header, address_at, address.to_be_bytes());
    let l4 = usize::from(parsed.l4);
    let Some(transport) = frame.get_mut(l4..) else { return };
    put(transport, port_at, port.to_be_bytes());
    if parsed.protocol == Protocol::Tcp as u8 {
        let checksum = l4_delta.apply(u16_at(transport, 16));
        put(transport, 16, checksum.to_be_bytes());
        return;
    }
    match u16_at(transport, 6) {
        0 => full_udp_checksum(frame, parsed),
        checksum => put(transport, 6, l4_delta.apply_udp(checksum).to_be_bytes()),
    }
}

/// A UDP packet without a checksum leaves with one, as the kernel has it. Where its payload does not lie in the first
/// segment it stays without, which is valid too (RFC 768).
#[cold]
fn full_udp_checksum(frame: &mut [u8], parsed: &Parsed) {
    let (l3, l4) = (usize::from(parsed.l3), usize::from(parsed.l4));
    let end = l3 + usize::from(parsed.ip_len);
    let word =
        |at: usize| frame.get(l3 + at..).and_then(|rest| rest.first_chunk()).map(|b| u32::from_be_bytes(*b));
    let (Some(source), Some(destination)) = (word(ip::SOURCE), word(ip::DESTINATION)) else { return };
    let Some(datagram) = frame.get_mut(l4..end) else { return };
    let Ok(len) = u16::try_from(datagram.len()) else { return };
    let pseudo = checksum::pseudo_v4(source, destination, Protocol::Udp as u8, len);
    if let Some(checksum) = checksum::udp(pseudo, datagram) {
        put(datagram, 6, checksum.to_be_bytes());
    }
}
