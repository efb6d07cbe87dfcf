//! Where a worker's frames go: its transmit queues, the other workers, the slow thread, or nowhere.

use std::sync::Arc;

use rtrb::Producer;
use sluice_core::{DropReason, Ingress, LcoreStats, Verdict};
use sluice_dpdk::{Burst, Mbuf, TxQueue};

use super::rings::{Errand, ForSlow, Passed, Wish};

/// A worker's way out of a port.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few per worker, and a box would cost each frame a hop")]
pub enum Egress {
    /// A queue of its own, with the frames that wait for it.
    Queue(TxQueue, Burst),
    /// The queue of another worker, reached over the mesh: the port has fewer queues than there are workers.
    Via(u16),
}

/// All ways out of one worker.
#[derive(Debug)]
pub struct Outputs {
    /// By port.
    pub egress: Vec<Egress>,
    /// By port: whether it has a twin.
    pub twins: Vec<bool>,
    /// To the other workers, by index.
    pub peers: Vec<Option<Producer<Passed>>>,
    /// To the slow thread.
    pub slow: Producer<ForSlow>,
    /// The worker's counters.
    pub stats: Arc<LcoreStats>,
    /// Frames to be freed, in bulk.
    pub dead: Burst,
}

impl Outputs {
    /// Does with a frame what the pipeline has decided.
    #[inline]
    pub fn dispatch(&mut self, frame: Mbuf, verdict: Verdict, ingress: &Ingress) {
        match verdict {
            Verdict::Transmit { port } => self.transmit(frame, port),
            Verdict::ToKernel => self.pass_to_kernel(frame, ingress.port),
            Verdict::Resolve { port, address } => self.pass_to_slow(frame, port, Wish::Neighbour(address)),
            Verdict::Steer { lcore } => {
                let errand = Errand::Process { from_kernel: ingress.from_kernel, steered: true };
                self.pass_to_peer(Passed { frame, port: ingress.port, errand }, lcore);
            }
            // The pipeline has counted it.
            Verdict::Drop(_) => self.free(frame),
        }
    }

    /// Sends a whole burst out of one port at once, behind what waits there; `false`, with nothing done, where the
    /// worker has no queue of its own on it. What the device does not take waits.
    #[inline]
    pub fn transmit_all(&mut self, burst: &mut Burst, port: u16) -> bool {
        let Some(Egress::Queue(queue, waiting)) = self.egress.get_mut(usize::from(port)) else {
            return false;
        };
        if !waiting.is_empty() {
            queue.tx_burst(waiting);
        }
        if waiting.is_empty() {
            queue.tx_burst(burst);
        }
        for frame in burst.drain() {
            if let Err(frame) = waiting.push(frame) {
                self.stats.count_drop(DropReason::TxFull);
                drop(frame);
            }
        }
        true
    }

    /// Queues a frame for a port.
    #[inline]
    pub fn transmit(&mut self, frame: Mbuf, port: u16) {
        match self.egress.get_mut(usize::from(port)) {
            Some(Egress::Queue(queue, waiting)) => {
                if waiting.is_full() {
                    queue.tx_burst(waiting);
                }
                if let Err(frame) = waiting.push(frame) {
                    self.drop(frame, DropReason::TxFull);
                }
            }
            Some(Egress::Via(lcore)) => {
                let lcore = *lcore;
                self.pass_to_peer(Passed { frame, port, errand: Errand::Send }, lcore);
            }
            None => self.drop(frame, DropReason::NoRoute),
        }
    }

    /// Gives the devices what waits for them and frees the dead. What a device does not take waits on, in order, until
    /// its buffer is full.
    #[inline]
    pub fn flush(&mut self) {
        for egress in &mut self.egress {
            if let Egress::Queue(queue, waiting) = egress
                && !waiting.is_empty()
            {
                queue.tx_burst(waiting);
            }
        }
        self.dead.clear();
    }

    fn pass_to_kernel(&mut self, frame: Mbuf, port: u16) {
        if self.twins.get(usize::from(port)).is_some_and(|twin| *twin) {
            self.pass_to_slow(frame, port, Wish::Kernel);
        } else {
            self.drop(frame, DropReason::NoTwin);
        }
    }

    fn pass_to_slow(&mut self, frame: Mbuf, port: u16, wish: Wish) {
        if let Err(rtrb::PushError::Full(refused)) = self.slow.push(ForSlow { frame, port, wish }) {
            self.drop(refused.frame, DropReason::SlowRingFull);
        }
    }

    fn pass_to_peer(&mut self, passed: Passed, lcore: u16) {
        let ring = self.peers.get_mut(usize::from(lcore)).and_then(Option::as_mut);
        let refused = match ring.map(|ring| ring.push(passed)) {
            Some(Ok(())) => return,
            Some(Err(rtrb::PushError::Full(refused))) => refused,
            None => {
                // A verdict for an lcore that is not there; the frame went with the closure and is freed.
                self.stats.count_drop(DropReason::RingFull);
                return;
            }
        };
        self.drop(refused.frame, DropReason::RingFull);
    }

    fn drop(&mut self, frame: Mbuf, reason: DropReason) {
        self.stats.count_drop(reason);
        self.free(frame);
    }

    fn free(&mut self, frame: Mbuf) {
        if let Err(frame) = self.dead.push(frame) {
            self.dead.clear();
            drop(frame);
        }
    }
}
