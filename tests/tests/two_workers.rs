//! Two workers, on ports of one queue and on ports of two: every packet of a flow meets one worker, replies too.

use sluice_tests::sluiced::configuration;
use sluice_tests::{Farm, Lab, Result, ensure, farm::HTTP, http};

const REQUESTS: u64 = 1_000;
const CONNECTIONS: u64 = 16;

fn two_workers(lab: &Lab) -> String {
    configuration(lab).replace("workers = [1]", "workers = [0, 1]")
}

/// Each worker polls a queue of each port; the kernel deals the frames out by a hash of its own, which knows no clients.
fn two_queues(lab: &Lab) -> String {
    two_workers(lab).replace("iface=wan", "iface=wan,qpairs=2").replace("iface=lan", "iface=lan,qpairs=2")
}

#[test]
fn ports_of_one_queue() -> Result<()> {
    every_request_is_answered(two_workers)
}

#[test]
fn ports_of_two_queues() -> Result<()> {
    every_request_is_answered(two_queues)
}

fn every_request_is_answered(configuration: fn(&Lab) -> String) -> Result<()> {
    let farm = Farm::start_with(configuration)?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    let kept = http::keep_alive(&farm.lab.client, HTTP, REQUESTS, CONNECTIONS)?;
    ensure!(kept.failures == 0 && kept.moved == 0, "kept connections: {kept:?}\n{}", farm.state());
    let fresh = http::fresh(&farm.lab.client, HTTP, REQUESTS, 8)?;
    ensure!(fresh.failures == 0, "fresh connections: {fresh:?}\n{}", farm.state());
    farm.logs_agree(2 * REQUESTS as usize)?;

    let lcores = farm.sluiced.ctl.status()?.lcores;
    ensure!(lcores.len() == 2, "{lcores:?}");
    ensure!(lcores.iter().all(|lcore| lcore.flows > REQUESTS / 4), "the flows are not shared: {lcores:?}");
    ensure!(lcores.iter().any(|lcore| lcore.steered > REQUESTS), "the ring mesh was not used: {lcores:?}");
    let drops = farm.sluiced.ctl.drops()?;
    ensure!(drops.is_empty(), "dropped: {drops:?}");
    farm.sluiced.stop()
}
