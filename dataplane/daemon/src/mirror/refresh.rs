//! Which neighbours the kernel should be asked to verify, at a bounded rate.
//!
//! The kernel keeps an entry fresh while it sends to it itself. Here the dataplane sends, past the kernel: without these
//! requests every entry would go stale, and a next hop whose MAC address moved would be found out never.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use sluice_core::{Fib, Lookup};

use super::Wanted;
use super::tables::Tables;

/// Requests per round, one round a second.
const PER_ROUND: usize = 128;

/// Walks the next hops that matter, a bounded number a round.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    start: usize,
}

impl Refresh {
    /// The neighbours to ask for now: next hops to `reals` and gateways that are not resolved, and all stale entries.
    pub(super) fn round(&mut self, fib: &Fib, tables: &Tables, reals: &[Ipv4Addr]) -> Vec<Wanted> {
        let doubtful = |port, address| tables.known(port, address).is_none_or(|neighbour| neighbour.doubtful);
        let to_reals = reals.iter().filter_map(|real| next_hop(fib, *real));
        let gateways = tables
            .routes()
            .filter_map(|(_, _, route)| route.gateway.map(|address| Wanted { port: route.port, address }));
        let mut seen = HashSet::new();
        let mut wanted: Vec<Wanted> = to_reals
            .chain(gateways)
            .filter(|hop| doubtful(hop.port, hop.address) && seen.insert(*hop))
            .collect();
        let stale = tables
            .neighbours()
            .filter(|(_, _, neighbour)| neighbour.doubtful && neighbour.mac.is_some())
            .map(|(port, address, _)| Wanted { port, address });
        wanted.extend(stale.filter(|hop| seen.insert(*hop)));
        self.window(wanted)
    }

    /// At most [`PER_ROUND`] of them, going on where the last round ended.
    fn window(&mut self, mut wanted: Vec<Wanted>) -> Vec<Wanted> {
        if wanted.len() <= PER_ROUND {
            self.start = 0;
            return wanted;
        }
        self.start %= wanted.len();
        wanted.rotate_left(self.start);
        wanted.truncate(PER_ROUND);
        self.start += PER_ROUND;
        wanted
    }
}

fn next_hop(fib: &Fib, address: Ipv4Addr) -> Option<Wanted> {
    match fib.lookup(address.to_bits()) {
        Lookup::Hop(id) => {
            fib.hop(id).map(|hop| Wanted { port: hop.port, address: Ipv4Addr::from_bits(hop.address) })
        }
        Lookup::Unknown { port, address } => Some(Wanted { port, address: Ipv4Addr::from_bits(address) }),
        Lookup::Local | Lookup::None => None,
    }
}
