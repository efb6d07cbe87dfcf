//! Header views: plain structs laid over the bytes of a frame, read and written in place.
//!
//! All follow one template. A view is had from [`Header::at`] or [`Header::at_mut`], which answer `None`
//! where the bytes do not hold the whole fixed part; once there is a view, no accessor can fail. Accessors
//! speak host order. What follows the fixed part (IPv4 options, TCP options, extension headers) is left to
//! the caller, who knows the offsets.
mod ethernet;
mod gre;
mod gue;
mod icmp;
mod ipv4;
mod ipv6;
pub mod protocol;
mod sctp;
mod tcp;
mod udp;
mod vlan;

pub use ethernet::{Ethernet, ethertype};
pub use gre::Gre;
pub use gue::Gue;
pub use icmp::Icmp;
pub use ipv4::Ipv4;
pub use ipv6::{Ipv6, Ipv6Extension, Ipv6Fragment};
pub use sctp::{Sctp, SctpChunk};
pub use tcp::{Tcp, flags};
pub use udp::Udp;
pub use vlan::Vlan;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A header that can be viewed in place, at any alignment.
pub trait Header: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Sized {
    /// Length of the fixed part in bytes.
    const LEN: usize = size_of::<Self>();

    /// The header that starts `offset` bytes into `bytes`; `None` where it is not wholly there.
    #[inline]
    fn at(bytes: &[u8], offset: usize) -> Option<&Self> {
        Self::ref_from_prefix(bytes.get(offset..)?).ok().map(|(header, _)| header)
    }

    /// As [`at`](Self::at), for writing.
    #[inline]
    fn at_mut(bytes: &mut [u8], offset: usize) -> Option<&mut Self> {
        Self::mut_from_prefix(bytes.get_mut(offset..)?).ok().map(|(header, _)| header)
    }
}

impl Header for Ethernet {}
impl Header for Gre {}
impl Header for Gue {}
impl Header for Icmp {}
impl Header for Ipv4 {}
impl Header for Ipv6 {}
impl Header for Ipv6Extension {}
impl Header for Ipv6Fragment {}
impl Header for Sctp {}
impl Header for SctpChunk {}
impl Header for Tcp {}
impl Header for Udp {}
impl Header for Vlan {}
