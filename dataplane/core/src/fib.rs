//! Where packets go next: ports, IPv4 routes by longest prefix, and neighbours. The kernel's, mirrored here.
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A neighbour's slot; the same neighbour keeps its slot through all versions of the [`Fib`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextHopId(pub u32);

/// A neighbour on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the port, in the order of the configuration.
    pub port: u16,
    /// The neighbour's address.
    pub address: u32,
    /// Destination and source MAC address, as they stand in a frame; `None` while the neighbour is not resolved.
    pub macs: Option<[u8; 12]>,
    /// Largest IP packet in bytes that the port takes.
    pub mtu: u16,
}

/// A port as routing sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibPort {
    /// MAC address.
    pub mac: [u8; 6],
    /// Largest IP packet in bytes.
    pub mtu: u16,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index of the port it leaves by.
    pub port: u16,
    /// The gateway; `None` where the destination is on the link.
    pub gateway: Option<Ipv4Addr>,
    /// What packets of the director's own have as their source; `None` where it has no address for this way.
    pub source: Option<Ipv4Addr>,
}

/// What the FIB says of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// By this neighbour, which may or may not be resolved just now.
    Hop(NextHopId),
    /// By a neighbour that nobody has asked for yet.
    Unknown {
        /// Index of the port.
        port: u16,
        /// The neighbour's address.
        address: u32,
    },
    /// The director itself.
    Local,
    /// No route.
    None,
}

/// Routes by prefix length; a set bit in `lengths` says that prefixes of that length exist.
#[derive(Clone, Debug, Default)]
struct Routes {
    by_length: Vec<HashMap<u32, Route, foldhash::fast::FixedState>>,
    lengths: u64,
}

/// Ports, routes, neighbours and local addresses at one version. Cheap to clone: the parts are shared until changed.
#[derive(Clone, Debug, Default)]
pub struct Fib {
    version: u32,
    ports: Arc<Vec<FibPort>>,
    routes: Arc<Routes>,
    hops: Arc<Vec<NextHop>>,
    by_neighbour: Arc<HashMap<(u16, u32), NextHopId>>,
    locals: Arc<HashSet<u32>>,
}

fn masked(address: u32, length: u8) -> u32 {
    if length == 0 { 0 } else { address & (u32::MAX << (32 - u32::from(length.min(32)))) }
}

impl Fib {
    /// Changes whenever a route, a local address or a port does: next hops chosen before may be wrong. A neighbour that
    /// changes its MAC address does not change it. It is 0 only while nothing has been set.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Sets the ports, in the order of the configuration.
    pub fn set_ports(&mut self, ports: Vec<FibPort>) {
        self.ports = Arc::new(ports);
        self.new_version();
        let refreshed: Vec<_> = self.hops.iter().map(|hop| (hop.port, hop.address, hop.macs)).collect();
        for (port, address, macs) in refreshed {
            let mac = macs.and_then(|macs| macs.first_chunk::<6>().copied());
            self.set_neighbour(port, Ipv4Addr::from_bits(address), mac);
        }
    }

    /// The ports, in the order of the configuration.
    #[must_use]
    pub fn ports(&self) -> &[FibPort] {
        &self.ports
    }

    /// Replaces all routes: prefix, its length 0 to 32, and the route. Of two with the same prefix the last wins.
    pub fn set_routes(&mut self, routes: impl IntoIterator<Item = (Ipv4Addr, u8, Route)>) {
        let mut table = Routes { by_length: vec![HashMap::default(); 33], lengths: 0 };
        for (prefix, length, route) in routes {
            if let Some(map) = table.by_length.get_mut(usize::from(length)) {
                map.insert(masked(prefix.to_bits(), length), route);
                table.lengths |= 1 << length;
            }
        }
        self.routes = Arc::new(table);
        self.new_version();
    }

    /// Replaces the addresses that are the director's own.
    pub fn set_locals(&mut self, addresses: impl IntoIterator<Item = Ipv4Addr>) {
        self.locals = Arc::new(addresses.into_iter().map(Ipv4Addr::to_bits).collect());
        self.new_version();
    }

    /// Sets or clears a neighbour's MAC address and returns its slot, which it keeps from then on.
    pub fn set_neighbour(&mut self, port: u16, address: Ipv4Addr, mac: Option<[u8; 6]>) -> NextHopId {
        let address = address.to_bits();
        let own = self.ports.get(usize::from(port));
        let macs = mac.zip(own).map(|(mac, own)| {
            let mut both = [0; 12];
            let (to, from) = both.split_at_mut(6);
            to.copy_from_slice(&mac);
            from.copy_from_slice(&own.mac);
            both
        });
        let hop = NextHop { port, address, macs, mtu: own.map_or(0, |own| own.mtu) };
        if let Some(&id) = self.by_neighbour.get(&(port, address)) {
            if let Some(slot) = Arc::make_mut(&mut self.hops).get_mut(id.0 as usize) {
                *slot = hop;
            }
            return id;
        }
        let id = NextHopId(u32::try_from(self.hops.len()).unwrap_or(u32::MAX));
        Arc::make_mut(&mut self.hops).push(hop);
        Arc::make_mut(&mut self.by_neighbour).insert((port, address), id);
        id
    }

