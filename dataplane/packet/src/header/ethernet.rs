//! The Ethernet header.
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Ethertypes: what follows an Ethernet header or a VLAN tag.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// An IEEE 802.1Q tag.
    pub const VLAN: u16 = 0x8100;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// An IEEE 802.1ad service tag, which another tag follows.
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// LLDP.
    pub const LLDP: u16 = 0x88cc;
}

/// An Ethernet II header (RFC 894).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      Destination address                      |
/// +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                               |                               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
/// |                        Source address                         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           Ethertype           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Destination and source: MAC addresses; the lowest bit of the first byte is set for a group.
/// - Ethertype: what follows; under 0x0600 it is an IEEE 802.3 length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Ethernet {
    destination: [u8; 6],
    source: [u8; 6],
    ethertype: U16,
}

impl Ethernet {
    /// The destination MAC address.
    #[inline]
    pub const fn destination(&self) -> &[u8; 6] {
        &self.destination
    }

    /// The source MAC address.
    #[inline]
    pub const fn source(&self) -> &[u8; 6] {
        &self.source
    }

    /// What follows; under 0x0600 the length of an 802.3 frame.
    #[inline]
    pub const fn ethertype(&self) -> u16 {
        self.ethertype.get()
    }

    /// Whether the frame goes to a group of stations, broadcast included.
    #[inline]
    pub const fn is_group(&self) -> bool {
        let [first, ..] = self.destination;
        first & 1 != 0
    }

    /// Writes both MAC addresses.
    #[inline]
    pub const fn set_addresses(&mut self, destination: [u8; 6], source: [u8; 6]) {
        self.destination = destination;
        self.source = source;
    }

    /// Writes the ethertype.
    #[inline]
    pub const fn set_ethertype(&mut self, ethertype: u16) {
        self.ethertype = U16::new(ethertype);
    }
}
