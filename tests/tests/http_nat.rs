//! HTTP through NAT: thousands of requests, none lost, and every book agrees: nginx's, the counters', the client's.

use sluice_tests::{Farm, Result, ensure, farm::HTTP, http};

/// Of each kind.
const REQUESTS: u64 = 2_000;
const CONNECTIONS: u64 = 16;

#[test]
fn every_request_is_answered() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;

    let kept = http::keep_alive(&farm.lab.client, HTTP, REQUESTS, CONNECTIONS)?;
    ensure!(kept.failures == 0 && kept.moved == 0, "kept connections: {kept:?}\n{}", farm.state());
    ensure!(kept.answered() == REQUESTS, "{kept:?}");
    let fresh = http::fresh(&farm.lab.client, HTTP, REQUESTS, 8)?;
    ensure!(fresh.failures == 0, "fresh connections: {fresh:?}\n{}", farm.state());
    // One worker, so one cursor: rr shares an even number exactly, in whatever order the threads connect.
    ensure!(fresh.answers.values().all(|&answers| answers == REQUESTS / 2), "rr shared unevenly: {fresh:?}");

    farm.logs_agree(2 * REQUESTS as usize)?;
    let service = farm.sluiced.ctl.service()?;
    ensure!(service.stats.conns == CONNECTIONS + REQUESTS, "{:?}", service.stats);
    let drops = farm.sluiced.ctl.drops()?;
    ensure!(drops.is_empty(), "dropped: {drops:?}");
    farm.sluiced.stop()
}
