//! A program under test: started with its output watched, ended whatever happens.
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::interrupt;

/// Lines of output that an error quotes.
const QUOTED: usize = 20;

/// A running program. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    pub(crate) child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Starts `command`, whose standard output and error are read line by line.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (sender, lines) = channel();
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
            child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>),
        ];
        for output in outputs.into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self { name, child, lines, seen: Vec::new() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that `wanted` makes something of, within `time`.
    pub(crate) fn await_line<T>(
        &mut self,
        time: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let end = Instant::now() + time;
        loop {
            interrupt::check()?;
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    let found = wanted(&line);
                    self.seen.push(line);
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failed(&format!("did not say what was waited for within {time:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed("ended")),
            }
        }
    }

    /// Fails if the program has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().context("cannot ask after a child")? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended with {status}"))),
        }
    }

    /// An error that tells what happened to the program, and what it said last.
    pub(crate) fn failed(&mut self, what: &str) -> Error {
        // What is on its way still comes.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(50)) {
            self.seen.push(line);
        }
        let from = self.seen.len().saturating_sub(QUOTED);
        let said: String = self.seen[from..].iter().map(|line| format!("\n    {line}")).collect();
        anyhow!("{} {what}{said}", self.name)
    }

    /// Waits for the program to end well by itself, within `time`.
    pub(crate) fn succeed(&mut self, time: Duration) -> Result<()> {
        match self.wait(time)? {
            status if status.success() => Ok(()),
            status => Err(self.failed(&format!("ended with {status}"))),
        }
    }

    fn wait(&mut self, time: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().context("cannot ask after a child")? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(self.failed(&format!("did not end within {time:?}")))
    }

    /// Asks the program to end (SIGTERM) and waits for it.
    pub(crate) fn terminate(&mut self, time: Duration) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid()).context("a process number")?);
        kill(pid, Signal::SIGTERM).with_context(|| format!("cannot signal {}", self.name))?;
        self.succeed(time)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill, and the wait returns at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
