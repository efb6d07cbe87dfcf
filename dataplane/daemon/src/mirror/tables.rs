//! The kernel's links, addresses, routes and neighbours, as far as they concern the twins.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};
use sluice_core::Route;

/// What a message has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Addresses of the twins.
    pub(super) addresses: bool,
    /// Routes over the twins.
    pub(super) routes: bool,
    /// The kernel may have dropped routes or neighbours without a word: dump anew.
    pub(super) redump: bool,
}

impl Changes {
    pub(super) fn merge(&mut self, other: Self) {
        self.addresses |= other.addresses;
        self.routes |= other.routes;
        self.redump |= other.redump;
    }
}

/// What the kernel knows of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// The MAC address, while it is believed.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether the kernel should be asked to verify it: not resolved, or resolved long ago.
    pub(super) doubtful: bool,
}

/// An address of a twin, and how long the prefix of its network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Own {
    port: u16,
    address: Ipv4Addr,
    length: u8,
}

impl Own {
    fn is_in_network_of(&self, other: Ipv4Addr) -> bool {
        let differing = (self.address.to_bits() ^ other.to_bits()).leading_zeros();
        differing >= u32::from(self.length)
    }
}

/// Orders routes as the kernel prefers them: by prefix, then the lower metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RouteKey {
    prefix: Ipv4Addr,
    length: u8,
    metric: u32,
}

/// The tables. Ports are named by their index in the configuration.
#[derive(Debug)]
pub(super) struct Tables {
    twins: Vec<Option<String>>,
    ports: HashMap<u32, u16>,
    links_up: HashSet<u32>,
    /// In the order in which the kernel has them.
    addresses: Vec<Own>,
    routes: BTreeMap<RouteKey, Vec<Route>>,
    neighbours: HashMap<(u16, Ipv4Addr), Neighbour>,
    touched: HashSet<(u16, Ipv4Addr)>,
}

impl Tables {
    /// Tables that follow these twins, given by port.
    pub(super) fn new(twins: Vec<Option<String>>) -> Self {
        Self {
            twins,
            ports: HashMap::new(),
            links_up: HashSet::new(),
            addresses: Vec::new(),
            routes: BTreeMap::new(),
            neighbours: HashMap::new(),
            touched: HashSet::new(),
        }
    }

    /// Forgets all but the names, before a dump.
    pub(super) fn clear(&mut self) {
        self.touched.extend(self.neighbours.keys());
        self.neighbours.clear();
        self.ports.clear();
        self.links_up.clear();
        self.addresses.clear();
        self.routes.clear();
    }

    /// The interface index of a port's twin.
    pub(super) fn interface(&self, port: u16) -> Option<u32> {
        self.ports.iter().find(|(_, of)| **of == port).map(|(index, _)| *index)
    }

