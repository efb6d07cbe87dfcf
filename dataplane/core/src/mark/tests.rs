//! The compiled rules against a plain walk over the list.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::sample::select;

use super::{MarkHit, MarkPacket4, MarkRule, MarkTable, Prefix};
use crate::config::Protocol;

/// What the rules mean, in the plainest words.
fn matches(rule: &MarkRule, packet: &MarkPacket4) -> bool {
    let address = |prefix: &Option<Prefix>, address: u32| match prefix {
        None => true,
        Some(Prefix { address: IpAddr::V4(prefix), length }) => {
            let beyond = 32 - u32::from(*length);
            u64::from(prefix.to_bits()) >> beyond == u64::from(address) >> beyond
        }
        Some(_) => false,
    };
    let ports =
        |ports: &Option<RangeInclusive<u16>>, port| ports.as_ref().is_none_or(|ports| ports.contains(&port));
    rule.port.is_none_or(|port| port == packet.port)
        && rule.vlan.is_none_or(|vlan| vlan == packet.vlan)
        && rule.protocol.is_none_or(|protocol| protocol as u8 == packet.protocol)
        && address(&rule.source, packet.source)
        && address(&rule.destination, packet.destination)
        && ports(&rule.source_ports, packet.source_port)
        && ports(&rule.destination_ports, packet.destination_port)
}

/// Sorts as the director does and numbers the slots in the order of addition.
fn ordered(rules: &[MarkRule]) -> Vec<(u32, &MarkRule)> {
    let mut rules: Vec<_> = (0..).zip(rules).collect();
    rules.sort_by_key(|(_, rule)| rule.priority);
    rules
}

fn scan(rules: &[(u32, &MarkRule)], packet: &MarkPacket4) -> Option<MarkHit> {
    let (slot, rule) = rules.iter().find(|(_, rule)| matches(rule, packet))?;
    Some(MarkHit { slot: *slot, mark: rule.mark })
}

/// Few bits differ, so that prefixes nest and packets meet rules.
fn address() -> impl Strategy<Value = u32> {
    prop_oneof![
        (0u32..4, 0u32..4).prop_map(|(high, low)| 0x0a00_0000 | high << 22 | low),
        select(vec![0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX]),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (address(), 0u8..=32).prop_map(|(address, length)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        Prefix { address: Ipv4Addr::from_bits(address & mask).into(), length }
    });
    let v6 = Just(Prefix { address: Ipv6Addr::UNSPECIFIED.into(), length: 0 });
    prop_oneof![20 => v4, 1 => v6]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..6, select(vec![u16::MAX - 1, u16::MAX])]
}

fn ports() -> impl Strategy<Value = RangeInclusive<u16>> {
    (port(), port()).prop_map(|(a, b)| a.min(b)..=a.max(b))
}

fn rule() -> impl Strategy<Value = MarkRule> {
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    (
        (0u32..4, 1u32..5),
        prop::option::of(0u16..3),
        prop::option::weighted(0.2, 0u16..3),
        prop::option::of(protocol),
        prop::option::of(prefix()),
        prop::option::of(prefix()),
        prop::option::of(ports()),
        prop::option::of(ports()),
    )
        .prop_map(
            |(
                (priority, mark),
                port,
                vlan,
                protocol,
                source,
                destination,
                source_ports,
                destination_ports,
            )| {
                MarkRule {
                    priority,
                    port,
                    vlan,
                    protocol,
                    source,
                    destination,
                    source_ports,
                    destination_ports,
                    mark,
                }
            },
        )
        .prop_filter("one family", |rule| rule.check().is_ok())
}

fn packet() -> impl Strategy<Value = MarkPacket4> {
    (0u16..4, 0u16..4, select(vec![6u8, 17, 132, 1]), address(), address(), port(), port()).prop_map(
        |(port, vlan, protocol, source, destination, source_port, destination_port)| MarkPacket4 {
            port,
            vlan,
            protocol,
            source,
            destination,
            source_port,
            destination_port,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn agrees_with_a_walk_over_the_list(
        rules in prop::collection::vec(rule(), 0..300),
        packets in prop::collection::vec(packet(), 100),
    ) {
        let rules = ordered(&rules);
        let table = MarkTable::new(rules.iter().copied());
        for packet in packets {
            prop_assert_eq!(table.lookup(&packet), scan(&rules, &packet), "{:?}", packet);
        }
    }
}

/// A sequence that is the same each time; no packet chooses it.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (((self.0 >> 32) * u64::from(bound)) >> 32) as u32
    }

    fn range(&mut self) -> RangeInclusive<u16> {
        let (a, b) = (self.below(65_536) as u16, self.below(65_536) as u16);
        a.min(b)..=a.max(b)
    }

    fn prefix(&mut self) -> Prefix {
        let length = 8 + self.below(25);
        let address = (self.below(u32::MAX) >> (32 - length)) << (32 - length);
        Prefix { address: Ipv4Addr::from_bits(address).into(), length: length as u8 }
    }
}

