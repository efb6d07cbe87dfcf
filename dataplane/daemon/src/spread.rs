//! Receive-side scaling that brings each packet to the lcore that owns its flow.
//!
//! Queue n of a port is worker n's. Each port that hashes gets a key by which the hash's low bits depend on the client
//! alone, and the table that ownership follows. Nothing hangs on it but speed: where a port takes no part, packets
//! arrive anywhere and the ring mesh brings them to their owner.

use sluice_core::{INDEX_BITS, Ownership, RssInput, rss_key};
use sluice_dpdk::{Error, PortInfo, Rss, RssFields};

use crate::config::Faces;
use crate::ports::OpenPort;
use crate::vip_rules::VipRules;

/// Only one side of the packet, for devices that can.
const SOURCE: RssFields = RssFields::SOURCE_ADDRESS_ONLY.join(RssFields::SOURCE_PORT_ONLY);
const DESTINATION: RssFields = RssFields::DESTINATION_ADDRESS_ONLY.join(RssFields::DESTINATION_PORT_ONLY);
/// What is hashed, as far as the device can.
const PROTOCOLS: RssFields = RssFields::IP.join(RssFields::TCP).join(RssFields::UDP);
/// Key bytes that the addresses and ports of an IPv4 packet meet.
const KEY_MIN: usize = 16;

/// How a device is made to hash the client's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hashing {
    /// What the device could hash.
    offered: RssFields,
    fields: RssFields,
    input: RssInput,
    key_len: usize,
    /// Size of its redirection table.
    entries: usize,
}

/// Makes the ports spread packets by client over `workers` workers. Returns the rule by which they do, and the ports
/// that can tell requests from replies.
pub(crate) fn by_owner(ports: &[OpenPort], workers: usize) -> (Ownership, VipRules) {
    let workers = u16::try_from(workers).unwrap_or(u16::MAX);
    let mut able = Vec::new();
    for port in ports.iter().filter(|port| port.rx.len() > 1) {
        match port.port.info().map(|info| hashing(&info, port.config.faces)) {
            // A table that cannot name all workers would leave some idle.
            Ok(Some(hashing)) if hashing.entries >= workers.into() => able.push((port, hashing)),
            Ok(Some(_)) => {
                by_rings(port, "the device's redirection table has fewer entries than there are workers")
            }
            Ok(None) => by_rings(port, "the device has no RSS that could follow ownership"),
            Err(error) => by_rings(port, error),
        }
    }
    let Some(smallest) = able.iter().map(|(_, hashing)| hashing.entries).min() else {
        return (Ownership::mixed(workers), VipRules::default());
    };
    let table = table(smallest, workers);
    let (mut agreed, mut rules) = (0, VipRules::default());
    for (port, hashing) in able {
        match follow(port, hashing, &table) {
            Ok(()) => agreed += 1,
            Err(error) => {
                by_rings(port, error);
                continue;
            }
        }
        if let Some(sides) = both_sides(port.config.faces, hashing, table.len().ilog2()) {
            let queues = queues(&table, table.len(), port.rx.len());
            if let Err(error) = rules.add_port(&port.config.name, &port.port, sides, &queues) {
                tracing::info!(port = port.config.name, %error, "replies that come in here are steered");
            }
        }
    }
    match Ownership::by_rss(&table) {
        Some(ownership) if agreed > 0 => (ownership, rules),
        _ => (Ownership::mixed(workers), rules),
    }
}

fn by_rings(port: &OpenPort, why: impl std::fmt::Display) {
    tracing::info!(port = port.config.name, %why, "packets reach their flow's worker by way of the others");
}

/// Has the port send each packet to the queue that `table` names.
fn follow(port: &OpenPort, hashing: Hashing, table: &[u16]) -> Result<(), Error> {
    let Hashing { fields, input, key_len, entries, .. } = hashing;
    let key = rss_key(input, table.len().ilog2(), key_len);
    port.port.set_rss(&Rss { key: Some(key), fields })?;
    port.port.set_reta(&queues(table, entries, port.rx.len()))
}

