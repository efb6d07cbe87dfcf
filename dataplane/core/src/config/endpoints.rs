//! Services by endpoint, looked up in the kernel's order (reference 1).
use std::collections::HashMap;
use std::net::IpAddr;

use super::service::{Protocol, ServiceKey};

/// An IPv4 transport endpoint as the packet path holds it: protocol, address, port, in host order.
pub(crate) type Endpoint4 = (u8, u32, u16);

/// The port of FTP's control connections: a service there takes packets for its data connections too.
pub(crate) const FTP: u16 = 21;
/// The port that FTP's data connections come from, if the server opens them.
pub(crate) const FTP_DATA: u16 = 20;
/// The first port that any program may use, and so FTP for passive data connections.
const UNPRIVILEGED: u16 = 1024;

/// Values by a service's endpoint; a packet's endpoint finds the service that takes it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints<V> {
    by_endpoint: HashMap<Endpoint4, V, foldhash::fast::FixedState>,
    /// How many have a port of which others' packets are taken too; while there is none, a lookup is one look.
    wide: usize,
}

impl<V> Default for Endpoints<V> {
    fn default() -> Self {
        Self { by_endpoint: HashMap::default(), wide: 0 }
    }
}

impl<V> Endpoints<V> {
    pub(super) fn insert(&mut self, endpoint: Endpoint4, value: V) {
        if self.by_endpoint.insert(endpoint, value).is_none() {
            self.wide += usize::from(is_wide(endpoint));
        }
    }

    pub(super) fn remove(&mut self, endpoint: Endpoint4) {
        if self.by_endpoint.remove(&endpoint).is_some() {
            self.wide -= usize::from(is_wide(endpoint));
        }
    }

    /// Whether a service of that very endpoint is there.
    pub(super) fn has(&self, endpoint: Endpoint4) -> bool {
        self.by_endpoint.contains_key(&endpoint)
    }

    /// What takes the packets to an endpoint: its own service, FTP's, or the address's service of port 0.
    #[inline]
    pub(crate) fn find(&self, endpoint: Endpoint4) -> Option<&V> {
        let own = self.by_endpoint.get(&endpoint);
        if own.is_some() || self.wide == 0 { own } else { self.find_wide(endpoint) }
    }

    fn find_wide(&self, (protocol, address, port): Endpoint4) -> Option<&V> {
        let is_data = protocol == Protocol::Tcp as u8 && (port == FTP_DATA || port >= UNPRIVILEGED);
        let ftp = if is_data { self.by_endpoint.get(&(protocol, address, FTP)) } else { None };
        ftp.or_else(|| self.by_endpoint.get(&(protocol, address, 0)))
    }
}

fn is_wide((_, _, port): Endpoint4) -> bool {
    port == 0 || port == FTP
}

/// The endpoint of an IPv4 service.
pub(crate) fn service_endpoint(key: &ServiceKey) -> Option<Endpoint4> {
    match *key {
        ServiceKey::Address { protocol, address: IpAddr::V4(address), port } => {
            Some((protocol as u8, address.to_bits(), port))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: u8 = Protocol::Tcp as u8;
    const UDP: u8 = Protocol::Udp as u8;

    fn with(services: &[Endpoint4]) -> Endpoints<Endpoint4> {
        let mut endpoints = Endpoints::default();
        services.iter().for_each(|&endpoint| endpoints.insert(endpoint, endpoint));
        endpoints
    }

    #[test]
    fn its_own_port_before_ftp_before_port_0() {
        let all = with(&[(TCP, 1, 8080), (TCP, 1, 21), (TCP, 1, 0), (UDP, 1, 0)]);
        for (packet, taken_by) in [
            ((TCP, 1, 8080), Some((TCP, 1, 8080))),
            ((TCP, 1, 21), Some((TCP, 1, 21))),
            ((TCP, 1, 20), Some((TCP, 1, 21))),
            ((TCP, 1, 1024), Some((TCP, 1, 21))),
            ((TCP, 1, 65535), Some((TCP, 1, 21))),
            ((TCP, 1, 1023), Some((TCP, 1, 0))),
            ((TCP, 1, 0), Some((TCP, 1, 0))),
            ((UDP, 1, 2000), Some((UDP, 1, 0))),
            ((TCP, 2, 2000), None),
            ((132, 1, 2000), None),
        ] {
            assert_eq!(all.find(packet).copied(), taken_by, "{packet:?}");
        }
    }

    #[test]
    fn without_a_wide_service_only_the_endpoint_itself() {
        let mut endpoints = with(&[(TCP, 1, 80), (TCP, 1, 21), (TCP, 1, 0), (UDP, 1, 21)]);
        assert!(endpoints.find((UDP, 1, 20)).is_none(), "FTP is TCP's");
        endpoints.insert((TCP, 1, 21), (TCP, 1, 21));
        for wide in [(TCP, 1, 21), (TCP, 1, 0), (UDP, 1, 21), (TCP, 1, 21)] {
            endpoints.remove(wide);
        }
        assert_eq!(endpoints.wide, 0);
        assert_eq!(endpoints.find((TCP, 1, 80)), Some(&(TCP, 1, 80)));
        assert!(endpoints.find((TCP, 1, 2000)).is_none() && !endpoints.has((TCP, 1, 0)));
    }
}
