//! Walks over the templates: each lcore frees those of its share of the shards that have ended, once a second, and has
//! drop_entry look at a part of them.
use std::sync::{PoisonError, TryLockError};

use super::Templates;
use super::shard::Shard;
use super::template::Fate;
use crate::real::RealId;
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
    /// Goes on with the walk that frees what has ended, over no more than `budget` cells.
    #[inline]
    pub(crate) fn expire(&self, walk: &mut Walk, now: Jiffies, budget: usize) {
        if walk.at != now {
            self.owe(walk, now);
        }
        if walk.owed > 0 {
            self.walk(walk, budget, |shard, at| shard.expire(at, now, self.seed, &self.reals));
        }
    }

    /// Goes on with drop_entry's walk, over no more than `budget` cells, and each second no more than the `part`-th part of
    /// the lcore's. `one_packet` says whether a real's service is scheduled by the packet, `chosen` whether an idle
    /// template of so many packets goes. Returns how many went.
    #[cold]
    pub(crate) fn drop_some(
        &self,
        walk: &mut Walk,
        now: Jiffies,
        (budget, part): (usize, usize),
        one_packet: impl Fn(RealId) -> bool,
        mut chosen: impl FnMut(u32) -> bool,
    ) -> u64 {
        if walk.at.is_due(now) {
            walk.owed = self.own(walk).div_ceil(part);
            walk.at = now.after(Jiffies::HZ);
        }
        let mut dropped = 0;
        self.walk(walk, budget, |shard, at| {
            let goes = match shard.fate(at, now, &one_packet) {
                Fate::Keep => false,
                Fate::Test(packets) => chosen(packets),
                Fate::Drop => true,
            };
            if goes {
                shard.remove(at, self.seed, &self.reals);
                dropped += 1;
            }
        });
        dropped
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

    /// Shows to `each` the next cells that are owed, no more than `budget`.
    #[cold]
    fn walk(&self, walk: &mut Walk, budget: usize, mut each: impl FnMut(&mut Shard, u32)) {
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
                    each(&mut shard, at as u32);
                }
            }
            walk.next = (walk.next + cells) % own;
            walk.owed -= cells;
            left -= cells;
        }
    }
}
