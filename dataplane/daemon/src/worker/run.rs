//! The worker's loop: a clock reading, configuration, ports, rings, flushing, commands, expiry.
//!
//! Nothing in the loop allocates, locks, logs or makes a system call, but the nap of `lcores.idle = "sleep"`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluice_core::{BURST, Ingress, Lcore, Verdict};
use sluice_dpdk::clock::{pause, tsc};
use sluice_dpdk::{Burst, RxQueue};

use super::clock::Clock;
use super::egress::Outputs;
use super::pulse::Pulse;
use super::rings::{Errand, Passed};
use crate::config::Idle;
use crate::control::FlowServer;
use crate::publish::Subscriber;

/// Flows and wheel slots looked at a loop: bounds the time expiry takes from packets.
const EXPIRY_BUDGET: usize = 64;
/// Frames taken from one ring in one loop.
const RING_BUDGET: usize = 4 * BURST;
/// Empty loops before the first nap.
const NAP_AFTER: u32 = 64;
/// How long a nap asks for; the kernel adds its timer slack of about as much.
const NAP: Duration = Duration::from_micros(50);

/// A port as a worker receives from it.
#[derive(Debug)]
pub struct Input {
    /// Index of the port.
    pub port: u16,
    /// The port's MAC address.
    pub mac: [u8; 6],
    /// The worker's receive queue; `None` where the port has none for it.
    pub queue: Option<RxQueue>,
}

/// What a worker is made of.
#[derive(Debug)]
pub struct WorkerConfig {
    /// By port.
    pub inputs: Vec<Input>,
    /// From the other workers and the slow thread.
    pub inbound: Vec<rtrb::Consumer<Passed>>,
    /// The ways out.
    pub outputs: Outputs,
    /// Where configuration comes from.
    pub subscriber: Subscriber,
    /// Where listings and purges are asked for.
    pub flows: FlowServer,
    /// The sign of life.
    pub pulse: Arc<Pulse>,
    /// Set to end the loop.
    pub stop: Arc<AtomicBool>,
    /// What to do without work.
    pub idle: Idle,
    /// The time.
    pub clock: Clock,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    lcore: Lcore,
    inputs: Vec<Input>,
    inbound: Vec<rtrb::Consumer<Passed>>,
    outputs: Outputs,
    subscriber: Subscriber,
    flows: FlowServer,
    pulse: Arc<Pulse>,
    stop: Arc<AtomicBool>,
    idle: Idle,
    clock: Clock,
    burst: Burst,
    verdicts: [Verdict; BURST],
}

impl Worker {
    /// A worker that balances with `lcore`.
    #[must_use]
    pub fn new(lcore: Lcore, config: WorkerConfig) -> Self {
        Self {
            lcore,
            inputs: config.inputs,
            inbound: config.inbound,
            outputs: config.outputs,
            subscriber: config.subscriber,
            flows: config.flows,
            pulse: config.pulse,
            stop: config.stop,
            idle: config.idle,
            clock: config.clock,
            burst: Burst::new(),
            verdicts: [Verdict::ToKernel; BURST],
        }
    }

    /// Forwards until it is told to stop. What then waits in its rings and buffers is freed.
    pub fn run(mut self) {
        let mut empty_loops: u32 = 0;
        let (mut last, mut worked) = (tsc(), false);
        while !self.stop.load(Ordering::Relaxed) {
            // The one reading of the loop. It also ends the loop before, whose nap is its idle time.
            let start = tsc();
            let took = start.wrapping_sub(last);
            last = start;
            self.pulse.count(took, worked);
            worked = self.turn(start);
            empty_loops = if worked { 0 } else { empty_loops.saturating_add(1) };
            if !worked {
                self.rest(empty_loops);
            }
        }
    }

    /// One loop; says whether there was a frame.
    fn turn(&mut self, start: u64) -> bool {
        let now = self.clock.at(start);
        if let Some(next) = self.subscriber.poll() {
            let version = next.version;
            let old = self.lcore.load(next);
            self.subscriber.acknowledge(version, old);
        }
        let mut worked = false;
        for input in 0..self.inputs.len() {
            worked |= self.receive(input, now);
        }
        for ring in 0..self.inbound.len() {
            worked |= self.take_ring(ring, now);
        }
        self.outputs.flush();
        if let Some(mut visit) = self.flows.poll(start, worked) {
            let begun = tsc();
            visit.pay(&mut self.lcore, now);
            self.flows.answer(visit, begun, tsc());
        }
        self.lcore.expire(now, EXPIRY_BUDGET);
        worked
    }

    fn receive(&mut self, input: usize, now: sluice_core::Jiffies) -> bool {
        let Some(input) = self.inputs.get_mut(input) else { return false };
        let Some(queue) = &mut input.queue else { return false };
        if queue.rx_burst(&mut self.burst) == 0 {
            return false;
        }
        let ingress = Ingress { port: input.port, mac: input.mac, from_kernel: false, steered: false };
        self.process(&ingress, now);
        true
    }

    /// Takes a bounded number of frames from a ring. Frames are processed in bursts of the same origin.
    fn take_ring(&mut self, ring: usize, now: sluice_core::Jiffies) -> bool {
        let mut origin: Option<(u16, bool, bool)> = None;
        let mut taken = 0;
        while taken < RING_BUDGET {
            let Some(Ok(passed)) = self.inbound.get_mut(ring).map(rtrb::Consumer::pop) else { break };
            taken += 1;
            let Errand::Process { from_kernel, steered } = passed.errand else {
                self.outputs.transmit(passed.frame, passed.port);
                continue;
            };
            let this = (passed.port, from_kernel, steered);
            if origin.is_some_and(|origin| origin != this) || self.burst.is_full() {
                self.process_passed(origin, now);
            }
            origin = Some(this);
            // There is room: a full burst was processed above.
            let _ = self.burst.push(passed.frame);
        }
        self.process_passed(origin, now);
        taken > 0
    }

    fn process_passed(&mut self, origin: Option<(u16, bool, bool)>, now: sluice_core::Jiffies) {
        let Some((port, from_kernel, steered)) = origin else { return };
        let mac = self.inputs.get(usize::from(port)).map_or([0; 6], |input| input.mac);
        self.process(&Ingress { port, mac, from_kernel, steered }, now);
    }

    fn process(&mut self, ingress: &Ingress, now: sluice_core::Jiffies) {
        self.pulse.count_burst(self.burst.len());
        self.lcore.process_burst(now, ingress, self.burst.as_mut_slice(), &mut self.verdicts);
        if let Some(port) = common_port(self.verdicts.get(..self.burst.len()))
            && self.outputs.transmit_all(&mut self.burst, port)
        {
            return;
        }
        for (frame, verdict) in self.burst.drain().zip(self.verdicts) {
            self.outputs.dispatch(frame, verdict, ingress);
        }
    }

    fn rest(&self, empty_loops: u32) {
        match self.idle {
            Idle::Sleep if empty_loops >= NAP_AFTER => std::thread::sleep(NAP),
            Idle::Poll | Idle::Sleep => pause(),
        }
    }
}

/// The port that all packets leave by, if they all do.
#[inline]
fn common_port(verdicts: Option<&[Verdict]>) -> Option<u16> {
    let (first, others) = verdicts?.split_first()?;
    let Verdict::Transmit { port } = *first else { return None };
    let same = |verdict: &Verdict| matches!(verdict, Verdict::Transmit { port: other } if *other == port);
    others.iter().all(same).then_some(port)
}
