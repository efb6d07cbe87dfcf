//! Two workers on ports of one queue each: the ring mesh brings every packet of a flow to one worker, replies too.

use sluice_tests::sluiced::configuration;
use sluice_tests::{Farm, Lab, Result, ensure, farm::HTTP, http};

const REQUESTS: u64 = 1_000;
const CONNECTIONS: u64 = 16;

fn two_workers(lab: &Lab) -> String {
    configuration(lab).replace("workers = [1]", "workers = [0, 1]")
}

#[test]
fn every_request_is_answered() -> Result<()> {
    let farm = Farm::start_with(two_workers)?;
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
