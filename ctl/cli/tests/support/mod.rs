//! A control socket with scripted answers, and runs of the real binary under any of its names.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod table;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use sluice_api::rpc::{self, Message};
use sluice_api::{Call, Rejected, Reply, Request, RpcError};
use tempfile::TempDir;

/// What a run gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: i32,
}

impl Ran {
    pub(crate) fn ok(stdout: &str) -> Self {
        Self { stdout: stdout.to_owned(), stderr: String::new(), exit: 0 }
    }

    pub(crate) fn failed(stderr: &str, exit: i32) -> Self {
        Self { stdout: String::new(), stderr: stderr.to_owned(), exit }
    }
}

type Answer = dyn Fn(&Request) -> Result<Reply, RpcError> + Send + Sync;

/// A daemon that answers what it is told to, and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) socket: PathBuf,
    /// One entry a line received: a batch is one.
    pub(crate) lines: Arc<Mutex<Vec<Vec<Request>>>>,
    _dir: TempDir,
}

impl Server {
    pub(crate) fn start(
        answer: impl Fn(&Request) -> Result<Reply, RpcError> + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer): (_, Arc<Answer>) = (Arc::clone(&lines), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream.unwrap(), &seen, &*answer));
            }
        });
        Self { socket, lines, _dir: dir }
    }

    /// Every request in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lines.lock().unwrap().iter().flatten().cloned().collect()
    }

    pub(crate) fn run(&self, name: &str, words: &[&str], input: &str) -> Ran {
        run_at(&self.socket, name, words, input)
    }

    /// As ipvsadm, words split at blanks.
    pub(crate) fn ipvsadm(&self, line: &str) -> Ran {
        self.run("ipvsadm", &line.split_whitespace().collect::<Vec<_>>(), "")
    }
}

fn serve(stream: UnixStream, seen: &Mutex<Vec<Vec<Request>>>, answer: &Answer) {
    let mut out = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let one = |call: Result<Call, Rejected>| match call {
            Ok(call) => {
                seen.lock().unwrap().last_mut().unwrap().push(call.request.clone());
                rpc::reply(&call.id.unwrap(), &answer(&call.request))
            }
            Err(rejected) => rpc::reply::<()>(&rejected.id.unwrap(), &Err(rejected.error)),
        };
        seen.lock().unwrap().push(Vec::new());
        let mut reply = match rpc::decode(line.as_bytes()) {
            Message::One(call) => one(call),
            Message::Batch(calls) => rpc::batch(calls.into_iter().map(one)).unwrap(),
        };
        reply.push(b'\n');
        if out.write_all(&reply).is_err() {
            return;
        }
    }
}

/// Runs the binary as `name` with a socket.
pub(crate) fn run_at(socket: &std::path::Path, name: &str, words: &[&str], input: &str) -> Ran {
    let mut child = command(name).env("SLUICE_SOCKET", socket).args(words).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A program that fails early does not read its input, which is no fault of the test's.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        exit: output.status.code().unwrap(),
    }
}

/// Runs the binary where no daemon is: what fails validation must not get that far.
pub(crate) fn run_alone(name: &str, words: &[&str]) -> Ran {
    run_at(std::path::Path::new("/nonexistent/sluice.sock"), name, words, "")
}

/// The binary under a name, all streams piped.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
    command.arg0(name).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A listing as the reference writes it: `·` for a blank that would not be seen at the end of a line.
pub(crate) fn shown(text: &str) -> String {
    text.replace('·', " ")
}
