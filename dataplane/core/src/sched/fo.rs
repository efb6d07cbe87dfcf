//! fo: weighted failover, the heaviest real there is (reference 2).
use super::{Candidate, Reals};

pub(super) fn pick(reals: Reals<'_>) -> Option<usize> {
    heaviest(reals.all_eligible())
}

/// The place of the heaviest candidate, the first of equals.
pub(super) fn heaviest<'a>(candidates: impl Iterator<Item = Candidate<'a>>) -> Option<usize> {
    let first_of_equals =
        |best: Candidate<'a>, real: Candidate<'a>| if real.weight > best.weight { real } else { best };
    candidates.reduce(first_of_equals).map(|real| real.at)
}
