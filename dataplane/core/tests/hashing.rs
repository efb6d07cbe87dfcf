//! dh, sh and mh choose as the kernel's tables say (reference 2.3, 2.4, A.2, A.3), through frames.
mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::*;
use sha2::{Digest, Sha256};
use sluice_core::{
    ConfigError, DropReason, Encapsulation, Forward, Protocol, RealConfig, Route, ServiceConfig, ServiceKey,
    Verdict,
};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::SYN;

const FALLBACK: u8 = 1;
const PORT: u8 = 2;
/// Slots of mh.
const SLOTS: usize = 4093;

/// A TCP service on port 80 and its reals.
struct Bench {
    lab: Lab,
    key: ServiceKey,
    config: ServiceConfig,
}

impl Bench {
    /// Reals in the order of addition.
    fn new(scheduler: &str, flags: u8, reals: &[RealConfig]) -> Self {
        let mut lab = Lab::with_flows(32_768);
        lab.rewire(|fib| {
            let inside = Route { port: INSIDE, gateway: None, source: None };
            fib.set_routes([
                (Ipv4Addr::UNSPECIFIED, 0, Route { port: OUTSIDE, gateway: Some(GATEWAY), source: None }),
                (Ipv4Addr::new(10, 0, 0, 0), 8, inside),
                (Ipv4Addr::new(192, 168, 1, 0), 24, inside),
            ]);
            for n in 1..33 {
                for address in [Ipv4Addr::new(192, 168, 1, n), real(n)] {
                    fib.set_neighbour(INSIDE, address, Some(real_mac(n)));
                }
            }
        });
        let config = ServiceConfig { flags, ..service(Protocol::Tcp, 80, scheduler) };
        let key = lab.add(config.clone(), reals.iter().cloned());
        Self { lab, key, config }
    }

    /// The number of the real that a client's connection goes to; 0 for none.
    fn choice(&mut self, client: Ipv4Addr, port: u16) -> u8 {
        match self.lab.client_sends(&from_gateway(client).tcp(port, 80, SYN)) {
            (TO_REAL, bytes) => bytes[5],
            (Verdict::Drop(DropReason::NoReal), _) => 0,
            other => panic!("a SYN met {:?}", other.0),
        }
    }

