//! The slow thread's loop.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use sluice_core::{BURST, DropReason};
use sluice_dpdk::{Burst, Mbuf, RxQueue, TxQueue};
use sluice_packet::PacketBuf;
use tokio::sync::mpsc::Sender;

use super::hold::{Hold, Neighbour};
use crate::counters::SharedDrops;
use crate::mirror::{Resolved, Wanted};
use crate::worker::{Errand, ForSlow, Passed, SlowRings, Wish};

/// Frames taken from one source in one loop.
const BUDGET: usize = 4 * BURST;
/// Naps while there was work of late, and after a while without.
const SHORT_NAP: Duration = Duration::from_micros(50);
const LONG_NAP: Duration = Duration::from_micros(400);
/// Empty loops before naps become long: about 50 ms.
const LONG_AFTER: u32 = 512;
/// How often held frames are looked through.
const SWEEP: Duration = Duration::from_millis(100);

/// What passes a twin.
#[derive(Debug, Default)]
pub struct TwinCounters {
    /// Frames handed to the kernel.
    pub to_kernel: AtomicU64,
    /// Frames taken from the kernel.
    pub from_kernel: AtomicU64,
    /// Frames for the kernel that the twin had no room for.
    pub dropped: AtomicU64,
}

/// The queues of a twin.
#[derive(Debug)]
pub struct TwinEnd {
    /// Frames from the kernel.
    pub rx: RxQueue,
    /// Frames to the kernel.
    pub tx: TxQueue,
    /// Frames on their way to the kernel.
    pub waiting: Burst,
    /// What has passed.
    pub counters: Arc<TwinCounters>,
}

/// The slow thread's possessions.
#[derive(Debug)]
pub struct Slow {
    /// By port.
    pub twins: Vec<Option<TwinEnd>>,
    /// MAC addresses by port.
    pub macs: Vec<[u8; 6]>,
    /// From and to the workers.
    pub rings: SlowRings,
    /// Asks the mirror for neighbours.
    pub wanted: Sender<Wanted>,
    /// The mirror's answers.
    pub resolved: Receiver<Resolved>,
    /// Drop counters.
    pub drops: Arc<SharedDrops>,
    /// Set to end the loop.
    pub stop: Arc<AtomicBool>,
}

impl Slow {
    /// Works until it is told to stop.
    pub fn run(mut self) {
        let mut hold = Hold::default();
        let mut burst = Burst::new();
        let mut swept = Instant::now();
        let mut empty_loops: u32 = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let mut worked = self.take_from_twins(&mut burst);
            worked |= self.take_from_workers(&mut hold);
            while let Ok(resolved) = self.resolved.try_recv() {
                self.release(&mut hold, &resolved);
                worked = true;
            }
            if !hold.is_empty() && swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep(&mut hold, swept);
            }
            empty_loops = if worked { 0 } else { empty_loops.saturating_add(1) };
            if !worked {
                std::thread::sleep(if empty_loops < LONG_AFTER { SHORT_NAP } else { LONG_NAP });
            }
        }
    }

    /// Gives a worker what the kernel sends: it may be a local client's packet to a virtual service.
    fn take_from_twins(&mut self, burst: &mut Burst) -> bool {
        let mut worked = false;
        for port in 0..self.twins.len() {
            let Some(Some(twin)) = self.twins.get_mut(port) else { continue };
            let received = twin.rx.rx_burst(burst);
            if received == 0 {
                continue;
            }
            worked = true;
            twin.counters.from_kernel.fetch_add(received as u64, Ordering::Relaxed);
            let errand = Errand::Process { from_kernel: true, steered: false };
            for frame in burst.drain() {
                self.pass_to_worker(frame, port, errand);
            }
        }
        worked
    }

    fn take_from_workers(&mut self, hold: &mut Hold<Mbuf>) -> bool {
        let mut worked = false;
        for worker in 0..self.rings.from_workers.len() {
            for _ in 0..BUDGET {
                let Some(Ok(taken)) = self.rings.from_workers.get_mut(worker).map(rtrb::Consumer::pop) else {
                    break;
                };
                worked = true;
                self.take(taken, hold);
            }
        }
        for twin in self.twins.iter_mut().flatten() {
            flush(twin, &self.drops);
        }
        worked
    }

    fn take(&mut self, taken: ForSlow, hold: &mut Hold<Mbuf>) {
        let ForSlow { frame, port, wish } = taken;
        match wish {
            Wish::Kernel => match self.twins.get_mut(usize::from(port)) {
                Some(Some(twin)) => {
                    if twin.waiting.is_full() {
                        flush(twin, &self.drops);
                    }
                    // There is room: flush() leaves none behind.
                    let _ = twin.waiting.push(frame);
                }
                _ => self.drops.add(DropReason::NoTwin, 1),
            },
            Wish::Neighbour(address) => {
                let neighbour = Neighbour { port, address };
                match hold.push(neighbour, frame, Instant::now()) {
                    Ok(true) => self.ask(neighbour),
                    Ok(false) => {}
                    Err((_, reason)) => self.drops.add(reason, 1),
                }
            }
        }
    }

    /// Asks the mirror. A full queue is no loss: the sweep asks again.
    fn ask(&self, neighbour: Neighbour) {
        let address = Ipv4Addr::from_bits(neighbour.address);
        let _ = self.wanted.try_send(Wanted { port: neighbour.port, address });
    }

    /// Completes and sends the frames that waited for a neighbour.
    fn release(&mut self, hold: &mut Hold<Mbuf>, resolved: &Resolved) {
        let neighbour = Neighbour { port: resolved.port, address: resolved.address.to_bits() };
        let own = self.macs.get(usize::from(resolved.port)).copied().unwrap_or_default();
        for mut frame in hold.release(neighbour) {
            if let Some((to, from)) = frame.data_mut().get_mut(..12).map(|macs| macs.split_at_mut(6)) {
                to.copy_from_slice(&resolved.mac);
                from.copy_from_slice(&own);
            }
            self.pass_to_worker(frame, usize::from(resolved.port), Errand::Send);
        }
    }

    fn sweep(&mut self, hold: &mut Hold<Mbuf>, now: Instant) {
        let (late, ask) = hold.expire(now);
        self.drops.add(DropReason::NeighbourTimeout, late.len() as u64);
        for neighbour in ask {
            self.ask(neighbour);
        }
    }

    /// Frames of one port all go to one worker, so that they stay in order.
    fn pass_to_worker(&mut self, frame: Mbuf, port: usize, errand: Errand) {
        let workers = self.rings.to_workers.len().max(1);
        let Some(ring) = self.rings.to_workers.get_mut(port % workers) else { return };
        let passed = Passed { frame, port: u16::try_from(port).unwrap_or(u16::MAX), errand };
        if ring.push(passed).is_err() {
            self.drops.add(DropReason::RingFull, 1);
        }
    }
}

/// Hands the kernel what waits; what it does not take now it never gets: the kernel is slower than the workers then.
fn flush(twin: &mut TwinEnd, drops: &SharedDrops) {
    if twin.waiting.is_empty() {
        return;
    }
    let sent = twin.tx.tx_burst(&mut twin.waiting);
    twin.counters.to_kernel.fetch_add(sent as u64, Ordering::Relaxed);
    let left = twin.waiting.len() as u64;
    if left > 0 {
        twin.counters.dropped.fetch_add(left, Ordering::Relaxed);
        drops.add(DropReason::TwinFull, left);
        twin.waiting.clear();
    }
}