/// Hashing the source and hashing the destination, for a device at which both directions come in and that can do both.
fn both_sides(faces: Faces, hashing: Hashing, bits: u32) -> Option<(Rss, Rss)> {
    if faces != Faces::Clients || hashing.input != RssInput::OneSide || !hashing.offered.contains(DESTINATION)
    {
        return None;
    }
    let key = Some(rss_key(RssInput::OneSide, bits, hashing.key_len));
    let both = PROTOCOLS.intersection(hashing.offered);
    Some((Rss { key: key.clone(), fields: both | SOURCE }, Rss { key, fields: both | DESTINATION }))
}

fn hashing(info: &PortInfo, faces: Faces) -> Option<Hashing> {
    let (fields, input) = hashed(info.rss_fields, faces)?;
    let (entries, key_len) = (usize::from(info.reta_size), info.rss_key_len);
    let fits = entries > 1 && entries.is_power_of_two() && key_len >= KEY_MIN;
    fits.then_some(Hashing { offered: info.rss_fields, fields, input, key_len, entries })
}

/// What a device that offers these fields is to hash; `None` where it cannot see the ports of TCP and UDP.
fn hashed(offered: RssFields, faces: Faces) -> Option<(RssFields, RssInput)> {
    if !offered.contains(RssFields::IPV4_PORTS) {
        return None;
    }
    let (side, by_tuple) = match faces {
        Faces::Clients => (SOURCE, RssInput::TupleBySource),
        Faces::Reals => (DESTINATION, RssInput::TupleByDestination),
    };
    let fields = PROTOCOLS.intersection(offered);
    Some(if offered.contains(side) { (fields | side, RssInput::OneSide) } else { (fields, by_tuple) })
}

/// The owners by index: as many as the smallest table of a port and the keys allow, each worker as often as the others.
fn table(entries: usize, workers: u16) -> Vec<u16> {
    (0..workers).cycle().take(entries.min(1 << INDEX_BITS)).collect()
}

/// A port's table of `entries` queues: the owners over and over; for an owner without a queue, another's.
fn queues(table: &[u16], entries: usize, queues: usize) -> Vec<u16> {
    let queues = u16::try_from(queues).unwrap_or(u16::MAX).max(1);
    table.iter().cycle().take(entries).map(|owner| owner % queues).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_is_hashed_where_the_device_can() {
        let fields = RssFields::IP | RssFields::TCP | RssFields::UDP;
        assert_eq!(hashed(fields, Faces::Clients), Some((fields, RssInput::TupleBySource)));
        assert_eq!(hashed(fields, Faces::Reals), Some((fields, RssInput::TupleByDestination)));
        let sides = fields | SOURCE;
        assert_eq!(hashed(sides, Faces::Clients), Some((sides, RssInput::OneSide)));
        assert_eq!(hashed(sides, Faces::Reals), Some((fields, RssInput::TupleByDestination)));
        assert_eq!(hashed(RssFields::IP | RssFields::TCP, Faces::Clients), None);
    }

    /// Whatever the sizes of the tables, an index means the same worker on every port that has a queue for it.
    #[test]
    fn tables_agree() {
        for workers in 1..=16u16 {
            for smallest in [2, 64, 128, 512] {
                let owners = table(smallest, workers);
                assert!(Ownership::by_rss(&owners).is_some(), "{smallest} entries");
                for entries in [smallest, 512, 2048].into_iter().filter(|&entries| entries >= smallest) {
                    let all = queues(&owners, entries, workers.into());
                    assert_eq!(all.len(), entries);
                    assert!((0..entries).all(|hash| all[hash] == owners[hash & (owners.len() - 1)]));
                }
                let some = queues(&owners, 512, 3);
                assert!(some.iter().all(|&queue| queue < 3), "{workers} workers, three queues: {some:?}");
            }
        }
    }
}
