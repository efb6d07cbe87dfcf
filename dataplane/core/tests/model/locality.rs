//! What lblc and lblcr keep of a service's one destination, as the reference words it (2.5), between sweeps.
use crate::naive::Real;
use crate::schedulers::Asked;

const DAY: u64 = 86_400 * 250;

/// The reals of the destination, the last added first, gone ones included, by number and port.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    reals: Vec<(u8, u16)>,
    changed: u64,
}

fn name(real: &Real) -> (u8, u16) {
    (real.n, real.port)
}

impl Memory {
    /// Those that the service has, in the order of the set.
    fn there(&self, asked: Asked<'_>) -> Vec<usize> {
        let place = |&wanted: &(u8, u16)| asked.reals.iter().position(|real| name(real) == wanted);
        self.reals.iter().filter_map(place).collect()
    }

    pub(crate) fn lblc(&mut self, asked: Asked<'_>) -> Option<usize> {
        let known = self.there(asked).first().copied();
        if let Some(at) = known.filter(|&at| asked.weight(at) > 0 && !is_crowded(asked, at)) {
            return Some(at);
        }
        let chosen = asked.least(asked.eligible(), |at| asked.overhead(at))?;
        self.reals = vec![name(&asked.reals[chosen])];
        Some(chosen)
    }

    pub(crate) fn lblcr(&mut self, asked: Asked<'_>, now: u64) -> Option<usize> {
        let set = self.there(asked);
        let of_set = set.iter().copied().filter(|&at| asked.is_eligible(at)).collect();
        let known = asked.least(of_set, |at| asked.overhead(at));
        if self.reals.len() > 1 && now - self.changed > DAY {
            let mut most: Option<usize> = None;
            for at in set.into_iter().filter(|&at| asked.weight(at) > 0) {
                let more =
                    |held| asked.overhead(at) * asked.weight(held) > asked.overhead(held) * asked.weight(at);
                if most.is_none_or(more) {
                    most = Some(at);
                }
            }
            if let Some(most) = most {
                self.reals.retain(|&held| held != name(&asked.reals[most]));
                self.changed = now;
            }
        }
        if let Some(at) = known.filter(|&at| !is_crowded(asked, at)) {
            return Some(at);
        }
        let chosen = asked.least(asked.eligible(), |at| asked.overhead(at))?;
        let added = name(&asked.reals[chosen]);
        if !self.reals.contains(&added) {
            self.reals.insert(0, added);
            self.changed = now;
        }
        Some(chosen)
    }
}

fn is_crowded(asked: Asked<'_>, at: usize) -> bool {
    let has_air = |other| asked.active(other) * 2 < asked.weight(other);
    asked.active(at) > asked.weight(at) && (0..asked.reals.len()).any(has_air)
}
