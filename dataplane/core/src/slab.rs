//! A fixed number of cells in singly linked lists: no allocation after it is made, but by asking for more room.

/// No cell: the end of a list.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    /// Value, if in use, and the next cell of its list or of the free ones.
    cells: Vec<(Option<T>, u32)>,
    free: u32,
    used: usize,
}

impl<T> Slab<T> {
    pub(crate) fn new(room: usize) -> Self {
        let mut slab = Self { cells: Vec::new(), free: NONE, used: 0 };
        slab.grow(room);
        slab
    }

    /// Makes room for so many cells in all.
    pub(crate) fn grow(&mut self, room: usize) {
        self.cells.reserve(room.saturating_sub(self.cells.len()));
        while self.cells.len() < room {
            let at = self.cells.len() as u32;
            self.cells.push((None, std::mem::replace(&mut self.free, at)));
        }
    }

    pub(crate) fn room(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.cells.get(at as usize)?.0.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.cells.get_mut(at as usize)?.0.as_mut()
    }

    /// The cell after `at`.
    pub(crate) fn next(&self, at: u32) -> u32 {
        self.cells.get(at as usize).map_or(NONE, |cell| cell.1)
    }

    pub(crate) fn set_next(&mut self, at: u32, next: u32) {
        if let Some(cell) = self.cells.get_mut(at as usize) {
            cell.1 = next;
        }
    }

    /// A cell with `value` in front of `next`; `None` where all are in use.
    pub(crate) fn insert(&mut self, value: T, next: u32) -> Option<u32> {
        let at = self.free;
        let cell = self.cells.get_mut(at as usize)?;
        self.free = cell.1;
        *cell = (Some(value), next);
        self.used += 1;
        Some(at)
    }

    /// Frees a cell that is in no list any more.
    pub(crate) fn free(&mut self, at: u32) {
        if let Some(cell) = self.cells.get_mut(at as usize) {
            *cell = (None, self.free);
            self.free = at;
            self.used -= 1;
        }
    }
}
