//! A mark rule as the operator states it: what it asks of a packet, and the mark it gives.
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::config::{ConfigError, Protocol};

/// A mark rule. What is `None` is not asked for; a rule matches packets that have all that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MarkRule {
    /// Rules are asked in this order, the lowest first; among equals the one that was added first.
    pub priority: u32,
    /// Index of the port by which the packet came in.
    pub port: Option<u16>,
    /// The packet's outermost VLAN id, 1 to 4094; 0 for packets without a tag.
    pub vlan: Option<u16>,
    /// Transport protocol.
    pub protocol: Option<Protocol>,
    /// Source address.
    pub source: Option<Prefix>,
    /// Destination address, of the source's family.
    pub destination: Option<Prefix>,
    /// Source port.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination port.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// The mark, not 0.
    pub mark: u32,
}

impl MarkRule {
    /// A rule that matches every packet.
    #[must_use]
    pub const fn any(priority: u32, mark: u32) -> Self {
        Self {
            priority,
            port: None,
            vlan: None,
            protocol: None,
            source: None,
            destination: None,
            source_ports: None,
            destination_ports: None,
            mark,
        }
    }

    /// Whether the rule makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.mark == 0 {
            return Err(ConfigError::Invalid("the mark may not be 0"));
        }
        if self.vlan.is_some_and(|vlan| vlan > 4094) {
            return Err(ConfigError::Range("the VLAN id (0 to 4094, 0 is no tag)"));
        }
        for prefix in self.source.iter().chain(&self.destination) {
            prefix.check()?;
        }
        if let (Some(source), Some(destination)) = (&self.source, &self.destination)
            && source.address.is_ipv4() != destination.address.is_ipv4()
        {
            return Err(ConfigError::Invalid("source and destination are not of one address family"));
        }
        let reversed =
            |ports: &Option<RangeInclusive<u16>>| ports.as_ref().is_some_and(RangeInclusive::is_empty);
        if reversed(&self.source_ports) || reversed(&self.destination_ports) {
            return Err(ConfigError::Invalid("a range of ports ends before it begins"));
        }
        Ok(())
    }

    /// Whether IPv4 packets can match.
    pub(super) fn takes_ipv4(&self) -> bool {
        self.source.iter().chain(&self.destination).all(|prefix| prefix.address.is_ipv4())
    }
}

/// An address with a prefix length. Bits beyond the prefix are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address, IPv4 or IPv6.
    pub address: IpAddr,
    /// 0 to 32, or to 128.
    pub length: u8,
}

impl Prefix {
    fn check(self) -> Result<(), ConfigError> {
        let (width, address) = match self.address {
            IpAddr::V4(address) => (32, u128::from(address.to_bits()) << 96),
            IpAddr::V6(address) => (128, address.to_bits()),
        };
        if self.length > width {
            return Err(ConfigError::Range("the prefix length (at most 32, IPv6 128)"));
        }
        if address.checked_shl(self.length.into()).is_some_and(|beyond| beyond != 0) {
            return Err(ConfigError::Invalid("an address has bits beyond its prefix length"));
        }
        Ok(())
    }

    /// The first and the last address; `None` for IPv6, and where the rule asks for every address.
    pub(super) fn range4(self) -> Option<RangeInclusive<u32>> {
        let IpAddr::V4(address) = self.address else { return None };
        let hosts = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
        (self.length > 0).then(|| address.to_bits()..=(address.to_bits() | hosts))
    }
}
