//! The destinations that lblc and lblcr remember, each with the reals that its requests went to (reference 2.5).
//!
//! One table for all lcores, in shards with a lock each, which is taken when a connection is made, for a few dozen
//! instructions and a look at each real of a set. Between looking a destination up and noting a choice another lcore may
//! come first: the later choice stands, as in the kernel. All memory is taken by the control side, which also sweeps the
//! table, as the kernel's timer does.
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Candidate, Reals, hash, walk};
use crate::config::Real;
use crate::slab::{NONE, Slab};
use crate::time::Jiffies;

/// From one look of the control side to the next.
const INTERVAL: u32 = Jiffies::ticks(60);
/// Every so many looks at a table that is not too large, all entries are looked at.
const LOOKS: u32 = 30;
/// How long an unused entry is spared while there are too many.
const SPARED: u32 = Jiffies::ticks(360);
/// Tables for so many destinations are divided.
const MANY: usize = 1024;
/// Into 2 to the power of this.
const SHARD_BITS: u32 = 4;

/// The destinations of one service.
#[derive(Debug)]
pub(crate) struct Destinations {
    /// By the first bits of the hash; their number is a power of two.
    shards: Box<[Mutex<Cache>]>,
    /// More entries are too many.
    enough: usize,
    /// The control side's alone.
    timer: Mutex<Timer>,
}

/// When to look for unused entries.
#[derive(Debug)]
struct Timer {
    /// `None` before the first time.
    due: Option<Jiffies>,
    looks: u32,
    /// The shard to be looked at first while there are too many.
    rover: usize,
}

/// A shard.
#[derive(Debug)]
struct Cache {
    /// First entries by the bits of the hash that follow the shard's.
    heads: Box<[u32]>,
    /// All bits of the hash that are used.
    bits: u32,
    entries: Slab<Entry>,
    members: Slab<Member>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    destination: IpAddr,
    used: Jiffies,
    /// When the set of reals last changed.
    changed: Jiffies,
    /// First of the set, the last added.
    set: u32,
    size: u32,
}

/// A real in a set, known by what makes it the same real when it is removed and comes back.
#[derive(Clone, Copy, Debug)]
struct Member {
    address: IpAddr,
    port: u16,
    /// Where it was last seen in the list.
    at: u32,
}

impl Destinations {
    /// Room for `enough` destinations and half as many again, for `set` reals each on average, but for `members` reals
    /// at least. Where that is many, each shard has its part of the room.
    pub(super) fn new(enough: usize, set: usize, members: usize) -> Self {
        let shard_bits = if enough < MANY { 0 } else { SHARD_BITS };
        let room = (enough + enough / 2) >> shard_bits;
        let shard = || Mutex::new(Cache::new(room, (room * set).max(members), shard_bits));
        Self {
            shards: (0..1 << shard_bits).map(|_| shard()).collect(),
            enough,
            timer: Mutex::new(Timer { due: None, looks: 1, rover: 0 }),
        }
    }

    /// Sees to it that all sets together may hold `members` reals.
    pub(super) fn make_room(&self, members: usize) {
        self.shards.iter().for_each(|shard| locked(shard).members.grow(members));
    }

    /// Once a minute, looks for entries that are not used: while there are too many, forgets of these those that were not
    /// used for six minutes; every half hour, those that were not used for `expiration`. To be called about once a second.
    pub(super) fn sweep(&self, now: Jiffies, expiration: u32) {
        let mut timer = locked(&self.timer);
        let is_first = timer.due.is_none();
        if timer.due.is_some_and(|due| !due.is_due(now)) {
            return;
        }
        timer.due = Some(now.after(INTERVAL));
        if is_first {
            return;
        }
        if timer.looks.is_multiple_of(LOOKS) {
            timer.looks = 1;
            let mut all = usize::MAX;
            self.shards.iter().for_each(|shard| locked(shard).forget_unused(now, expiration, &mut all));
            return;
        }
        let used: usize = self.shards.iter().map(|shard| locked(shard).entries.used()).sum();
        let Some(mut goal) = used.checked_sub(self.enough).filter(|&over| over > 0) else {
            timer.looks += 1;
            return;
        };
        goal = (goal * 4 / 3).min(self.enough / 2);
        for _ in 0..self.shards.len() {
            timer.rover = if timer.rover + 1 < self.shards.len() { timer.rover + 1 } else { 0 };
            let Some(shard) = self.shards.get(timer.rover) else { return };
            locked(shard).forget_unused(now, SPARED, &mut goal);
            if goal == 0 {
                return;
            }
        }
    }

