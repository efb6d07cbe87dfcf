//! A service whose VIP nobody would answer ARP for: accepted, with the line that mends it.

use sluice_tests::{Farm, Result, ensure, farm::HTTP};

#[test]
fn the_warning_is_the_remedy() -> Result<()> {
    let farm = Farm::start()?;
    let ctl = &farm.sluiced.ctl;
    let answer = ctl.answer("-A -t 10.1.0.200:80 -s rr")?;
    ensure!(answer.code == 0 && answer.stdout.is_empty(), "{answer:?}");
    let remedy = "ip addr add 10.1.0.200/32 dev sl-wan";
    ensure!(answer.stderr.contains(remedy), "{answer:?}");
    ensure!(ctl.run("-Ln")?.contains("TCP  10.1.0.200:80 rr\n"), "{}", farm.state());

    let line =
        answer.stderr.split("ip addr add ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
    farm.lab.director.ip(&format!("addr add {line}"))?;
    for n in [1, 2] {
        ctl.run(&format!("-a -t 10.1.0.200:80 -r 10.2.0.1{n}:80 -m"))?;
    }
    let page = farm.lab.client.run("curl -s --max-time 10 http://10.1.0.200/")?;
    ensure!(page.starts_with("real"), "the page is `{page}`");

    // Where a twin holds the VIP there is nothing to say.
    let answer = ctl.answer(&format!("-A -t {}:{} -s rr", HTTP.0, HTTP.1))?;
    ensure!(answer.code == 0 && answer.stderr.is_empty(), "{answer:?}");
    farm.sluiced.stop()
}
