//! Going to an lcore's flow table: a visit travels there and comes back with what it has found or done.
//!
//! One visit a question is under way at a time and what it brings is made on the control side, so an lcore allocates
//! nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use sluice_api::{ErrorCode, RpcError};
use sluice_core::{FlowView, Jiffies, Lcore, RealId};

/// An lcore answers within one loop; one that does not is stuck, and the watchdog's business.
const PATIENCE: Duration = Duration::from_secs(2);

/// Turns of the runtime before the wait sleeps: a polling lcore answers within microseconds.
const TURNS: u32 = 64;

/// Slots of the flow table looked at in one visit.
const SLOTS: u32 = 256;

/// Flows ended in one visit.
const ENDS: u32 = 32;

/// What a visit is for.
#[derive(Debug)]
pub(super) enum Work {
    /// To list flows: filled up to its capacity.
    List(Vec<FlowView>),
    /// To end the flows of these reals, in order of their ids, and count them.
    Purge { reals: Arc<[RealId]>, ended: u64 },
}

/// A visit to an lcore's flow table.
#[derive(Debug)]
pub struct Visit {
    /// Slot to start from.
    from: u32,
    /// Slot where the next visit starts; `None` at the end of the table.
    pub(super) next: Option<u32>,
    pub(super) work: Work,
    sequence: u64,
}

impl Visit {
    /// Does on the lcore what the visit is for; the work is bounded.
    pub fn pay(&mut self, lcore: &mut Lcore, now: Jiffies) {
        self.next = match &mut self.work {
            Work::List(page) => lcore.flows_page(now, self.from, SLOTS, page),
            Work::Purge { reals, ended } => {
                let (count, next) = lcore.purge(now, self.from, (SLOTS, ENDS), reals);
                *ended += u64::from(count);
                next
            }
        };
    }
}

/// The control side's end.
#[derive(Debug)]
pub struct FlowLink {
    asked: Producer<Visit>,
    answered: Consumer<Visit>,
    sequence: u64,
}

/// The lcore's end.
#[derive(Debug)]
pub struct FlowServer {
    asked: Consumer<Visit>,
    answered: Producer<Visit>,
    /// When the next visit may be paid while there are packets.
    not_before: u64,
    /// Ticks that a visit is taken to last at most: what took longer was an interruption.
    longest: u64,
}

/// Of a busy lcore's time, visits get one part in so many.
const SHARE: u64 = 64;

/// A visit lasts less than a second's so many-th part: a tenth of a millisecond.
const LONGEST: u64 = 10_000;

/// Both ends for one lcore, whose clock makes so many ticks in a second.
#[must_use]
pub fn flow_link(hz: u64) -> (FlowLink, FlowServer) {
    // Two, so that a visit whose asker has gone does not stop the next.
    let (asked, asked_at) = RingBuffer::new(2);
    let (answered, answered_at) = RingBuffer::new(4);
    let link = FlowLink { asked, answered: answered_at, sequence: 0 };
    let longest = hz / LONGEST;
    (link, FlowServer { asked: asked_at, answered, not_before: 0, longest })
}

impl FlowServer {
    /// A visit to pay, where one is asked for, its answer will find room, and, while the lcore is `busy` with packets,
    /// visits have had no more than their share of its time. `now` is a time in ticks.
    #[inline]
    pub fn poll(&mut self, now: u64, busy: bool) -> Option<Visit> {
        if (busy && now < self.not_before) || self.answered.is_full() {
            return None;
        }
        self.asked.pop().ok()
    }

    /// Sends the visit back, which took from `start` to `now`.
    pub fn answer(&mut self, visit: Visit, start: u64, now: u64) {
        let took = now.saturating_sub(start).min(self.longest);
        self.not_before = now.saturating_add(took.saturating_mul(SHARE));
        // There is room: poll() saw it, and only this end fills the ring.
        let _ = self.answered.push(visit);
    }
}

impl FlowLink {
    /// Has the lcore do a part of the work, from slot `from` on.
    pub(super) async fn visit(&mut self, from: u32, work: Work) -> Result<Visit, RpcError> {
        let stuck = || RpcError::new(ErrorCode::Internal, "an lcore does not answer: see the daemon's log");
        self.sequence += 1;
        let visit = Visit { from, next: None, work, sequence: self.sequence };
        self.asked.push(visit).map_err(|_| stuck())?;
        let deadline = Instant::now() + PATIENCE;
        for turn in 0.. {
            while let Ok(visit) = self.answered.pop() {
                if visit.sequence == self.sequence {
                    return Ok(visit);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_lcore_gives_visits_a_small_share_of_its_time() {
        let (mut link, mut server) = flow_link(1_000_000);
        let mut ask = || {
            let visit = Visit { from: 0, next: None, work: Work::List(Vec::new()), sequence: 0 };
            link.asked.push(visit).expect("room");
        };
        ask();
        let visit = server.poll(1000, true).expect("the first one");
        server.answer(visit, 1000, 1020);
        ask();
        let free = 1020 + 20 * SHARE;
        assert!(server.poll(free - 1, true).is_none(), "the share is used up");
        let visit = server.poll(free, true).expect("its turn");
        server.answer(visit, free, free + 20);
        ask();
        assert!(server.poll(free + 21, false).is_some(), "nothing else to do");
        let visit = Visit { from: 0, next: None, work: Work::List(Vec::new()), sequence: 0 };
        server.answer(visit, 0, 1_000_000);
        ask();
        assert!(server.poll(1_000_000 + 100 * SHARE, true).is_some(), "a second was an interruption");
    }

    #[tokio::test]
    async fn a_forgotten_visit_is_not_taken_for_the_answer() {
        let (mut link, mut server) = flow_link(1_000_000);
        {
            let asking = link.visit(5, Work::List(Vec::new()));
            tokio::pin!(asking);
            // Asked, then given up.
            assert!(tokio::time::timeout(Duration::from_millis(5), &mut asking).await.is_err());
        }
        let lcore = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut visit = loop {
                    if let Some(visit) = server.poll(0, false) {
                        break visit;
                    }
                    std::thread::yield_now();
                };
                visit.next = Some(visit.from + 1);
                server.answer(visit, 0, 0);
            }
        });
        let visit = link.visit(7, Work::List(Vec::new())).await.expect("answered");
        assert_eq!((visit.from, visit.next), (7, Some(8)));
        lcore.join().expect("ended");
    }
}
