//! The index on `hashbrown::HashTable`: 7-bit tags beside the values, no way to prefetch, pre-sized so as never to grow.
use hashbrown::HashTable;

/// The index. Values are the caller's; each is in it at most once.
#[derive(Debug)]
pub(crate) struct Index {
    table: HashTable<(u64, u32)>,
    capacity: usize,
}

impl Index {
    /// An index for `keys` keys. Hashes lie beside the values, or the table could not move them.
    pub(crate) fn new(keys: usize, _advise: &dyn Fn(*mut u8, usize)) -> Self {
        let table = HashTable::with_capacity(keys);
        Self { capacity: table.capacity(), table }
    }

    /// Does nothing: hashbrown has no hook for it.
    #[inline(always)]
    pub(crate) fn prefetch(&self, _hash: u64) {}

    /// The value of that hash: most likely the one.
    #[inline(always)]
    pub(crate) fn candidate(&self, hash: u64) -> Option<u32> {
        self.table.find(hash, |entry| entry.0 == hash).map(|entry| entry.1)
    }

    /// The value under `hash` that `is_it` confirms.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(hash, |entry| entry.0 == hash && is_it(entry.1)).map(|entry| entry.1)
    }

    /// Adds `value` under `hash`; `false`, with nothing changed, where the table would have to grow.
    pub(crate) fn insert(&mut self, hash: u64, value: u32) -> bool {
        if self.table.len() >= self.capacity {
            return false;
        }
        self.table.insert_unique(hash, (hash, value), |entry| entry.0);
        true
    }

    /// Adds `value` so that it is found before `older`, which is there under the same hash.
    pub(crate) fn insert_before(&mut self, hash: u64, value: u32, older: u32) -> bool {
        if !self.insert(hash, older) {
            return false;
        }
        if let Some(entry) = self.table.find_mut(hash, |entry| *entry == (hash, older)) {
            entry.1 = value;
        }
        true
    }

    /// Takes `value` out; `false` where it is not there.
    pub(crate) fn remove(&mut self, hash: u64, value: u32) -> bool {
        match self.table.find_entry(hash, |entry| *entry == (hash, value)) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }
}
