//! Cutting a packet into fragments.
use super::network::{Extension, V4, V6};
use crate::header::Ipv4;
use alloc::vec::Vec;

/// The fragments of an IPv4 packet that carries `segment`.
pub(super) fn of_v4(ip: &V4, protocol: u8, segment: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    pieces(segment, mtu, ip.header_len())
        .map(|(offset, more, piece)| {
            let mut ip = ip.clone();
            ip.flags_offset = offset >> 3 | if more { Ipv4::MORE_FRAGMENTS } else { 0 };
            ip.around(protocol, piece)
        })
        .collect()
}

/// The fragments of an IPv6 packet that carries `segment`.
pub(super) fn of_v6(ip: &V6, protocol: u8, segment: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    pieces(segment, mtu, ip.headers_len() + 8)
        .map(|(offset, more, piece)| {
            let mut ip = ip.clone();
            ip.extensions.push(Extension::Fragment { offset, more });
            ip.around(protocol, piece)
        })
        .collect()
}

/// Offset, whether more follow, and bytes of each piece that fits `mtu` after `header_len` bytes of headers.
fn pieces(segment: &[u8], mtu: usize, header_len: usize) -> impl Iterator<Item = (u16, bool, &[u8])> {
    let room = mtu.checked_sub(header_len).map_or(0, |room| room & !7);
    assert!(room > 0, "an MTU of {mtu} leaves no room after {header_len} bytes of headers");
    let last = segment.len().div_ceil(room).max(1) - 1;
    (0..=last).map(move |i| {
        let piece = &segment[i * room..segment.len().min((i + 1) * room)];
        (u16::try_from(i * room).expect("a segment fits an IP packet"), i < last, piece)
    })
}
