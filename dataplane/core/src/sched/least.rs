//! lc and wlc: the least load, plain or per weight.
use super::{Candidate, Reals};

/// lc: the least overhead among reals of any weight but 0.
pub(super) fn pick(reals: Reals<'_>) -> Option<usize> {
    let mut best: Option<(usize, u64)> = None;
    for real in reals.all_eligible() {
        let load = real.counts.overhead();
        if best.is_none_or(|(_, least)| load < least) {
            best = Some((real.at, load));
        }
    }
    best.map(|(at, _)| at)
}

/// wlc: the least overhead per weight, compared by cross-multiplication.
pub(super) fn pick_weighted(reals: Reals<'_>) -> Option<usize> {
    let mut best: Option<(Candidate<'_>, u64)> = None;
    for real in reals.all_eligible() {
        let load = real.counts.overhead();
        let better = best.is_none_or(|(held, least)| is_less(load, real.weight, least, held.weight));
        if better {
            best = Some((real, load));
        }
    }
    best.map(|(real, _)| real.at)
}

/// `load / weight < least / held`; loads are under 2^41 and weights under 2^31, so 128 bits hold the products.
fn is_less(load: u64, weight: u32, least: u64, held: u32) -> bool {
    u128::from(least) * u128::from(weight) > u128::from(load) * u128::from(held)
}
