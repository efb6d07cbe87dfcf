//! Lookups among mark rules such as firewalls have: what they add to the first packet of a flow.
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use criterion::{BenchmarkId, Criterion, Throughput};
use sluice_bench::cycles;
use sluice_core::{BURST, MarkPacket4, MarkRule, MarkTable, Prefix, Protocol};

use crate::measurement::{Cycles, sum};

const COUNTS: [usize; 4] = [10, 100, 1000, 10_000];
/// So many that their ways through the table do not stay in the caches.
const PACKETS: usize = 1 << 16;

pub(crate) fn bench(criterion: &mut Criterion<Cycles>) {
    let mut group = criterion.benchmark_group("mark_rules");
    group.throughput(Throughput::Elements(BURST as u64));
    for count in COUNTS {
        let mut random = Random(1);
        let mut rules: Vec<_> = (0..count).map(|_| random.rule()).collect();
        rules.sort_by_key(|rule| rule.priority);
        let table = MarkTable::new((0..).zip(&rules));
        let hits = (0..PACKETS).map(|_| random.packet_of(&rules)).collect();
        let others = (0..PACKETS).map(|_| random.packet()).collect();
        for (name, packets) in [("hit", hits), ("any", others)] {
            let packets: Vec<MarkPacket4> = packets;
            let mut bursts = packets.chunks(BURST).cycle();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter_custom(|iterations| {
                    sum(iterations, || {
                        let burst = bursts.next().unwrap_or_default();
                        let start = cycles::now();
                        for packet in burst {
                            std::hint::black_box(table.lookup(packet));
                        }
                        cycles::now() - start
                    })
                });
            });
        }
    }
    group.finish();
}

/// The same numbers each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    fn in_a_hundred(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    fn port(&mut self) -> u16 {
        self.next() as u16
    }

    /// In 64 networks of 16 bits, of the lengths that networks and hosts have.
    fn address(&mut self) -> u32 {
        0x0a00_0000 | self.below(64 << 16)
    }

    fn prefix(&mut self) -> Prefix {
        let length = match self.below(10) {
            0 => 8 + self.below(8),
            1 | 2 => 16,
            3..=5 => 24,
            6 => 17 + self.below(15),
            _ => 32,
        };
        let address = self.address() & (u32::MAX << (32 - length));
        Prefix { address: Ipv4Addr::from_bits(address).into(), length: length as u8 }
    }

    /// Mostly a well-known port, sometimes all unprivileged ones or a wide range.
    fn ports(&mut self) -> RangeInclusive<u16> {
        const KNOWN: [u16; 10] = [80, 443, 22, 25, 53, 8080, 3306, 123, 5060, 21];
        let (a, b) = (self.port(), self.port());
        match self.below(10) {
            0..=5 => {
                let port = KNOWN[self.below(10) as usize];
                port..=port
            }
            6 | 7 => a..=a,
            8 => 1024..=u16::MAX,
            _ => a.min(b)..=a.max(b),
        }
    }

    fn rule(&mut self) -> MarkRule {
        MarkRule {
            port: self.in_a_hundred(30).then(|| self.below(4) as u16),
            protocol: [None, Some(Protocol::Tcp), Some(Protocol::Tcp), Some(Protocol::Udp)]
                [self.below(4) as usize],
            source: self.in_a_hundred(60).then(|| self.prefix()),
            destination: self.in_a_hundred(85).then(|| self.prefix()),
            source_ports: self.in_a_hundred(10).then(|| self.ports()),
            destination_ports: self.in_a_hundred(80).then(|| self.ports()),
            ..MarkRule::any(self.below(100_000), 1)
        }
    }

    fn packet(&mut self) -> MarkPacket4 {
        MarkPacket4 {
            port: self.below(4) as u16,
            vlan: 0,
            protocol: if self.in_a_hundred(50) { 6 } else { 17 },
            source: self.next() as u32,
            destination: self.address(),
            source_port: self.port(),
            destination_port: self.port(),
        }
    }

    /// A packet that one of the rules matches, and maybe others before it.
    fn packet_of(&mut self, rules: &[MarkRule]) -> MarkPacket4 {
        let rule = &rules[self.below(rules.len() as u32) as usize];
        let any = self.packet();
        let mut within = |prefix: &Option<Prefix>, otherwise| match prefix {
            Some(Prefix { address: IpAddr::V4(address), length }) => {
                let hosts = u32::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
                address.to_bits() | (self.next() as u32 & hosts)
            }
            _ => otherwise,
        };
        let first =
            |ports: &Option<RangeInclusive<u16>>, otherwise| ports.as_ref().map_or(otherwise, |p| *p.start());
        MarkPacket4 {
            port: rule.port.unwrap_or(any.port),
            protocol: rule.protocol.map_or(any.protocol, |protocol| protocol as u8),
            source: within(&rule.source, any.source),
            destination: within(&rule.destination, any.destination),
            source_port: first(&rule.source_ports, any.source_port),
            destination_port: first(&rule.destination_ports, any.destination_port),
            ..any
        }
    }
}