    /// What each place of the table holds, by a client for each. Clients come from one source port.
    fn table(&mut self, places: usize, port: u16, place_of: impl Fn(Ipv4Addr) -> usize) -> Vec<u8> {
        let mut table = vec![None; places];
        let mut left = places;
        for client in (0xac10_0001..).map(Ipv4Addr::from_bits) {
            let place = place_of(client);
            if table[place].is_none() {
                table[place] = Some(self.choice(client, port));
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        table.into_iter().map(Option::unwrap).collect()
    }

    fn edit(&mut self, real: RealConfig) {
        self.lab.change(|director| director.edit_real(&self.key, real)).unwrap();
    }

    fn delete(&mut self, real: &RealConfig) {
        self.lab.change(|director| director.delete_real(&self.key, real.address, real.port)).unwrap();
    }

    fn set_flags(&mut self, flags: u8) {
        self.config.flags = flags;
        let config = self.config.clone();
        self.lab.change(|director| director.edit_service(config)).unwrap();
    }
}

/// 192.168.1.n.
fn far(n: u8, port: u16, weight: u32) -> RealConfig {
    let address = IpAddr::V4(Ipv4Addr::new(192, 168, 1, n));
    RealConfig {
        address,
        port,
        forward: Forward::Masq,
        weight,
        upper: 0,
        lower: 0,
        encapsulation: Encapsulation::default(),
    }
}

fn near(n: u8, weight: u32) -> RealConfig {
    RealConfig { weight, ..masq(n, 80) }
}

/// The first 16 hexadecimal digits of a table's SHA-256, where it holds places of the list and `newest` is at its head.
fn digest(table: &[u8], newest: u8) -> String {
    let places: Vec<u8> = table.iter().map(|n| newest - n).collect();
    Sha256::digest(&places)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bucket of dh and sh.
fn bucket(value: u32) -> usize {
    (value.wrapping_mul(0x61C8_8647) >> 24) as usize
}

fn bucket_of(client: Ipv4Addr) -> usize {
    bucket(client.to_bits())
}

/// Slot of mh: SipHash-1-3 as its authors word it, on its own.
fn slot(value: u32) -> usize {
    let key = 2_654_435_761_u64;
    let mut v: [u64; 4] = [u64::from_be_bytes(*b"somepseu"), 0, 0, 0];
    v[1] = u64::from_be_bytes(*b"dorandom");
    v[2] = u64::from_be_bytes(*b"lygenera");
    v[3] = u64::from_be_bytes(*b"tedbytes");
    v.iter_mut().for_each(|word| *word ^= key);
    let sip_round = |v: &mut [u64; 4]| {
        for (a, b, c, d, left, right) in [(0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)] {
            v[a] = v[a].wrapping_add(v[b]);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = v[b].rotate_left(left) ^ v[a];
            v[d] = v[d].rotate_left(right) ^ v[c];
            v[a] = v[a].rotate_left(32);
        }
    };
    let message = 4 << 56 | u64::from(value);
    v[3] ^= message;
    sip_round(&mut v);
    v[0] ^= message;
    v[2] ^= 0xff;
    (0..3).for_each(|_| sip_round(&mut v));
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32 as usize % SLOTS
}

fn slot_of(client: Ipv4Addr) -> usize {
    slot(client.to_bits())
}

#[test]
fn sh_tables_of_the_kernel() {
    for (weights, sha) in [([1, 1, 1], "bb7903ec02ec69be"), ([100, 100, 100], "861ad7130e337db3")] {
        let reals: Vec<_> = (1..).zip(weights).map(|(n, weight)| near(n, weight)).collect();
        let table = Bench::new("sh", 0, &reals).table(256, 1024, bucket_of);
        assert_eq!(digest(&table, 3), sha, "{weights:?}");
    }
    // The real of weight 0 has buckets, and whoever meets them gets none.
    let mut table = Bench::new("sh", 0, &[near(1, 2), near(2, 0), near(3, 3)]).table(256, 1024, bucket_of);
    assert!(table.iter_mut().all(|n| *n != 2));
    table.iter_mut().filter(|n| **n == 0).for_each(|n| *n = 2);
    assert_eq!(digest(&table, 3), "c659551a3d4bbc0c");
}

#[test]
fn sh_hashes_the_port_where_asked_to() {
    let reals = [near(1, 1), near(2, 1), near(3, 1)];
    let with_port = |client: Ipv4Addr| bucket(client.to_bits().wrapping_add(40_000));
    let mut bench = Bench::new("sh", PORT, &reals);
    assert_eq!(digest(&bench.table(256, 40_000, with_port), 3), "bb7903ec02ec69be");
    let chosen: std::collections::HashSet<u8> = (1024..1056).map(|port| bench.choice(CLIENT, port)).collect();
    assert_eq!(chosen.len(), 3, "one client is spread out");
    bench.set_flags(0);
    let first = bench.choice(CLIENT, 2000);
    assert!((2001..2032).all(|port| bench.choice(CLIENT, port) == first), "and is not any more");
}

/// The search begins at twice the client's bucket.
#[test]
fn sh_falls_back_where_asked_to() {
    let quiesced = [near(1, 1), near(2, 1), near(3, 0), near(4, 1), near(5, 1)];
    let whole = |place: usize| [5, 4, 3, 2, 1][place % 5];
    let expected = |first: usize| {
        let mut others = (0..256).map(|offset| whole((offset + 2 * first) % 256));
        if whole(first) == 3 { others.find(|&n| n != 3).unwrap() } else { whole(first) }
    };
    let table = Bench::new("sh", FALLBACK, &quiesced).table(256, 1024, bucket_of);
    assert_eq!(table, (0..256).map(expected).collect::<Vec<_>>());
    let none = Bench::new("sh", FALLBACK, &[near(1, 0), near(2, 0)]).choice(CLIENT, 1024);
    assert_eq!(none, 0);
}

#[test]
fn sh_fills_its_table_anew_with_each_change() {
    let mut bench = Bench::new("sh", 0, &[near(1, 1), near(2, 1)]);
    let pattern = |pattern: &[u8]| pattern.iter().copied().cycle().take(256).collect::<Vec<_>>();
    assert_eq!(bench.table(256, 1024, bucket_of), pattern(&[2, 1]));
    bench.edit(near(2, 2));
    assert_eq!(bench.table(256, 1025, bucket_of), pattern(&[2, 2, 1]));
    bench.lab.change(|director| director.add_real(&bench.key, near(3, 1))).unwrap();
    assert_eq!(bench.table(256, 1026, bucket_of), pattern(&[3, 2, 2, 1]));
    bench.delete(&near(2, 2));
    assert_eq!(bench.table(256, 1027, bucket_of), pattern(&[3, 1]));
    bench.edit(RealConfig { upper: 1, ..near(3, 1) });
    assert_eq!(bench.table(256, 1028, bucket_of), pattern(&[0, 1]), "overloaded is as good as quiesced");
}

/// By the destination alone: each virtual address has its real, whoever asks.
#[test]
fn dh_goes_by_the_virtual_address() {
    let mut lab = Lab::new();
    let to = |vip: Ipv4Addr, cport: u16| {
        let client = Ipv4Addr::from_bits(CLIENT.to_bits() + u32::from(cport));
        Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(client, vip).tcp(cport, 80, SYN)
    };
    for n in 1..8 {
        let vip = Ipv4Addr::new(198, 51, 100, n);
        let key = ServiceKey::Address { protocol: Protocol::Tcp, address: vip.into(), port: 80 };
        lab.add(ServiceConfig { key, ..service(Protocol::Tcp, 80, "dh") }, [1, 2, 3].map(|n| near(n, 1)));
        let expected = [3, 2, 1][bucket(vip.to_bits()) % 3];
        for cport in 1024..1034 {
            assert_eq!(lab.reaches(&to(vip, cport)), expected, "{vip}");
        }
        lab.change(|director| director.edit_real(&key, near(expected, 0))).unwrap();
        let none = lab.client_sends(&to(vip, 2000)).0;
        assert_eq!(none, Verdict::Drop(DropReason::NoReal), "no other takes its place");
        lab.change(|director| director.delete_real(&key, real(expected).into(), 80)).unwrap();
        let left: Vec<u8> = [3, 2, 1].into_iter().filter(|&n| n != expected).collect();
        assert_eq!(lab.reaches(&to(vip, 2001)), left[bucket(vip.to_bits()) % 2]);
    }
}

#[test]
fn mh_tables_of_the_kernel() {
    for (reals, sha) in [
        (vec![far(1, 80, 1), far(2, 80, 1), far(3, 80, 1)], "372bb046fcd3a8a7"),
        (vec![far(1, 80, 1), far(2, 8080, 3), far(3, 80, 2)], "a605e0c6d39a7f12"),
        // Weights have a unit: these are 1, 3 and 2.
        (vec![far(1, 80, 100), far(2, 8080, 300), far(3, 80, 200)], "a605e0c6d39a7f12"),
        (vec![far(1, 80, 100), far(2, 80, 300), far(3, 80, 7)], "5034a3942db253f1"),
    ] {
        let mut bench = Bench::new("mh", 0, &reals);
        assert_eq!(digest(&bench.table(SLOTS, 1024, slot_of), 3), sha);
    }
    let reals: Vec<_> = (1..33).map(|n| near(n, 1)).collect();
    let mut bench = Bench::new("mh", 0, &reals);
    assert_eq!(digest(&bench.table(SLOTS, 1024, slot_of), 32), "4f4d37b813dbffcb");
    bench.delete(&near(5, 1));
    let mut table = bench.table(SLOTS, 1025, slot_of);
    table.iter_mut().filter(|n| **n > 5).for_each(|n| *n -= 1);
    assert_eq!(digest(&table, 31), "d6c3cbfcc147e448");
}

#[test]
fn mh_clients_of_the_reference() {
    let mut bench = Bench::new("mh", 0, &[far(1, 80, 1), far(2, 80, 1), far(3, 80, 1)]);
    for (client, n) in [([172, 16, 0, 1], 3), ([172, 16, 0, 2], 1), ([10, 1, 2, 3], 2)] {
        assert_eq!(bench.choice(client.into(), 1024), n, "{client:?}");
        assert_eq!(bench.choice(client.into(), 1025), n, "the port does not matter");
    }
}

/// What a 6.1 kernel chose for the clients 172.16.0.1 to 60, with a third real of five that is quiesced.
#[test]
fn fallback_as_a_kernel_was_seen_to_choose() {
    for (scheduler, expected) in [
        ("sh", "154141424142524152521151541214141424242525251515212541412242"),
        // Added with weight 0: it has no slots.
        ("mh", "124424254254421455415215255424115214222214554441254125512222"),
    ] {
        let weights = (10..).zip([1, 1, 0, 1, 1]);
        let reals: Vec<_> = weights.map(|(n, weight)| near(n, weight)).collect();
        let mut bench = Bench::new(scheduler, FALLBACK, &reals);
        let chosen: String =
            (1..61).map(|n| (bench.choice([172, 16, 0, n].into(), 4000) - 9).to_string()).collect();
        assert_eq!(chosen, expected, "{scheduler}");
    }
}

#[test]
fn mh_hashes_the_port_where_asked_to() {
    let mut bench = Bench::new("mh", PORT, &[far(1, 80, 1), far(2, 8080, 3), far(3, 80, 2)]);
    let with_port = |client: Ipv4Addr| slot(client.to_bits().wrapping_add(40_000));
    assert_eq!(with_port(Ipv4Addr::new(172, 16, 0, 1)), 1790);
    assert_eq!(digest(&bench.table(SLOTS, 40_000, with_port), 3), "a605e0c6d39a7f12");
}

/// Only the clients of a quiesced real are touched: it keeps its slots by its last weight.
#[test]
fn mh_keeps_the_slots_of_a_quiesced_real() {
    let reals = [far(1, 80, 100), far(2, 80, 300), far(3, 80, 7)];
    let mut bench = Bench::new("mh", 0, &reals);
    let before = bench.table(SLOTS, 1024, slot_of);
    bench.edit(far(2, 80, 0));
    let expected: Vec<u8> = before.iter().map(|&n| if n == 2 { 0 } else { n }).collect();
    assert_eq!(bench.table(SLOTS, 1025, slot_of), expected);

    // Each client of it tries slots by its own hashes, not the slots that come next.
    bench.set_flags(FALLBACK);
    let client_of = |client: Ipv4Addr| {
        let first = slot_of(client);
        let again = |offset: usize| slot(client.to_bits().wrapping_add(((first + offset) % SLOTS) as u32));
        let mut others = (0..SLOTS).map(|offset| before[again(offset)]);
        if before[first] == 2 { others.find(|&n| n != 2).unwrap() } else { before[first] }
    };
    for client in (0xac10_0001..0xac10_0101).map(Ipv4Addr::from_bits) {
        assert_eq!(bench.choice(client, 1026), client_of(client), "{client}");
    }
    bench.edit(far(2, 80, 300));
    assert_eq!(bench.table(SLOTS, 1027, slot_of), before);
    for real in reals {
        bench.edit(RealConfig { weight: 0, ..real });
    }
    assert_eq!(bench.choice(CLIENT, 1028), 0, "all quiesced: none, and no endless search");
}

#[test]
fn mh_gives_no_slots_to_a_real_added_with_weight_0() {
    let mut bench = Bench::new("mh", 0, &[far(1, 80, 0)]);
    assert_eq!(bench.choice(CLIENT, 1024), 0, "an empty table");
    bench.lab.change(|director| director.add_real(&bench.key, far(2, 80, 1))).unwrap();
    assert_eq!(bench.table(SLOTS, 1024, slot_of), [2; SLOTS]);
    // Removed and added anew, it forgets the weight it once had.
    bench.edit(far(1, 80, 5));
    bench.edit(far(1, 80, 0));
    assert!(bench.table(SLOTS, 1025, slot_of).contains(&0));
    bench.delete(&far(1, 80, 0));
    bench.lab.change(|director| director.add_real(&bench.key, far(1, 80, 0))).unwrap();
    assert_eq!(bench.table(SLOTS, 1026, slot_of), [2; SLOTS]);
}

#[test]
fn mh_refuses_more_reals_than_slots() {
    let table = std::sync::Arc::new(sluice_core::RealTable::new(5000));
    let mut director = sluice_core::Director::new(sluice_core::Limits { services: 1 }, table);
    let rr = service(Protocol::Tcp, 80, "rr");
    director.add_service(rr.clone()).unwrap();
    let real = |n: u32| RealConfig { address: Ipv4Addr::from_bits(0x0a00_0000 + n).into(), ..masq(1, 80) };
    for n in 1..=4093 {
        director.add_real(&rr.key, real(n)).unwrap();
    }
    let mh = service(Protocol::Tcp, 80, "mh");
    director.edit_service(mh.clone()).unwrap();
    let refused = Err(ConfigError::Invalid("mh takes no more than 4093 real servers"));
    assert_eq!(director.add_real(&rr.key, real(4094)).map(|_| ()), refused);
    director.edit_service(rr.clone()).unwrap();
    director.add_real(&rr.key, real(4094)).unwrap();
    assert_eq!(director.edit_service(mh), refused);
    assert_eq!(director.service(&rr.key).unwrap().config, rr);
}
