//! `purge`: ends flows and persistence templates of a service or of one of its reals, those that were removed included.

use std::sync::Arc;

use sluice_api::request::{Purge, PurgeOnly};
use sluice_api::{Purged, RpcError};
use sluice_core::RealId;

use super::convert::{self, refusal};
use super::plane::Shared;
use super::visit::Work;

/// Cells of the table of templates looked at before others have their turn.
const TEMPLATES: u32 = 4096;

/// Ends what is asked for and counts it. Templates go first, lest they send a client to the real while its flows end.
///
/// # Errors
/// No such service or real, or an lcore that does not answer; what has ended by then stays ended.
pub(super) async fn purge(shared: &Shared, wanted: &Purge) -> Result<Purged, RpcError> {
    let reals = reals(shared, wanted)?;
    let mut purged = Purged::default();
    if wanted.only != Some(PurgeOnly::Flows) {
        purged.templates = templates(shared, &reals).await;
    }
    if wanted.only != Some(PurgeOnly::Templates) {
        for link in &shared.flow_links {
            let mut next = Some(0);
            while let Some(from) = next {
                let work = Work::Purge { reals: Arc::clone(&reals), ended: 0 };
                // The link is let go between visits, so that listings go on.
                let visit = link.lock().await.visit(from, work).await?;
                if let Work::Purge { ended, .. } = visit.work {
                    purged.flows += ended;
                }
                next = visit.next;
            }
        }
    }
    Ok(purged)
}

fn reals(shared: &Shared, wanted: &Purge) -> Result<Arc<[RealId]>, RpcError> {
    let plane = shared.plane.borrow();
    let key = convert::service_key(&wanted.service);
    let of_real = wanted.real.map(|real| (real.address, real.port));
    let reals = plane.director.reals_of(&key, of_real).map_err(|error| match &wanted.real {
        Some(real) => refusal(&error, &format!("{real} of {}", wanted.service)),
        None => refusal(&error, &wanted.service),
    })?;
    Ok(reals.into())
}

async fn templates(shared: &Shared, reals: &[RealId]) -> u64 {
    let (mut next, mut ended) = (Some(0), 0);
    while let Some(from) = next {
        let count;
        (count, next) = shared.plane.borrow().templates.purge(from, TEMPLATES, reals);
        ended += count;
        tokio::task::yield_now().await;
    }
    ended
}
