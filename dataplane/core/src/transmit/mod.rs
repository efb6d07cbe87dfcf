//! What becomes of a packet's bytes on its way out, one file per method, and what the methods share.
mod direct;
mod icmp;
mod nat;
mod tunnel;

use sluice_packet::Parsed;
use sluice_packet::checksum::Delta;

pub(crate) use direct::direct;
pub(crate) use icmp::{icmp_checksum_is_right, nat_icmp};
pub(crate) use nat::{nat, nat_addresses, nat_sctp};
pub(crate) use tunnel::{Idents, Tunnel, Wrapping};

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

/// Where TCP, UDP and SCTP have their ports.
mod port {
    pub(super) const SOURCE: usize = 0;
    pub(super) const DESTINATION: usize = 2;
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

/// Writes destination and source MAC address.
#[inline(always)]
pub(crate) fn ethernet(frame: &mut [u8], macs: [u8; 12]) {
    put(frame, 0, macs);
}
