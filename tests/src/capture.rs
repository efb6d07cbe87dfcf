//! Packets counted on a wire: tcpdump writes them to a file, this reads it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::netns::Netns;
use crate::process::Process;
use crate::topology::Lab;
use crate::wait::{SOON, until};

/// A wire is taken as quiet once nothing was captured for this long.
const QUIET: Duration = Duration::from_millis(300);

/// How many captures this process has started: two may watch one device.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Process,
    file: PathBuf,
}

/// The first bytes of one captured frame, from its Ethernet header on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub Vec<u8>);

impl Frame {
    /// The total length field of the IPv4 packet in it; 0 for anything else.
    pub fn ipv4_bytes(&self) -> u64 {
        match self.0.get(12..18) {
            Some([0x08, 0x00, _, _, high, low]) => u64::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        }
    }
}

impl Capture {
    /// Captures what matches `filter` (tcpdump's language) on a device; running when this returns.
    ///
    /// A veth shows what its own namespace sends through DPDK only at its other end: capture there.
    ///
    /// # Errors
    /// tcpdump is missing, or refuses the device or the filter.
    pub fn start(lab: &Lab, netns: &Netns, device: &str, filter: &str) -> Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{device}-tcpdump{number}", netns.name());
        let file = lab.directory().join(format!("{name}.pcap"));
        let line = format!(
            "tcpdump -i {device} -n -U --immediate-mode -B 65536 -s 128 -w {} {filter}",
            file.display()
        );
        let mut tcpdump = Process::start(&name, netns.command(&line), lab.directory())?;
        tcpdump.wait_for_log("listening on", SOON)?;
        Ok(Self { tcpdump, file })
    }

    /// Waits until the wire is quiet, and returns what was captured.
    ///
    /// # Errors
    /// The wire does not fall quiet; tcpdump or the kernel missed packets, so that the count would be a guess.
    pub fn stop(mut self) -> Result<Vec<Frame>> {
        let mut seen = (0, Instant::now());
        until("a quiet wire", SOON, || {
            let length = std::fs::metadata(&self.file)?.len();
            if length != seen.0 {
                seen = (length, Instant::now());
            }
            Ok((seen.1.elapsed() > QUIET).then_some(()))
        })?;
        self.tcpdump.stop(Signal::SIGINT, SOON)?;
        let log = self.tcpdump.log();
        ensure!(log.contains("\n0 packets dropped by kernel"), "tcpdump missed packets: {log}");
        let bytes = std::fs::read(&self.file)?;
        let frames = read(&bytes).with_context(|| self.file.display().to_string())?;
        ensure!(
            log.contains(&format!("{} packet", frames.len())),
            "{} frames in the file, but: {log}",
            frames.len()
        );
        Ok(frames)
    }
}

/// Reads a capture file of this machine's byte order (the classic format: a header of 24 bytes, one of 16 per frame).
fn read(bytes: &[u8]) -> Result<Vec<Frame>> {
    ensure!(bytes.starts_with(&0xa1b2_c3d4_u32.to_ne_bytes()), "not a capture file");
    let mut rest = bytes.get(24..).context("a cut-off file header")?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (Some(length), Some(body)) = (rest.get(8..12), rest.get(16..)) else {
            bail!("a cut-off frame header")
        };
        let length = usize::try_from(u32::from_ne_bytes(length.try_into()?))?;
        frames.push(Frame(body.get(..length).context("a cut-off frame")?.to_vec()));
        rest = &body[length..];
    }
    Ok(frames)
}
