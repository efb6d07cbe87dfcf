//! Listings of the flow tables, page by page, and after the last lcore's flows of the persistence templates, which the
//! lcores share.

use sluice_api::{Connection, ConnectionPage, RpcError};

use super::convert;
use super::plane::Shared;
use super::visit::Work;

/// Flows a page holds at most.
pub(super) const PAGE: usize = 1024;

/// Cells of the table of templates looked at in one go.
const TEMPLATES: u32 = 65_536;

/// A page of all lcores' flows, then of the templates. The cursor holds above 32 bits the lcore, or how many there are for
/// the templates, and the place in the table below.
///
/// # Errors
/// An lcore that does not answer.
pub async fn list(shared: &Shared, cursor: u64, limit: Option<u32>) -> Result<ConnectionPage, RpcError> {
    let limit = limit.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(PAGE).clamp(1, PAGE));
    let (mut next, mut connections) = (Some(cursor), Vec::new());
    // An lcore looks at a bounded part of its table a time, which may be empty: go on until there is a page.
    while let Some(cursor) = next
        && connections.len() < limit
    {
        let page;
        (page, next) = part(shared, cursor, limit - connections.len()).await?;
        connections.extend(page);
    }
    Ok(ConnectionPage { connections, next })
}

/// What one table gives in one go, and where to go on.
async fn part(
    shared: &Shared,
    cursor: u64,
    limit: usize,
) -> Result<(Vec<Connection>, Option<u64>), RpcError> {
    let lcore = usize::try_from(cursor >> 32).unwrap_or(usize::MAX);
    let slot = u32::try_from(cursor & u64::from(u32::MAX)).unwrap_or(0);
    let on = |slot| (cursor >> 32 << 32) | u64::from(slot);
    if lcore == shared.flow_links.len() {
        let (templates, next) = templates(shared, slot, limit);
        return Ok((templates, next.map(on)));
    }
    let Some(link) = shared.flow_links.get(lcore) else { return Ok((Vec::new(), None)) };
    let visit = link.lock().await.visit(slot, Work::List(Vec::with_capacity(limit))).await?;
    let next = visit.next.map_or(((cursor >> 32) + 1) << 32, on);
    let Work::List(flows) = visit.work else { return Ok((Vec::new(), Some(next))) };
    Ok((flows.iter().map(convert::connection).collect(), Some(next)))
}

fn templates(shared: &Shared, from: u32, limit: usize) -> (Vec<Connection>, Option<u32>) {
    let plane = shared.plane.borrow();
    let mut page = Vec::with_capacity(limit);
    let next = plane.templates.page((plane.time)(), from, TEMPLATES, &mut page);
    (page.iter().map(convert::template).collect(), next)
}
