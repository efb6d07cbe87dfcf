//! The VLAN tag.
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What follows the ethertype 0x8100 (802.1Q) or 0x88a8 (802.1ad).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | PCP |D|        VLAN id        |           Ethertype           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - PCP: priority, 0 to 7.
/// - D: drop eligible.
/// - VLAN id: 1 to 4094; 0 carries a priority only.
/// - Ethertype: what follows the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Vlan {
    tag: U16,
    ethertype: U16,
}

impl Vlan {
    /// The whole tag: priority, drop-eligible bit and id.
    #[inline]
    pub const fn tag(&self) -> u16 {
        self.tag.get()
    }

    /// The VLAN id, 0 to 4095.
    #[inline]
    pub const fn id(&self) -> u16 {
        self.tag.get() & 0x0fff
    }

    /// What follows the tag.
    #[inline]
    pub const fn ethertype(&self) -> u16 {
        self.ethertype.get()
    }

    /// Writes the whole tag.
    #[inline]
    pub const fn set_tag(&mut self, tag: u16) {
        self.tag = U16::new(tag);
    }

    /// Writes the ethertype of what follows.
    #[inline]
    pub const fn set_ethertype(&mut self, ethertype: u16) {
        self.ethertype = U16::new(ethertype);
    }
}
