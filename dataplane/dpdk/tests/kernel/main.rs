//! Ports over kernel interfaces: net_af_packet on a veth pair and net_tap, in a network namespace of the program's own.
//!
//! Runs as root, or as anyone where user namespaces are allowed: what it makes vanishes with it.
#[path = "../support/mod.rs"]
mod support;

mod ports;
mod rules;

use std::process::{Command, ExitCode};
use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use support::Lab;

fn main() -> ExitCode {
    enter_namespace().expect("namespaces: run as root, or allow user namespaces");
    ip("link set lo up");
    support::run(&Lab::new(), &[ports::CASES, rules::CASES].concat())
}

/// Before any thread is started, as only a program of one thread may enter a user namespace.
fn enter_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        return Ok(unshare(CloneFlags::CLONE_NEWNET)?);
    }
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    // As root in there, so that the programs started from here keep their capabilities.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Runs `ip` in the program's namespace and returns what it wrote.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
