//! The demo shows what it promises, and nothing is left of it: not after its end, not after Ctrl-C, not after a kill.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sluice_tests::{Lab, Result, VIP, command, ensure, until, wait::SOON};

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// One test at a time: each looks at what another's lab would sweep up.
static TURN: Mutex<()> = Mutex::new(());

fn namespaces_of(pid: u32) -> Result<usize> {
    let prefix = format!("sl-{pid}-");
    Ok(command::run("ip netns list")?.lines().filter(|line| line.starts_with(&prefix)).count())
}

/// Processes whose command line names the run's directory: nginx, tcpdump, sluiced.
fn processes_of(pid: u32) -> Result<usize> {
    let directory = format!("/var/lib/sluice-lab/{pid}/");
    let mut found = 0;
    for entry in std::fs::read_dir("/proc")? {
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        found += usize::from(String::from_utf8_lossy(&line).contains(&directory));
    }
    Ok(found)
}

fn nothing_left(pid: u32) -> Result<()> {
    ensure!(namespaces_of(pid)? == 0, "namespaces are left");
    ensure!(processes_of(pid)? == 0, "processes are left");
    ensure!(!Path::new(&format!("/var/lib/sluice-lab/{pid}")).exists(), "files are left");
    Ok(())
}

/// Starts the demo, and waits until `far_enough`.
fn begun(far_enough: impl Fn(u32) -> Result<bool>) -> Result<Child> {
    let child = Command::new(DEMO).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    until("the demo getting on", SOON, || Ok(far_enough(child.id())?.then_some(())))?;
    Ok(child)
}

fn half_built(pid: u32) -> Result<bool> {
    Ok(namespaces_of(pid)? >= 4)
}

fn serving(pid: u32) -> Result<bool> {
    Ok(Path::new(&format!("/var/lib/sluice-lab/{pid}/state.json")).exists())
}

#[test]
fn it_shows_what_it_promises() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let child = Command::new(DEMO).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id();
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for shown in [
        "$ sluicectl -A -t 10.1.0.100:80 -s rr",
        "\nreal1\n",
        "\nreal2\n",
        "  -> 10.2.0.11:80                 Masq    9 ",
        "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
        "reply packets through the director: 0, past it: ",
    ] {
        ensure!(text.contains(shown), "`{shown}` is not in:\n{text}");
    }
    ensure!(!text.contains('\x1b'), "colours where no terminal is");
    nothing_left(pid)
}

#[test]
fn it_stays_when_asked_to() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let child = Command::new(DEMO).arg("--keep").stdout(Stdio::null()).spawn()?;
    let pid = child.id();
    let status = child.wait_with_output()?.status;
    ensure!(status.success(), "{status}");
    // Another lab comes and goes, and leaves it alone.
    drop(Lab::new()?);
    let page = command::run(&format!("ip netns exec sl-{pid}-client curl -s --max-time 10 http://{VIP}/"))?;
    ensure!(page.starts_with("real"), "the page is `{page}`");
    command::run(&format!("{DEMO} --clean"))?;
    nothing_left(pid)
}

#[test]
fn nothing_is_left_after_ctrl_c() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for moment in [half_built, serving] {
        let mut child = begun(moment)?;
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)?;
        let status = child.wait()?;
        ensure!(status.code() == Some(130), "{status}");
        nothing_left(child.id())?;
    }
    Ok(())
}

#[test]
fn the_next_lab_sweeps_up_after_a_killed_one() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for moment in [half_built, serving] {
        let mut child = begun(moment)?;
        child.kill()?;
        child.wait()?;
        ensure!(namespaces_of(child.id())? > 0, "nothing was left to sweep up");
        let lab = Lab::new()?;
        nothing_left(child.id())?;
        let own = std::process::id();
        ensure!(namespaces_of(own)? == 5, "{} namespaces of this run", namespaces_of(own)?);
        drop(lab);
        nothing_left(own)?;
    }
    Ok(())
}
