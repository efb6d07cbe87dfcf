//! Reading an lcore's flow table: a page travels there empty and comes back filled.
//!
//! One page is under way at a time and its buffer is made on the control side, so an lcore allocates nothing. Persistence
//! templates, which the lcores share, are read here, after the last lcore's flows.

use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use sluice_api::{Connection, ConnectionPage, ErrorCode, RpcError};
use sluice_core::FlowView;

use super::convert;
use super::plane::Shared;

/// Flows a page holds at most.
pub(super) const PAGE: usize = 1024;
/// An lcore answers within one loop; one that does not is stuck, and the watchdog's business.
const PATIENCE: Duration = Duration::from_secs(2);

/// Cells of the table of templates looked at in one go.
const TEMPLATES: u32 = 65_536;

/// Turns of the runtime before the wait sleeps: a polling lcore answers within microseconds.
const TURNS: u32 = 64;

/// A page of flows.
#[derive(Debug)]
pub struct FlowPage {
    /// Slot to start from.
    pub from: u32,
    /// Slot of the next page; `None` after the last.
    pub next: Option<u32>,
    /// The flows; filled up to its capacity.
    pub flows: Vec<FlowView>,
    sequence: u64,
}

/// The control side's end.
#[derive(Debug)]
pub struct FlowLink {
    asked: Producer<FlowPage>,
    answered: Consumer<FlowPage>,
    sequence: u64,
}

/// The lcore's end.
#[derive(Debug)]
pub struct FlowServer {
    asked: Consumer<FlowPage>,
    answered: Producer<FlowPage>,
    /// When the next page may be filled while there are packets.
    not_before: u64,
    /// Ticks that filling a page is taken to last at most: what took longer was an interruption.
    longest: u64,
}

/// Of a busy lcore's time, listings get one part in so many.
const SHARE: u64 = 64;

/// Filling a page lasts less than a second's so many-th part: a tenth of a millisecond.
const LONGEST: u64 = 10_000;

/// Both ends for one lcore, whose clock makes so many ticks in a second.
#[must_use]
pub fn flow_link(hz: u64) -> (FlowLink, FlowServer) {
    // Two, so that a page whose asker has gone does not stop the next.
    let (asked, asked_at) = RingBuffer::new(2);
    let (answered, answered_at) = RingBuffer::new(4);
    let link = FlowLink { asked, answered: answered_at, sequence: 0 };
    let longest = hz / LONGEST;
    (link, FlowServer { asked: asked_at, answered, not_before: 0, longest })
}

impl FlowServer {
    /// A page to fill, where one is asked for, its answer will find room, and, while the lcore is `busy` with packets,
    /// listings have had no more than their share of its time. `now` is a time in ticks.
    #[inline]
    pub fn poll(&mut self, now: u64, busy: bool) -> Option<FlowPage> {
        if (busy && now < self.not_before) || self.answered.is_full() {
            return None;
        }
        self.asked.pop().ok()
    }

    /// Sends the page back, for which it took from `start` to `now` to fill it.
    pub fn answer(&mut self, page: FlowPage, start: u64, now: u64) {
        let took = now.saturating_sub(start).min(self.longest);
        self.not_before = now.saturating_add(took.saturating_mul(SHARE));
        // There is room: poll() saw it, and only this end fills the ring.
        let _ = self.answered.push(page);
    }
}

impl FlowLink {
    async fn page(&mut self, from: u32, limit: usize) -> Result<FlowPage, RpcError> {
        let stuck = || RpcError::new(ErrorCode::Internal, "an lcore does not answer: see the daemon's log");
        self.sequence += 1;
        let page = FlowPage { from, next: None, flows: Vec::with_capacity(limit), sequence: self.sequence };
        self.asked.push(page).map_err(|_| stuck())?;
        let deadline = Instant::now() + PATIENCE;
        for turn in 0.. {
            while let Ok(page) = self.answered.pop() {
                if page.sequence == self.sequence {
                    return Ok(page);
                }
            }
            match turn {
                0..TURNS => tokio::task::yield_now().await,
                _ if Instant::now() > deadline => break,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        Err(stuck())
    }
}

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
    let page = link.lock().await.page(slot, limit).await?;
    let next = page.next.map_or(((cursor >> 32) + 1) << 32, on);
    Ok((page.flows.iter().map(convert::connection).collect(), Some(next)))
}

fn templates(shared: &Shared, from: u32, limit: usize) -> (Vec<Connection>, Option<u32>) {
    let plane = shared.plane.borrow();
    let mut page = Vec::with_capacity(limit);
    let next = plane.templates.page((plane.time)(), from, TEMPLATES, &mut page);
    (page.iter().map(convert::template).collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_lcore_gives_listings_a_small_share_of_its_time() {
        let (mut link, mut server) = flow_link(1_000_000);
        let mut ask = || {
            let page = FlowPage { from: 0, next: None, flows: Vec::new(), sequence: 0 };
            link.asked.push(page).expect("room");
        };
        ask();
        let page = server.poll(1000, true).expect("the first one");
        server.answer(page, 1000, 1020);
        ask();
        let free = 1020 + 20 * SHARE;
        assert!(server.poll(free - 1, true).is_none(), "the share is used up");
        let page = server.poll(free, true).expect("its turn");
        server.answer(page, free, free + 20);
        ask();
        assert!(server.poll(free + 21, false).is_some(), "nothing else to do");
        let page = FlowPage { from: 0, next: None, flows: Vec::new(), sequence: 0 };
        server.answer(page, 0, 1_000_000);
        ask();
        assert!(server.poll(1_000_000 + 100 * SHARE, true).is_some(), "a second was an interruption");
    }

    #[tokio::test]
    async fn a_forgotten_page_is_not_taken_for_the_answer() {
        let (mut link, mut server) = flow_link(1_000_000);
        {
            let asking = link.page(5, 10);
            tokio::pin!(asking);
            // Asked, then given up.
            assert!(tokio::time::timeout(Duration::from_millis(5), &mut asking).await.is_err());
        }
        let lcore = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut page = loop {
                    if let Some(page) = server.poll(0, false) {
                        break page;
                    }
                    std::thread::yield_now();
                };
                page.next = Some(page.from + 1);
                server.answer(page, 0, 0);
            }
        });
        let page = link.page(7, 10).await.expect("answered");
        assert_eq!((page.from, page.next), (7, Some(8)));
        lcore.join().expect("ended");
    }
}
