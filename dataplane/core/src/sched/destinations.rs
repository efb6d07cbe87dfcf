//! The destinations that lblc and lblcr remember, each with the reals that its requests went to (reference 2.5).
//!
//! One table for all lcores, behind a lock that is taken when a connection is made, for a few dozen instructions and a
//! look at each real of a set. Between looking a destination up and noting a choice another lcore may come first: the
//! later choice stands, as in the kernel. All memory is taken by the control side.
//!
//! Where the kernel sweeps by a timer, an entry ends here when it is met: one that was not used for a day when it is
//! looked up, one that was not used for six minutes when a new one is made while there are too many.
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::slab::{NONE, Slab};
use super::{Candidate, Reals, hash, walk};
use crate::config::Real;
use crate::time::Jiffies;

/// How long an entry that is not used holds, and how long a set that does not change keeps all its reals: the kernel's
/// lblc_expiration and lblcr_expiration.
const EXPIRATION: i32 = Jiffies::ticks(86_400).cast_signed();
/// How long an unused entry is spared while there are too many.
const SPARED: i32 = Jiffies::ticks(360).cast_signed();
/// Entries looked at with each new one while there are too many.
const LOOKS: usize = 4;

/// The destinations of one service.
#[derive(Debug)]
pub(crate) struct Destinations(Mutex<Cache>);

#[derive(Debug)]
struct Cache {
    /// First entries by hash.
    heads: Box<[u32]>,
    bits: u32,
    entries: Slab<Entry>,
    members: Slab<Member>,
    /// More entries are too many.
    enough: usize,
    /// The entry to be looked at next while there are too many.
    rover: u32,
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
    /// at least.
    pub(super) fn new(enough: usize, set: usize, members: usize) -> Self {
        let room = enough + enough / 2;
        let heads = room.next_power_of_two().max(2);
        Self(Mutex::new(Cache {
            heads: vec![NONE; heads].into_boxed_slice(),
            bits: heads.ilog2(),
            entries: Slab::new(room),
            members: Slab::new((room * set).max(members)),
            enough,
            rover: 0,
        }))
    }

    /// Sees to it that all sets together may hold `members` reals.
    pub(super) fn make_room(&self, members: usize) {
        self.lock().members.grow(members);
    }

