//! The lab itself: with the director's kernel as a plain router, packets take the ways that the drawing shows.

use sluice_tests::{CLIENT, Capture, DIRECTOR, Lab, ReplyPath, Result, ensure, farm, real_address};

/// Lets the director's kernel route, where `sluiced` would.
fn route_in_the_kernel(lab: &Lab) -> Result<()> {
    lab.director.ip(&format!("addr add {DIRECTOR}/24 dev wan"))?;
    lab.director.ip("addr add 10.2.0.1/24 dev lan")?;
    lab.director.sysctl("net/ipv4/ip_forward=1")?;
    for n in [1, 2] {
        lab.client.ip(&format!("route add {}/32 via {DIRECTOR}", real_address(n)))?;
    }
    Ok(())
}

#[test]
fn replies_take_the_chosen_way() -> Result<()> {
    let lab = Lab::new()?;
    let _webs = farm::webs(&lab)?;
    route_in_the_kernel(&lab)?;
    for (path, ways) in [(ReplyPath::Director, ["eth0", "back"]), (ReplyPath::Direct, ["back", "eth0"])] {
        lab.reply_path(path)?;
        for n in [1, 2] {
            let filter = format!("src {} and tcp", real_address(n));
            let [taken, avoided] = ways.map(|device| Capture::start(&lab, &lab.client, device, &filter));
            let (taken, avoided) = (taken?, avoided?);
            let page = lab.client.run(&format!("curl -s --max-time 10 http://{}/", real_address(n)))?;
            ensure!(page == format!("real{n}\n"), "the page of real{n} is `{page}`");
            let (taken, avoided) = (taken.stop()?, avoided.stop()?);
            ensure!(taken.len() >= 4, "{path:?}: {} packets of the reply on its way", taken.len());
            ensure!(avoided.is_empty(), "{path:?}: {} packets of the reply on the other way", avoided.len());
            ensure!(taken.iter().all(|frame| frame.ipv4_bytes() >= 40), "{taken:?}");
        }
    }
    Ok(())
}

#[test]
fn frames_are_hidden_from_the_kernel() -> Result<()> {
    let lab = Lab::new()?;
    route_in_the_kernel(&lab)?;
    let ping = || lab.client.command(&format!("ping -c 1 -W 1 {DIRECTOR}")).output();
    ensure!(ping()?.status.success(), "{CLIENT} cannot reach the director's kernel");
    lab.director.hide_frames(&["wan", "lan"])?;
    ensure!(!ping()?.status.success(), "the director's kernel answers on the veth all the same");
    Ok(())
}
