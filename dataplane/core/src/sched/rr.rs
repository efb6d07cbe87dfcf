//! rr: the next eligible real after the last used, around the list (reference 2.1).
use super::{Reals, Share};
use crate::config::Real;

/// The last used real; `None` stands for the list's head, before the first real.
#[derive(Clone, Debug)]
pub(crate) struct RoundRobin {
    last: Option<usize>,
    /// Until the first choice.
    share: Option<Share>,
}

impl RoundRobin {
    pub(super) fn new(share: Share) -> Self {
        Self { last: None, share: Some(share) }
    }

    pub(super) fn pick(&mut self, reals: Reals<'_>) -> Option<usize> {
        if let Some(share) = self.share {
            self.begin(reals, share);
        }
        let after = self.last.map_or(0, |last| last + 1);
        // A second pass from the head ends with the last used itself; from the head there is only one pass.
        let wrapped = 0..self.last.map_or(0, |last| last + 1);
        let at = (after..reals.len()).chain(wrapped).find(|&at| reals.eligible(at).is_some())?;
        self.last = Some(at);
        self.share = None;
        Some(at)
    }

    /// Goes to where this lcore begins.
    #[cold]
    fn begin(&mut self, reals: Reals<'_>, share: Share) {
        let skipped = share.start(reals.all_eligible().count() as u64) as usize;
        let last = skipped.checked_sub(1).and_then(|before| reals.all_eligible().nth(before));
        self.last = last.map(|real| real.at);
    }

    /// Stays on the last used real; where that is gone, steps back to its nearest predecessor that is still there.
    pub(super) fn update(&mut self, old: &[Real], new: &[Real]) {
        let Some(last) = self.last else { return };
        let before = old.get(..=last).unwrap_or(old);
        self.last = before.iter().rev().find_map(|real| new.iter().position(|other| other.id == real.id));
    }
}
