//! lblc: locality-based least connections, a destination stays with its real until that is crowded (reference 2.5).
use super::shared::Shared;
use super::{Candidate, Reals, Request, walk};

pub(super) fn pick(reals: Reals<'_>, request: &Request) -> Option<usize> {
    let Shared::Destinations(destinations) = reals.shared else { return None };
    let known = destinations.real(request.destination, reals, request.now);
    if let Some(real) = known.filter(|real| real.weight > 0 && !is_crowded(real, reals)) {
        return Some(real.at);
    }
    let chosen = least(reals)?;
    destinations.assign(request.destination, reals.list.get(chosen.at)?, chosen.at, request.now);
    Some(chosen.at)
}

/// As wlc chooses.
pub(super) fn least(reals: Reals<'_>) -> Option<Candidate<'_>> {
    walk::least(reals.all_eligible(), |real| real.counts.overhead())
}

/// Whether the real has more active connections than its weight while another has fewer than half of its own.
pub(super) fn is_crowded(real: &Candidate<'_>, reals: Reals<'_>) -> bool {
    let has_air = |other: Candidate<'_>| u64::from(other.counts.active()) * 2 < u64::from(other.weight);
    real.counts.active() > real.weight && (0..reals.len()).filter_map(|at| reals.get(at)).any(has_air)
}
