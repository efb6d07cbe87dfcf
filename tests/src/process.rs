//! A process of the lab: started in a namespace, its output in a file, killed by its own id when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command;
use crate::lease;
use crate::wait::{SOON, until};

/// A running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, one of [`Netns::command`](crate::Netns::command); what it prints goes to `DIRECTORY/NAME.log`.
    ///
    /// # Errors
    /// The program cannot be started, or the log not be created.
    pub fn start(name: &str, mut command: Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let line: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        command::show(&format!("{} &", line.join(std::ffi::OsStr::new(" ")).display()));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        lease::unless_ended(|| {
            let child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
            let mut process = Self { child, name: name.to_owned(), log };
            process.wait_until_inside()?;
            Ok(process)
        })
    }

    /// Waits until `ip` has entered the namespace: only there does the lab's removal see the process.
    fn wait_until_inside(&mut self) -> Result<()> {
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let (own, pid) = (namespace("thread-self"), self.id().to_string());
        until(&format!("{} entering its namespace", self.name), SOON, || {
            Ok((namespace(&pid) != own || self.exited()?.is_some()).then_some(()))
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, standard output and error together.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The status it exited with, if it has.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until its log holds `text`.
    ///
    /// # Errors
    /// It exits, or `limit` passes, first: the error holds the log.
    pub fn wait_for_log(&mut self, text: &str, limit: Duration) -> Result<()> {
        let waited = until(&format!("{} printing `{text}`", self.name), limit, || {
            if self.log().contains(text) {
                return Ok(Some(()));
            }
            match self.exited()? {
                Some(status) => bail!("{} ended with {status}", self.name),
                None => Ok(None),
            }
        });
        waited.with_context(|| format!("{} printed:\n{}", self.name, self.log()))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.id().cast_signed()), signal)
            .with_context(|| format!("{signal} to {}", self.name))
    }

    /// Sends it a signal and waits for its end.
    ///
    /// # Errors
    /// It does not end within `limit`: the error holds its log.
    pub fn stop(&mut self, signal: Signal, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        self.signal(signal)?;
        let what = format!("{} ending at {signal}", self.name);
        until(&what, limit, || self.exited())
            .with_context(|| format!("{} printed:\n{}", self.name, self.log()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A child that has been waited for is left alone by both calls.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
