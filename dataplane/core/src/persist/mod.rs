//! Persistence templates: which real server a client keeps (reference 4.1). One table for all lcores, since a client's
//! ports are spread over them.
//!
//! It is touched when a connection is made, when one under a template ends, and once when it proves to be answered;
//! never per packet. A lock covers one shard, for a few dozen instructions. All memory is taken at start.
//!
//! A template's timer is settled by whoever looks at it next ([`Template::settle`]), so that its time is exact however
//! late the walk is that frees it.
mod call_id;
mod expire;
mod shard;
mod template;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::Seed;
use crate::real::{RealId, RealTable};
use crate::time::Jiffies;

pub use call_id::CallId;
pub(crate) use expire::Walk;
use shard::Shard;
pub use template::TemplateView;
pub(crate) use template::{Bound, End, NewTemplate, TemplateId, TemplateKey, template_key};

/// Shards of a large table. So many that lcores seldom meet in one.
const SHARDS: usize = 64;
/// Templates that make another shard worth it.
const SHARD: usize = 1024;

/// Cells that the control side looks at under one lock: no lcore waits long for it.
const LOOK: usize = 64;

/// The templates of all lcores.
#[derive(Debug)]
pub struct Templates {
    shards: Box<[Padded]>,
    /// The shard is named by so many of the hash's high bits.
    shard_bits: u32,
    /// Templates that a shard has room for.
    room: usize,
    seed: Seed,
    reals: Arc<RealTable>,
}

/// Two locks never share a cache line, nor the pair of lines that the processor fetches.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

/// A template that has been found or made, for one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) id: TemplateId,
    pub(crate) real: RealId,
}

/// What came of adding a template.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Added {
    /// It is there; `evicted`: in another's place.
    Held { held: Held, evicted: bool },
    /// There is no room, and none that may go.
    Full,
}

impl Templates {
    /// Room for `capacity` templates, which are counted in `reals`. All lcores have to be given the same table.
    #[must_use]
    pub fn new(capacity: usize, seed: [u64; 2], reals: Arc<RealTable>) -> Self {
        let shards = (capacity / SHARD).clamp(1, SHARDS).next_power_of_two();
        let room = capacity.div_ceil(shards);
        let shard = |_| Padded(Mutex::new(Shard::new(room)));
        Self {
            shards: (0..shards).map(shard).collect(),
            shard_bits: shards.ilog2(),
            room,
            seed: Seed(seed),
            reals,
        }
    }

    /// Templates that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.room * self.shards.len()
    }

    /// Templates in the table, those that are due and not yet freed counted.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).used()).sum()
    }

    /// The client's template for one more connection, which restarts its timer. One whose real is not `usable` any
    /// more is put out of use.
    pub(crate) fn hold(
        &self,
        key: TemplateKey<'_>,
        bound: Bound,
        now: Jiffies,
        usable: impl Fn(RealId) -> bool,
    ) -> Option<Held> {
        let hash = key.hash(self.seed);
        let number = self.shard_of(hash);
        let mut shard = lock(self.shards.get(number)?);
        let at = shard.find(key, hash, now, (self.seed, &self.reals), usable)?;
        let template = shard.get_mut(at)?;
        template.restart(bound, now);
        Some(Held { id: self.id(number, at, template.serial), real: template.real })
    }

    /// Adds a template for a connection. Where another lcore has been faster for the same client, its choice stands.
    pub(crate) fn add(
        &self,
        new: &NewTemplate<'_>,
        bound: Bound,
        now: Jiffies,
        usable: impl Fn(RealId) -> bool,
    ) -> Added {
        let hash = new.key.hash(self.seed);
        let number = self.shard_of(hash);
        let Some(mut shard) = self.shards.get(number).map(lock) else { return Added::Full };
        let mut evicted = false;
        let at = shard.find(new.key, hash, now, (self.seed, &self.reals), usable).or_else(|| {
            shard.insert(new, hash, &self.reals).or_else(|| {
                evicted = shard.make_room(self.seed, &self.reals);
                shard.insert(new, hash, &self.reals)
            })
        });
        let Some((at, template)) = at.and_then(|at| Some((at, shard.get_mut(at)?))) else {
            return Added::Full;
        };
        template.restart(bound, now);
        let held = Held { id: self.id(number, at, template.serial), real: template.real };
        Added::Held { held, evicted }
    }

    /// A connection under the template has ended.
    pub(crate) fn release(&self, id: TemplateId, how: End, now: Jiffies) {
        let (number, at) = self.place(id);
        let Some(mut shard) = self.shards.get(number).map(lock) else { return };
        shard.release(at, id.serial, how, now, self.seed, &self.reals);
    }

    /// A connection under the template is answered: the template is worth keeping.
    pub(crate) fn assure(&self, id: TemplateId) {
        let (number, at) = self.place(id);
        let Some(mut shard) = self.shards.get(number).map(lock) else { return };
        if let Some(template) = shard.get_mut(at).filter(|template| template.serial == id.serial) {
            template.assured = true;
        }
    }

    /// Appends templates to `page` as long as it has room, looking at no more than `cells` from cell `from` on. Returns
    /// where to go on, or `None` at the end of the table.
    pub fn page(&self, now: Jiffies, from: u32, cells: u32, page: &mut Vec<TemplateView>) -> Option<u32> {
        let end = (from as usize).saturating_add(cells as usize).min(self.capacity());
        let mut at = from as usize;
        while at < end {
            let shard = lock(self.shards.get(at / self.room)?);
            let until = end.min(at + LOOK).min((at / self.room + 1) * self.room);
            while at < until {
                if page.len() == page.capacity() {
                    return u32::try_from(at).ok();
                }
                page.extend(shard.view((at % self.room) as u32, now));
                at += 1;
            }
        }
        (end < self.capacity()).then(|| u32::try_from(end).unwrap_or(u32::MAX))
    }

    /// Frees templates of `reals`, which are in order of their ids; looks at no more than `cells` from cell `from` on. Returns
    /// how many are gone, and where to go on, or `None` at the end of the table. The flows under them go on.
    pub fn purge(&self, from: u32, cells: u32, reals: &[RealId]) -> (u64, Option<u32>) {
        let end = (from as usize).saturating_add(cells as usize).min(self.capacity());
        let (mut at, mut gone) = (from as usize, 0);
        while at < end {
            let Some(mut shard) = self.shards.get(at / self.room).map(lock) else { break };
            let until = end.min(at + LOOK).min((at / self.room + 1) * self.room);
            for cell in at..until {
                gone += u64::from(shard.purge((cell % self.room) as u32, reals, self.seed, &self.reals));
            }
            at = until;
        }
        (gone, (end < self.capacity()).then(|| u32::try_from(end).unwrap_or(u32::MAX)))
    }

    /// By the hash's high bits; the low ones choose the list within the shard.
    fn shard_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    fn id(&self, shard: usize, at: u32, serial: u32) -> TemplateId {
        TemplateId { at: at << self.shard_bits | shard as u32, serial }
    }

    fn place(&self, id: TemplateId) -> (usize, u32) {
        (id.at as usize & (self.shards.len() - 1), id.at >> self.shard_bits)
    }
}

fn lock(shard: &Padded) -> MutexGuard<'_, Shard> {
    // No panic is possible under the lock, so there is nothing half done to fear.
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
