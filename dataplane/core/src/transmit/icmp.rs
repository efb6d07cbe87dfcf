//! ICMP errors under network address translation: the packet around and the packet that it quotes.
use sluice_packet::checksum::{self, Delta, Sum};
use sluice_packet::header::{Header, Icmp, Ipv4};
use sluice_packet::{Parsed, Quoted4};

use super::{ip, ip_header, port, put, step_ttl, u16_at};
use crate::config::Protocol;
use crate::family::V4;
use crate::flow::{Direction, Flow};

/// Whether the checksum of an ICMP message is right; one that does not lie in the first segment alone cannot be told.
pub(crate) fn icmp_checksum_is_right(frame: &[u8], parsed: &Parsed) -> bool {
    let end = usize::from(parsed.l3) + usize::from(parsed.ip_len);
    frame.get(parsed.l4.into()..end).is_some_and(|message| Sum::of_bytes(message).is_right())
}

/// As [`nat`](super::nat), of an ICMP error about a packet of `flow` that went the other way. It may come from, or go to,
/// any address; the error and what it quotes get what the kernel gives them (ip_vs_nat_icmp): the quoted transport
/// checksum stays, the quoted header's is made right. The checksum of the message has been found right.
pub(crate) fn nat_icmp(
    frame: &mut [u8],
    parsed: &Parsed,
    flow: &Flow<V4>,
    direction: Direction,
    forwarded: bool,
) {
    let Some(quoted) = Quoted4::of(frame, parsed) else { return };
    let Some(header) = ip_header(frame, parsed) else { return };
    let (at, old, new) = match direction {
        Direction::In => (ip::DESTINATION, parsed.dst, flow.destination()),
        Direction::Out => (ip::SOURCE, parsed.src, flow.vip()),
    };
    let delta = Delta::of_u32(old, new.0);
    if forwarded {
        step_ttl(header, delta);
    } else {
        let checksum = delta.apply(u16_at(header, ip::CHECKSUM));
        put(header, ip::CHECKSUM, checksum.to_be_bytes());
    }
    put(header, at, new.0.to_be_bytes());
    let delta = requote(frame, &quoted, direction, new);
    if let Some(icmp) = Icmp::at_mut(frame, parsed.l4.into()) {
        icmp.set_checksum(delta.apply(icmp.checksum()));
    }
}

/// Gives the quoted packet the endpoint that it left with, on its own way: source under `In`, destination under `Out`.
/// Returns what that adds to the checksum of the message.
fn requote(frame: &mut [u8], quoted: &Quoted4, direction: Direction, (address, port): (u32, u16)) -> Delta {
    let (l3, l4) = (usize::from(quoted.l3), usize::from(quoted.l4));
    let options = frame.get(l3 + Ipv4::LEN..l4).unwrap_or_default();
    let Some(mut header) = Ipv4::at(frame, l3).copied() else { return Delta::ZERO };
    let old_checksum = header.checksum();
    let (at, old_address, old_port) = match direction {
        Direction::In => {
            header.set_source(address);
            (port::SOURCE, quoted.src, quoted.sport)
        }
        Direction::Out => {
            header.set_destination(address);
            (port::DESTINATION, quoted.dst, quoted.dport)
        }
    };
    header.set_checksum(checksum::ipv4_header(&header, options));
    let delta = Delta::of_u32(old_address, address).plus(Delta::of_u16(old_checksum, header.checksum()));
    if let Some(place) = Ipv4::at_mut(frame, l3) {
        *place = header;
    }
    if !Protocol::has_ports(quoted.protocol) {
        return delta;
    }
    if let Some(transport) = frame.get_mut(l4..) {
        put(transport, at, port.to_be_bytes());
    }
    delta.plus(Delta::of_u16(old_port, port))
}
