//! Raw frames onto a wire, broken ones too.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::netns::Netns;
use crate::process::Process;
use crate::topology::Lab;
use crate::wait::{SOON, until};

/// A way onto the wire behind one device: socat turns each datagram on a Unix socket into one frame.
#[derive(Debug)]
pub struct Injector {
    _socat: Process,
    socket: UnixDatagram,
    path: PathBuf,
}

impl Injector {
    /// Opens the way out of `device`.
    ///
    /// # Errors
    /// socat is missing or refuses the device.
    pub fn start(lab: &Lab, netns: &Netns, device: &str) -> Result<Self> {
        let path = lab.directory().join(format!("{device}.inject"));
        let line = format!("socat -u UNIX-RECV:{} INTERFACE:{device}", path.display());
        let socat = Process::start(&format!("{device}-socat"), netns.command(&line), lab.directory())?;
        let socket = UnixDatagram::unbound()?;
        until("socat listening", SOON, || Ok(socket.connect(&path).is_ok().then_some(())))
            .with_context(|| socat.log())?;
        Ok(Self { _socat: socat, socket, path })
    }

    /// Sends one frame, from its Ethernet header on: at least 15 bytes, or the kernel refuses it.
    ///
    /// # Errors
    /// socat has ended.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.socket.send(frame).with_context(|| format!("cannot send to {}", self.path.display()))?;
        Ok(())
    }
}
