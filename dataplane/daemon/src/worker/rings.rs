//! The ring mesh: one single-producer, single-consumer ring from every worker to every other, and from and to the slow
//! thread. A full ring drops and counts; nobody ever waits.

use rtrb::{Consumer, Producer, RingBuffer};
use sluice_dpdk::Mbuf;

/// Frames a ring holds.
pub const RING: usize = 512;

/// What the receiving worker is to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Its flow is the receiver's: process it. `port` is the one it came in by.
    Process {
        /// Whether it came from the kernel.
        from_kernel: bool,
        /// Whether the sender has found the receiver to be its owner.
        steered: bool,
    },
    /// Final: send it. `port` is the one to leave by.
    Send,
}

/// A frame on its way to a worker.
#[derive(Debug)]
pub struct Passed {
    /// The frame.
    pub frame: Mbuf,
    /// Index of the port.
    pub port: u16,
    /// What to do with it.
    pub errand: Errand,
}

/// What the slow thread is to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Hand it to the kernel, through the port's twin.
    Kernel,
    /// Hold it until this neighbour on the port is known, and have it sent.
    Neighbour(u32),
}

/// A frame on its way to the slow thread.
#[derive(Debug)]
pub struct ForSlow {
    /// The frame.
    pub frame: Mbuf,
    /// Index of the port.
    pub port: u16,
    /// What to do with it.
    pub wish: Wish,
}

/// A worker's ends.
#[derive(Debug)]
pub struct Rings {
    /// From the other workers and, last, the slow thread.
    pub inbound: Vec<Consumer<Passed>>,
    /// To the workers by index; none to itself.
    pub peers: Vec<Option<Producer<Passed>>>,
    /// To the slow thread.
    pub slow: Producer<ForSlow>,
}

/// The slow thread's ends, by worker.
#[derive(Debug)]
pub struct SlowRings {
    /// Frames from the workers.
    pub from_workers: Vec<Consumer<ForSlow>>,
    /// Frames to the workers.
    pub to_workers: Vec<Producer<Passed>>,
}

/// The mesh for `workers` workers and the slow thread.
#[must_use]
pub fn rings(workers: usize) -> (Vec<Rings>, SlowRings) {
    let mut inbound: Vec<Vec<Consumer<Passed>>> = (0..workers).map(|_| Vec::new()).collect();
    let mut peers: Vec<Vec<Option<Producer<Passed>>>> = (0..workers).map(|_| Vec::new()).collect();
    for (from, peers) in peers.iter_mut().enumerate() {
        for (to, inbound) in inbound.iter_mut().enumerate() {
            peers.push((from != to).then(|| {
                let (producer, consumer) = RingBuffer::new(RING);
                inbound.push(consumer);
                producer
            }));
        }
    }
    let mut slow = SlowRings { from_workers: Vec::new(), to_workers: Vec::new() };
    let ends = inbound.into_iter().zip(peers).map(|(mut inbound, peers)| {
        let (to_worker, from_slow) = RingBuffer::new(RING);
        let (to_slow, from_worker) = RingBuffer::new(RING);
        inbound.push(from_slow);
        slow.to_workers.push(to_worker);
        slow.from_workers.push(from_worker);
        Rings { inbound, peers, slow: to_slow }
    });
    (ends.collect(), slow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_reaches_everyone_but_itself() {
        let (ends, slow) = rings(3);
        for (index, end) in ends.iter().enumerate() {
            assert_eq!(end.inbound.len(), 3, "two peers and the slow thread");
            let reach: Vec<bool> = end.peers.iter().map(Option::is_some).collect();
            assert_eq!(reach, (0..3).map(|peer| peer != index).collect::<Vec<_>>());
        }
        assert_eq!((slow.from_workers.len(), slow.to_workers.len()), (3, 3));
    }
}
