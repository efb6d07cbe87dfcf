//! rr and wrr on several lcores: how far reals may be off their share, however connections fall to the lcores.
mod common;

use std::net::Ipv4Addr;
use std::sync::Arc;

use common::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use sluice_core::{
    Director, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats, Limits, Protocol, RealConfig, RealTable,
    Verdict,
};
use sluice_packet::PacketBuf;
use sluice_packet::build::ArrayBuf;
use sluice_packet::header::flags::SYN;

/// Lcores that serve one TCP service, and how often each real was chosen.
struct Cluster {
    director: Director,
    lcores: Vec<Lcore>,
    weights: Vec<u32>,
    chosen: Vec<u64>,
    clients: u32,
}

impl Cluster {
    fn new(scheduler: &str, lcores: u16, weights: &[u32]) -> Self {
        let table = Arc::new(RealTable::new(32));
        let mut director = Director::new(Limits { services: 1 }, Arc::clone(&table));
        director.set_fib(Arc::new(fib()));
        let config = service(Protocol::Tcp, 80, scheduler);
        director.add_service(config.clone()).unwrap();
        let lcore = |id| {
            let config = LcoreConfig { id, lcores, flows: 8192, seed: [1, 2], now: Jiffies(0) };
            let stats = Arc::new(LcoreStats::new(32));
            Lcore::new(config, director.snapshot(), Arc::clone(&table), stats, &|_, _| ())
        };
        let lcores = (0..lcores).map(lcore).collect();
        let chosen = vec![0; weights.len()];
        let mut cluster = Self { director, lcores, weights: weights.to_vec(), chosen, clients: 0 };
        for (&weight, n) in weights.iter().zip(1..) {
            cluster.director.add_real(&config.key, RealConfig { weight, ..masq(n, 80) }).unwrap();
            cluster.load();
        }
        cluster
    }

    fn load(&mut self) {
        for lcore in &mut self.lcores {
            lcore.load(self.director.snapshot());
        }
    }

    /// A new client's connection, on that lcore.
    fn open(&mut self, lcore: usize) -> u8 {
        self.clients += 1;
        let client = Ipv4Addr::from_bits(0x0b00_0000 + self.clients);
        let mut burst = [ArrayBuf::new(&from_gateway(client).tcp(4000, 80, SYN).build())];
        let mut verdicts = [Verdict::ToKernel; 32];
        let ingress = Ingress { steered: true, ..ingress(OUTSIDE) };
        self.lcores[lcore].process_burst(Jiffies(0), &ingress, &mut burst, &mut verdicts);
        assert_eq!(verdicts[0], TO_REAL);
        let n = burst[0].data()[5];
        self.chosen[usize::from(n) - 1] += 1;
        n
    }

