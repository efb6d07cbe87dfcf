//! Configuration on its way to the lcores: one snapshot slot, a version to watch, acknowledgements and the way back.
//!
//! An lcore looks at the version once a loop (one acquire load). It never frees a snapshot: the one it leaves goes back
//! over a ring and dies on the control thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use crossbeam::utils::CachePadded;
use rtrb::{Consumer, Producer, RingBuffer};
use sluice_core::Snapshot;

/// Snapshots an lcore may have left behind before control takes them; it keeps its snapshot while there is no room.
const RETIRED: usize = 64;

#[derive(Debug)]
struct Slot {
    version: CachePadded<AtomicU64>,
    snapshot: ArcSwap<Snapshot>,
    acknowledged: Box<[CachePadded<AtomicU64>]>,
}

/// The control thread's end.
#[derive(Debug)]
pub struct Publisher {
    slot: Arc<Slot>,
    retired: Vec<Consumer<Arc<Snapshot>>>,
}

/// An lcore's end.
#[derive(Debug)]
pub struct Subscriber {
    slot: Arc<Slot>,
    lcore: usize,
    seen: u64,
    retired: Producer<Arc<Snapshot>>,
}

/// Both ends for `lcores` lcores, all of which start with `first`.
#[must_use]
pub fn publication(first: &Arc<Snapshot>, lcores: usize) -> (Publisher, Vec<Subscriber>) {
    let acknowledged = (0..lcores).map(|_| CachePadded::new(AtomicU64::new(first.version))).collect();
    let slot = Arc::new(Slot {
        version: CachePadded::new(AtomicU64::new(first.version)),
        snapshot: ArcSwap::new(Arc::clone(first)),
        acknowledged,
    });
    let (subscribers, retired) = (0..lcores)
        .map(|lcore| {
            let (producer, consumer) = RingBuffer::new(RETIRED);
            let subscriber =
                Subscriber { slot: Arc::clone(&slot), lcore, seen: first.version, retired: producer };
            (subscriber, consumer)
        })
        .unzip();
    (Publisher { slot, retired }, subscribers)
}

impl Publisher {
    /// Shows a snapshot to all lcores.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>) {
        let version = snapshot.version;
        self.slot.snapshot.store(snapshot);
        // Release: whoever sees the version finds this snapshot, or a later one, in the slot.
        self.slot.version.store(version, Ordering::Release);
        self.reap();
    }

    /// The version shown last.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.slot.version.load(Ordering::Relaxed)
    }

    /// The lowest version that any lcore still works with; `u64::MAX` without lcores.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        // Acquire: what the lcore did with the snapshot before is done.
        self.slot.acknowledged.iter().map(|ack| ack.load(Ordering::Acquire)).min().unwrap_or(u64::MAX)
    }

    /// Frees the snapshots that the lcores have left.
    pub fn reap(&mut self) {
        for ring in &mut self.retired {
            while ring.pop().is_ok() {}
        }
    }
}

impl Subscriber {
    /// A snapshot newer than the one in use, where there is one and the old one can be sent back.
    #[inline]
    pub fn poll(&mut self) -> Option<Arc<Snapshot>> {
        if self.slot.version.load(Ordering::Acquire) == self.seen || self.retired.is_full() {
            return None;
        }
        Some(self.slot.snapshot.load_full())
    }

    /// `version` is in use from now on; `old` is not any more.
    pub fn acknowledge(&mut self, version: u64, old: Arc<Snapshot>) {
        self.seen = version;
        if let Some(ack) = self.slot.acknowledged.get(self.lcore) {
            ack.store(version, Ordering::Release);
        }
        // There is room: poll() saw it, and only control takes from the other end.
        let _ = self.retired.push(old);
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::{Director, Limits, RealTable, Switches};

    use super::*;

    #[test]
    fn versions_reach_every_lcore_and_old_snapshots_die_at_control() {
        let mut director = Director::new(Limits { services: 1 }, Arc::new(RealTable::new(1)));
        let first = director.snapshot();
        let (mut publisher, mut subscribers) = publication(&first, 2);
        let mut held = vec![Arc::clone(&first), Arc::clone(&first)];
        let watch = Arc::downgrade(&first);
        drop(first);

        director.set_switches(Switches::default());
        let next = director.snapshot();
        publisher.publish(Arc::clone(&next));
        assert_eq!(publisher.acknowledged(), 0);
        for (subscriber, held) in subscribers.iter_mut().zip(&mut held) {
            let new = subscriber.poll().expect("a newer one");
            let old = std::mem::replace(held, new);
            subscriber.acknowledge(held.version, old);
            assert!(subscriber.poll().is_none());
        }
        assert_eq!(publisher.acknowledged(), next.version);
        assert!(watch.upgrade().is_some(), "not freed by an lcore");
        publisher.reap();
        assert!(watch.upgrade().is_none());
    }

    #[test]
    fn an_lcore_keeps_its_snapshot_while_the_way_back_is_full() {
        let mut director = Director::new(Limits { services: 1 }, Arc::new(RealTable::new(1)));
        let (publisher, mut subscribers) = publication(&director.snapshot(), 1);
        let subscriber = &mut subscribers[0];
        let mut held = director.snapshot();
        for _ in 0..RETIRED + 3 {
            director.set_switches(Switches::default());
            // Around Publisher::publish, which would empty the ring.
            publisher.slot.snapshot.store(director.snapshot());
            publisher.slot.version.store(director.snapshot().version, Ordering::Release);
            if let Some(new) = subscriber.poll() {
                let old = std::mem::replace(&mut held, new);
                subscriber.acknowledge(held.version, old);
            }
        }
        assert_eq!(held.version, RETIRED as u64);
    }
}
