//! rr: the next eligible real after the last used, around the list (reference 2.1).
use super::Reals;
use crate::config::Real;

/// The last used real; `None` stands for the list's head, before the first real.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundRobin {
    last: Option<usize>,
}

impl RoundRobin {
    pub(super) fn pick(&mut self, reals: Reals<'_>) -> Option<usize> {
        let after = self.last.map_or(0, |last| last + 1);
        // A second pass from the head ends with the last used itself; from the head there is only one pass.
        let wrapped = 0..self.last.map_or(0, |last| last + 1);
        let at = (after..reals.len()).chain(wrapped).find(|&at| reals.eligible(at).is_some())?;
        self.last = Some(at);
        Some(at)
    }

    /// Stays on the last used real; where that is gone, steps back to its nearest predecessor that is still there.
    pub(super) fn update(&mut self, old: &[Real], new: &[Real]) {
        let Some(last) = self.last else { return };
        let before = old.get(..=last).unwrap_or(old);
        self.last = before.iter().rev().find_map(|real| new.iter().position(|other| other.id == real.id));
    }
}
