//! Mark rules: which packets carry the mark of a fwmark service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::id::Protocol;

/// A mark rule. What is absent is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkSpec {
    /// Its number, from 1. Absent, it is given the lowest that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// The lowest is asked first; of equal ones, the rule that was added first.
    #[serde(default = "default_priority")]
    pub priority: u32,
    /// The name of the port by which packets come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The VLAN id, 1..=4094; 0 for packets without a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The transport protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Source addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Prefix>,
    /// Destination addresses, of the sources' family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Prefix>,
    /// Source ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<PortRange>,
    /// Destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ports: Option<PortRange>,
    /// The mark, 1..=4294967295.
    pub mark: u32,
}

/// The priority of a rule that names none.
pub const DEFAULT_PRIORITY: u32 = 1000;

const fn default_priority() -> u32 {
    DEFAULT_PRIORITY
}

/// A mark rule as `mark.list` shows it. The reply is an array of these, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkEntry {
    /// Its parameters.
    pub spec: MarkSpec,
    /// Packets without a flow that it has marked, since it was added or everything was zeroed.
    pub hits: u64,
    /// Whether there is a service of its mark.
    pub service: bool,
}

/// An address and a prefix length: `"10.0.0.0/8"` on the wire; of a host, the address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// The length.
    pub length: u8,
}

impl Prefix {
    const fn width(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.length == Self::width(self.address) { Ok(()) } else { write!(f, "/{}", self.length) }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address or prefix: give 10.0.0.0/8 or 2001:db8::/32");
        let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = Self::width(address);
        let length = length.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if length > width {
            return Err(format!("`{text}`: the prefix length is at most {width}"));
        }
        Ok(Self { address, length })
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Ports from the first to the last. On the wire a single port is a number, more are `"1024-65535"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first == self.last { Ok(()) } else { write!(f, "-{}", self.last) }
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` is no port or range: give 80 or 1024-65535");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().map_err(wrong)?, last.parse().map_err(wrong)?);
        if first > last {
            return Err(format!("`{text}`: the range ends before it begins"));
        }
        Ok(Self { first, last })
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u16(self.first)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = PortRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, or a range such as \"1024-65535\"")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<PortRange, E> {
                let port = u16::try_from(number);
                port.map(|port| PortRange { first: port, last: port })
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PortRange, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prefixes_and_ranges_come_back_as_they_were() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1/128", "::1"),
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
            assert_eq!(serde_json::from_value::<Prefix>(json!(text)).unwrap(), shown.parse().unwrap());
        }
        for (text, wire) in [("80", json!(80)), ("80-80", json!(80)), ("0-65535", json!("0-65535"))] {
            let range: PortRange = text.parse().unwrap();
            assert_eq!(serde_json::to_value(range).unwrap(), wire);
            assert_eq!(serde_json::from_value::<PortRange>(wire).unwrap(), range);
            assert_eq!(serde_json::from_value::<PortRange>(json!(text)).unwrap(), range);
        }
    }

    #[test]
    fn what_is_neither_is_told() {
        for text in ["", "10", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/256", "10.0.0/8", "::/8/8"]
        {
            assert!(text.parse::<Prefix>().unwrap_err().contains("give 10.0.0.0/8"), "{text}");
        }
        assert_eq!(
            "10.0.0.0/33".parse::<Prefix>().unwrap_err(),
            "`10.0.0.0/33`: the prefix length is at most 32"
        );
        assert_eq!("::/129".parse::<Prefix>().unwrap_err(), "`::/129`: the prefix length is at most 128");
        for text in ["", "-", "80-", "-80", "65536", "1-65536", "http", "80:90", "1-2-3"] {
            assert!(text.parse::<PortRange>().unwrap_err().contains("give 80 or 1024-65535"), "{text}");
        }
        assert_eq!("2-1".parse::<PortRange>().unwrap_err(), "`2-1`: the range ends before it begins");
        for value in [json!(65536), json!(-1), json!(1.5), json!([80]), json!("x")] {
            serde_json::from_value::<PortRange>(value).unwrap_err();
        }
    }
}
