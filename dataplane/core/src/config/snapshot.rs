//! An immutable picture of the configuration, published to every lcore.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::endpoints::{Endpoint4, Endpoints, FTP};
use super::service::{Engine, Forward, Protocol, Real, Service, ServiceKey, Switches, Timeouts};
use crate::fib::Fib;
use crate::mark::MarkTable;
use crate::real::RealId;

/// In an endpoint: any protocol. None that is balanced has this number.
const ANY_PROTOCOL: u8 = 0;

/// The configuration at one version. Snapshots share what did not change between them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Rises with each change.
    pub version: u64,
    /// Services by slot; a slot keeps its service until that is deleted.
    pub(crate) services: Vec<Option<Arc<Service>>>,
    /// Slots by IPv4 endpoint.
    pub(crate) by_endpoint: Arc<Endpoints<u32>>,
    /// How many reals, removed ones counted, may send replies from an endpoint.
    pub(crate) masq_reals: Arc<HashMap<Endpoint4, u32, foldhash::fast::FixedState>>,
    /// Masqueraded reals that may call clients, by UDP endpoint (reference 4.2).
    pub(crate) callers: Arc<HashMap<Endpoint4, RealId, foldhash::fast::FixedState>>,
    /// Endpoints of deleted services that may have flows left.
    pub(crate) left_behind: Arc<Endpoints<()>>,
    /// Slots of IPv4 fwmark services by mark.
    pub(crate) by_mark: Arc<HashMap<u32, u32, foldhash::fast::FixedState>>,
    /// Whether deleted fwmark services may have flows left.
    pub(crate) marked_left_behind: bool,
    /// The mark rules.
    pub(crate) marks: Arc<MarkTable>,
    /// Connection timeouts.
    pub timeouts: Timeouts,
    /// Switches.
    pub switches: Switches,
    /// Ports, routes and neighbours.
    pub fib: Arc<Fib>,
}

impl Snapshot {
    /// A snapshot with no service.
    pub(crate) fn empty() -> Self {
        Self {
            version: 0,
            services: Vec::new(),
            by_endpoint: Arc::default(),
            masq_reals: Arc::default(),
            callers: Arc::default(),
            left_behind: Arc::default(),
            by_mark: Arc::default(),
            marked_left_behind: false,
            marks: Arc::default(),
            timeouts: Timeouts::default(),
            switches: Switches::default(),
            fib: Arc::default(),
        }
    }

    /// The service that takes packets to an IPv4 endpoint, and its slot.
    #[inline]
    pub(crate) fn service_at(&self, endpoint: Endpoint4) -> Option<(u32, &Arc<Service>)> {
        let slot = *self.by_endpoint.find(endpoint)?;
        Some((slot, self.service(slot)?))
    }

    /// The service in a slot.
    #[inline]
    pub(crate) fn service(&self, slot: u32) -> Option<&Arc<Service>> {
        self.services.get(slot as usize)?.as_ref()
    }

    /// The IPv4 service of a mark, and its slot.
    #[inline]
    pub(crate) fn service_marked(&self, mark: u32) -> Option<(u32, &Arc<Service>)> {
        let slot = *self.by_mark.get(&mark)?;
        Some((slot, self.service(slot)?))
    }

    /// Whether there is, or was, a fwmark service: packets to any endpoint may be requests whose flows have an owner.
    #[inline]
    pub(crate) fn may_have_marked_flows(&self) -> bool {
        !self.by_mark.is_empty() || self.marked_left_behind
    }

    /// Whether packets to an IPv4 endpoint are, or were, a service's requests: their flows have an owner.
    #[inline]
    pub(crate) fn may_have_flows(&self, endpoint: Endpoint4) -> bool {
        self.by_endpoint.find(endpoint).is_some() || self.left_behind.find(endpoint).is_some()
    }

    /// Whether packets from an IPv4 endpoint may be replies of a masqueraded real.
    #[inline]
    pub(crate) fn is_masq_real(&self, endpoint: Endpoint4) -> bool {
        let (protocol, address, _) = endpoint;
        [endpoint, (protocol, address, 0), (ANY_PROTOCOL, address, 0)]
            .iter()
            .any(|endpoint| self.masq_reals.contains_key(endpoint))
    }
}

/// The endpoints from which the masqueraded reals of a service reply; port 0 stands for any. Those of a fwmark service reply
/// in any protocol, and unless they have a port from the one that the client asked for.
pub(crate) fn masq_endpoints(service: &Service) -> impl Iterator<Item = (RealId, Endpoint4)> {
    let (protocol, port) = match service.config.key {
        ServiceKey::Address { protocol, port, .. } => (protocol as u8, port),
        ServiceKey::Fwmark { .. } => (ANY_PROTOCOL, 0),
    };
    // A service of several ports hands them on as they are, whatever the real's is.
    let port_of = move |real: &Real| if matches!(port, 0 | FTP) { 0 } else { real.config.port };
    service.reals.iter().filter(|real| real.config.forward == Forward::Masq).filter_map(
        move |real| match real.config.address {
            IpAddr::V4(address) => Some((real.id, (protocol, address.to_bits(), port_of(real)))),
            IpAddr::V6(_) => None,
        },
    )
}

/// The reals that may call clients: those of services with the SIP engine, where it is clear which port a client knows them by.
pub(crate) fn callers<S: std::hash::BuildHasher + Default>(
    services: &[Option<Arc<Service>>],
) -> HashMap<Endpoint4, RealId, S> {
    const UDP: u8 = Protocol::Udp as u8;
    let mut callers = HashMap::default();
    for service in services.iter().flatten().filter(|service| service.engine == Some(Engine::Sip)) {
        let ServiceKey::Address { protocol: Protocol::Udp, port: 1.., .. } = service.config.key else {
            continue;
        };
        for (id, endpoint) in masq_endpoints(service) {
            if let (UDP, _, 1..) = endpoint {
                callers.entry(endpoint).or_insert(id);
            }
        }
    }
    callers
}
