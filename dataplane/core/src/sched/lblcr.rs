//! lblcr: lblc with a set of reals for each destination, that grows while they are crowded (reference 2.5).
use super::lblc::{is_crowded, least};
use super::shared::Shared;
use super::{Reals, Request};
use crate::time::Jiffies;

pub(super) fn pick(reals: Reals<'_>, request: &Request) -> Option<usize> {
    let Shared::Destinations(destinations) = reals.shared else { return None };
    let known = destinations.least_of_set(
        request.destination,
        reals,
        request.now,
        Jiffies::ticks(request.lblcr_expiration),
    );
    if let Some(real) = known.filter(|real| !is_crowded(real, reals)) {
        return Some(real.at);
    }
    let chosen = least(reals)?;
    destinations.add(request.destination, reals.list.get(chosen.at)?, chosen.at, request.now);
    Some(chosen.at)
}