    /// The neighbour in a slot.
    #[inline]
    #[must_use]
    pub fn hop(&self, id: NextHopId) -> Option<&NextHop> {
        self.hops.get(id.0 as usize)
    }

    /// The neighbour's slot, where it has one.
    #[must_use]
    pub fn neighbour(&self, port: u16, address: Ipv4Addr) -> Option<NextHopId> {
        self.by_neighbour.get(&(port, address.to_bits())).copied()
    }

    /// Whether the address is the director's own.
    #[must_use]
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.locals.contains(&address.to_bits())
    }

    /// The next hop to `address`: local addresses first, then the longest matching prefix.
    #[must_use]
    pub fn lookup(&self, address: u32) -> Lookup {
        if self.locals.contains(&address) {
            return Lookup::Local;
        }
        let Some(route) = self.route(address) else { return Lookup::None };
        let target = route.gateway.map_or(address, Ipv4Addr::to_bits);
        match self.by_neighbour.get(&(route.port, target)) {
            Some(&id) => Lookup::Hop(id),
            None => Lookup::Unknown { port: route.port, address: target },
        }
    }

    /// The source of the director's own packets to `address`, those of its tunnels.
    #[must_use]
    pub fn source(&self, address: u32) -> Option<u32> {
        self.route(address)?.source.map(Ipv4Addr::to_bits)
    }

    fn new_version(&mut self) {
        self.version = self.version.checked_add(1).unwrap_or(1);
    }

    fn route(&self, address: u32) -> Option<Route> {
        let mut lengths = self.routes.lengths;
        while lengths != 0 {
            let length = 63 - lengths.leading_zeros();
            lengths &= !(1 << length);
            let key = masked(address, u8::try_from(length).unwrap_or(0));
            if let Some(route) = self.routes.by_length.get(length as usize).and_then(|map| map.get(&key)) {
                return Some(*route);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

    fn fib() -> Fib {
        let mut fib = Fib::default();
        fib.set_ports(vec![FibPort { mac: [2; 6], mtu: 1500 }, FibPort { mac: [4; 6], mtu: 1500 }]);
        fib.set_routes([
            (Ipv4Addr::UNSPECIFIED, 0, Route { port: 0, gateway: Some(GATEWAY), source: None }),
            (Ipv4Addr::new(10, 0, 0, 0), 8, Route { port: 1, gateway: None, source: None }),
            (Ipv4Addr::new(10, 9, 0, 0), 16, Route { port: 0, gateway: None, source: None }),
        ]);
        fib
    }

    #[test]
    fn the_longest_prefix_wins() {
        let fib = fib();
        let at = |address: [u8; 4]| fib.lookup(u32::from_be_bytes(address));
        assert_eq!(at([10, 0, 0, 1]), Lookup::Unknown { port: 1, address: A.to_bits() });
        assert_eq!(at([10, 9, 0, 1]), Lookup::Unknown { port: 0, address: 0x0a09_0001 });
        assert_eq!(at([11, 0, 0, 1]), Lookup::Unknown { port: 0, address: GATEWAY.to_bits() });
        assert_eq!(Fib::default().lookup(1), Lookup::None);
    }

    #[test]
    fn a_neighbour_keeps_its_slot_and_moves_without_a_new_version() {
        let mut fib = fib();
        let version = fib.version();
        let id = fib.set_neighbour(1, A, Some([6; 6]));
        assert_eq!(fib.lookup(A.to_bits()), Lookup::Hop(id));
        assert_eq!(fib.hop(id).and_then(|hop| hop.macs), Some([6, 6, 6, 6, 6, 6, 4, 4, 4, 4, 4, 4]));
        assert_eq!(fib.set_neighbour(1, A, None), id);
        assert_eq!(fib.hop(id).and_then(|hop| hop.macs), None);
        assert_eq!(fib.version(), version);
    }

    #[test]
    fn a_route_names_the_source() {
        let mut fib = fib();
        let on_link = Route { port: 1, gateway: None, source: Some(Ipv4Addr::new(10, 0, 0, 200)) };
        fib.set_routes([(Ipv4Addr::new(10, 0, 0, 0), 8, on_link)]);
        assert_eq!(fib.source(A.to_bits()), Some(0x0a00_00c8));
        assert_eq!(fib.source(GATEWAY.to_bits()), None);
    }

    #[test]
    fn local_addresses_come_first() {
        let mut fib = fib();
        fib.set_locals([A]);
        assert_eq!(fib.lookup(A.to_bits()), Lookup::Local);
    }
}
