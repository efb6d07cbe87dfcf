//! What the control side costs the packets: the daemon at full load, left alone, then with a hundred changes of its
//! configuration a second and its flows listed over and over.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use sluice_api::request::{PageRequest, RealChange};
use sluice_api::{Applied, Client, ConnectionPage, Forward, Request};

use crate::contender::{Contender, Program, Traffic};
use crate::interrupt;
use crate::sluiced::{self, Sluiced};
use crate::statistics::Spread;
use crate::trial::{self, Forwarder, Place};

/// A hundred a second.
const PACE: Duration = Duration::from_millis(10);
const CONTENDER: Contender =
    Contender { name: "nat-requests", program: Program::Sluiced(Forward::Masq), traffic: Traffic::Requests };

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnderLoad {
    pub(crate) flows: u32,
    pub(crate) rounds: u32,
    /// Millions of packets in a second of the forwarding thread's CPU time, left alone.
    pub(crate) quiet_mpps: Spread,
    /// The same with changes and listings.
    pub(crate) busy_mpps: Spread,
    /// The second as a share of the first, taken within a round.
    pub(crate) of_quiet: Spread,
    /// Changes in a second, each one confirmed before the next.
    pub(crate) changes_per_second: f64,
    /// Flows listed in a second.
    pub(crate) listed_per_second: f64,
    /// Packets that the daemon dropped, from first to last.
    pub(crate) dropped: u64,
}

/// Counts of the clients.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    changes: u64,
    listed: u64,
    seconds: f64,
}

/// Measures with `place.flows` flows in the table.
pub(crate) fn run(place: &Place<'_>, rounds: u32, tsc_hz: f64) -> Result<UnderLoad> {
    let mut forwarder = Box::new(Sluiced::start(&CONTENDER, Forward::Masq, place)?);
    await_flows(&mut forwarder, place.flows)?;
    let dropped_before = dropped(&mut forwarder)?;
    let (mut quiet, mut busy, mut done) = (Vec::new(), Vec::new(), Done::default());
    for _ in 0..rounds {
        quiet.push(trial::measure(forwarder.as_mut(), place, tsc_hz)?.mpps);
        let clients = Clients::start(&forwarder.socket, place.control_cpu);
        busy.push(trial::measure(forwarder.as_mut(), place, tsc_hz)?.mpps);
        clients.stop(&mut done)?;
    }
    let dropped = dropped(&mut forwarder)? - dropped_before;
    forwarder.stop()?;
    let ratios = busy.iter().zip(&quiet).map(|(busy, quiet)| busy / quiet).collect::<Vec<_>>();
    Ok(UnderLoad {
        flows: place.flows,
        rounds,
        quiet_mpps: Spread::of(quiet).context("no round")?,
        busy_mpps: Spread::of(busy).context("no round")?,
        of_quiet: Spread::of(ratios).context("no round")?,
        changes_per_second: done.changes as f64 / done.seconds,
        listed_per_second: done.listed as f64 / done.seconds,
        dropped,
    })
}

/// Until the capture has passed once.
fn await_flows(forwarder: &mut Sluiced, flows: u32) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    while forwarder.flows()? < u64::from(flows) {
        ensure!(Instant::now() < end, "only {} of {flows} flows", forwarder.flows()?);
        interrupt::sleep(Duration::from_millis(100))?;
    }
    Ok(())
}

fn dropped(forwarder: &mut Sluiced) -> Result<u64> {
    let drops: BTreeMap<String, u64> = forwarder.client.call(&Request::Drops)?;
    Ok(drops.values().sum())
}

/// Two clients at work.
struct Clients {
    stop: Arc<AtomicBool>,
    started: Instant,
    changes: JoinHandle<Result<u64>>,
    listing: JoinHandle<Result<u64>>,
}

impl Clients {
    fn start(socket: &Path, cpu: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let spawn = |work: fn(&Path, &AtomicBool) -> Result<u64>| {
            let (socket, stop) = (socket.to_owned(), Arc::clone(&stop));
            thread::spawn(move || {
                stay_on(cpu)?;
                work(&socket, &stop)
            })
        };
        let (changes, listing) = (spawn(change), spawn(list));
        Self { stop, started: Instant::now(), changes, listing }
    }

    fn stop(self, done: &mut Done) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        done.seconds += self.started.elapsed().as_secs_f64();
        done.changes += self.changes.join().map_err(|_| anyhow!("the changes panicked"))??;
        done.listed += self.listing.join().map_err(|_| anyhow!("the listing panicked"))??;
        Ok(())
    }
}

fn stay_on(cpu: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu).context("a CPU's number")?;
    sched_setaffinity(Pid::from_raw(0), &one).context("cannot stay on a CPU")
}

/// Changes a real's weight at a steady pace; how often it did.
fn change(socket: &Path, stop: &AtomicBool) -> Result<u64> {
    let mut client = Client::connect(socket)?;
    let (start, mut changes) = (Instant::now(), 0u32);
    while !stop.load(Ordering::Relaxed) {
        let mut real = sluiced::server(0, Forward::Masq);
        // Round robin heeds no weight but 0, so the load stays what it was.
        real.weight = 1 + changes % 2;
        let request = Request::RealEdit(RealChange { service: sluiced::SERVICE, real });
        client.call::<Applied>(&request).context("a change")?;
        changes += 1;
        thread::sleep((PACE * changes).saturating_sub(start.elapsed()));
    }
    Ok(u64::from(changes))
}

/// Lists the table over and over; how many flows it was told of.
fn list(socket: &Path, stop: &AtomicBool) -> Result<u64> {
    let mut client = Client::connect(socket)?;
    let (mut listed, mut cursor) = (0u64, None);
    while !stop.load(Ordering::Relaxed) {
        let request = Request::ConnectionList(PageRequest { cursor, limit: None });
        let page: ConnectionPage = client.call(&request).context("a page of flows")?;
        listed += page.connections.len() as u64;
        // After the last page from the start again.
        cursor = page.next;
    }
    Ok(listed)
}
