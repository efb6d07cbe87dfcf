//! A place for a daemon of its own: configuration, socket and state in a folder, on devices that need no root.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sluice_api::{Client, Request, Version};

/// A place for one daemon's files.
pub(crate) struct Place(pub(crate) tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A configuration that needs neither root nor huge pages; `port` is appended to its one port.
    pub(crate) fn config(&self, port: &str) -> String {
        format!(
            "[lcores]\nworkers = [0]\nidle = \"sleep\"\n[memory]\nno_huge = true\nmegabytes = 128\nmbufs = 4096\n\
             [control]\nsocket = \"{}\"\n[state]\nfile = \"{}\"\n[tables]\nflows = 4096\nreals = 64\n\
             [[ports]]\nname = \"wan\"\n{port}\n",
            self.path("control.sock").display(),
            self.path("state.json").display()
        )
    }

    pub(crate) fn command(&self, config: &str) -> Command {
        let file = self.path("sluice.toml");
        std::fs::write(&file, config).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluiced"));
        command.arg("--config").arg(file).args(["--log", "error"]).stderr(Stdio::piped());
        command
    }

    /// Runs a daemon that must not start; its one line.
    pub(crate) fn refused(&self, config: &str) -> String {
        refusal(&self.command(config).output().expect("runs"))
    }

    pub(crate) fn start(&self) -> Daemon {
        self.start_with(NULL)
    }

    pub(crate) fn start_with(&self, port: &str) -> Daemon {
        let mut child = self.command(&self.config(port)).spawn().expect("runs");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = Client::connect(&self.path("control.sock"))
                .and_then(|mut client| client.call::<Version>(&Request::Version));
            if answer.is_ok() {
                return Daemon(child);
            }
            if let Some(status) = child.try_wait().expect("waited") {
                panic!("ended with {status}: {}", stderr(&mut child));
            }
            assert!(Instant::now() < deadline, "does not answer: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.path("control.sock")).expect("connected")
    }
}

/// A device that neither receives nor sends.
pub(crate) const NULL: &str = "device = \"net_null0,no-rx=1\"\ntwin = false";

/// A running daemon; killed when dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn end(mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).expect("signalled");
        self.0.wait().expect("waited")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(pipe) = &mut child.stderr {
        pipe.read_to_string(&mut text).expect("read");
    }
    text
}

/// The one line of a daemon that did not start.
pub(crate) fn refusal(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    text.trim_end().strip_prefix("sluiced: ").unwrap_or_else(|| panic!("no name in front: {text}")).to_owned()
}
