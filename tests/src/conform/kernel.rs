//! The kernel's IPVS, in a guest.

use std::path::Path;

use anyhow::{Context, Result};

use super::balancer::{Answer, Balancer, STACK, network};
use super::guest::Guest;
use super::wires::{Port, Wires};
use crate::netns::Netns;

/// Ends the input of a command in the guest's shell.
const END: &str = "END-OF-INPUT";

/// Unloads IPVS with all its connections; nothing else does away with those.
const UNLOAD: &str = "ipvsadm -C; iptables-legacy -t mangle -F PREROUTING; \
                      for module in $(sed -n 's/^\\(ip_vs_[a-z_]*\\) .*/\\1/p' /proc/modules) ip_vs; \
                      do rmmod $module || exit; done; /tmp/modprobe ip_vs";

/// The kernel's IPVS between two wires.
#[derive(Debug)]
pub struct Kernel {
    guest: Guest,
    wires: Wires,
}

impl Kernel {
    /// Boots a guest and sets up its network.
    ///
    /// # Errors
    /// As [`Guest::boot`]; the guest's kernel has no IPVS.
    pub fn boot(netns: &Netns, directory: &Path) -> Result<Self> {
        let (mut guest, wires) = Guest::boot(netns, directory)?;
        guest.run("/tmp/modprobe -a ipv6 ip_vs iptable_mangle xt_mark")?;
        guest.run(&format!("sysctl -qw {STACK} net.ipv6.conf.all.disable_ipv6=1"))?;
        for (device, name) in [("vec0", "sl-wan"), ("vec1", "sl-lan")] {
            guest.run(&format!("ip link set {device} name {name} up"))?;
        }
        guest.run(&format!("ip -batch - <<'{END}'\n{}{END}", network()))?;
        let mut kernel = Self { guest, wires };
        kernel.wires.settle(Port::Wan)?;
        Ok(kernel)
    }

    /// Which kernel it is.
    ///
    /// # Errors
    /// The guest does not answer.
    pub fn version(&mut self) -> Result<String> {
        Ok(self.guest.run("uname -r")?.trim().to_owned())
    }
}

impl Balancer for Kernel {
    fn reset(&mut self) -> Result<()> {
        self.guest.run(&format!("({UNLOAD})"))?;
        self.wires.settle(Port::Wan).map(drop)
    }

    fn wires(&mut self) -> &mut Wires {
        &mut self.wires
    }

    fn ipvsadm(&mut self, words: &str, input: &str) -> Result<Answer> {
        let words: String = words.split_whitespace().map(|word| format!(" '{word}'")).collect();
        let (code, text) = self.guest.answer(&format!("ipvsadm{words} <<'{END}'\n{input}{END}"))?;
        Ok(Answer { code, text })
    }

    fn switch(&mut self, setting: &str) -> Result<()> {
        self.guest.run(&format!("sysctl -qw 'net.ipv4.vs.{setting}'")).map(drop)
    }

    fn mark(&mut self, words: &str, mark: u32) -> Result<()> {
        let rule =
            format!("iptables-legacy -t mangle -A PREROUTING -i sl-wan {words} -j MARK --set-mark {mark}");
        self.guest.run(&rule).map(drop).context("a mark")
    }
}
