//! sh: source hashing, a client stays with its real (reference 2.3).
use super::hash::{fold, hash32};
use super::{Reals, Request};
use crate::config::Real;

const BITS: u32 = 8;
const BUCKETS: usize = 1 << BITS;

/// Places in the list of reals by bucket; `None` where there is no real.
#[derive(Clone, Debug)]
pub(crate) struct SourceHash {
    buckets: Option<Box<[u8; BUCKETS]>>,
}

impl SourceHash {
    /// Deals the buckets out: to each real in turn as many as its weight, and one to a real of weight 0. Where the
    /// weights sum up to more than 256, late reals get few or none.
    pub(super) fn fill(list: &[Real]) -> Self {
        let share = |(place, real): (usize, &Real)| std::iter::repeat_n(place as u8, share_of(real));
        let mut dealt = list.iter().take(BUCKETS).enumerate().flat_map(share).cycle();
        let buckets = std::array::from_fn(|_| dealt.next().unwrap_or(0));
        Self { buckets: (!list.is_empty()).then(|| Box::new(buckets)) }
    }

    pub(super) fn pick(&self, reals: Reals<'_>, request: &Request) -> Option<usize> {
        let buckets = self.buckets.as_deref()?;
        let port = request.hashed_port();
        let bucket = hash32(fold(request.source).wrapping_add(u32::from(port)), BITS) as usize;
        let eligible = |bucket: usize| {
            let at = usize::from(*buckets.get(bucket % BUCKETS)?);
            reals.eligible(at).map(|real| real.at)
        };
        // The kernel adds the client's bucket twice, so its search does not begin next to it.
        eligible(bucket).or_else(|| {
            let mut others = if request.falls_back() { 0..BUCKETS } else { 0..0 };
            others.find_map(|offset| eligible(offset + 2 * bucket))
        })
    }
}

/// Buckets in a row; no more than there are.
fn share_of(real: &Real) -> usize {
    (real.config.weight as usize).clamp(1, BUCKETS)
}
