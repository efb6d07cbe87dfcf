//! Network address translation in place, by the flow's precomputed checksum differences.
use sluice_packet::Parsed;
use sluice_packet::checksum::{self, Delta};
use sluice_packet::header::{Header, Sctp};

use super::{ip, ip_header, port, put, step_ttl, u16_at};
use crate::config::Protocol;
use crate::family::V4;
use crate::flow::{Direction, Flow};

/// Network address translation of a TCP or UDP packet of `flow`: the destination of a request becomes the real, the source
/// of a reply the virtual service. `forwarded` says that the packet leaves the director, which costs one hop.
#[inline(always)]
pub(crate) fn nat(frame: &mut [u8], parsed: &Parsed, flow: &Flow<V4>, direction: Direction, forwarded: bool) {
    let change = Change::of(flow, direction);
    match direction {
        Direction::In => {
            network::<{ ip::DESTINATION }>(frame, parsed, change, forwarded);
            transport::<{ port::DESTINATION }>(frame, parsed, change);
        }
        Direction::Out => {
            network::<{ ip::SOURCE }>(frame, parsed, change, forwarded);
            transport::<{ port::SOURCE }>(frame, parsed, change);
        }
    }
}

/// As [`nat`], of the addresses alone: what ESP and AH carry is not ours to read, let alone to change.
pub(crate) fn nat_addresses(
    frame: &mut [u8],
    parsed: &Parsed,
    flow: &Flow<V4>,
    direction: Direction,
    forwarded: bool,
) {
    let change = Change::of(flow, direction);
    match direction {
        Direction::In => network::<{ ip::DESTINATION }>(frame, parsed, change, forwarded),
        Direction::Out => network::<{ ip::SOURCE }>(frame, parsed, change, forwarded),
    }
}

/// As [`nat`], of an SCTP packet. Its checksum covers no addresses; where the port changes, the kernel computes it anew.
/// Of a packet that does not lie in the first segment alone, the sender's is brought up to date instead.
pub(crate) fn nat_sctp(
    frame: &mut [u8],
    parsed: &Parsed,
    flow: &Flow<V4>,
    direction: Direction,
    forwarded: bool,
) {
    nat_addresses(frame, parsed, flow, direction, forwarded);
    let new = Change::of(flow, direction).port;
    let (l3, l4) = (usize::from(parsed.l3), usize::from(parsed.l4));
    let end = l3 + usize::from(parsed.ip_len);
    let is_whole = end <= frame.len();
    let Some(packet) = frame.get_mut(l4..end.min(frame.len())) else { return };
    let (old, at) = match direction {
        Direction::In => (parsed.dport, port::DESTINATION),
        Direction::Out => (parsed.sport, port::SOURCE),
    };
    if old == new {
        return;
    }
    put(packet, at, new.to_be_bytes());
    let fresh = if is_whole { checksum::sctp(packet) } else { None };
    if let Some(header) = Sctp::at_mut(packet, 0) {
        let changed = || checksum::sctp_changed(header.checksum(), end.saturating_sub(l4), at, old, new);
        header.set_checksum(fresh.unwrap_or_else(changed));
    }
}

/// A new endpoint, and what it does to the checksums of the network and the transport header.
#[derive(Clone, Copy)]
struct Change {
    address: u32,
    port: u16,
    l3: Delta,
    l4: Delta,
}

impl Change {
    #[inline(always)]
    fn of(flow: &Flow<V4>, direction: Direction) -> Self {
        match direction {
            Direction::In => {
                let (address, port) = flow.destination();
                Self { address, port, l3: flow.l3_delta, l4: flow.l4_delta }
            }
            Direction::Out => {
                let (address, port) = flow.vip();
                Self { address, port, l3: flow.l3_delta.negated(), l4: flow.l4_delta.negated() }
            }
        }
    }
}

/// Writes the new address at offset `ADDRESS` of the network header.
#[inline(always)]
fn network<const ADDRESS: usize>(frame: &mut [u8], parsed: &Parsed, change: Change, forwarded: bool) {
    let Some(header) = ip_header(frame, parsed) else { return };
    if forwarded {
        step_ttl(header, change.l3);
    } else {
        let checksum = change.l3.apply(u16_at(header, ip::CHECKSUM));
        put(header, ip::CHECKSUM, checksum.to_be_bytes());
    }
    put(header, ADDRESS, change.address.to_be_bytes());
}

/// Writes the new port at offset `PORT` of the TCP or UDP header.
#[inline(always)]
fn transport<const PORT: usize>(frame: &mut [u8], parsed: &Parsed, change: Change) {
    let Some(transport) = frame.get_mut(usize::from(parsed.l4)..) else { return };
    if parsed.protocol == Protocol::Tcp as u8 {
        let Some(header) = transport.first_chunk_mut::<18>() else { return };
        put(header, PORT, change.port.to_be_bytes());
        let checksum = change.l4.apply(u16_at(header, 16));
        put(header, 16, checksum.to_be_bytes());
        return;
    }
    let Some(header) = transport.first_chunk_mut::<8>() else { return };
    put(header, PORT, change.port.to_be_bytes());
    match u16_at(header, 6) {
        0 => full_udp_checksum(frame, parsed),
        checksum => put(header, 6, change.l4.apply_udp(checksum).to_be_bytes()),
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
