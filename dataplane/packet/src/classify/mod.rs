//! Classification: what a frame is, where its headers lie and whose flow it may belong to.
//!
//! The straight line is an untagged frame to the port's own address that carries IPv4 without options and TCP
//! or UDP. It is compiled with constant offsets; everything else shares one general copy out of line.
//!
//! The outcome is written where the caller wants it, field by field. Returned by value it would be copied
//! from the stack in wide loads right after narrow stores, which stalls until the stores retire and doubles
//! the time.
mod ipv4;
mod ipv6;
mod transport;

use crate::header::{Ethernet, Header, Vlan, ethertype};
use crate::{Kind, Malformed, Parsed};

/// Tags that are passed over; a frame with more is the kernel's.
const MAX_VLAN_TAGS: usize = 2;

/// Classifies a frame that arrived on the port with address `mac`.
///
/// `frame` holds its contiguous bytes, all headers among them; `frame_len` is the length of the whole frame,
/// at least `frame.len()`. With `ip_checksum_good` the device vouches for the IPv4 header checksum and it is
/// not summed again.
///
/// The answer for a broken frame is [`Kind::Bad`] with a reason; no input panics.
#[inline]
pub fn classify(frame: &[u8], frame_len: usize, mac: &[u8; 6], ip_checksum_good: bool) -> Parsed {
    let mut parsed = Parsed::NOTHING;
    classify_into(frame, frame_len, mac, ip_checksum_good, &mut parsed);
    parsed
}

/// As [`classify`], writing the outcome in place: the fast way to fill an array, for a burst.
#[inline]
pub fn classify_into(
    frame: &[u8],
    frame_len: usize,
    mac: &[u8; 6],
    ip_checksum_good: bool,
    out: &mut Parsed,
) {
    *out = Parsed::NOTHING;
    let Some(ethernet) = Ethernet::at(frame, 0) else {
        return bad(out, Malformed::EthernetTruncated);
    };
    if ethernet.destination() != mac {
        // The kernel sorts out groups (it knows which were joined); another station's unicast is nobody's
        // here.
        out.kind = if ethernet.is_group() { Kind::Other } else { Kind::NotOurs };
        return;
    }
    if ethernet.ethertype() == ethertype::IPV4 {
        return ipv4::plain(frame, frame_len, Ethernet::LEN, ip_checksum_good, out);
    }
    not_ipv4(frame, frame_len, ethernet.ethertype(), ip_checksum_good, out);
}

/// Passes over VLAN tags and goes by what follows them.
#[inline(never)]
fn not_ipv4(frame: &[u8], frame_len: usize, mut ethertype: u16, ip_checksum_good: bool, out: &mut Parsed) {
    let mut l3 = Ethernet::LEN;
    for tags in 0..MAX_VLAN_TAGS {
        if !matches!(ethertype, ethertype::VLAN | ethertype::SERVICE_VLAN) {
            break;
        }
        let Some(vlan) = Vlan::at(frame, l3) else {
            return bad(out, Malformed::EthernetTruncated);
        };
        if tags == 0 {
            out.vlan = vlan.tag();
        }
        ethertype = vlan.ethertype();
        l3 = l3.saturating_add(Vlan::LEN);
    }
    match ethertype {
        ethertype::IPV4 => ipv4::general(frame, frame_len, l3, ip_checksum_good, out),
        ethertype::IPV6 => ipv6::classify(frame, frame_len, l3, out),
        _ => {}
    }
}

/// The frame is broken. What was read of it before is of no use any more.
#[cold]
fn bad(out: &mut Parsed, malformed: Malformed) {
    *out = Parsed { kind: Kind::Bad, malformed, vlan: out.vlan, ..Parsed::NOTHING };
}

/// What lies in one piece of the bytes from `start` to `end`. A chained frame may end its first piece before
/// `end`.
#[inline(always)]
fn contiguous(frame: &[u8], start: usize, end: usize) -> &[u8] {
    frame.get(start..end.min(frame.len())).unwrap_or_default()
}
