//! A daemon killed outright: the next one starts with no hand cleaning, with the configuration there was.

use nix::sys::signal::Signal;
use sluice_tests::{Farm, Result, Sluiced, ensure, farm::HTTP, http, wait::SOON};

#[test]
fn the_next_start_needs_no_cleaning() -> Result<()> {
    let mut farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "wlc", "-m")?;
    farm.warm_up()?;
    for round in 0..3 {
        let saved = farm.sluiced.ctl.run("-Sn")?;
        // The reply to the last change is all that the operator waits for.
        farm.sluiced.ctl.run(&format!("--set {} 70 60", 800 + round))?;
        farm.sluiced.process().stop(Signal::SIGKILL, SOON)?;
        farm.sluiced = Sluiced::start(&farm.lab)?;
        let timeouts = format!("Timeout (tcp tcpfin udp): {} 70 60\n", 800 + round);
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