    /// The real last assigned to the destination, if the service still has it.
    pub(super) fn real<'a>(
        &self,
        destination: IpAddr,
        reals: Reals<'a>,
        now: Jiffies,
    ) -> Option<Candidate<'a>> {
        let mut cache = self.shard(destination)?;
        let at = cache.find(destination, now)?;
        let first = cache.entries.get(at)?.set;
        cache.candidate(first, reals)
    }

    /// Assigns one real to the destination.
    pub(super) fn assign(&self, destination: IpAddr, real: &Real, place: usize, now: Jiffies) {
        let Some(mut cache) = self.shard(destination) else { return };
        let Some(at) = cache.find(destination, now).or_else(|| cache.insert(destination, now)) else {
            return;
        };
        cache.empty(at);
        cache.add(at, Member::new(real, place), now);
    }

    /// The least loaded real of the destination's set. A set of several that has not changed for longer than
    /// `expiration` loses its most loaded one.
    pub(super) fn least_of_set<'a>(
        &self,
        destination: IpAddr,
        reals: Reals<'a>,
        now: Jiffies,
        expiration: u32,
    ) -> Option<Candidate<'a>> {
        let mut cache = self.shard(destination)?;
        let at = cache.find(destination, now)?;
        let (mut least, mut most) = (None::<Candidate<'a>>, None::<(u32, Candidate<'a>)>);
        let entry = *cache.entries.get(at)?;
        let mut next = entry.set;
        while next != NONE {
            let member = next;
            next = cache.members.next(member);
            let Some(real) = cache.candidate(member, reals).filter(|real| real.weight > 0) else { continue };
            if !real.counts.overloaded() && least.is_none_or(|held| is_less(&real, &held)) {
                least = Some(real);
            }
            if most.is_none_or(|(_, held)| is_less(&held, &real)) {
                most = Some((member, real));
            }
        }
        if entry.size > 1
            && now.since(entry.changed) > expiration.cast_signed()
            && let Some((member, _)) = most
        {
            cache.drop_member(at, member, now);
        }
        least
    }

    /// Adds a real to the destination's set, if it is not in it.
    pub(super) fn add(&self, destination: IpAddr, real: &Real, place: usize, now: Jiffies) {
        let Some(mut cache) = self.shard(destination) else { return };
        let Some(at) = cache.find(destination, now).or_else(|| cache.insert(destination, now)) else {
            return;
        };
        cache.add(at, Member::new(real, place), now);
    }

    fn shard(&self, destination: IpAddr) -> Option<MutexGuard<'_, Cache>> {
        let bits = self.shards.len().trailing_zeros();
        // The hash has no first 0 bits to give.
        let at = if bits == 0 { 0 } else { hash::hash32(hash::fold(destination), bits) };
        self.shards.get(at as usize).map(locked)
    }
}

/// Whoever held it when a thread died left lists that end: what is remembered is only ever a hint.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_less(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    walk::is_less(one.counts.overhead(), one.weight, other.counts.overhead(), other.weight)
}

impl Member {
    fn new(real: &Real, place: usize) -> Self {
        Self { address: real.config.address, port: real.config.port, at: place as u32 }
    }

    fn is(&self, real: &Real) -> bool {
        real.config.address == self.address && real.config.port == self.port
    }
}

