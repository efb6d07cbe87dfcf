//! The mark rules: their numbers, their order, and the counters they are given.
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Director;
use crate::config::error::ConfigError;
use crate::mark::{MarkRule, MarkTable};

/// A mark rule in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkEntry {
    /// Its number, from 1.
    pub id: u32,
    /// Its slot among the counters; another's after it is deleted.
    pub slot: u32,
    /// What the operator asked for.
    pub rule: MarkRule,
}

/// A mark rule to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMark {
    /// Its number; without one it gets the lowest that is free.
    pub id: Option<u32>,
    /// What is asked for.
    pub rule: MarkRule,
}

/// All mark rules.
#[derive(Debug)]
pub(super) struct Marks {
    limit: usize,
    /// In the order in which they are asked.
    entries: Arc<[MarkEntry]>,
    /// The counters that are free, those that have been longest so first: lcores may go on counting for a deleted rule
    /// until they have taken over the snapshot without it.
    free: VecDeque<u32>,
}

impl Marks {
    /// No rule, and room for `limit`.
    pub(super) fn new(limit: usize) -> Self {
        let slots = u32::try_from(mark_slots(limit)).unwrap_or(u32::MAX);
        Self { limit, entries: Arc::default(), free: (0..slots).collect() }
    }

    /// The rules of `wanted`, numbered; those in force that come again keep their numbers and counters.
    fn follow(&mut self, wanted: Vec<NewMark>) -> Result<Vec<MarkEntry>, ConfigError> {
        let mut taken = HashSet::new();
        if let Some(twice) = wanted.iter().filter_map(|new| new.id).find(|id| !taken.insert(*id)) {
            return Err(ConfigError::MarkExists(twice));
        }
        let mut known: HashMap<&MarkRule, VecDeque<u32>> = HashMap::new();
        for entry in self.entries.iter().filter(|entry| !taken.contains(&entry.id)) {
            known.entry(&entry.rule).or_default().push_back(entry.id);
        }
        // First those that keep a number, then the others, so that nobody takes one that is still wanted.
        let mut ids: Vec<Option<u32>> = Vec::with_capacity(wanted.len());
        for NewMark { id, rule } in &wanted {
            let id = id.or_else(|| known.get_mut(rule)?.pop_front());
            taken.extend(id);
            ids.push(id);
        }
        let mut free = (1..).filter(|id| !taken.contains(id));
        let held: HashMap<u32, &MarkEntry> = self.entries.iter().map(|entry| (entry.id, entry)).collect();
        let mut next = Vec::with_capacity(wanted.len());
        for (NewMark { rule, .. }, id) in wanted.into_iter().zip(ids) {
            let id = id.or_else(|| free.next()).unwrap_or(u32::MAX);
            let slot = held.get(&id).filter(|entry| entry.rule == rule).map(|entry| entry.slot);
            let slot = slot.or_else(|| self.free.pop_front()).unwrap_or(u32::MAX);
            next.push(MarkEntry { id, slot, rule });
        }
        Ok(next)
    }

    fn check(&self, wanted: &[NewMark]) -> Result<(), ConfigError> {
        if wanted.len() > self.limit {
            return Err(ConfigError::Full { table: "marks", limit: self.limit });
        }
        wanted.iter().try_for_each(|new| {
            new.rule.check()?;
            if new.id == Some(0) {
                Err(ConfigError::Range("the number of a mark rule (from 1)"))
            } else {
                Ok(())
            }
        })
    }

    fn set(&mut self, mut next: Vec<MarkEntry>) -> MarkTable {
        next.sort_by_key(|entry| entry.rule.priority);
        let kept: HashSet<u32> = next.iter().map(|entry| entry.slot).collect();
        self.free.extend(self.entries.iter().map(|entry| entry.slot).filter(|slot| !kept.contains(slot)));
        self.entries = next.into();
        MarkTable::new(self.entries.iter().map(|entry| (entry.slot, &entry.rule)))
    }
}

/// How many counters `limit` rules need: as many as all rules, and all that take their place.
pub(super) const fn mark_slots(limit: usize) -> usize {
    limit.saturating_mul(2)
}

impl Director {
    /// The most mark rules there may be; without this 10,000. To be called before the first is added.
    #[must_use]
    pub fn with_marks(mut self, limit: usize) -> Self {
        self.marks = Marks::new(limit);
        self
    }

    /// How many counters each lcore has to have for mark rules.
    #[must_use]
    pub fn mark_slots(&self) -> usize {
        mark_slots(self.marks.limit)
    }

    /// The mark rules, in the order in which they are asked.
    #[must_use]
    pub fn marks(&self) -> &Arc<[MarkEntry]> {
        &self.marks.entries
    }

    /// Adds a mark rule behind those of its priority.
    ///
    /// # Errors
    /// A rule that makes no sense, a number that is taken, or too many rules.
    pub fn add_mark(&mut self, new: NewMark) -> Result<MarkEntry, ConfigError> {
        if let Some(id) = new.id
            && self.marks.entries.iter().any(|entry| entry.id == id)
        {
            return Err(ConfigError::MarkExists(id));
        }
        let mut wanted = self.wanted_marks();
        wanted.push(new);
        self.marks.check(&wanted)?;
        let next = self.marks.follow(wanted)?;
        let added = next.last().cloned().ok_or(ConfigError::Invalid("no rule"))?;
        self.set_marks(next);
        Ok(added)
    }

    /// Deletes the mark rule of that number. Flows that were made by its mark go on.
    ///
    /// # Errors
    /// No such rule.
    pub fn delete_mark(&mut self, id: u32) -> Result<(), ConfigError> {
        let mut next = self.marks.entries.to_vec();
        let at = next.iter().position(|entry| entry.id == id).ok_or(ConfigError::NoMark(id))?;
        next.remove(at);
        self.set_marks(next);
        Ok(())
    }

    /// Replaces all mark rules at once; of one priority, those further to the front are asked first. Rules that are in
    /// force already keep their numbers and counters.
    ///
    /// # Errors
    /// As for [`add_mark`](Self::add_mark); nothing is changed then.
    pub fn replace_marks(&mut self, wanted: Vec<NewMark>) -> Result<(), ConfigError> {
        self.marks.check(&wanted)?;
        let next = self.marks.follow(wanted)?;
        self.set_marks(next);
        Ok(())
    }

    fn wanted_marks(&self) -> Vec<NewMark> {
        let entries = self.marks.entries.iter();
        entries.map(|entry| NewMark { id: Some(entry.id), rule: entry.rule.clone() }).collect()
    }

    fn set_marks(&mut self, marks: Vec<MarkEntry>) {
        let table = self.marks.set(marks);
        let mut next = self.draft();
        next.marks = Arc::new(table);
        self.snapshot = Arc::new(next);
    }
}
