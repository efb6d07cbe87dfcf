//! Flow rules for ports at which requests and replies come in: what goes to a virtual address is spread by its source,
//! all else by its destination.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use sluice_dpdk::{Error, FlowRule, Rss, RssRule, StartedPort};

/// For checking whether a device takes such rules at all; an address for documentation (RFC 5737).
const PROBE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The lower number wins.
const VIP_PRIORITY: u32 = 0;
const REST_PRIORITY: u32 = 1;

/// The rules of all ports that take some.
#[derive(Debug, Default)]
pub(crate) struct VipRules(Vec<PortRules>);

#[derive(Debug)]
struct PortRules {
    name: String,
    port: StartedPort,
    /// For a virtual address, without the address.
    by_source: RssRule,
    vips: Followed<FlowRule>,
    /// In force as long as it is held.
    _rest: FlowRule,
}

/// Something made for each address of a set.
#[derive(Debug)]
struct Followed<T>(BTreeMap<Ipv4Addr, T>);

impl VipRules {
    /// Has a port tell requests from replies; `queues` by the low bits of the hash.
    ///
    /// # Errors
    /// Where the device does not take the rules; it goes on as before.
    pub(crate) fn add_port(
        &mut self,
        name: &str,
        port: &StartedPort,
        (by_source, by_destination): (Rss, Rss),
        queues: &[u16],
    ) -> Result<(), Error> {
        let rule = |rss, priority| RssRule { destination: None, priority, rss, queues: queues.to_vec() };
        let by_source = rule(by_source, VIP_PRIORITY);
        port.validate_rule(&RssRule { destination: Some(PROBE), ..by_source.clone() })?;
        let rest = port.add_rule(&rule(by_destination, REST_PRIORITY))?;
        let vips = Followed(BTreeMap::new());
        self.0.push(PortRules { name: name.to_owned(), port: port.clone(), by_source, vips, _rest: rest });
        Ok(())
    }

    /// Whether no port takes rules.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the rules those of these virtual addresses. What a device refuses is tried again the next time; requests to
    /// that address are steered meanwhile.
    pub(crate) fn follow(&mut self, vips: &BTreeSet<Ipv4Addr>) {
        for PortRules { name, port, by_source, vips: followed, .. } in &mut self.0 {
            let refused = followed
                .follow(vips, |vip| port.add_rule(&RssRule { destination: Some(vip), ..by_source.clone() }));
            if let Some((vip, error)) = refused {
                tracing::debug!(port = name, %vip, %error, "requests are steered");
            }
        }
    }
}

impl<T> Followed<T> {
    /// Makes what is wanted and not there, and drops what is there and not wanted. Ends at the first failure, and
    /// returns it: a device that is full refuses all that follow.
    fn follow<E>(
        &mut self,
        wanted: &BTreeSet<Ipv4Addr>,
        mut make: impl FnMut(Ipv4Addr) -> Result<T, E>,
    ) -> Option<(Ipv4Addr, E)> {
        self.0.retain(|address, _| wanted.contains(address));
        for &address in wanted {
            let Entry::Vacant(vacant) = self.0.entry(address) else { continue };
            match make(address) {
                Ok(made) => vacant.insert(made),
                Err(error) => return Some((address, error)),
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(last: &[u8]) -> BTreeSet<Ipv4Addr> {
        last.iter().map(|&n| Ipv4Addr::new(192, 0, 2, n)).collect()
    }

    #[test]
    fn follows_a_set() {
        let mut followed = Followed(BTreeMap::new());
        let mut made = Vec::new();
        for wanted in [addresses(&[1, 2]), addresses(&[2, 3]), addresses(&[2, 3]), addresses(&[])] {
            let refused = followed.follow(&wanted, |address| {
                made.push(address.octets()[3]);
                Ok::<_, ()>(())
            });
            assert_eq!(refused, None);
            assert!(followed.0.keys().eq(&wanted));
        }
        assert_eq!(made, [1, 2, 3], "each once");
    }

    #[test]
    fn what_is_refused_is_tried_again_and_the_rest_stays() {
        let mut followed = Followed(BTreeMap::new());
        let full = |address: Ipv4Addr| if address.octets()[3] < 3 { Ok(()) } else { Err("full") };
        let refused = followed.follow(&addresses(&[1, 2, 3, 4]), full);
        assert_eq!(refused, Some((Ipv4Addr::new(192, 0, 2, 3), "full")));
        assert!(followed.0.keys().eq(&addresses(&[1, 2])));
        assert_eq!(followed.follow(&addresses(&[1, 2, 3, 4]), |_| Ok::<_, ()>(())), None);
        assert_eq!(followed.0.len(), 4);
    }
}