impl Cache {
    fn new(room: usize, members: usize, shard_bits: u32) -> Self {
        let heads = room.next_power_of_two().max(2);
        Self {
            heads: vec![NONE; heads].into_boxed_slice(),
            bits: shard_bits + heads.ilog2(),
            entries: Slab::new(room),
            members: Slab::new(members),
        }
    }

    fn head(&mut self, destination: IpAddr) -> Option<&mut u32> {
        let at = hash::hash32(hash::fold(destination), self.bits) as usize & (self.heads.len() - 1);
        self.heads.get_mut(at)
    }

    /// The destination's entry, which is used now.
    fn find(&mut self, destination: IpAddr, now: Jiffies) -> Option<u32> {
        let mut at = *self.head(destination)?;
        while let Some(entry) = self.entries.get_mut(at) {
            if entry.destination == destination {
                entry.used = now;
                return Some(at);
            }
            at = self.entries.next(at);
        }
        None
    }

    /// A new entry with an empty set; `None` where there is no room.
    fn insert(&mut self, destination: IpAddr, now: Jiffies) -> Option<u32> {
        let first = *self.head(destination)?;
        let entry = Entry { destination, used: now, changed: now, set: NONE, size: 0 };
        let at = self.entries.insert(entry, first)?;
        *self.head(destination)? = at;
        Some(at)
    }

    /// Removes entries that were not used for so long, at most `goal`, which it lowers.
    fn forget_unused(&mut self, now: Jiffies, unused: u32, goal: &mut usize) {
        for at in 0..self.entries.room() as u32 {
            if *goal == 0 {
                return;
            }
            if self.entries.get(at).is_some_and(|entry| now.since(entry.used) >= unused.cast_signed()) {
                self.remove(at);
                *goal -= 1;
            }
        }
    }

    fn remove(&mut self, at: u32) {
        self.empty(at);
        let Some(entry) = self.entries.get(at) else { return };
        let destination = entry.destination;
        let next = self.entries.next(at);
        let Some(head) = self.head(destination) else { return };
        let mut before = *head;
        if before == at {
            *head = next;
        } else {
            while before != NONE && self.entries.next(before) != at {
                before = self.entries.next(before);
            }
            self.entries.set_next(before, next);
        }
        self.entries.free(at);
    }

    /// The real that a member stands for.
    fn candidate<'a>(&mut self, member: u32, reals: Reals<'a>) -> Option<Candidate<'a>> {
        let member = self.members.get_mut(member)?;
        let last = member.at as usize;
        if !reals.list.get(last).is_some_and(|real| member.is(real)) {
            member.at = reals.list.iter().position(|real| member.is(real))? as u32;
        }
        reals.get(member.at as usize)
    }

    /// Adds to the set of the entry; where there is no room for it, the choice is not remembered.
    fn add(&mut self, at: u32, member: Member, now: Jiffies) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        let mut held = entry.set;
        while let Some(other) = self.members.get(held) {
            if (other.address, other.port) == (member.address, member.port) {
                return;
            }
            held = self.members.next(held);
        }
        let Some(added) = self.members.insert(member, entry.set) else { return };
        (entry.set, entry.size, entry.changed) = (added, entry.size + 1, now);
    }

    fn drop_member(&mut self, at: u32, member: u32, now: Jiffies) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        let next = self.members.next(member);
        if entry.set == member {
            entry.set = next;
        } else {
            let mut before = entry.set;
            while before != NONE && self.members.next(before) != member {
                before = self.members.next(before);
            }
            self.members.set_next(before, next);
        }
        (entry.size, entry.changed) = (entry.size - 1, now);
        self.members.free(member);
    }

    /// Empties the set of the entry.
    fn empty(&mut self, at: u32) {
        let Some(entry) = self.entries.get_mut(at) else { return };
        let mut next = std::mem::replace(&mut entry.set, NONE);
        entry.size = 0;
        while next != NONE {
            let member = next;
            next = self.members.next(member);
            self.members.free(member);
        }
    }
}

#[cfg(test)]
mod tests;
