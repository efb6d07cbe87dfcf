//! Names for addresses and ports, and back: the resolver and `/etc/services`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::OnceLock;

use sluice_api::Protocol;

/// The address of a host. IPv4 only: ipvsadm never makes an IPv6 service of a name.
pub(crate) fn host_address(name: &str) -> Option<Ipv4Addr> {
    (name, 0).to_socket_addrs().ok()?.find_map(|found| match found.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

/// The port of a service by its name or an alias.
pub(crate) fn service_port(name: &str, protocol: Protocol) -> Option<u16> {
    services().iter().find(|s| s.protocol == protocol && s.names.iter().any(|n| n == name)).map(|s| s.port)
}

/// How a listing prints addresses and ports.
#[derive(Debug)]
pub(crate) struct Names {
    numeric: bool,
    /// A listing repeats its addresses, and a lookup may take seconds.
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
}

impl Names {
    /// `numeric`: no names at all.
    pub(crate) fn new(numeric: bool) -> Self {
        Self { numeric, hosts: RefCell::default() }
    }

    /// An address and a port, as names where there are some. Without a protocol the port stays a number.
    /// At most 59 characters, as ipvsadm has it.
    pub(crate) fn endpoint(&self, address: IpAddr, port: u16, protocol: Option<Protocol>) -> String {
        let host = self.host(address).unwrap_or_else(|| address.to_string());
        let port = protocol
            .filter(|_| !self.numeric)
            .and_then(|protocol| service_name(port, protocol))
            .map_or_else(|| port.to_string(), str::to_owned);
        let mut text = match address {
            IpAddr::V4(_) => format!("{host}:{port}"),
            IpAddr::V6(_) => format!("[{host}]:{port}"),
        };
        if let Some((end, _)) = text.char_indices().nth(59) {
            text.truncate(end);
        }
        text
    }

    fn host(&self, address: IpAddr) -> Option<String> {
        if self.numeric {
            return None;
        }
        // Where there is no name, the system's answer is the address as text, which is what is wanted.
        self.hosts
            .borrow_mut()
            .entry(address)
            .or_insert_with(|| dns_lookup::lookup_addr(&address).ok())
            .clone()
    }
}

/// A line of `/etc/services`.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    /// The official name first.
    names: Vec<String>,
    port: u16,
    protocol: Protocol,
}

fn service_name(port: u16, protocol: Protocol) -> Option<&'static str> {
    services()
        .iter()
        .find(|s| s.port == port && s.protocol == protocol)
        .and_then(|s| s.names.first())
        .map(String::as_str)
}

/// Read once. Absent or unreadable means that no service has a name, as for getservbyname(3).
fn services() -> &'static [Service] {
    static SERVICES: OnceLock<Vec<Service>> = OnceLock::new();
    SERVICES.get_or_init(|| parse_services(&std::fs::read_to_string("/etc/services").unwrap_or_default()))
}

fn parse_services(text: &str) -> Vec<Service> {
    text.lines().filter_map(parse_service).collect()
}

/// `http  80/tcp  www  # a comment`
fn parse_service(line: &str) -> Option<Service> {
    let mut words = line.split('#').next()?.split_whitespace();
    let name = words.next()?.to_owned();
    let (port, protocol) = words.next()?.split_once('/')?;
    let protocol =
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|p| p.name() == protocol)?;
    let names = std::iter::once(name).chain(words.map(str::to_owned)).collect();
    Some(Service { names, port: port.parse().ok()?, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_file() {
        let text =
            "# head\n\nhttp\t80/tcp www www-http # web\ndomain 53/udp\nddp 4/ddp\nx 70000/tcp\nshort\n";
        let got = parse_services(text);
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].names, ["http", "www", "www-http"]);
        assert_eq!((got[0].port, got[0].protocol), (80, Protocol::Tcp));
        assert_eq!((got[1].port, got[1].protocol), (53, Protocol::Udp));
    }

    #[test]
    fn numeric_endpoints() {
        let names = Names::new(true);
        let tcp = Some(Protocol::Tcp);
        assert_eq!(names.endpoint("10.0.0.1".parse().unwrap(), 80, tcp), "10.0.0.1:80");
        assert_eq!(names.endpoint("2001:db8::1".parse().unwrap(), 80, tcp), "[2001:db8::1]:80");
    }

    #[test]
    fn the_loopback_has_a_name_in_every_hosts_file() {
        let names = Names::new(false);
        assert_eq!(names.endpoint(Ipv4Addr::LOCALHOST.into(), 65432, None), "localhost:65432");
        assert_eq!(host_address("localhost"), Some(Ipv4Addr::LOCALHOST));
    }
}
