//! A network namespace: made, entered and removed.

use std::fs::File;
use std::process::Command;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};

use crate::{command, lease};

/// Checksums and segmentation must be complete on the wire: DPDK reads whole frames, as a cable would carry them.
const OFFLOADS: &str = "tx off rx off sg off tso off gso off gro off";

/// Joins two namespaces by a veth pair, both ends up: each end is named by its namespace and device.
///
/// # Errors
/// As [`command::run`].
pub fn link(one: (&Netns, &str), other: (&Netns, &str)) -> Result<()> {
    let (peer, peer_name) = (other.0.name(), other.1);
    one.0.ip(&format!("link add {} type veth peer name {peer_name} netns {peer}", one.1))?;
    for (netns, device) in [one, other] {
        netns.run(&format!("ethtool -K {device} {OFFLOADS}"))?;
        netns.ip(&format!("link set {device} up"))?;
    }
    Ok(())
}

/// A named network namespace, removed when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes the namespace, with its loopback up and IPv6 off (its autoconfiguration would blur the packet counts).
    ///
    /// # Errors
    /// Not root, or the name is taken.
    pub fn create(name: String) -> Result<Self> {
        lease::unless_ended(|| command::run(&format!("ip netns add {name}")))?;
        let netns = Self { name };
        netns.ip("link set lo up")?;
        let off = ["all", "default"]
            .map(|scope| format!("net/ipv6/conf/{scope}/disable_ipv6=1 net/ipv4/conf/{scope}/rp_filter=0"));
        netns.sysctl(&off.join(" "))?;
        Ok(netns)
    }

    /// The name as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` with these words in the namespace; see [`command::run`].
    ///
    /// # Errors
    /// As [`command::run`].
    pub fn ip(&self, words: &str) -> Result<String> {
        command::run(&format!("ip -n {} {words}", self.name))
    }

    /// Runs a command line in the namespace; see [`command::run`].
    ///
    /// # Errors
    /// As [`command::run`].
    pub fn run(&self, line: &str) -> Result<String> {
        command::run(&format!("ip netns exec {} {line}", self.name))
    }

    /// A command to be started in the namespace: its process id is that of `line`'s program, as `ip` executes it.
    pub fn command(&self, line: &str) -> Command {
        command::command(&format!("ip netns exec {} {line}", self.name))
    }

    /// Sets kernel parameters of the namespace: `KEY=VALUE ...`, the keys as paths under /proc/sys.
    ///
    /// # Errors
    /// A parameter does not exist, or refuses the value.
    pub fn sysctl(&self, settings: &str) -> Result<()> {
        self.run(&format!("sysctl -qw {settings}")).map(drop)
    }

    /// Hides the frames of these devices from the namespace's kernel, which net_af_packet would let it see, and answer,
    /// as well.
    ///
    /// # Errors
    /// As [`command::run`].
    pub fn hide_frames(&self, devices: &[&str]) -> Result<()> {
        self.run("nft add table netdev sluice")?;
        for device in devices {
            // The ingress hook comes after packet sockets, so that DPDK still sees what the stack no longer does.
            let chain = format!("{{ type filter hook ingress device {device} priority 0 ; policy drop ; }}");
            self.run(&format!("nft add chain netdev sluice {device} {chain}"))?;
        }
        Ok(())
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets it returns stay in the namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered, or what `work` returns.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                self.enter()?;
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace, for good.
    ///
    /// # Errors
    /// The namespace is gone, or the caller is not root.
    pub fn enter(&self) -> Result<()> {
        let path = format!("/run/netns/{}", self.name);
        let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {path}"))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // Already gone is what was wanted; anything else is swept up by the next lab.
        let _ = command::output(&format!("ip netns del {}", self.name));
    }
}
