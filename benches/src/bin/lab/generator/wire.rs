//! A `net_null` port as the wire: its receive queue hands out buffers, its transmit queue frees them.
//!
//! What `net_pcap` does with its capture is done here without one: a fresh buffer for each packet, its bytes written by
//! the forwarding lcore. No capture has to fit in memory, so there may be any number of flows; and as no second lcore
//! makes the traffic, neither ever waits for the other. Both forwarders below take from it and give to it alike.
use anyhow::{Context, Result};
use sluice_bench::balancer::MAC;
use sluice_bench::cycles;
use sluice_bench::traffic::FRAME;
use sluice_core::{BURST, Ingress, Jiffies, Lcore, Verdict};
use sluice_dpdk::{Burst, Eal, Mempool, Port, PortConfig, RxQueue, TxQueue};
use sluice_packet::PacketBuf;

use super::source::Source;

/// Flows and wheel slots that the daemon's worker looks at in a loop.
const EXPIRY_BUDGET: usize = 64;

/// One port with one queue each way.
#[derive(Debug)]
pub(crate) struct Wire {
    rx: RxQueue,
    tx: TxQueue,
    burst: Burst,
    waiting: Burst,
}

impl Wire {
    pub(crate) fn new(eal: &Eal, pool: &Mempool, number: usize) -> Result<Self> {
        let port = Port::attach(eal, &format!("net_null{number},size={FRAME}"))?;
        let mut started = port.start(&PortConfig::default(), pool)?;
        let (rx, tx) = (started.rx.pop(), started.tx.pop());
        let (rx, tx) = rx.zip(tx).context("net_null has a queue each way")?;
        Ok(Self { rx, tx, burst: Burst::new(), waiting: Burst::new() })
    }

    #[inline(always)]
    fn receive(&mut self, source: &mut Source) {
        self.rx.rx_burst(&mut self.burst);
        source.fill(&mut self.burst);
    }

    /// The baseline: swaps the two MAC addresses of each frame. Returns how many were sent.
    #[inline]
    pub(crate) fn swap_macs(&mut self, source: &mut Source) -> usize {
        self.receive(source);
        for mut frame in self.burst.drain() {
            if let Some((to, from)) = frame.data_mut().get_mut(..12).map(|macs| macs.split_at_mut(6)) {
                to.swap_with_slice(from);
            }
            // There is room: both bursts are of one size, and this one was emptied.
            let _ = self.waiting.push(frame);
        }
        self.tx.tx_burst(&mut self.waiting)
    }

    /// One loop of the daemon's worker: a clock reading, a burst, its verdicts, expiry. Returns how many were sent.
    #[inline]
    pub(crate) fn balance(&mut self, source: &mut Source, side: &mut Side) -> usize {
        std::hint::black_box(cycles::now());
        self.receive(source);
        let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered: false };
        let now = side.tick();
        side.lcore.process_burst(now, &ingress, self.burst.as_mut_slice(), &mut side.verdicts);
        for (frame, verdict) in self.burst.drain().zip(side.verdicts) {
            if let Verdict::Transmit { .. } = verdict {
                let _ = self.waiting.push(frame);
            }
        }
        let sent = self.tx.tx_burst(&mut self.waiting);
        side.lcore.expire(now, EXPIRY_BUDGET);
        sent
    }
}

/// An lcore's balancer and its time, which goes by with its bursts: the same on a fast machine and a slow one.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) lcore: Lcore,
    verdicts: [Verdict; BURST],
    bursts: u32,
    now: u32,
    bursts_per_jiffy: u32,
}

impl Side {
    pub(crate) fn new(lcore: Lcore, bursts_per_jiffy: u32) -> Self {
        Self { lcore, verdicts: [Verdict::ToKernel; BURST], bursts: 0, now: 0, bursts_per_jiffy }
    }

    #[inline(always)]
    fn tick(&mut self) -> Jiffies {
        self.bursts += 1;
        if self.bursts == self.bursts_per_jiffy {
            (self.bursts, self.now) = (0, self.now + 1);
        }
        Jiffies(self.now)
    }

    /// Lets `seconds` go by, and the wheel do all that falls due meanwhile.
    pub(crate) fn skip(&mut self, seconds: u32) {
        self.now += seconds * Jiffies::HZ;
        self.lcore.expire(Jiffies(self.now), usize::MAX);
    }

    /// What became of the last burst.
    pub(crate) fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Flows in the table.
    pub(crate) fn flows(&self) -> u64 {
        self.lcore.stats().flows.get()
    }
}
