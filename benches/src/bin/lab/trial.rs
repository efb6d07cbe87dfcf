//! One run of one contender: start, settle, measure between two readings of its counters, stop.
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::contender::{Contender, Program, Traffic};
use crate::interrupt;
use crate::lcore;
use crate::sluiced::Sluiced;
use crate::testpmd::Testpmd;

/// Packet buffers of both programs beyond those of the capture, of which a `net_pcap` device that replays keeps one for
/// each packet.
const SPARE_MBUFS: u32 = 45_056;
/// Bytes of a packet buffer, header and padding counted.
const MBUF_BYTES: u64 = 2432;
/// Packet memory of both programs beyond the buffers, in megabytes.
const SPARE_MEGABYTES: u64 = 350;
/// A reading that took longer than this is too blurred to be used.
const BLURRED: Duration = Duration::from_millis(50);
const READINGS: u32 = 20;

/// Where and how long trials run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Holds captures, configuration and socket.
    pub(crate) folder: &'a Path,
    /// The daemon.
    pub(crate) sluiced: &'a Path,
    /// Flows in the traffic.
    pub(crate) flows: u32,
    /// Packets of the largest capture.
    pub(crate) packets: u32,
    /// CPU that forwards.
    pub(crate) cpu: usize,
    /// CPU of everything else.
    pub(crate) control_cpu: usize,
    /// Whether packet memory lies on huge pages.
    pub(crate) hugepages: bool,
    /// Seconds to measure.
    pub(crate) seconds: f64,
}

impl Place<'_> {
    /// The device of both programs. What is sent is freed, as no place to send to is named.
    pub(crate) fn device(&self, traffic: Traffic) -> String {
        format!("net_pcap0,rx_pcap={},infinite_rx=1", traffic.capture(self.folder, self.flows).display())
    }

    /// Packet buffers of both programs.
    pub(crate) fn mbufs(&self) -> u32 {
        self.packets + SPARE_MBUFS
    }

    /// Packet memory of both programs, in megabytes.
    pub(crate) fn megabytes(&self) -> u64 {
        megabytes(self.packets)
    }

    /// The EAL's arguments for memory, the same that the daemon gives it.
    pub(crate) fn eal_memory(&self) -> Vec<String> {
        let memory: &[&str] = if self.hugepages { &["--in-memory"] } else { &["--no-huge", "--no-shconf"] };
        memory.iter().map(|&text| text.to_owned()).chain([format!("-m{}", self.megabytes())]).collect()
    }
}

/// Packet memory that both programs need for a capture of so many packets, in megabytes.
pub(crate) fn megabytes(packets: u32) -> u64 {
    let mbufs = u64::from(packets + SPARE_MBUFS);
    (SPARE_MEGABYTES + ((mbufs * MBUF_BYTES) >> 20)).next_multiple_of(2)
}

/// Packets since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// A program that forwards packets.
pub(crate) trait Forwarder {
    /// Its process.
    fn pid(&self) -> u32;
    /// Its port's counters now.
    fn counters(&mut self) -> Result<Counters>;
    /// Ends it in order.
    fn stop(self: Box<Self>) -> Result<()>;
}

/// What one run gave.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Trial {
    /// Seconds between the readings.
    pub(crate) seconds: f64,
    /// Packets forwarded.
    pub(crate) packets: u64,
    /// Share of that time which the forwarding thread had its CPU: under 1 where something else ran there.
    pub(crate) cpu_share: f64,
    /// Millions of packets in a second by the clock on the wall.
    pub(crate) mpps_by_the_clock: f64,
    /// Millions of packets in a second of the forwarding thread's CPU time: what it does undisturbed.
    pub(crate) mpps: f64,
    /// Cycles of the time stamp counter per packet, of CPU time too.
    pub(crate) cycles_per_packet: f64,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mpps, cycles_per_packet, cpu_share, .. } = self;
        let share = cpu_share * 100.0;
        write!(f, "{mpps:6.2} Mpps  {cycles_per_packet:6.1} cycles/packet  had {share:3.0} % of its CPU")
    }
}

/// Counters and CPU time at a point in time.
struct Reading {
    at: Instant,
    counters: Counters,
    cpu: Duration,
}

/// Runs `contender` once.
pub(crate) fn run(contender: &Contender, place: &Place<'_>, tsc_hz: f64) -> Result<Trial> {
    let mut forwarder: Box<dyn Forwarder> = match contender.program {
        Program::Testpmd => Box::new(Testpmd::start(contender, place)?),
        Program::Sluiced(forward) => Box::new(Sluiced::start(contender, forward, place)?),
    };
    let trial = measure(forwarder.as_mut(), place, tsc_hz)?;
    forwarder.stop()?;
    Ok(trial)
}

/// Lets `forwarder` settle and measures it between two readings of its counters.
pub(crate) fn measure(forwarder: &mut dyn Forwarder, place: &Place<'_>, tsc_hz: f64) -> Result<Trial> {
    interrupt::sleep(Duration::from_secs_f64(place.seconds / 3.0))?;
    let before = read(forwarder)?;
    interrupt::sleep(Duration::from_secs_f64(place.seconds))?;
    let after = read(forwarder)?;
    figures(&before, &after, tsc_hz)
}

fn read(forwarder: &mut dyn Forwarder) -> Result<Reading> {
    for _ in 0..READINGS {
        let start = Instant::now();
        let counters = forwarder.counters()?;
        let took = start.elapsed();
        let cpu = lcore::cpu_time(forwarder.pid())?;
        if took < BLURRED {
            return Ok(Reading { at: start + took / 2, counters, cpu });
        }
    }
    bail!("{READINGS} readings of the counters all took over {BLURRED:?}: the machine is too busy")
}

fn figures(before: &Reading, after: &Reading, tsc_hz: f64) -> Result<Trial> {
    let seconds = (after.at - before.at).as_secs_f64();
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    let received = after.counters.received - before.counters.received;
    let packets = after.counters.sent - before.counters.sent;
    ensure!(packets > 0 && cpu > 0.0, "no packet was forwarded of {received} received");
    // The two counters are not read at one point in time, so they may differ by what passes meanwhile.
    ensure!(
        packets as f64 > received as f64 * 0.99,
        "of {received} packets received only {packets} were forwarded"
    );
    Ok(Trial {
        seconds,
        packets,
        cpu_share: cpu / seconds,
        mpps_by_the_clock: packets as f64 / seconds / 1e6,
        mpps: packets as f64 / cpu / 1e6,
        cycles_per_packet: cpu * tsc_hz / packets as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: Instant, received: u64, sent: u64, cpu: u64) -> Reading {
        Reading { at, counters: Counters { received, sent }, cpu: Duration::from_secs(cpu) }
    }

    #[test]
    fn a_thread_that_had_half_its_cpu_forwards_twice_that_undisturbed() {
        let start = Instant::now();
        let (before, end) = (reading(start, 0, 0, 5), start + Duration::from_secs(2));
        let trial = figures(&before, &reading(end, 20_000_000, 20_000_000, 6), 2e9).expect("figures");
        assert_eq!((trial.mpps_by_the_clock, trial.mpps), (10.0, 20.0));
        assert_eq!((trial.cpu_share, trial.cycles_per_packet), (0.5, 100.0));
    }

    #[test]
    fn loss_is_an_error() {
        let (start, end) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        figures(&reading(start, 0, 0, 0), &reading(end, 100, 50, 1), 1e9).expect_err("half is lost");
        figures(&reading(start, 0, 0, 0), &reading(end, 100, 0, 1), 1e9).expect_err("nothing is sent");
    }
}
