//! The namespaces, links, addresses and routes of the lab.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Result;

use crate::lease::Lease;
use crate::netns::{self, Netns};

/// The client's address.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
/// The director's address towards the client.
pub const DIRECTOR: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
/// The virtual address of the services.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 100);

/// How many real servers there are.
pub const REALS: usize = 2;

/// The address of real server `n`, from 1.
pub fn real_address(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 2, 0, 10 + u8::try_from(n).unwrap_or(u8::MAX - 10))
}

/// The way the reals' replies take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyPath {
    /// Through the director, which NAT needs.
    Director,
    /// Straight to the client's second link, as under DR.
    Direct,
}

/// The lab; see the crate's page for a drawing.
#[derive(Debug)]
pub struct Lab {
    /// The client: `eth0` towards the director, `back` on the reals' segment.
    pub client: Netns,
    /// The director: veths `wan` and `lan`, the twins beside them.
    pub director: Netns,
    /// The reals' segment: the bridge `br0` with ports `dir`, `cl`, `r1`, `r2`.
    pub switch: Netns,
    /// The real servers.
    pub reals: Vec<Netns>,
    // Last: the namespaces go first, then the right to make new ones.
    lease: Lease,
}

impl Lab {
    /// Waits for its turn, and builds the lab; replies take the director's way.
    ///
    /// # Errors
    /// Not root, or a tool is missing or refuses; the error names the command.
    pub fn new() -> Result<Self> {
        let lease = Lease::take()?;
        let netns = |role: &str| Netns::create(lease.namespace(role));
        let lab = Self {
            client: netns("client")?,
            director: netns("director")?,
            switch: netns("switch")?,
            reals: (1..=REALS).map(|n| netns(&format!("real{n}"))).collect::<Result<_>>()?,
            lease,
        };
        lab.links()?;
        lab.addresses()?;
        lab.reply_path(ReplyPath::Director)?;
        Ok(lab)
    }

    /// The directory for the run's files; it is removed with the lab.
    pub fn directory(&self) -> &Path {
        self.lease.directory()
    }

    /// Leaves all in place when the lab is dropped, until [`crate::lease::remove_all`] or a reboot.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn keep(mut self) -> Result<()> {
        self.lease.keep()?;
        let Self { client, director, switch, reals, .. } = self;
        for netns in reals.into_iter().chain([client, director, switch]) {
            std::mem::forget(netns);
        }
        Ok(())
    }

    /// Real server `n`, from 1.
    pub fn real(&self, n: usize) -> &Netns {
        &self.reals[n - 1]
    }

    /// Sends the reals' replies through the director, or past it with the VIP on each real's loopback.
    ///
    /// # Errors
    /// As [`crate::command::run`].
    pub fn reply_path(&self, path: ReplyPath) -> Result<()> {
        for real in &self.reals {
            match path {
                ReplyPath::Director => {
                    real.ip("addr flush dev lo to 10.1.0.100/32")?;
                    real.ip("route replace default via 10.2.0.1")?;
                    real.ip("route flush 10.1.0.0/24")?;
                }
                ReplyPath::Direct => {
                    // The reals hold the VIP, and must never answer an ARP request for it.
                    real.sysctl("net/ipv4/conf/all/arp_ignore=1 net/ipv4/conf/all/arp_announce=2")?;
                    real.ip(&format!("addr replace {VIP}/32 dev lo"))?;
                    real.ip("route replace 10.1.0.0/24 via 10.2.0.2")?;
                }
            }
        }
        Ok(())
    }

    fn links(&self) -> Result<()> {
        self.switch.ip("link add br0 type bridge")?;
        self.switch.ip("link set br0 up")?;
        netns::link((&self.director, "wan"), (&self.client, "eth0"))?;
        netns::link((&self.director, "lan"), (&self.switch, "dir"))?;
        netns::link((&self.client, "back"), (&self.switch, "cl"))?;
        for (n, real) in (1..).zip(&self.reals) {
            netns::link((real, "eth0"), (&self.switch, &format!("r{n}")))?;
        }
        for port in ["dir", "cl", "r1", "r2"] {
            self.switch.ip(&format!("link set {port} master br0"))?;
        }
        Ok(())
    }

    fn addresses(&self) -> Result<()> {
        self.client.ip(&format!("addr add {CLIENT}/24 dev eth0"))?;
        self.client.ip("addr add 10.2.0.2/24 dev back")?;
        for (n, real) in (1..).zip(&self.reals) {
            real.ip(&format!("addr add {}/24 dev eth0", real_address(n)))?;
        }
        Ok(())
    }
}
