//! The two wires of a balancer under test: frames in, and what comes out of it, in a fixed order.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};

use super::frames::{DIRECTORS, PORT_MACS};

/// The shortest frame that a cable carries, without its check sequence.
const SHORTEST: usize = 60;

/// How long a fence may take before another is sent, and how many are: a machine may be busy, but not for ever.
const PATIENCE: Duration = Duration::from_secs(2);
const FENCES: usize = 10;

/// One of the balancer's two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// Towards the clients.
    Wan,
    /// Towards the real servers.
    Lan,
}

impl Port {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Wan, Self::Lan];

    /// The port's name in the laboratory.
    pub fn name(self) -> &'static str {
        ["wan", "lan"][self as usize]
    }
}

/// A frame, and the port that it left the balancer by.
pub type Out = (Port, Vec<u8>);

/// The far ends of both wires.
///
/// What a balancer makes of a frame is told from what it makes of the next by a *fence*: an ARP request that follows the
/// frame into each port. Its answer follows all that the frame has caused.
#[derive(Debug)]
pub struct Wires {
    ends: [OwnedFd; 2],
    /// Told from earlier ones by its number.
    fence: u16,
    out: Vec<Out>,
    answered: BTreeSet<(Port, u16)>,
}

impl Wires {
    /// Takes the far ends of both wires: sockets on which a message is a frame.
    pub fn new(wan: OwnedFd, lan: OwnedFd) -> Self {
        Self { ends: [wan, lan], fence: 0, out: Vec::new(), answered: BTreeSet::new() }
    }

    /// A socket for all frames of a device in the calling thread's namespace.
    ///
    /// # Errors
    /// Not root, or there is no such device.
    pub fn on_device(device: &str) -> Result<OwnedFd> {
        let end = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
            .context("a packet socket")?;
        let address = getifaddrs()?
            .filter(|interface| interface.interface_name == device)
            .find_map(|interface| interface.address?.as_link_addr().copied())
            .with_context(|| format!("no device {device}"))?;
        bind(end.as_raw_fd(), &address).with_context(|| format!("a packet socket on {device}"))?;
        Ok(end)
    }

    /// Sends a frame into a port, and returns all that came out until the balancer had dealt with it, by port.
    ///
    /// # Errors
    /// The balancer answers no fence.
    pub fn exchange(&mut self, port: Port, frame: &[u8]) -> Result<Vec<Out>> {
        self.send(port, frame)?;
        self.settle(port)
    }

    /// Waits until the balancer has dealt with all that it was sent, and returns what came out, by port. `first` is the
    /// port that was sent to last.
    ///
    /// # Errors
    /// The balancer answers no fence.
    pub fn settle(&mut self, first: Port) -> Result<Vec<Out>> {
        let other = Port::ALL[1 - first as usize];
        for port in [first, other] {
            self.fence(port)?;
        }
        let mut out = std::mem::take(&mut self.out);
        out.sort_by_key(|(port, _)| *port);
        Ok(out)
    }

    fn fence(&mut self, port: Port) -> Result<()> {
        for _ in 0..FENCES {
            self.fence = self.fence.wrapping_add(1);
            self.send(port, &probe(port, self.fence))?;
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end {
                self.receive()?;
                if self.answered.remove(&(port, self.fence)) {
                    return Ok(());
                }
            }
        }
        anyhow::bail!("no ARP reply on {} within {:?}", port.name(), PATIENCE * FENCES as u32)
    }

    fn send(&self, port: Port, frame: &[u8]) -> Result<()> {
        let mut frame = frame.to_vec();
        frame.resize(frame.len().max(SHORTEST), 0);
        let sent = send(self.ends[port as usize].as_raw_fd(), &frame, MsgFlags::empty())
            .with_context(|| format!("{} bytes into {}", frame.len(), port.name()))?;
        ensure!(sent == frame.len(), "{sent} of {} bytes went into {}", frame.len(), port.name());
        Ok(())
    }

    /// Takes what has come out, waiting a moment for the first.
    fn receive(&mut self) -> Result<()> {
        let mut ready = self.ends.each_ref().map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
        match poll(&mut ready, PollTimeout::from(100_u8)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
        let mut buffer = [0; 65536];
        for port in Port::ALL {
            loop {
                match recv(self.ends[port as usize].as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                    Ok(length) => self.take(port, &buffer[..length]),
                    Err(Errno::EAGAIN) => break,
                    Err(error) => return Err(error).context(port.name()),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, port: Port, frame: &[u8]) {
        if let [2, 0xfe, 0, 0, high, low, ..] = *frame {
            self.answered.insert((port, u16::from_be_bytes([high, low])));
        } else if is_subject(frame) {
            self.out.push((port, frame.to_vec()));
        }
    }
}

/// An ARP probe (RFC 5227) for the director's address on the port: it is answered and leaves no trace.
fn probe(port: Port, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let sender = [2, 0xfe, 0, 0, high, low];
    let mut frame = Vec::with_capacity(SHORTEST);
    frame.extend(PORT_MACS[port as usize]);
    frame.extend(sender);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(sender);
    frame.extend([0; 4 + 6]);
    frame.extend(DIRECTORS[port as usize].octets());
    frame
}

/// Whether a frame is of those that are compared: IP for one host, not what kernels say for themselves.
fn is_subject(frame: &[u8]) -> bool {
    let to_one = frame.first().is_some_and(|first| first & 1 == 0);
    to_one && matches!(frame.get(12..14), Some([0x08, 0x00] | [0x86, 0xdd]))
}
