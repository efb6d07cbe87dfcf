//! HTTP through direct routing: as through NAT, but the replies never pass the director.

use sluice_tests::{Capture, Farm, Result, VIP, ensure, farm::HTTP, http};

/// Of each kind.
const REQUESTS: u64 = 2_000;
const CONNECTIONS: u64 = 16;

#[test]
fn replies_pass_the_director_by() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-g")?;
    farm.warm_up()?;

    let client = &farm.lab.client;
    let replies = format!("tcp and src {VIP}");
    let past = Capture::start(&farm.lab, client, "back", &replies)?;
    let through = Capture::start(&farm.lab, client, "eth0", &replies)?;
    let kept = http::keep_alive(client, HTTP, REQUESTS, CONNECTIONS)?;
    ensure!(kept.failures == 0 && kept.moved == 0, "kept connections: {kept:?}\n{}", farm.state());
    let fresh = http::fresh(client, HTTP, REQUESTS, 8)?;
    ensure!(fresh.failures == 0, "fresh connections: {fresh:?}\n{}", farm.state());
    ensure!(fresh.answers.values().all(|&answers| answers == REQUESTS / 2), "rr shared unevenly: {fresh:?}");
    let (past, through) = (past.stop()?, through.stop()?);
    ensure!(past.len() as u64 > 2 * REQUESTS, "{} reply packets past the director", past.len());
    ensure!(through.is_empty(), "{} reply packets through the director", through.len());

    farm.logs_agree(2 * REQUESTS as usize)?;
    let stats = farm.sluiced.ctl.service()?.stats;
    ensure!(stats.conns == CONNECTIONS + REQUESTS, "{stats:?}");
    ensure!(
        stats.out_packets == 0 && stats.out_bytes == 0,
        "replies are counted that were not seen: {stats:?}"
    );
    farm.sluiced.stop()
}
