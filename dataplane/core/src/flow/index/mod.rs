//! From a hash to the few slots that may hold its flow. Two designs behind one type: buckets of our own, which ship, and
//! hashbrown's table (feature `hashbrown-index`), kept so that the choice can be measured anew.
mod buckets;
#[cfg(feature = "hashbrown-index")]
mod table;

#[cfg(not(feature = "hashbrown-index"))]
pub(crate) use buckets::Index;
#[cfg(feature = "hashbrown-index")]
pub(crate) use table::Index;

/// A table of `count` copies, its memory shown to `advise` (address, bytes) before the first touch.
pub(crate) fn filled<T: Clone>(count: usize, with: T, advise: &dyn Fn(*mut u8, usize)) -> Box<[T]> {
    let mut table = Vec::with_capacity(count);
    let room = table.spare_capacity_mut();
    advise(room.as_mut_ptr().cast(), size_of_val(room));
    table.resize(count, with);
    table.into_boxed_slice()
}
