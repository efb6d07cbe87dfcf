//! Notices a worker that stands still: its share of the traffic would vanish without a word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::worker::Pulse;

/// How long a worker may stand still.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches the workers.
#[derive(Debug)]
pub(crate) struct Watchdog {
    watched: Vec<(u32, Arc<Pulse>, u64, Instant)>,
}

impl Watchdog {
    /// Watches these workers, given by CPU, from `now` on.
    pub(crate) fn new(workers: impl IntoIterator<Item = (u32, Arc<Pulse>)>, now: Instant) -> Self {
        Self { watched: workers.into_iter().map(|(cpu, pulse)| (cpu, pulse, 0, now)).collect() }
    }

    /// The CPU of a worker that has stood still for too long.
    pub(crate) fn stuck(&mut self, now: Instant) -> Option<u32> {
        let mut stuck = None;
        for (cpu, pulse, seen, since) in &mut self.watched {
            let loops = pulse.loops.get();
            if loops != *seen {
                (*seen, *since) = (loops, now);
            } else if now.duration_since(*since) >= PATIENCE {
                stuck = Some(*cpu);
            }
        }
        stuck
    }

    /// Looks twice a second; ends the process when a worker is stuck, for whatever supervises it to start it anew.
    pub(crate) async fn watch(mut self) {
        loop {
            tokio::time::sleep(PATIENCE / 4).await;
            if let Some(cpu) = self.stuck(Instant::now()) {
                tracing::error!(
                    "the worker on CPU {cpu} has not moved for {} s: aborting, as its traffic is lost",
                    PATIENCE.as_secs()
                );
                std::process::abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_seconds_without_a_loop_are_too_long() {
        let (moving, still) = (Arc::new(Pulse::default()), Arc::new(Pulse::default()));
        let start = Instant::now();
        let mut watchdog = Watchdog::new([(3, Arc::clone(&moving)), (5, still)], start);
        for millis in [500, 1000, 1500, 1999] {
            moving.loops.add(1);
            assert_eq!(watchdog.stuck(start + Duration::from_millis(millis)), None);
        }
        assert_eq!(watchdog.stuck(start + Duration::from_secs(2)), Some(5));
    }
}
