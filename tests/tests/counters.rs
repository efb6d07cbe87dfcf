//! The counters agree, to the packet and to the byte, with captures at the other ends of the director's wires.

use sluice_api::Stats;
use sluice_tests::capture::Frame;
use sluice_tests::{Capture, Farm, Result, VIP, ensure, farm::HTTP, http, real_address, until, wait::SOON};

fn bytes(frames: &[Frame]) -> u64 {
    frames.iter().map(Frame::ipv4_bytes).sum()
}

/// Waits until the counters stand still: the last ACK may still be on its way.
fn settled(farm: &Farm) -> Result<Stats> {
    let mut last = None;
    until("the counters standing still", SOON, || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = farm.sluiced.ctl.service()?.stats;
        Ok((last.replace(now) == Some(now)).then_some(now))
    })
}

fn agree(option: &str) -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", option)?;
    farm.warm_up()?;
    settled(&farm)?;
    farm.forget()?;

    let (client, switch) = (&farm.lab.client, &farm.lab.switch);
    let requests = Capture::start(&farm.lab, client, "eth0", &format!("tcp and dst {VIP}"))?;
    let replies = Capture::start(&farm.lab, client, "eth0", &format!("tcp and src {VIP}"))?;
    let nat = option == "-m";
    let at_reals = [1, 2].map(|n| {
        let destination = if nat { real_address(n) } else { VIP };
        Capture::start(&farm.lab, switch, &format!("r{n}"), &format!("tcp and dst {destination}"))
    });
    let tally = http::fresh(client, HTTP, 200, 4)?;
    ensure!(tally.failures == 0, "{tally:?}\n{}", farm.state());
    let tally = http::keep_alive(client, HTTP, 200, 4)?;
    ensure!(tally.failures == 0, "{tally:?}\n{}", farm.state());
    let stats = settled(&farm)?;
    let (requests, replies) = (requests.stop()?, replies.stop()?);

    ensure!(stats.conns == 204, "{stats:?}");
    ensure!(stats.in_packets == requests.len() as u64, "{} requests captured: {stats:?}", requests.len());
    ensure!(stats.in_bytes == bytes(&requests), "{} bytes captured: {stats:?}", bytes(&requests));
    ensure!(stats.out_packets == replies.len() as u64, "{} replies captured: {stats:?}", replies.len());
    ensure!(stats.out_bytes == bytes(&replies), "{} bytes captured: {stats:?}", bytes(&replies));
    ensure!((stats.out_packets > 0) == nat, "only NAT's replies pass the director: {stats:?}");
    for (n, capture) in (1..).zip(at_reals) {
        let (frames, real) = (capture?.stop()?, farm.sluiced.ctl.real(n)?.stats);
        ensure!(real.in_packets == frames.len() as u64, "real{n}: {} captured: {real:?}", frames.len());
        ensure!(real.in_bytes == bytes(&frames), "real{n}: {} bytes captured: {real:?}", bytes(&frames));
    }
    farm.sluiced.stop()
}

#[test]
fn under_nat() -> Result<()> {
    agree("-m")
}

#[test]
fn under_direct_routing() -> Result<()> {
    agree("-g")
}
