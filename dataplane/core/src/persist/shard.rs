//! A part of the templates, under one lock: lists by hash over a fixed number of cells.
use super::call_id::CallIds;
use super::template::{End, Fate, NewTemplate, Template, TemplateKey, TemplateView};
use crate::flow::Seed;
use crate::real::{RealId, RealTable};
use crate::slab::{NONE, Slab};
use crate::time::Jiffies;

/// Cells looked at for one template that may go: bounds what a packet costs when all are worth keeping.
const LOOK: usize = 32;

#[derive(Debug)]
pub(super) struct Shard {
    /// First templates by hash.
    heads: Box<[u32]>,
    templates: Slab<Template>,
    call_ids: CallIds,
    /// The next template's number.
    serial: u32,
    /// Where to look next for one to evict.
    rover: u32,
}

impl Shard {
    pub(super) fn new(room: usize) -> Self {
        let heads = room.next_power_of_two();
        Self {
            heads: vec![NONE; heads].into_boxed_slice(),
            templates: Slab::new(room),
            call_ids: CallIds::new(room),
            serial: 0,
            rover: 0,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.templates.used()
    }

    /// The template in a cell as listings show it; `None` where none is, or one that has ended.
    pub(super) fn view(&self, at: u32, now: Jiffies) -> Option<TemplateView> {
        let template = self.templates.get(at)?;
        template.view(self.call_ids.get(at, template.call_id), now)
    }

    /// What template `at` is found by.
    fn key(&self, at: u32) -> Option<TemplateKey<'_>> {
        let template = self.templates.get(at)?;
        Some(TemplateKey { tuple: template.key, call_id: self.call_ids.get(at, template.call_id) })
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Template> {
        self.templates.get_mut(at)
    }

    fn head(&mut self, hash: u64) -> Option<&mut u32> {
        let list = hash as usize & (self.heads.len() - 1);
        self.heads.get_mut(list)
    }

    /// The key's template. One that has ended is freed when it is met, one that is not `usable` put out of use.
    pub(super) fn find(
        &mut self,
        key: TemplateKey<'_>,
        hash: u64,
        now: Jiffies,
        (seed, reals): (Seed, &RealTable),
        usable: impl Fn(RealId) -> bool,
    ) -> Option<u32> {
        let mut at = *self.head(hash)?;
        while let Some(template) = self.templates.get_mut(at) {
            if template.key == key.tuple && self.call_ids.get(at, template.call_id) == key.call_id {
                if !template.settle(now) {
                    self.remove(at, seed, reals);
                    return None;
                }
                if usable(template.real) {
                    return Some(at);
                }
                // Nor is there another: a template is added only where none is found.
                self.unlink(at, hash);
                self.templates.get_mut(at)?.put_out_of_use();
                return None;
            }
            at = self.templates.next(at);
        }
        None
    }

    /// Adds a template; `None` where there is no room.
    pub(super) fn insert(&mut self, new: &NewTemplate<'_>, hash: u64, reals: &RealTable) -> Option<u32> {
        let first = *self.head(hash)?;
        let at = self.templates.insert(Template::new(new, self.serial), first)?;
        if !new.key.call_id.is_empty() {
            self.templates.get_mut(at)?.call_id = self.call_ids.set(at, new.key.call_id);
        }
        self.serial = self.serial.wrapping_add(1);
        *self.head(hash)? = at;
        if let Some(counts) = reals.get(new.real) {
            counts.bind_template();
        }
        Some(at)
    }

    /// A connection under template `at` has ended.
    pub(super) fn release(
        &mut self,
        at: u32,
        serial: u32,
        how: End,
        now: Jiffies,
        seed: Seed,
        reals: &RealTable,
    ) {
        let Some(template) = self.templates.get_mut(at).filter(|template| template.serial == serial) else {
            return;
        };
        template.settle(now);
        template.controls = template.controls.saturating_sub(1);
        // Of clients that never got an answer nothing stays (reference 3.4).
        if how == End::Forced && template.controls == 0 && !template.assured {
            self.remove(at, seed, reals);
        }
    }

    /// Frees template `at` if it has ended.
    pub(super) fn expire(&mut self, at: u32, now: Jiffies, seed: Seed, reals: &RealTable) {
        if let Some(template) = self.templates.get_mut(at)
            && !template.settle(now)
        {
            self.remove(at, seed, reals);
        }
    }

    /// What drop_entry makes of the template in cell `at`, if one is there. One that has ended is the other walk's.
    pub(super) fn fate(&mut self, at: u32, now: Jiffies, one_packet: impl Fn(RealId) -> bool) -> Fate {
        let Some(template) = self.templates.get_mut(at) else { return Fate::Keep };
        if template.settle(now) { template.fate(now, one_packet) } else { Fate::Keep }
    }

    /// Frees the template in cell `at` if it is of one of `reals`, and says so.
    pub(super) fn purge(&mut self, at: u32, reals: &[RealId], seed: Seed, counts: &RealTable) -> bool {
        let real = self.templates.get(at).map(|template| template.real);
        let goes = real.is_some_and(|real| reals.binary_search(&real).is_ok());
        if goes {
            self.remove(at, seed, counts);
        }
        goes
    }

    /// Frees a template that is out of use or whose clients never got an answer, if one is near. The connections under
    /// it live on without.
    pub(super) fn make_room(&mut self, seed: Seed, reals: &RealTable) -> bool {
        let room = self.templates.room();
        for _ in 0..LOOK.min(room) {
            let at = self.rover;
            self.rover = if (at as usize) + 1 < room { at + 1 } else { 0 };
            let Some(template) = self.templates.get(at) else { continue };
            if template.out_of_use || !template.assured {
                self.remove(at, seed, reals);
                return true;
            }
        }
        false
    }

    /// Frees template `at`.
    pub(super) fn remove(&mut self, at: u32, seed: Seed, reals: &RealTable) {
        let Some(template) = self.templates.get(at) else { return };
        if let Some(counts) = reals.get(template.real) {
            counts.unbind_template();
        }
        if !template.out_of_use
            && let Some(hash) = self.key(at).map(|key| key.hash(seed))
        {
            self.unlink(at, hash);
        }
        self.templates.free(at);
    }

    /// Takes a template out of its list.
    fn unlink(&mut self, at: u32, hash: u64) {
        let next = self.templates.next(at);
        let Some(head) = self.head(hash) else { return };
        if *head == at {
            *head = next;
            return;
        }
        let mut before = *head;
        while before != NONE && self.templates.next(before) != at {
            before = self.templates.next(before);
        }
        self.templates.set_next(before, next);
    }
}
