//! Freeing templates that have ended: each lcore walks over its share of the shards once a second.
use std::sync::{PoisonError, TryLockError};

use super::Templates;
use crate::time::Jiffies;

/// Cells looked at in each jiffy at least: a small table is seen whole then.
const LOOK: usize = 64;

/// Where one lcore is on its walk.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Its first shard, and how many lie between this and the next.
    first: usize,
    step: usize,
    /// The next cell, counted over its own shards.
    next: usize,
    /// Cells still to be looked at for the time that has passed.
    owed: usize,
    at: Jiffies,
}

impl Walk {
    pub(crate) fn new(lcore: u16, lcores: u16, now: Jiffies) -> Self {
        Self { first: usize::from(lcore), step: usize::from(lcores.max(1)), next: 0, owed: 0, at: now }
    }
}

impl Templates {
    /// Goes on with the walk, over no more than `budget` cells.
    #[inline]
    pub(crate) fn expire(&self, walk: &mut Walk, now: Jiffies, budget: usize) {
        if walk.at != now {
            self.owe(walk, now);
        }
        if walk.owed > 0 {
            self.walk(walk, now, budget);
        }
    }

    /// Cells of the shards that are the lcore's.
    fn own(&self, walk: &Walk) -> usize {
        self.shards.len().saturating_sub(walk.first).div_ceil(walk.step) * self.room
    }

    fn owe(&self, walk: &mut Walk, now: Jiffies) {
        let own = self.own(walk);
        let passed = usize::try_from(now.since(walk.at)).unwrap_or(0).min(Jiffies::HZ as usize);
        // Rounded up, so that a whole second is a whole walk.
        let share = (own * passed).div_ceil(Jiffies::HZ as usize);
        walk.owed = own.min(walk.owed + share.max(LOOK));
        walk.at = now;
    }

    #[cold]
    fn walk(&self, walk: &mut Walk, now: Jiffies, budget: usize) {
        let mut left = walk.owed.min(budget);
        let own = self.own(walk);
        while left > 0 {
            let Some(shard) = self.shards.get(walk.first + walk.next / self.room * walk.step) else { return };
            let mut shard = match shard.0.try_lock() {
                Ok(shard) => shard,
                Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
                // Another lcore makes a connection: that goes first.
                Err(TryLockError::WouldBlock) => return,
            };
            let from = walk.next % self.room;
            let cells = left.min(self.room - from);
            if shard.used() > 0 {
                for at in from..from + cells {
                    shard.expire(at as u32, now, self.seed, &self.reals);
                }
            }
            walk.next = (walk.next + cells) % own;
            walk.owed -= cells;
            left -= cells;
        }
    }
}
