//! Starts that must fail: one clear line about what to do, status 1, and a running daemon beside it untouched.

use std::os::unix::net::UnixListener;
use std::process::ExitStatus;

use sluice_tests::sluiced::{configuration, socket};
use sluice_tests::{
    Context, Farm, Lab, Process, Result, Sluiced, command, ctl, ensure, farm::HTTP, http, until, wait::SOON,
};

fn ended(process: &mut Process) -> Result<ExitStatus> {
    until("sluiced ending", SOON, || process.exited()).with_context(|| process.log())
}

/// Starts with `configuration`: it must fail with a last line that holds all of `words`.
fn refused(lab: &Lab, name: &str, configuration: &str, words: &[&str]) -> Result<()> {
    let mut process = Sluiced::launch(lab, name, configuration)?;
    let status = ended(&mut process)?;
    let log = process.log();
    ensure!(status.code() == Some(1), "{name}: {status}: {log}");
    let line = log.trim_end().lines().last().unwrap_or_default();
    for word in words {
        ensure!(line.contains(word), "{name}: the last line does not say `{word}`:\n{log}");
    }
    Ok(())
}

/// A configuration that shares nothing with the running daemon's but the interfaces.
fn beside(lab: &Lab) -> String {
    let own = configuration(lab);
    own.replace("control.sock", "beside.sock").replace("state.json", "beside.json")
}

#[test]
fn errors_name_what_to_do() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    let lab = &farm.lab;
    let good = beside(lab);

    let text = good.replacen("[[ports]]", "[[prots]]", 1);
    refused(lab, "mistyped-table", &text, &["mistyped-table.toml:", "prots", "did you mean `ports`"])?;
    let text = good.replacen("device =", "devcie =", 1);
    refused(lab, "mistyped-key", &text, &["mistyped-key.toml:", "devcie", "did you mean `device`"])?;
    let text = good.replace("megabytes = 256", "megabytes = \"many\"");
    refused(lab, "mistyped-value", &text, &["mistyped-value.toml:", "megabytes"])?;
    refused(lab, "missing-interface", &good.replace("iface=wan", "iface=nope"), &["nope"])?;
    refused(
        lab,
        "missing-device",
        &good.replace("net_af_packet0,iface=wan", "0000:ff:1f.7"),
        &["0000:ff:1f.7"],
    )?;
    let text =
        good.replace("no_huge = true", "no_huge = false").replace("megabytes = 256", "megabytes = 1048576");
    refused(lab, "no-huge-pages", &text, &["hugepages", "no_huge"])?;
    refused(lab, "socket-in-use", &configuration(lab), &[&socket(lab).display().to_string()])?;
    std::fs::write(lab.directory().join("beside.json"), "{ \"services\": [")?;
    refused(lab, "corrupt-state", &good, &["beside.json"])?;

    let tally = http::fresh(&lab.client, HTTP, 50, 2)?;
    ensure!(tally.failures == 0, "the running daemon has suffered: {tally:?}\n{}", farm.state());
    farm.sluiced.stop()
}

#[test]
fn a_dead_socket_is_taken_over() -> Result<()> {
    let lab = Lab::new()?;
    drop(UnixListener::bind(socket(&lab))?);
    ensure!(socket(&lab).exists(), "a dropped listener leaves its socket");
    let sluiced = Sluiced::start(&lab)?;
    ensure!(sluiced.ctl.run("-Ln")?.starts_with("IP Virtual Server"), "it does not answer");
    sluiced.stop()?;
    ensure!(!socket(&lab).exists(), "the socket is still there after an orderly end");
    Ok(())
}

#[test]
fn only_root_may_start_and_speak() -> Result<()> {
    let lab = Lab::new()?;
    // Where everyone may execute it, whatever the permissions of the build's folder.
    for name in ["sluiced", "sluicectl"] {
        std::fs::copy(ctl::program(name)?, lab.directory().join(name))?;
    }
    let nobody = format!("setpriv --reuid 65534 --regid 65534 --clear-groups {}", lab.directory().display());
    let sluiced = Sluiced::start(&lab)?;

    let output = command::output(&format!("{nobody}/sluicectl --socket {} -Ln", socket(&lab).display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && text.to_lowercase().contains("permission"), "{output:?}");

    let file = lab.directory().join("nobody.toml");
    std::fs::write(&file, beside(&lab))?;
    let line = format!("{nobody}/sluiced --config {}", file.display());
    let mut process = Process::start("nobody", lab.director.command(&line), lab.directory())?;
    let status = ended(&mut process)?;
    ensure!(status.code() == Some(1) && process.log().contains("root"), "{status}: {}", process.log());
    sluiced.stop()
}
