//! `make demo`: a client, a director and two web servers on one machine; every command is shown as it runs.
#![allow(clippy::print_stdout, reason = "the demo talks to whoever started it")]

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;

use sluice_tests::{
    Capture, Ctl, Farm, Lab, ReplyPath, Result, Sluiced, VIP, bail, command, ensure, farm, interrupt, lease,
    real_address, sluiced,
};

const USAGE: &str = "usage: demo [--keep | --clean]";

fn main() -> ExitCode {
    interrupt::guard("demo", || {
        match std::env::args().skip(1).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>()[..]
        {
            [] => demo(false)?,
            ["--keep"] => demo(true)?,
            ["--clean"] => clean()?,
            _ => bail!(USAGE),
        }
        Ok(true)
    })
}

fn clean() -> Result<()> {
    lease::remove_all()?;
    println!("every lab that was left is removed");
    Ok(())
}

fn demo(keep: bool) -> Result<()> {
    lease::remove_all()?;
    command::echo(true);
    say("A client, a director and two real servers: network namespaces joined by veth pairs");
    let lab = Lab::new()?;
    say("nginx on each real server, with a page that says which one it is");
    let webs = farm::webs(&lab)?;
    say("sluiced in the director, on both veths through DPDK; the addresses go onto its kernel twins");
    println!("{}", sluiced::configuration(&lab).trim_end());
    let sluiced = Sluiced::start(&lab)?;
    let farm = Farm { sluiced, webs, lab };

    through_nat(&farm)?;
    by_weight(&farm)?;
    by_direct_routing(&farm)?;
    if keep {
        return leave(farm);
    }
    say("Done; the lab is removed. `make demo KEEP=1` leaves it running");
    command::echo(false);
    farm.sluiced.stop()
}

fn through_nat(farm: &Farm) -> Result<()> {
    let ctl = &farm.sluiced.ctl;
    say("A virtual service on both real servers, through NAT (-m), round robin");
    ctl.run(&format!("-A -t {VIP}:80 -s rr"))?;
    for n in [1, 2] {
        ctl.run(&format!("-a -t {VIP}:80 -r {}:80 -m", real_address(n)))?;
    }
    say("The client asks four times: who answers?");
    let answers = ask(farm, 4)?;
    ensure!(answers.len() == 2, "only {answers:?} answered");
    say("What the director knows of it");
    list(ctl, "-Ln")?;
    list(ctl, "-Ln --stats")
}

fn by_weight(farm: &Farm) -> Result<()> {
    let ctl = &farm.sluiced.ctl;
    say("Weighted least connections, and nine times the weight for the first real server");
    ctl.run(&format!("-E -t {VIP}:80 -s wlc"))?;
    ctl.run(&format!("-e -t {VIP}:80 -r {}:80 -m -w 9", real_address(1)))?;
    let answers = ask(farm, 20)?;
    let [heavy, light] = ["real1", "real2"].map(|name| answers.get(name).copied().unwrap_or(0));
    ensure!(heavy > 2 * light, "the weights do not show: {answers:?}");
    list(ctl, "-Ln")
}

fn by_direct_routing(farm: &Farm) -> Result<()> {
    let (lab, ctl) = (&farm.lab, &farm.sluiced.ctl);
    say(
        "Direct routing (-g): the real servers hold the VIP on their loopback and answer the client past the director",
    );
    lab.reply_path(ReplyPath::Direct)?;
    ctl.run("-C")?;
    ctl.run(&format!("-A -t {VIP}:80 -s rr"))?;
    for n in [1, 2] {
        ctl.run(&format!("-a -t {VIP}:80 -r {}:80 -g", real_address(n)))?;
    }
    say("The client's link to the director (eth0) and its other one (back) are watched for replies");
    let replies = format!("tcp and src {VIP}");
    let through = Capture::start(lab, &lab.client, "eth0", &replies)?;
    let past = Capture::start(lab, &lab.client, "back", &replies)?;
    let answers = ask(farm, 4)?;
    ensure!(answers.len() == 2, "only {answers:?} answered");
    let (through, past) = (through.stop()?.len(), past.stop()?.len());
    println!("reply packets through the director: {through}, past it: {past}");
    ensure!(through == 0 && past > 0, "the replies do not bypass the director");
    list(ctl, "-Ln --stats")
}

/// Asks for the page `times` times, and counts who answered.
fn ask(farm: &Farm, times: usize) -> Result<BTreeMap<String, usize>> {
    let mut answers = BTreeMap::new();
    for _ in 0..times {
        let page = farm.lab.client.run(&format!("curl -s --max-time 10 http://{VIP}/"))?;
        println!("{}", bold(page.trim()));
        *answers.entry(page.trim().to_owned()).or_default() += 1;
    }
    println!("{}", bold(&format!("{answers:?}")));
    Ok(answers)
}

fn list(ctl: &Ctl, arguments: &str) -> Result<()> {
    print!("{}", ctl.run(arguments)?);
    Ok(())
}

fn leave(farm: Farm) -> Result<()> {
    say("The lab stays up. To talk to it:");
    let programs = sluice_tests::ctl::program("sluicectl")?;
    if let Some(folder) = programs.parent() {
        println!("export PATH={}:$PATH", folder.display());
    }
    println!("export SLUICE_SOCKET={}", farm.sluiced.ctl.socket().display());
    println!("sluicectl -Ln");
    println!("ip netns exec {} curl http://{VIP}/", farm.lab.client.name());
    println!("ip netns exec {} ip address", farm.lab.director.name());
    println!(
        "To remove it: make demo-clean, or run the demo again. Its files: {}",
        farm.lab.directory().display()
    );
    let Farm { sluiced, webs, lab } = farm;
    sluiced.keep();
    std::mem::forget(webs);
    lab.keep()
}

fn say(text: &str) {
    if std::io::stdout().is_terminal() {
        println!("\n\x1b[1;36m# {text}\x1b[0m");
    } else {
        println!("\n# {text}");
    }
}

fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}
