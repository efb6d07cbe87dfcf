//! twos: of two reals drawn by weight, the one with the lesser load per weight (reference 2.6).
use super::{Candidate, Reals, walk};

/// `random` gives both draws, 32 bits each.
///
/// The products of loads and weights are whole, where the kernel's overflow 32 bits and turn the choice around.
pub(super) fn pick(reals: Reals<'_>, random: u64) -> Option<usize> {
    let total: u64 = reals.all_eligible().map(|real| u64::from(real.weight)).sum();
    let first = drawn(reals, draw(random as u32, total))?;
    let second = drawn(reals, draw((random >> 32) as u32, total))?;
    let (one, other) = (first.counts.overhead(), second.counts.overhead());
    let lesser = walk::is_less(other, second.weight, one, first.weight);
    Some(if lesser { second.at } else { first.at })
}

/// A number from 0 to `total`, that included, as in the kernel: the first real has one number more than its weight.
fn draw(random: u32, total: u64) -> u64 {
    ((u128::from(random) * (u128::from(total) + 1)) >> 32) as u64
}

/// The real within whose weight the number lies.
fn drawn(reals: Reals<'_>, mut number: u64) -> Option<Candidate<'_>> {
    reals.all_eligible().find(|real| {
        let hit = number <= u64::from(real.weight);
        number = number.saturating_sub(u64::from(real.weight));
        hit
    })
}
