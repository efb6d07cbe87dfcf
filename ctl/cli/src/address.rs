//! Addresses on the command line: `HOST[:PORT]`, masks, and inet_aton(3)'s spellings of IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sluice_api::Protocol;

use crate::{names, numbers};

/// How names are looked up; a parameter so that the grammar can be tested without a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    pub(crate) host: fn(&str) -> Option<Ipv4Addr>,
    pub(crate) service: fn(&str, Protocol) -> Option<u16>,
}

/// The system's resolver and services.
pub(crate) const SYSTEM: Lookup = Lookup { host: names::host_address, service: names::service_port };

/// Understands the argument of `-t`, `-u`, `--sctp-service` and `-r`. No protocol = no service names.
///
/// A bare IPv6 address has no port, one in brackets must have one. Brackets around IPv4 lose the port.
pub(crate) fn endpoint(
    word: &str,
    protocol: Option<Protocol>,
    lookup: Lookup,
) -> Option<(IpAddr, Option<u16>)> {
    if word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (host, bracket_port) = match word.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']')?;
            (inner, Some(after.strip_prefix(':')?))
        }
        None => (word, None),
    };
    let (address, port) = match host.parse::<Ipv6Addr>() {
        Ok(address) => (IpAddr::V6(address), bracket_port),
        Err(_) => {
            let (name, port) = host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
            (IpAddr::V4(ipv4(name, lookup)?), port)
        }
    };
    match port {
        Some(port) => Some((address, Some(port_number(port, protocol, lookup)?))),
        None => Some((address, None)),
    }
}

/// An IPv4 address or mask, in any spelling or as a host name.
pub(crate) fn ipv4(word: &str, lookup: Lookup) -> Option<Ipv4Addr> {
    inet_aton(word).or_else(|| (lookup.host)(word))
}

fn port_number(word: &str, protocol: Option<Protocol>, lookup: Lookup) -> Option<u16> {
    let number = numbers::parse(word, 0..=65535).and_then(|n| u16::try_from(n).ok());
    number.or_else(|| protocol.and_then(|protocol| (lookup.service)(word, protocol)))
}

/// One to four numbers, decimal, octal (`0`) or hexadecimal (`0x`); the last fills the bytes that are left.
fn inet_aton(word: &str) -> Option<Ipv4Addr> {
    // inet_aton(3) ends at white space and ignores what follows.
    let word = word.split([' ', '\t', '\n', '\x0b', '\x0c', '\r']).next()?;
    let parts: Vec<u32> = word.split('.').map(c_number).collect::<Option<_>>()?;
    let (last, heads) = parts.split_last()?;
    if heads.len() > 3 || heads.iter().any(|&n| n > 255) {
        return None;
    }
    let bits_left = 32 - 8 * u32::try_from(heads.len()).ok()?;
    if u64::from(*last) >> bits_left != 0 {
        return None;
    }
    let head = heads.iter().fold(0u64, |all, &n| all << 8 | u64::from(n));
    u32::try_from(head << bits_left | u64::from(*last)).ok().map(Ipv4Addr::from)
}

fn c_number(word: &str) -> Option<u32> {
    let (digits, radix) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (word.get(2..)?, 16),
        [b'0', _, ..] => (word.get(1..)?, 8),
        _ => (word, 10),
    };
    // from_str_radix takes a sign, C does not here.
    digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NO_NAMES: Lookup = Lookup { host: |_| None, service: |_, _| None };
    const NAMES: Lookup = Lookup {
        host: |name| (name == "www.example").then_some(Ipv4Addr::new(192, 0, 2, 1)),
        service: |name, protocol| (name == "http" && protocol == Protocol::Tcp).then_some(80),
    };

    fn tcp(word: &str) -> Option<(String, Option<u16>)> {
        endpoint(word, Some(Protocol::Tcp), NAMES).map(|(address, port)| (address.to_string(), port))
    }

    #[test]
    fn accepted() {
        for (word, address, port) in [
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("10.0.0.1", "10.0.0.1", None),
            ("10.0.0.1:0", "10.0.0.1", Some(0)),
            ("10.0.0.1:+080", "10.0.0.1", Some(80)),
            ("10.1:80", "10.0.0.1", Some(80)),
            ("0x0a000001:80", "10.0.0.1", Some(80)),
            ("012.0.0.1:80", "10.0.0.1", Some(80)),
            ("10.0.0.1:http", "10.0.0.1", Some(80)),
            ("www.example:http", "192.0.2.1", Some(80)),
            ("www.example", "192.0.2.1", None),
            ("[2001:db8::1]:80", "2001:db8::1", Some(80)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[10.0.0.1]:80", "10.0.0.1", None),
            ("[10.0.0.1:81]:80", "10.0.0.1", Some(81)),
        ] {
            assert_eq!(tcp(word), Some((address.to_owned(), port)), "{word}");
        }
    }

    #[test]
    fn refused() {
        for word in [
            "",
            "80",
            "[2001:db8::1]",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "10.0.0.1:-1",
            "10.0.0.1:nosuch",
            "10.0.0.256:80",
            "1.2.3.4.5:80",
            "10.0.0.:80",
            "nosuch:80",
            "fe80::1%eth0",
        ] {
            assert_eq!(tcp(word), None, "{word}");
        }
        assert_eq!(endpoint("10.0.0.1:http", None, NAMES), None);
        assert_eq!(endpoint("10.0.0.1:http", Some(Protocol::Udp), NAMES), None);
    }

    #[test]
    fn inet_aton_spellings() {
        for (word, want) in [
            ("24", Some(Ipv4Addr::new(0, 0, 0, 24))),
            ("4294967295", Some(Ipv4Addr::BROADCAST)),
            ("1.16777215", Some(Ipv4Addr::new(1, 255, 255, 255))),
            ("1.2.65535", Some(Ipv4Addr::new(1, 2, 255, 255))),
            ("0", Some(Ipv4Addr::UNSPECIFIED)),
            ("4294967296", None),
            ("1.16777216", None),
            ("1.2.65536", None),
            ("08", None),
            ("+1.2.3.4", None),
            ("1..2", None),
            ("", None),
        ] {
            assert_eq!(inet_aton(word), want, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_word_is_read_or_refused(word in r"[\[\]:.0-9a-fx%\- ]{0,24}|\PC{0,24}") {
            endpoint(&word, Some(Protocol::Tcp), NO_NAMES);
            endpoint(&word, None, NO_NAMES);
            ipv4(&word, NO_NAMES);
        }

        #[test]
        fn what_is_printed_is_read_back(address: IpAddr, port: u16) {
            let text = std::net::SocketAddr::new(address, port).to_string();
            // An IPv4 address mapped into IPv6 stays IPv6.
            prop_assert_eq!(endpoint(&text, None, NO_NAMES), Some((address, Some(port))));
        }
    }
}