/// The sizes at which words and parts are full, over rules that all accept one packet: the last one must be found when
/// the others accept another.
#[test]
fn the_last_of_many_rules_is_found() {
    for count in [1usize, 63, 64, 65, 4095, 4096, 4097, 10_000] {
        let at = |n: usize| Ipv4Addr::from_bits(0x0a00_0000 + n as u32);
        let rules: Vec<_> = (0..count)
            .map(|n| MarkRule {
                destination: Some(Prefix { address: at(n).into(), length: 32 }),
                ..MarkRule::any(n as u32, 1 + n as u32)
            })
            .collect();
        let rules = ordered(&rules);
        let table = MarkTable::new(rules.iter().copied());
        let mut packet = packet_to(at(count - 1).to_bits());
        assert_eq!(table.lookup(&packet).map(|hit| hit.mark), Some(count as u32));
        packet.destination += 1;
        assert_eq!(table.lookup(&packet), None);
    }
}

fn packet_to(destination: u32) -> MarkPacket4 {
    MarkPacket4 { port: 0, vlan: 0, protocol: 6, source: 1, destination, source_port: 1, destination_port: 1 }
}

/// Rules of which very many accept every packet: the vectors are full.
#[test]
fn wide_ranges_in_both_ports_agree() {
    let mut random = Sequence(1);
    let rules: Vec<_> = (0..2000)
        .map(|n| MarkRule {
            source_ports: Some(random.range()),
            destination_ports: Some(random.range()),
            source: Some(random.prefix()),
            ..MarkRule::any(random.below(100), 1 + n)
        })
        .collect();
    let rules = ordered(&rules);
    let table = MarkTable::new(rules.iter().copied());
    let mut met = 0;
    for _ in 0..2000 {
        let (_, near) = rules[random.below(2000) as usize];
        let Some(Prefix { address: IpAddr::V4(source), .. }) = near.source else { panic!("{near:?}") };
        let packet = MarkPacket4 {
            source: source.to_bits() + random.below(4),
            source_port: random.below(65_536) as u16,
            destination_port: random.below(65_536) as u16,
            ..packet_to(1)
        };
        let hit = table.lookup(&packet);
        assert_eq!(hit, scan(&rules, &packet));
        met += usize::from(hit.is_some());
    }
    assert!((200..1800).contains(&met), "{met} of 2000 packets met a rule");
}

#[test]
fn without_rules_nothing_matches() {
    assert_eq!(MarkTable::new(std::iter::empty()).lookup(&packet_to(1)), None);
    assert_eq!(MarkTable::default().lookup(&packet_to(1)), None);
}

#[test]
fn of_equal_priorities_the_first_added_is_met_first() {
    let rules = [MarkRule::any(7, 1), MarkRule::any(7, 2), MarkRule::any(6, 3), MarkRule::any(6, 4)];
    let table = MarkTable::new(ordered(&rules).into_iter());
    assert_eq!(table.lookup(&packet_to(1)), Some(MarkHit { slot: 2, mark: 3 }));
}

#[test]
fn rules_for_ipv6_match_no_ipv4_packet() {
    let everything = Prefix { address: Ipv6Addr::UNSPECIFIED.into(), length: 0 };
    let rules = [MarkRule { source: Some(everything), ..MarkRule::any(0, 1) }, MarkRule::any(1, 2)];
    let table = MarkTable::new(ordered(&rules).into_iter());
    assert_eq!(table.lookup(&packet_to(1)), Some(MarkHit { slot: 1, mark: 2 }));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let v4 = |a, b, c, d, length| Some(Prefix { address: Ipv4Addr::new(a, b, c, d).into(), length });
    let v6 = |text: &str, length| Some(Prefix { address: text.parse::<Ipv6Addr>().unwrap().into(), length });
    let any = MarkRule::any(0, 1);
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let refused = [
        (MarkRule { mark: 0, ..any.clone() }, "the mark may not be 0"),
        (
            MarkRule { vlan: Some(4095), ..any.clone() },
            "the VLAN id (0 to 4094, 0 is no tag) is out of range",
        ),
        (
            MarkRule { source: v4(10, 0, 0, 0, 33), ..any.clone() },
            "the prefix length (at most 32, IPv6 128) is out of range",
        ),
        (
            MarkRule { destination: v6("2001:db8::", 129), ..any.clone() },
            "the prefix length (at most 32, IPv6 128) is out of range",
        ),
        (
            MarkRule { source: v4(10, 0, 0, 1, 31), ..any.clone() },
            "an address has bits beyond its prefix length",
        ),
        (
            MarkRule { source: v6("2001:db8::1", 64), ..any.clone() },
            "an address has bits beyond its prefix length",
        ),
        (
            MarkRule { source: v4(10, 0, 0, 0, 8), destination: v6("::", 0), ..any.clone() },
            "source and destination are not of one address family",
        ),
        (MarkRule { source_ports: Some(2..=1), ..any.clone() }, "a range of ports ends before it begins"),
        (
            MarkRule { destination_ports: Some(65_535..=0), ..any.clone() },
            "a range of ports ends before it begins",
        ),
    ];
    for (rule, why) in refused {
        assert_eq!(rule.check().map_err(|error| error.to_string()), Err(why.to_owned()), "{rule:?}");
    }
    for rule in [
        any.clone(),
        MarkRule { source: v4(0, 0, 0, 0, 0), destination: v4(255, 255, 255, 255, 32), ..any.clone() },
        MarkRule { source: v6("2001:db8::1", 128), vlan: Some(4094), ..any.clone() },
        MarkRule { source_ports: Some(0..=65_535), destination_ports: Some(7..=7), ..any },
    ] {
        assert_eq!(rule.check(), Ok(()), "{rule:?}");
    }
}
