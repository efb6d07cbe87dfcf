//! What a virtual service and a real server are called.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::de::{Deserializer, Error as _};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

/// The transport protocol of an addressed service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, protocol number 6.
    Tcp,
    /// UDP, protocol number 17.
    Udp,
    /// SCTP, protocol number 132.
    Sctp,
}

impl Protocol {
    /// The lower-case name, as in `/etc/services`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// The IANA protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// The address family of a firewall-mark service; addressed services have that of their address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// The identity of a virtual service.
///
/// On the wire `{"protocol":"tcp","address":"10.0.0.1","port":80}` or `{"fwmark":7,"family":"ipv4"}`;
/// `family` may be left out and is then `ipv4`. The ordering is the one listings use: addressed services before
/// marks; by family, protocol number, address, port; marks by number, then family. All unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceId {
    /// A protocol, an address and a port. Port 0 means every port and needs persistence.
    Address {
        /// The transport protocol.
        protocol: Protocol,
        /// The virtual address.
        address: IpAddr,
        /// The virtual port, 0..=65535.
        port: u16,
    },
    /// Packets that carry a firewall mark.
    Mark {
        /// The mark, 1..=4294967295.
        fwmark: u32,
        /// The family of the packets.
        family: Family,
    },
}

impl ServiceId {
    /// The address family of the packets this service takes.
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Mark { family, .. } => *family,
        }
    }

    fn sort_key(&self) -> (u32, Family, u8, IpAddr, u16) {
        match *self {
            Self::Address { protocol, address, port } => {
                (0, Family::of(address), protocol.number(), address, port)
            }
            Self::Mark { fwmark, family } => {
                let unspecified = match family {
                    Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                (fwmark, family, Protocol::Tcp.number(), unspecified, 0)
            }
        }
    }
}

impl Ord for ServiceId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}

impl PartialOrd for ServiceId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Address { protocol, address, port } => {
                write!(f, "{} {}", protocol.name(), SocketAddr::new(address, port))
            }
            Self::Mark { fwmark, family: Family::Ipv4 } => write!(f, "fwmark {fwmark} ipv4"),
            Self::Mark { fwmark, family: Family::Ipv6 } => write!(f, "fwmark {fwmark} ipv6"),
        }
    }
}

impl Serialize for ServiceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Address { protocol, address, port } => {
                let mut s = serializer.serialize_struct("ServiceId", 3)?;
                s.serialize_field("protocol", protocol)?;
                s.serialize_field("address", address)?;
                s.serialize_field("port", port)?;
                s.end()
            }
            Self::Mark { fwmark, family } => {
                let mut s = serializer.serialize_struct("ServiceId", 2)?;
                s.serialize_field("fwmark", fwmark)?;
                s.serialize_field("family", family)?;
                s.end()
            }
        }
    }
}

/// Both shapes at once: serde's `untagged` would report only that nothing matched.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceIdFields {
    protocol: Option<Protocol>,
    address: Option<IpAddr>,
    port: Option<u16>,
    fwmark: Option<u32>,
    family: Option<Family>,
}

impl<'de> Deserialize<'de> for ServiceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let f = ServiceIdFields::deserialize(deserializer)?;
        match (f.protocol, f.address, f.port, f.fwmark, f.family) {
            (Some(protocol), Some(address), Some(port), None, None) => {
                Ok(Self::Address { protocol, address, port })
            }
            (None, None, None, Some(0), _) => Err(D::Error::custom("fwmark must be 1..=4294967295")),
            (None, None, None, Some(fwmark), family) => {
                Ok(Self::Mark { fwmark, family: family.unwrap_or_default() })
            }
            _ => Err(D::Error::custom(
                "a service is named by protocol, address and port, or by fwmark and family, not by a mix",
            )),
        }
    }
}

/// The identity of a real server within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealId {
    /// The real server's address: unicast or local, not IPv6 link-local.
    pub address: IpAddr,
    /// The real server's port; 0 with NAT keeps the port of each packet.
    pub port: u16,
}

impl fmt::Display for RealId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}
