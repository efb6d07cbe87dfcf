//! Frames that wait for a neighbour's MAC address: bounded in number and time, every loss with a name.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sluice_core::DropReason;

/// Frames that may wait for one neighbour.
pub const HOLD_PER_NEIGHBOUR: usize = 16;
/// Frames that may wait in all.
pub const HOLD_FRAMES: usize = 4096;
/// How long frames wait.
pub const HOLD_TIME: Duration = Duration::from_secs(3);
/// How often the kernel is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A neighbour on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Index of the port.
    pub port: u16,
    /// IPv4 address, host order.
    pub address: u32,
}

#[derive(Debug)]
struct Queue<T> {
    frames: Vec<T>,
    since: Instant,
    asked: Instant,
}

/// The frames that wait.
#[derive(Debug)]
pub struct Hold<T> {
    queues: HashMap<Neighbour, Queue<T>>,
    frames: usize,
}

impl<T> Default for Hold<T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), frames: 0 }
    }
}

impl<T> Hold<T> {
    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Frames that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames
    }

    /// Holds a frame; says whether the kernel has to be asked for the neighbour now.
    ///
    /// # Errors
    /// Gives the frame back, with the reason, where too many wait already.
    pub fn push(&mut self, neighbour: Neighbour, frame: T, now: Instant) -> Result<bool, (T, DropReason)> {
        if self.frames >= HOLD_FRAMES {
            return Err((frame, DropReason::NeighbourQueueFull));
        }
        let mut first = false;
        let queue = self.queues.entry(neighbour).or_insert_with(|| {
            first = true;
            Queue { frames: Vec::new(), since: now, asked: now }
        });
        if queue.frames.len() >= HOLD_PER_NEIGHBOUR {
            return Err((frame, DropReason::NeighbourQueueFull));
        }
        queue.frames.push(frame);
        self.frames += 1;
        Ok(first)
    }

    /// Takes out the frames that wait for a neighbour, in order.
    pub fn release(&mut self, neighbour: Neighbour) -> Vec<T> {
        let frames = self.queues.remove(&neighbour).map_or_else(Vec::new, |queue| queue.frames);
        self.frames -= frames.len();
        frames
    }

    /// Takes out the frames that have waited too long, and names the neighbours to ask the kernel for again.
    pub fn expire(&mut self, now: Instant) -> (Vec<T>, Vec<Neighbour>) {
        let mut ask = Vec::new();
        let mut late = Vec::new();
        self.queues.retain(|neighbour, queue| {
            if now.duration_since(queue.since) >= HOLD_TIME {
                late.append(&mut queue.frames);
                return false;
            }
            if now.duration_since(queue.asked) >= ASK_AGAIN {
                queue.asked = now;
                ask.push(*neighbour);
            }
            true
        });
        self.frames -= late.len();
        (late, ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(address: u32) -> Neighbour {
        Neighbour { port: 0, address }
    }

    #[test]
    fn frames_leave_in_order_and_the_kernel_is_asked_once() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        assert_eq!(hold.push(neighbour(1), 'a', now), Ok(true));
        assert_eq!(hold.push(neighbour(1), 'b', now), Ok(false));
        assert_eq!(hold.push(neighbour(2), 'c', now), Ok(true));
        assert_eq!(hold.release(neighbour(1)), ['a', 'b']);
        assert_eq!((hold.len(), hold.release(neighbour(1))), (1, vec![]));
    }

    #[test]
    fn a_neighbour_and_all_together_are_bounded() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        for frame in 0..HOLD_PER_NEIGHBOUR {
            assert!(hold.push(neighbour(1), frame, now).is_ok());
        }
        assert_eq!(hold.push(neighbour(1), 99, now), Err((99, DropReason::NeighbourQueueFull)));
        for address in 2.. {
            if hold.push(neighbour(address), 0, now).is_err() {
                break;
            }
        }
        assert_eq!(hold.len(), HOLD_FRAMES);
    }

    #[test]
    fn frames_wait_three_seconds_and_the_kernel_is_asked_every_second() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        let at = |millis| now + Duration::from_millis(millis);
        assert_eq!(hold.push(neighbour(1), 'a', now), Ok(true));
        assert_eq!(hold.expire(at(999)), (vec![], vec![]));
        assert_eq!(hold.expire(at(1000)), (vec![], vec![neighbour(1)]));
        assert_eq!(hold.expire(at(1500)), (vec![], vec![]));
        assert_eq!(hold.expire(at(2999)).0, []);
        assert_eq!(hold.expire(at(3000)), (vec!['a'], vec![]));
        assert!(hold.is_empty());
        assert_eq!(hold.len(), 0);
    }
}
