//! A daemon killed outright: the next one starts with no hand cleaning, with the configuration there was.

use nix::sys::signal::Signal;
use sluice_tests::{Farm, Result, Sluiced, ensure, farm::HTTP, http, until, wait::SOON};

/// Waits until the last change, the timeout `tcp`, is on disk: changes are written in bundles, a tenth of a second late.
fn saved(farm: &Farm, tcp: u32) -> Result<()> {
    let file = farm.lab.directory().join("state.json");
    until("the last change being saved", SOON, || {
        let text = std::fs::read(&file).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        Ok((state["timeouts"]["tcp"] == tcp).then_some(()))
    })
}

#[test]
fn the_next_start_needs_no_cleaning() -> Result<()> {
    let mut farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "wlc", "-m")?;
    farm.warm_up()?;
    for round in 0..3 {
        farm.sluiced.ctl.run(&format!("--set {} 70 60", 800 + round))?;
        saved(&farm, 800 + round)?;
        let saved = farm.sluiced.ctl.run("-Sn")?;
        let timeouts = farm.sluiced.ctl.run("-L --timeout")?;
        farm.sluiced.process().stop(Signal::SIGKILL, SOON)?;
        farm.sluiced = Sluiced::start(&farm.lab)?;
        for (arguments, before) in [("-Sn", &saved), ("-L --timeout", &timeouts)] {
            let after = farm.sluiced.ctl.run(arguments)?;
            ensure!(after == *before, "round {round}: {arguments} was:\n{before}and is:\n{after}");
        }
        farm.warm_up()?;
        let tally = http::fresh(&farm.lab.client, HTTP, 50, 2)?;
        ensure!(tally.failures == 0, "round {round}: {tally:?}\n{}", farm.state());
    }
    farm.sluiced.stop()
}
