//! ovf: weighted overflow, the heaviest real with no more active connections than its weight (reference 2).
//!
//! So each takes one active connection more than its weight before the next gets any, and UDP never overflows.
use super::{Reals, fo};

pub(super) fn pick(reals: Reals<'_>) -> Option<usize> {
    fo::heaviest(reals.all_eligible().filter(|real| real.counts.active() <= real.weight))
}
