//! The mirror: follows the kernel's addresses, routes and neighbours on the twins and turns them into the core's FIB.
//!
//! The kernel stays in charge: whatever `ip`, keepalived, FRR or BIRD set on a twin is seen here within one wake-up.
//! The other way round, the mirror only asks: next hops that traffic needs are put before the kernel's neighbour
//! subsystem (`NTF_USE`), which does the ARP.

mod fib;
mod follow;
mod refresh;
mod tables;

use std::net::Ipv4Addr;

pub use follow::{Mirror, MirrorError};

use sluice_core::{FibPort, Route};

/// A neighbour whose MAC address became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Index of the port.
    pub port: u16,
    /// The neighbour.
    pub address: Ipv4Addr,
    /// Its MAC address.
    pub mac: [u8; 6],
}

/// A neighbour whose MAC address is wanted because frames wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Index of the port.
    pub port: u16,
    /// The neighbour.
    pub address: Ipv4Addr,
}

/// What the configuration file says of routing.
#[derive(Clone, Debug, Default)]
pub struct Static {
    /// Ports, in the order of the configuration.
    pub ports: Vec<FibPort>,
    /// Name of each port's twin.
    pub twins: Vec<Option<String>>,
    /// `[[routes]]`; they win over the kernel's of the same prefix.
    pub routes: Vec<(Ipv4Addr, u8, Route)>,
    /// `[[neighbours]]`: port, address and MAC; they win over the kernel's.
    pub neighbours: Vec<(u16, Ipv4Addr, [u8; 6])>,
}