    /// The real last assigned to the destination, if the service still has it.
    pub(super) fn real<'a>(
        &self,
        destination: IpAddr,
        reals: Reals<'a>,
        now: Jiffies,
    ) -> Option<Candidate<'a>> {
        let mut cache = self.lock();
        let at = cache.find(destination, now)?;
        let first = cache.entries.get(at)?.set;
        cache.candidate(first, reals)
    }

    /// Assigns one real to the destination.
    pub(super) fn assign(&self, destination: IpAddr, real: &Real, place: usize, now: Jiffies) {
        let mut cache = self.lock();
        let Some(at) = cache.find(destination, now).or_else(|| cache.insert(destination, now)) else {
            return;
        };
        cache.empty(at);
        cache.add(at, Member::new(real, place), now);
    }

    /// The least loaded real of the destination's set. A set of several that has not changed for a day loses its most
    /// loaded one.
    pub(super) fn least_of_set<'a>(
        &self,
        destination: IpAddr,
        reals: Reals<'a>,
        now: Jiffies,
    ) -> Option<Candidate<'a>> {
        let mut cache = self.lock();
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
            && now.since(entry.changed) > EXPIRATION
            && let Some((member, _)) = most
        {
            cache.drop_member(at, member, now);
        }
        least
    }

    /// Adds a real to the destination's set, if it is not in it.
    pub(super) fn add(&self, destination: IpAddr, real: &Real, place: usize, now: Jiffies) {
        let mut cache = self.lock();
        let Some(at) = cache.find(destination, now).or_else(|| cache.insert(destination, now)) else {
            return;
        };
        cache.add(at, Member::new(real, place), now);
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Whoever held it left lists that end: what is remembered is only ever a hint.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    fn head(&mut self, destination: IpAddr) -> Option<&mut u32> {
        self.heads.get_mut(hash::hash32(hash::fold(destination), self.bits) as usize)
    }

    /// The destination's entry, which is used now.
    fn find(&mut self, destination: IpAddr, now: Jiffies) -> Option<u32> {
        let mut at = *self.head(destination)?;
        while let Some(entry) = self.entries.get_mut(at) {
            if entry.destination == destination {
                if now.since(entry.used) >= EXPIRATION {
                    self.remove(at);
                    return None;
                }
                entry.used = now;
                return Some(at);
            }
            at = self.entries.next(at);
        }
        None
    }

    /// A new entry with an empty set; `None` where there is no room.
    fn insert(&mut self, destination: IpAddr, now: Jiffies) -> Option<u32> {
        if self.entries.used() > self.enough {
            self.collect(now);
        }
        let first = *self.head(destination)?;
        let entry = Entry { destination, used: now, changed: now, set: NONE, size: 0 };
        let at = self.entries.insert(entry, first)?;
        *self.head(destination)? = at;
        Some(at)
    }

    /// Looks at a few entries and removes those long unused.
    fn collect(&mut self, now: Jiffies) {
        for _ in 0..LOOKS {
            let at = self.rover;
            self.rover = if (at as usize) + 1 < self.entries.room() { at + 1 } else { 0 };
            if self.entries.get(at).is_some_and(|entry| now.since(entry.used) >= SPARED) {
                self.remove(at);
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
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Destinations;
    use crate::config::{Forward, Real, RealConfig};
    use crate::real::{RealId, RealTable};
    use crate::sched::{Reals, Shared};
    use crate::time::Jiffies;

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + n).into()
    }

    fn real(n: u32) -> Real {
        let config = RealConfig {
            address: address(n),
            port: 80,
            forward: Forward::Masq,
            weight: 1,
            upper: 0,
            lower: 0,
        };
        Real { id: RealId(n), revision: 0, last_weight: 1, config }
    }

    /// The place of the real that a destination has.
    fn known(destinations: &Destinations, list: &[Real], n: u32, now: Jiffies) -> Option<usize> {
        let table = RealTable::new(16);
        let reals = Reals { list, table: &table, shared: &Shared::Nothing };
        destinations.real(address(n), reals, now).map(|real| real.at)
    }

    #[test]
    fn half_as_many_again_and_no_more() {
        let list = [real(0), real(1)];
        let destinations = Destinations::new(8, 1, 0);
        let now = Jiffies(5);
        for n in 0..20 {
            destinations.assign(address(n), &list[n as usize % 2], n as usize % 2, now);
        }
        for n in 0..20 {
            let expected = (n < 12).then_some(n as usize % 2);
            assert_eq!(known(&destinations, &list, n, now), expected, "{n}");
        }
        destinations.assign(address(3), &list[0], 0, now);
        assert_eq!(known(&destinations, &list, 3, now), Some(0), "one that is there takes another real");
    }

    /// With each new entry a few that were not used for six minutes go.
    #[test]
    fn new_destinations_push_out_unused_ones() {
        let list = [real(0)];
        let destinations = Destinations::new(8, 1, 0);
        (0..12).for_each(|n| destinations.assign(address(n), &list[0], 0, Jiffies(0)));
        let later = Jiffies(Jiffies::ticks(360) - 1);
        assert_eq!(known(&destinations, &list, 0, later), Some(0));
        destinations.assign(address(100), &list[0], 0, later);
        assert_eq!(known(&destinations, &list, 100, later), None, "not yet six minutes");
        let now = later.after(1);
        for n in 100..111 {
            destinations.assign(address(n), &list[0], 0, now);
            assert_eq!(known(&destinations, &list, n, now), Some(0), "{n}");
        }
        let left: Vec<u32> = (0..12).filter(|&n| known(&destinations, &list, n, now).is_some()).collect();
        assert_eq!(left, [0], "the one that was used");
    }

    /// Every cell comes back: for long, more destinations and sets than there is room for at once.
    #[test]
    fn nothing_is_lost() {
        let list: Vec<Real> = (0..4).map(real).collect();
        let destinations = Destinations::new(8, 2, 0);
        let mut now = Jiffies(u32::MAX - 1_000_000);
        for round in 0..500u32 {
            for n in 0..6 {
                for (at, real) in list.iter().enumerate() {
                    destinations.add(address(round * 7 + n), real, at, now);
                }
            }
            now = now.after(Jiffies::ticks(400));
        }
        now = now.after(Jiffies::ticks(86_400));
        let mut cache = destinations.lock();
        for n in 0..500 * 7 + 6 {
            assert_eq!(cache.find(address(n), now), None);
        }
        assert_eq!((cache.entries.used(), cache.members.used()), (0, 0));
        assert_eq!((cache.entries.room(), cache.members.room()), (12, 24));
    }
}
