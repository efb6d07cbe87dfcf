//! Values of the configuration file that TOML has no type for.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// What a worker does while no frame comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Poll on; lowest latency, one whole CPU.
    #[default]
    Poll,
    /// Nap about 50 microseconds after some empty polls, for CPUs shared with others.
    Sleep,
}

/// Who sends to a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Faces {
    /// Clients, or clients and reals: packets are spread by their source.
    #[default]
    Clients,
    /// Reals alone, with their replies: packets are spread by their destination.
    Reals,
}

/// What schedulers take for the load of a real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overhead {
    /// 256 for each active connection, and 1 for each of all: kernels since 6.12.104.
    #[default]
    Current,
    /// 256 for each active connection, and 1 for each inactive one: older kernels.
    Classic,
}

/// How a twin is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwinDriver {
    /// `virtio_user` where the kernel has vhost-net, else `tap`.
    #[default]
    Auto,
    /// The `net_tap` driver: a system call a frame, needs nothing but `/dev/net/tun`.
    Tap,
    /// The `virtio_user` driver over `/dev/vhost-net`.
    VirtioUser,
}

/// `twin = "name"`, `twin = true` (the default name) or `twin = false`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Twin {
    /// `sl-` and the port's name.
    #[default]
    Default,
    /// This interface name.
    Named(String),
    /// No twin: frames for the kernel are dropped and counted.
    None,
}

impl<'de> Deserialize<'de> for Twin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TwinVisitor;
        impl Visitor<'_> for TwinVisitor {
            type Value = Twin;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an interface name or false")
            }
            fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<Twin, E> {
                Ok(if wanted { Twin::Default } else { Twin::None })
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Twin, E> {
                Ok(Twin::Named(name.to_owned()))
            }
        }
        deserializer.deserialize_any(TwinVisitor)
    }
}

/// A MAC address, written `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl FromStr for MacAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no MAC address such as 02:00:00:00:00:01");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An IPv4 prefix, written `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix4 {
    /// Network address; its host bits are 0.
    pub address: Ipv4Addr,
    /// Prefix length, 0 to 32.
    pub length: u8,
}

impl FromStr for Prefix4 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no IPv4 prefix such as 192.0.2.0/24");
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let length: u8 = length.parse().ok().filter(|length| *length <= 32).ok_or_else(wrong)?;
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let network = Ipv4Addr::from(u32::from(address) & mask);
        if network != address {
            return Err(format!("`{text}` has bits beyond its length: write {network}/{length}"));
        }
        Ok(Self { address, length })
    }
}

macro_rules! deserialize_from_str {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

deserialize_from_str!(MacAddress);
deserialize_from_str!(Prefix4);