    /// No real is off its share by more than so many times its weight, in units of what all weights share.
    fn is_within(&self, times: u16) -> TestCaseResult {
        fn gcd(a: u32, b: u32) -> u32 {
            if b == 0 { a } else { gcd(b, a % b) }
        }
        let unit = self.weights.iter().fold(0, |unit, &weight| gcd(unit, weight));
        let units: Vec<u128> = self.weights.iter().map(|weight| u128::from(weight / unit)).collect();
        let chosen: Vec<u128> = self.chosen.iter().map(|&chosen| chosen.into()).collect();
        let (whole, total) = (units.iter().sum::<u128>(), chosen.iter().sum::<u128>());
        for (chosen, units) in chosen.iter().zip(&units) {
            let off = (chosen * whole).abs_diff(total * units);
            prop_assert!(
                off <= u128::from(times) * units * whole,
                "{:?} for {:?}",
                self.chosen,
                self.weights
            );
        }
        Ok(())
    }
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    let some = prop_oneof![1u32..6, prop::sample::select(vec![1000u32, 2_000_000, 2_147_483_647])];
    (prop::collection::vec(some, 1..9), prop::sample::select(vec![1u32, 10])).prop_map(|(weights, times)| {
        weights.iter().map(|weight| weight.saturating_mul(times).min(i32::MAX as u32)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// After every single connection.
    #[test]
    fn wherever_connections_fall(
        lcores in 1u16..=16,
        weights in weights(),
        falls in prop::collection::vec(any::<prop::sample::Index>(), 1..120),
    ) {
        for (scheduler, weights) in [("wrr", weights.clone()), ("rr", vec![1; weights.len()])] {
            let mut cluster = Cluster::new(scheduler, lcores, &weights);
            for fall in &falls {
                cluster.open(fall.index(usize::from(lcores)));
                cluster.is_within(lcores)?;
            }
        }
    }

    /// Where connections fall evenly, after each round of one for every lcore. (Were all lcores to begin at one real, it
    /// would be off by their number.)
    #[test]
    fn where_connections_fall_evenly(lcores in 1u16..=16, weights in weights(), rounds in 1u32..12) {
        for (scheduler, weights) in [("wrr", weights.clone()), ("rr", vec![1; weights.len()])] {
            let mut cluster = Cluster::new(scheduler, lcores, &weights);
            for _ in 0..rounds {
                (0..usize::from(lcores)).for_each(|lcore| _ = cluster.open(lcore));
                cluster.is_within(1)?;
            }
        }
    }
}

/// What users see after a start: a few connections over many lcores.
#[test]
fn the_first_connections_reach_different_reals() {
    for scheduler in ["rr", "wrr"] {
        for lcores in [2u16, 4, 8] {
            let mut cluster = Cluster::new(scheduler, lcores, &[1; 8]);
            let mut reals: Vec<u8> = (0..usize::from(lcores)).map(|lcore| cluster.open(lcore)).collect();
            reals.sort_unstable();
            reals.dedup();
            assert_eq!(reals.len(), usize::from(lcores), "{scheduler}, {lcores} lcores");
        }
    }
}

/// Where the lcores divide the sequence, they make up one whole sequence together: every share is exact.
#[test]
fn lcores_together_choose_the_whole_sequence() {
    for (weights, lcores) in
        [(&[4u32, 3, 1][..], 4u16), (&[4, 3, 1], 8), (&[40, 30, 10], 2), (&[6, 5, 4, 1], 16)]
    {
        let mut cluster = Cluster::new("wrr", lcores, weights);
        let unit = if weights[0] >= 40 { 10 } else { 1 };
        let whole: u32 = weights.iter().sum::<u32>() / unit;
        for lcore in 0..usize::from(lcores) {
            (0..whole / u32::from(lcores)).for_each(|_| _ = cluster.open(lcore));
        }
        let expected: Vec<u64> = weights.iter().map(|weight| u64::from(weight / unit)).collect();
        assert_eq!(cluster.chosen, expected, "{lcores} lcores");
    }
}

/// Every lcore goes through the kernel's sequence (reference A.4), the first one from its start.
#[test]
fn each_lcore_keeps_the_kernels_sequence() {
    for (scheduler, weights, sequence) in
        [("rr", &[1u32, 1, 1][..], "321"), ("wrr", &[4, 3, 2], "321121321"), ("wrr", &[6, 4, 2], "321121")]
    {
        let mut cluster = Cluster::new(scheduler, 5, weights);
        for lcore in 0..5 {
            let chosen: String = (0..sequence.len()).map(|_| cluster.open(lcore).to_string()).collect();
            let start = sequence.len() * lcore / 5;
            assert_eq!(
                chosen,
                [&sequence[start..], &sequence[..start]].concat(),
                "{scheduler}, lcore {lcore}"
            );
        }
    }
}

/// After a change wrr starts its rounds anew, on every lcore at its own place; rr goes on where it was.
#[test]
fn after_a_change() {
    let mut cluster = Cluster::new("wrr", 4, &[1; 8]);
    (0..4).for_each(|lcore| _ = cluster.open(lcore));
    let key = service(Protocol::Tcp, 80, "wrr").key;
    cluster.director.edit_real(&key, RealConfig { weight: 2, ..masq(1, 80) }).unwrap();
    cluster.load();
    let mut reals: Vec<u8> = (0..4).map(|lcore| cluster.open(lcore)).collect();
    reals.sort_unstable();
    reals.dedup();
    assert_eq!(reals.len(), 4, "{reals:?}");

    let mut cluster = Cluster::new("rr", 2, &[1; 4]);
    assert_eq!([cluster.open(0), cluster.open(1)], [4, 2]);
    let key = service(Protocol::Tcp, 80, "rr").key;
    cluster.director.delete_real(&key, real(3).into(), 80).unwrap();
    cluster.load();
    assert_eq!([cluster.open(0), cluster.open(1)], [2, 1]);
}

/// Reals that cannot take a connection have no place among those that lcores begin at.
#[test]
fn quiesced_reals_take_no_lcores_place() {
    let mut cluster = Cluster::new("rr", 4, &[1, 0, 0, 0, 1, 1, 0, 1]);
    let reals: Vec<u8> = (0..4).map(|lcore| cluster.open(lcore)).collect();
    assert_eq!(reals, [8, 6, 5, 1]);
}
