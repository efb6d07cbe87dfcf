//! lc, wlc, sed and nq over long lists, through frames: whatever happens, the choice is the one a walk would make.
mod common;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use sluice_core::{Protocol, RealConfig, RealCounts, RealId, ServiceKey};
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};

/// Longer than the lists that are walked.
const REALS: u16 = 40;

fn numbered(n: u16, weight: u32, upper: u32) -> RealConfig {
    RealConfig { weight, upper, ..masq(1 + (n % 9) as u8, 8000 + n) }
}

/// The first of the least in list order, by the formulas of the reference.
fn expected(lab: &Lab, key: &ServiceKey, scheduler: &str) -> Option<RealId> {
    let service = lab.director.service(key).unwrap();
    let load = |counts: &RealCounts| match scheduler {
        "lc" | "wlc" => counts.overhead(),
        "nq" if counts.active() == 0 => 0,
        _ => u64::from(counts.active()) + 1,
    };
    let mut best: Option<(RealId, u128, u128)> = None;
    for real in &*service.reals {
        let counts = lab.counts(real.id);
        if real.config.weight == 0 || counts.overloaded() {
            continue;
        }
        let weight = if scheduler == "lc" { 1 } else { u128::from(real.config.weight) };
        let load = u128::from(load(counts));
        if best.is_none_or(|(_, least, held)| load * held < least * weight) {
            best = Some((real.id, load, weight));
        }
    }
    best.map(|(id, ..)| id)
}

#[derive(Clone, Debug)]
enum Step {
    /// A client that is new, or comes again after its connection has ended.
    Open(u16),
    /// On one of the connections.
    Send(Index, u8),
    Wait(u32),
    Edit(u16, u32, u32),
    Delete(u16),
    Add(u16, u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let flags = prop::sample::select(vec![ACK, FIN | ACK, RST]);
    let step = prop_oneof![
        12 => (1024..2024_u16).prop_map(Step::Open),
        6 => (any::<Index>(), flags).prop_map(|(nth, flags)| Step::Send(nth, flags)),
        2 => prop::sample::select(vec![1, 10, 60, 900]).prop_map(Step::Wait),
        1 => (0..REALS, 0..4_u32, 0..4_u32).prop_map(|(n, weight, upper)| Step::Edit(n, weight, upper)),
        1 => (0..REALS).prop_map(Step::Delete),
        1 => (0..REALS, 0..70_000_u32, 0..4_u32).prop_map(|(n, weight, upper)| Step::Add(n, weight, upper)),
    ];
    prop::collection::vec(step, 1..250)
}

fn run(scheduler: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut lab = Lab::new();
    let key = lab
        .add(service(Protocol::Tcp, 80, scheduler), (0..REALS).map(|n| numbered(n, 1 + u32::from(n % 3), 0)));
    for step in steps {
        match *step {
            Step::Open(cport) => {
                let flows = lab.flows().len();
                let expected = expected(&lab, &key, scheduler);
                lab.client_sends(&request(cport, SYN));
                let after = lab.flows();
                if after.len() > flows {
                    let chosen = after.iter().find(|flow| flow.client.port() == cport).unwrap().real;
                    prop_assert_eq!(Some(chosen), expected);
                } else if !after.iter().any(|flow| flow.client.port() == cport) {
                    prop_assert_eq!(None, expected);
                }
            }
            Step::Send(nth, flags) => {
                let flows = lab.flows();
                if !flows.is_empty() {
                    let flow = flows[nth.index(flows.len())];
                    lab.client_sends(&request(flow.client.port(), flags));
                }
            }
            Step::Wait(seconds) => lab.wait_seconds(seconds),
            // Some of these are there already, or no more: both are refused.
            Step::Edit(n, weight, upper) => {
                drop(lab.change(|director| director.edit_real(&key, numbered(n, weight, upper))));
            }
            Step::Delete(n) => {
                let gone = numbered(n, 0, 0);
                drop(lab.change(|director| director.delete_real(&key, gone.address, gone.port)));
            }
            Step::Add(n, weight, upper) => {
                drop(lab.change(|director| director.add_real(&key, numbered(n, weight, upper))));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_choice_is_that_of_a_walk(
        scheduler in prop::sample::select(vec!["lc", "wlc", "sed", "nq"]),
        steps in steps(),
    ) {
        run(scheduler, &steps)?;
    }
}
