//! A Linux kernel of its own, as a plain process: Debian's user-mode-linux on the machine's own root, read-only.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::frames::PORT_MACS;
use super::wires::Wires;
use crate::netns::Netns;
use crate::process::Process;

const INIT: &str = include_str!("guest.sh");

/// Megabytes of memory.
const MEMORY: u32 = 128;

/// How long it may take to boot, or to run one command, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends what a command prints, as the shell's prompt does; its exit status follows.
const MARK: u8 = 0x1e;

/// A running guest; killed when dropped.
#[derive(Debug)]
pub struct Guest {
    process: Process,
    shell: UnixStream,
}

impl Guest {
    /// Boots it; its two network devices `vec0` and `vec1` are the near ends of the wires that are returned.
    ///
    /// It needs no network of the machine's: frames pass through Unix sockets. `netns` is where its processes are found
    /// again if this one is killed.
    ///
    /// # Errors
    /// user-mode-linux is not installed, or does not come up: the error holds its console.
    pub fn boot(netns: &Netns, directory: &Path) -> Result<(Self, Wires)> {
        let init = directory.join("guest.sh");
        std::fs::write(&init, INIT)?;
        std::fs::set_permissions(&init, PermissionsExt::from_mode(0o755))?;
        let (wan, wan_inside) = UnixDatagram::pair()?;
        let (lan, lan_inside) = UnixDatagram::pair()?;
        let (shell, shell_inside) = UnixStream::pair()?;
        let [wan_fd, lan_fd, shell_fd] =
            [wan_inside.as_fd(), lan_inside.as_fd(), shell_inside.as_fd()].map(inherited);
        let shell_fd = shell_fd?;
        let mut line = format!(
            "linux.uml mem={MEMORY}M root=/dev/root rootfstype=hostfs rootflags=/ ro init={} panic=-1 quiet \
             uml_dir={}/ umid=guest con=null con0=null,fd:1 ssl=null ssl0=fd:{shell_fd},fd:{shell_fd}",
            init.display(),
            directory.display(),
        );
        for (number, (fd, mac)) in [wan_fd?, lan_fd?].into_iter().zip(PORT_MACS).enumerate() {
            let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
            line += &format!(" vec{number}:transport=fd,fd={fd},mac={mac},depth=64,gro=0");
        }
        let mut command = netns.command(&line);
        // Its memory is a file.
        command.env("TMPDIR", directory);
        // It has helpers, which end with it.
        command.process_group(0);
        let process = Process::start("guest", command, directory)?;
        let mut guest = Self { process, shell };
        guest.answered().with_context(|| format!("the guest's console:\n{}", guest.process.log()))?;
        Ok((guest, Wires::new(OwnedFd::from(wan), OwnedFd::from(lan))))
    }

    /// Runs a line of shell that must succeed, and returns what it printed, errors included.
    ///
    /// # Errors
    /// It exits with another status than 0, or the guest has ended.
    pub fn run(&mut self, line: &str) -> Result<String> {
        let (code, text) = self.answer(line)?;
        ensure!(code == 0, "in the guest, `{line}` exits with {code}: {}", text.trim());
        Ok(text)
    }

    /// Runs a line of shell; returns its exit status and what it printed, errors included.
    ///
    /// # Errors
    /// The guest does not answer: the error holds its console.
    pub fn answer(&mut self, line: &str) -> Result<(i32, String)> {
        self.asked(line)
            .with_context(|| format!("the guest at `{line}`; its console:\n{}", self.process.log()))
    }

    fn asked(&mut self, line: &str) -> Result<(i32, String)> {
        self.shell.write_all(format!("{line}\n").as_bytes())?;
        self.answered()
    }

    /// Reads up to the mark.
    fn answered(&mut self) -> Result<(i32, String)> {
        let end = Instant::now() + PATIENCE;
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            if let Some(mark) = text.iter().position(|&byte| byte == MARK)
                && text.ends_with(b"\n")
            {
                let code = std::str::from_utf8(&text[mark + 1..])?.trim().parse()?;
                return Ok((code, String::from_utf8_lossy(&text[..mark]).replace('\r', "")));
            }
            let left = end.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no answer within {PATIENCE:?}");
            self.shell.set_read_timeout(Some(left.min(Duration::from_millis(200))))?;
            match self.shell.read(&mut buffer) {
                Ok(0) => bail!("it has hung up"),
                Ok(length) => text.extend(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if let Some(status) = self.process.exited()? {
                        bail!("it has ended with {status}");
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = killpg(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGKILL);
    }
}

/// Lets programs that are started have this descriptor; returns its number.
fn inherited(fd: std::os::fd::BorrowedFd<'_>) -> Result<i32> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(fd.as_raw_fd())
}
