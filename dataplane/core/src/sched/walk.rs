//! The least load per weight, by looking at every candidate: where no tournament is kept.
use super::Candidate;

/// The candidate with the least `load` per weight, the first of equals.
#[inline]
pub(super) fn least<'a>(
    candidates: impl Iterator<Item = Candidate<'a>>,
    load: impl Fn(&Candidate<'a>) -> u64,
) -> Option<Candidate<'a>> {
    let mut best: Option<(Candidate<'a>, u64)> = None;
    for candidate in candidates {
        let carried = load(&candidate);
        if best.is_none_or(|(held, least)| is_less(carried, candidate.weight, least, held.weight)) {
            best = Some((candidate, carried));
        }
    }
    best.map(|(candidate, _)| candidate)
}

/// `load / weight < other / held`; loads are under 2^41 and weights under 2^31, so 128 bits hold the products.
#[inline]
pub(super) fn is_less(load: u64, weight: u32, other: u64, held: u32) -> bool {
    u128::from(load) * u128::from(held) < u128::from(other) * u128::from(weight)
}
