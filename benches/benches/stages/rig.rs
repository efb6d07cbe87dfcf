//! One lcore with one virtual service, fed with bursts of byte arrays.
use std::array::from_fn;
use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};

use sluice_bench::balancer::{Balancer, MAC, Shape};
use sluice_bench::cycles;
use sluice_bench::traffic::{FRAME, REALS, Template};
use sluice_core::{BURST, Forward, Ingress, Jiffies, Lcore, Verdict};
use sluice_packet::PacketBuf;
use sluice_packet::build::ArrayBuf;

/// A burst of frames in arrays.
pub(crate) struct Frames([ArrayBuf; BURST]);

impl Frames {
    pub(crate) fn new() -> Self {
        Self(from_fn(|_| ArrayBuf::new(&[0; FRAME])))
    }

    pub(crate) fn as_slice(&self) -> &[ArrayBuf] {
        &self.0
    }

    /// Writes a frame into each array: the one that `next` names by its template and flow.
    pub(crate) fn fill<'a>(&mut self, mut next: impl FnMut() -> (&'a Template, u32)) {
        for array in &mut self.0 {
            // What a tunnel has put in front.
            array.trim_front(array.data().len() - FRAME);
            let (template, flow) = next();
            template.write(flow, array.data_mut());
        }
        // The stores are done before the clock starts.
        fence(Ordering::SeqCst);
    }

    /// Writes a frame of [`FRAME`] bytes into each array.
    pub(crate) fn set_each(&mut self, mut next: impl FnMut() -> Vec<u8>) {
        for array in &mut self.0 {
            array.data_mut().copy_from_slice(&next());
        }
        fence(Ordering::SeqCst);
    }
}

pub(crate) struct Rig {
    lcore: Lcore,
    pub(crate) now: Jiffies,
    verdicts: [Verdict; BURST],
}

impl Rig {
    /// A service that forwards by `forward` in round robin, a table for `capacity` flows, `udp` seconds of idle time.
    pub(crate) fn new(forward: Forward, capacity: usize, udp: u32) -> Self {
        Self::of(&Shape { forward, scheduler: "rr", reals: REALS, udp_seconds: udp }, capacity)
    }

    /// A service of any shape.
    pub(crate) fn of(shape: &Shape, capacity: usize) -> Self {
        let balancer = Balancer::new(shape).expect("a service that the balancer takes");
        // Pages are malloc's to choose, see `place`.
        let lcore = balancer.lcore(0, 1, capacity, &|_, _| {});
        Self { lcore, now: Jiffies(0), verdicts: [Verdict::ToKernel; BURST] }
    }

    /// Runs one burst and returns what it took in cycles.
    ///
    /// # Panics
    /// Where a packet is not forwarded: what was measured would be something else.
    #[inline]
    pub(crate) fn burst(&mut self, frames: &mut Frames) -> u64 {
        self.burst_to(frames, Verdict::Transmit { port: 0 })
    }

    /// Runs one burst, all of whose packets are to get this verdict, and returns what it took in cycles.
    ///
    /// # Panics
    /// Where one gets another.
    #[inline]
    pub(crate) fn burst_to(&mut self, frames: &mut Frames, wanted: Verdict) -> u64 {
        let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered: false };
        let start = cycles::now();
        self.lcore.process_burst(self.now, black_box(&ingress), &mut frames.0, &mut self.verdicts);
        let took = cycles::now() - start;
        assert!(self.verdicts.iter().all(|&verdict| verdict == wanted), "{:?}", self.verdicts);
        took
    }

    /// Ends flows whose time has come, as a worker does once a loop, and returns what it took in cycles.
    #[inline]
    pub(crate) fn expire(&mut self) -> u64 {
        let start = cycles::now();
        self.lcore.expire(self.now, 64);
        cycles::now() - start
    }

    /// Flows in the table.
    pub(crate) fn flows(&self) -> u64 {
        self.lcore.stats().flows.get()
    }
}
