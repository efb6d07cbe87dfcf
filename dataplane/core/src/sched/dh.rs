//! dh: destination hashing, every request to one address goes to one real (reference 2.3).
use super::hash::{fold, hash32};
use super::{Reals, Request};
use crate::config::Real;

const BITS: u32 = 8;
const BUCKETS: usize = 1 << BITS;

/// Places in the list of reals by bucket; `None` where there is no real.
#[derive(Clone, Debug)]
pub(crate) struct DestinationHash {
    buckets: Option<Box<[u8; BUCKETS]>>,
}

impl DestinationHash {
    /// Deals the buckets out to the reals in turn: those beyond the 256th get none.
    pub(super) fn fill(list: &[Real]) -> Self {
        let dealt = |bucket: usize| (bucket % list.len().max(1)) as u8;
        Self { buckets: (!list.is_empty()).then(|| Box::new(std::array::from_fn(dealt))) }
    }

    /// The destination's real. Where that cannot take a connection, none can.
    pub(super) fn pick(&self, reals: Reals<'_>, request: &Request) -> Option<usize> {
        let bucket = hash32(fold(request.destination), BITS) as usize;
        let at = usize::from(*self.buckets.as_deref()?.get(bucket)?);
        reals.eligible(at).map(|real| real.at)
    }
}
