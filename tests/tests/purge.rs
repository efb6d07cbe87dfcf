//! `sluicectl drain` and `purge` with live connections: what is purged is reset at once, the rest never notices.

use std::net::SocketAddrV4;

use sluice_tests::farm::HTTP;
use sluice_tests::http::Connection;
use sluice_tests::{Farm, Result, VIP, ensure, real_address};

#[test]
fn a_drained_real_is_left_alone_and_a_purged_one_is_left() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", 80, "rr", "-m")?;
    farm.warm_up()?;
    let ctl = &farm.sluiced.ctl;
    let mut kept = farm.lab.client.inside(|| {
        (0..6).map(|_| Connection::open(SocketAddrV4::new(HTTP.0, HTTP.1))).collect::<Result<Vec<_>>>()
    })?;
    let pages = kept.iter_mut().map(|connection| connection.get(false)).collect::<Result<Vec<_>>>()?;
    let of = |name: &str| pages.iter().filter(|page| *page == name).count();
    ensure!((of("real1"), of("real2")) == (3, 3), "{pages:?}");

    // No new connection, and those there are go on; at the deadline they are still there.
    let drain = format!("drain -t {VIP}:80 -r {}:80", real_address(2));
    let waited = ctl.answer(&format!("{drain} --deadline 1"))?;
    ensure!(waited.code == 3 && waited.stdout.contains(": 3 active, "), "{waited:?}");
    for (connection, page) in kept.iter_mut().zip(&pages) {
        ensure!(connection.get(false)? == *page, "{}", farm.state());
    }
    let fresh = sluice_tests::http::fresh(&farm.lab.client, HTTP, 10, 2)?;
    ensure!(fresh.failures == 0 && fresh.answers.keys().eq(["real1"]), "{fresh:?}");

    // Told to purge, it does; their clients are reset and come back to the other real.
    let purged = ctl.answer(&format!("{drain} --deadline 0 --purge"))?;
    let last = purged.stdout.lines().last().unwrap_or_default();
    ensure!(purged.code == 0 && last.starts_with("purged ") && last.ends_with(" 0 templates"), "{purged:?}");
    let real = ctl.real(2)?;
    ensure!((real.active, real.inactive) == (0, 0), "{real:?}");
    for (connection, page) in kept.iter_mut().zip(&pages) {
        match page.as_str() {
            "real1" => ensure!(connection.get(false)? == "real1", "{}", farm.state()),
            _ => ensure!(connection.get(false).is_err(), "a purged connection answers\n{}", farm.state()),
        }
    }
    let answer = ctl.answer(&format!("purge -t {VIP}:80 -r {}:80 --flows", real_address(2)))?;
    ensure!(answer.code == 0 && answer.stdout.ends_with(", 0 templates\n"), "{answer:?}");
    let drained = ctl.answer(&drain)?;
    ensure!(
        drained.code == 0 && drained.stdout.contains(": 0 active, 0 inactive, 0 persistent"),
        "{drained:?}"
    );
    farm.sluiced.stop()
}
