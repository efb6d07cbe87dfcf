//! Checksums: the Internet checksum in full (RFC 1071) and by difference (RFC 1624), and SCTP's CRC32c.
//!
//! The packet path rewrites addresses and ports and adjusts the checksum by a [`Delta`] that it made once per
//! flow. It computes a checksum in full only where the packet had none, or where it writes a packet of its
//! own.
mod crc32c;
mod delta;
mod sum;
mod transport;

pub use crc32c::{Crc32c, sctp, sctp_changed};
pub use delta::Delta;
pub use sum::Sum;
pub use transport::{icmp, icmpv6, ipv4_header, pseudo_v4, pseudo_v6, tcp, udp};