    pub(super) fn link(&mut self, message: &LinkMessage, gone: bool) -> Changes {
        let index = message.header.index;
        let name = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        });
        let port = self.twins.iter().position(|twin| twin.is_some() && twin.as_deref() == name);
        let was = self.ports.contains_key(&index) && self.links_up.contains(&index);
        if gone || port.is_none() {
            self.ports.remove(&index);
        } else if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
            self.ports.insert(index, port);
        }
        if message.header.flags.contains(LinkFlags::Up) && !gone {
            self.links_up.insert(index);
        } else {
            self.links_up.remove(&index);
        }
        let is = self.ports.contains_key(&index) && self.links_up.contains(&index);
        // IPv4 drops the routes of an interface that goes down without telling.
        Changes { redump: was != is, ..Changes::default() }
    }

    pub(super) fn address(&mut self, message: &AddressMessage, gone: bool) -> Changes {
        let Some(&port) = self.ports.get(&message.header.index) else { return Changes::default() };
        // IFA_LOCAL is the interface's own address; IFA_ADDRESS is the peer's on a point-to-point link.
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        });
        let Some(address) = local else { return Changes::default() };
        let own = Own { port, address, length: message.header.prefix_len };
        let held = self.addresses.iter().position(|other| *other == own);
        let changed = held.is_some() == gone;
        match held {
            Some(at) if gone => {
                self.addresses.remove(at);
            }
            None if !gone => self.addresses.push(own),
            _ => {}
        }
        // Routes whose preferred source goes away with the address are dropped without telling.
        Changes { addresses: changed, redump: gone && changed, ..Changes::default() }
    }

    /// `replaces`: the message carries NLM_F_REPLACE, so it takes the place of what had the same prefix and metric.
    pub(super) fn route(&mut self, message: &RouteMessage, gone: bool, replaces: bool) -> Changes {
        let Some(key) = route_key(message) else { return Changes::default() };
        let mut changed = replaces && self.routes.remove(&key).is_some();
        for route in self.hops(message) {
            let held = self.routes.entry(key).or_default();
            match held.iter().position(|other| *other == route) {
                Some(at) if gone => {
                    held.remove(at);
                    changed = true;
                }
                None if !gone => {
                    held.push(route);
                    changed = true;
                }
                _ => {}
            }
        }
        if self.routes.get(&key).is_some_and(Vec::is_empty) {
            self.routes.remove(&key);
        }
        Changes { routes: changed, ..Changes::default() }
    }

    /// The next hops of a route that leave over twins.
    fn hops(&self, message: &RouteMessage) -> Vec<Route> {
        if message.header.kind != RouteType::Unicast {
            return Vec::new();
        }
        let several = message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::MultiPath(hops) => Some(hops),
            _ => None,
        });
        let source = message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::PrefSource(RouteAddress::Inet(source)) => Some(*source),
            _ => None,
        });
        if let Some(hops) = several {
            let hop = |index, attributes| self.hop(Some(index), attributes, source);
            return hops.iter().filter_map(|each| hop(each.interface_index, &each.attributes)).collect();
        }
        let index = message.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
        self.hop(index, &message.attributes, source).into_iter().collect()
    }

    fn hop(
        &self,
        interface: Option<u32>,
        attributes: &[RouteAttribute],
        source: Option<Ipv4Addr>,
    ) -> Option<Route> {
        let port = *self.ports.get(&interface?)?;
        let gateway = attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(*gateway),
            _ => None,
        });
        Some(Route { port, gateway, source })
    }

    pub(super) fn neighbour(&mut self, message: &NeighbourMessage, gone: bool) {
        let Some(&port) = self.ports.get(&message.header.ifindex) else { return };
        let (mut address, mut lladdr) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(destination)) => {
                    address = Some(*destination)
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    lladdr = <[u8; 6]>::try_from(bytes.as_slice()).ok()
                }
                _ => {}
            }
        }
        let Some(address) = address else { return };
        let key = (port, address);
        use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
        let believed = matches!(message.header.state, Reachable | Stale | Delay | Probe | Permanent | Noarp);
        let now = Neighbour {
            mac: lladdr.filter(|_| believed),
            doubtful: !matches!(message.header.state, Reachable | Delay | Probe | Permanent | Noarp),
        };
        if gone {
            self.neighbours.remove(&key);
        } else {
            self.neighbours.insert(key, now);
        }
        self.touched.insert(key);
    }

    /// The twins' addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().map(|own| own.address)
    }

    /// The source of packets by a route that names none, as the kernel chooses it (`inet_select_addr`): the first address
    /// in the gateway's network, else the first of the port.
    fn source(&self, route: &Route) -> Option<Ipv4Addr> {
        let own = || self.addresses.iter().filter(|own| own.port == route.port);
        let near = route.gateway.and_then(|gateway| own().find(|own| own.is_in_network_of(gateway)));
        near.or_else(|| own().next()).map(|own| own.address)
    }

    /// The routes to use: of each prefix the one with the lowest metric, of several next hops the first. Each has a source,
    /// where the port has an address.
    pub(super) fn routes(&self) -> impl Iterator<Item = (Ipv4Addr, u8, Route)> {
        let mut last = None;
        self.routes.iter().filter_map(move |(key, held)| {
            let prefix = (key.prefix, key.length);
            let first = held.first().filter(|_| last != Some(prefix))?;
            last = Some(prefix);
            let source = first.source.or_else(|| self.source(first));
            Some((key.prefix, key.length, Route { source, ..*first }))
        })
    }

    /// What is known of a neighbour.
    pub(super) fn known(&self, port: u16, address: Ipv4Addr) -> Option<Neighbour> {
        self.neighbours.get(&(port, address)).copied()
    }

    /// All neighbours.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = (u16, Ipv4Addr, Neighbour)> {
        self.neighbours.iter().map(|((port, address), neighbour)| (*port, *address, *neighbour))
    }

    /// The neighbours that changed since the last call.
    pub(super) fn take_touched(&mut self) -> HashSet<(u16, Ipv4Addr)> {
        std::mem::take(&mut self.touched)
    }
}

/// The key of a route of the main table.
fn route_key(message: &RouteMessage) -> Option<RouteKey> {
    let header = &message.header;
    let mut key =
        RouteKey { prefix: Ipv4Addr::UNSPECIFIED, length: header.destination_prefix_length, metric: 0 };
    let mut table = u32::from(header.table);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(prefix)) => key.prefix = *prefix,
            RouteAttribute::Priority(metric) => key.metric = *metric,
            RouteAttribute::Table(number) => table = *number,
            _ => {}
        }
    }
    let main = table == u32::from(RouteHeader::RT_TABLE_MAIN);
    // A route for one type of service only is not a route for the others.
    (header.address_family == AddressFamily::Inet && main && header.tos == 0).then_some(key)
}
