//! The FIB made of the mirrored tables and the configuration's static entries.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use sluice_core::Fib;

use super::Static;
use super::tables::{Changes, Tables};

/// Builds each version of the FIB from the one before, so that next hops keep their slots.
#[derive(Debug)]
pub(super) struct FibBuilder {
    fib: Fib,
    fixed: Static,
    fixed_neighbours: HashSet<(u16, Ipv4Addr)>,
}

impl FibBuilder {
    /// A FIB of the static entries only.
    pub(super) fn new(fixed: Static) -> Self {
        let mut fib = Fib::default();
        fib.set_ports(fixed.ports.clone());
        fib.set_routes(fixed.routes.iter().copied());
        for (port, address, mac) in &fixed.neighbours {
            fib.set_neighbour(*port, *address, Some(*mac));
        }
        let fixed_neighbours = fixed.neighbours.iter().map(|(port, address, _)| (*port, *address)).collect();
        Self { fib, fixed, fixed_neighbours }
    }

    /// The FIB as it stands.
    pub(super) fn fib(&self) -> &Fib {
        &self.fib
    }

    /// Takes over what has changed in the tables; says whether anything has.
    pub(super) fn update(&mut self, tables: &mut Tables, changes: Changes) -> bool {
        let mut changed = false;
        // What a route names no source for, addresses give one.
        if changes.routes || changes.addresses || changes.redump {
            self.fib.set_routes(tables.routes().chain(self.fixed.routes.iter().copied()));
            changed = true;
        }
        if changes.addresses || changes.redump {
            self.fib.set_locals(tables.addresses());
            changed = true;
        }
        for (port, address) in tables.take_touched() {
            changed |= self.update_neighbour(tables, port, address);
        }
        changed
    }

    fn update_neighbour(&mut self, tables: &Tables, port: u16, address: Ipv4Addr) -> bool {
        if self.fixed_neighbours.contains(&(port, address)) {
            return false;
        }
        let mac = tables.known(port, address).and_then(|neighbour| neighbour.mac);
        let before = self.fib.neighbour(port, address).and_then(|id| self.fib.hop(id)).map(|hop| hop.macs);
        let held = before.flatten().and_then(|macs| macs.first_chunk::<6>().copied());
        // One never resolved gets no slot: a scan of a large subnet must not fill the table.
        if held == mac {
            return false;
        }
        self.fib.set_neighbour(port, address, mac);
        true
    }
}
