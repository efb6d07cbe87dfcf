//! Which lcore owns a flow: computed from the client's endpoint, so that requests and replies name the same one.
//!
//! The client is the source of a request and the destination of its NAT reply. Where network cards spread packets by a
//! Toeplitz hash over that side, [`Ownership::by_rss`] computes the card's hash and follows the card's own table: a
//! packet then arrives at its owner. Where a card does otherwise, packets are passed on to the same owner; agreement
//! saves that step, correctness does not hang on it.
mod key;
mod toeplitz;

use std::sync::Arc;

pub use key::{INDEX_BITS, RssInput, rss_key};
use toeplitz::Toeplitz;

/// The rule that names the owner of a client endpoint. Every lcore has to be given the same.
#[derive(Clone, Debug)]
pub struct Ownership(Rule);

#[derive(Clone, Debug)]
enum Rule {
    /// A hash of our own, over this many lcores.
    Mixed(u16),
    Rss(Arc<Rss>),
}

#[derive(Debug)]
struct Rss {
    hash: Toeplitz,
    /// Lcores by the low bits of the hash; its length is a power of two.
    lcores: Box<[u16]>,
}

impl Ownership {
    /// For ports without receive-side scaling: an even spread over `lcores` lcores, at least one.
    #[must_use]
    pub fn mixed(lcores: u16) -> Self {
        Self(Rule::Mixed(lcores.max(1)))
    }

    /// As cards do whose keys are of [`rss_key`]'s making, for the bits that index `table`: it maps the low bits of the
    /// hash to lcores, as the redirection table of each card maps them to queues. Larger tables repeat it.
    ///
    /// `None` unless the length of the table is a power of two from 2 to 2^[`INDEX_BITS`].
    #[must_use]
    pub fn by_rss(table: &[u16]) -> Option<Self> {
        if !table.len().is_power_of_two() || !(2..=1 << INDEX_BITS).contains(&table.len()) {
            return None;
        }
        let key = rss_key(RssInput::OneSide, table.len().ilog2(), key::ONE_SIDE);
        let hash = Toeplitz::new(&key, key::ADDRESS, key::ONE_SIDE_PORT);
        Some(Self(Rule::Rss(Arc::new(Rss { hash, lcores: table.into() }))))
    }

    /// The number of the lcore that owns the flows of this client endpoint.
    #[inline]
    #[must_use]
    pub fn owner(&self, address: u32, port: u16) -> u16 {
        match &self.0 {
            Rule::Mixed(lcores) => mixed(address, port, *lcores),
            Rule::Rss(rss) => {
                let index = rss.hash.of(address, port) as usize & rss.lcores.len().wrapping_sub(1);
                rss.lcores.get(index).copied().unwrap_or(0)
            }
        }
    }
}

/// Not seeded: every lcore must agree, and an attacker who picks ports to fill one lcore could as well aim at its queue.
#[inline]
fn mixed(address: u32, port: u16, lcores: u16) -> u16 {
    let key = u64::from(address) << 16 | u64::from(port);
    let mixed = (key ^ key >> 23).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ((mixed * u64::from(lcores)) >> 32) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queues dealt out in turn, as drivers fill the table.
    fn in_turn(lcores: u16) -> Ownership {
        let table: Vec<u16> = (0..128).map(|n| n % lcores).collect();
        Ownership::by_rss(&table).unwrap()
    }

    #[test]
    fn spreads_clients_evenly() {
        for lcores in [1u16, 2, 3, 16] {
            for ownership in [Ownership::mixed(lcores), in_turn(lcores)] {
                let mut owned = vec![0u32; usize::from(lcores)];
                for n in 0..64_000u32 {
                    let owner = ownership.owner(0x0a00_0000 + n / 100, (1024 + n % 100) as u16);
                    owned[usize::from(owner)] += 1;
                }
                let fair = 64_000 / u32::from(lcores);
                assert!(owned.iter().all(|&n| n.abs_diff(fair) < fair / 10), "{owned:?}");
            }
        }
    }

    /// One client with many ports, and many clients of one port: what load tests look like.
    #[test]
    fn consecutive_endpoints_fill_the_table() {
        for entries in [2u16, 64, 128, 512] {
            let identity: Vec<u16> = (0..entries).collect();
            let ownership = Ownership::by_rss(&identity).unwrap();
            for start in (0..4096).step_by(entries.into()) {
                let (mut by_port, mut by_address) = (vec![0; entries.into()], vec![0; entries.into()]);
                for n in start..start + entries {
                    by_port[usize::from(ownership.owner(0xc633_6401, n))] += 1;
                    by_address[usize::from(ownership.owner(0xc633_0000 + u32::from(n), 40_000))] += 1;
                }
                assert!(
                    by_port.iter().chain(&by_address).all(|&n| n == 1),
                    "{entries} entries, from {start}"
                );
            }
        }
    }

    #[test]
    fn follows_the_table() {
        let ownership = Ownership::by_rss(&[3, 5]).unwrap();
        let owners: Vec<u16> = (0..4096).map(|n| ownership.owner(n << 8, n as u16)).collect();
        assert!(owners.contains(&3) && owners.contains(&5) && owners.iter().all(|n| [3, 5].contains(n)));
    }

    #[test]
    fn refuses_tables_that_no_hash_can_index() {
        for length in [0, 1, 3, 100, 1024] {
            assert!(Ownership::by_rss(&vec![0; length]).is_none(), "{length}");
        }
    }
}
