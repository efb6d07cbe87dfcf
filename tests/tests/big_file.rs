//! 200 MB through the director, down and up, arrive as they left.

use std::path::Path;

use nix::sys::signal::Signal;
use sluice_tests::{Context, Farm, Process, Result, VIP, command, ensure, farm::HTTP, until, wait::SOON};

const BYTES: u64 = 200 << 20;
const UPLOAD: u16 = 8080;

fn sha256(file: &Path) -> Result<String> {
    let line = command::run(&format!("sha256sum {}", file.display()))?;
    Ok(line.split_whitespace().next().context("no checksum")?.to_owned())
}

#[test]
fn a_big_file_survives() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    let (lab, client) = (&farm.lab, &farm.lab.client);
    let original = lab.directory().join("original");
    command::run(&format!("dd if=/dev/urandom of={} bs=1M count=200 status=none", original.display()))?;
    let expected = sha256(&original)?;

    for web in &farm.webs {
        std::fs::hard_link(&original, web.pages().join("big"))?;
    }
    let down = lab.directory().join("down");
    client.run(&format!("curl -sf --max-time 120 -o {} http://{VIP}/big", down.display()))?;
    ensure!(sha256(&down)? == expected, "the file that came down is another");
    std::fs::remove_file(&down)?;

    farm.sluiced.ctl.run("-C")?;
    farm.serve("-t", UPLOAD, "rr", "-m")?;
    // One connection only, so the newest real has it: rr starts there.
    let up = lab.directory().join("up");
    let listen = format!("socat -u TCP-LISTEN:{UPLOAD},reuseaddr OPEN:{},creat,trunc", up.display());
    let mut sinks = Vec::new();
    for (n, real) in (1..).zip(&lab.reals) {
        sinks.push(Process::start(&format!("real{n}-sink"), real.command(&listen), lab.directory())?);
    }
    let listening = |n: usize| lab.real(n).run("ss -Hltn sport = :8080").map(|text| !text.is_empty());
    until("socat listening", SOON, || Ok((listening(1)? && listening(2)?).then_some(())))?;
    client.run(&format!("timeout 120 socat -u OPEN:{} TCP:{VIP}:{UPLOAD}", original.display()))?;
    until("the upload being complete", SOON, || Ok((std::fs::metadata(&up)?.len() == BYTES).then_some(())))?;
    ensure!(sha256(&up)? == expected, "the file that went up is another");
    for sink in &mut sinks {
        sink.stop(Signal::SIGTERM, SOON)?;
    }
    farm.sluiced.stop()
}
