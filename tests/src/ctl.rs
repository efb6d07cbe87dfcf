//! `sluicectl`, also under ipvsadm's names, and the control socket itself.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sluice_api::request::OptionalService;
use sluice_api::{Client, RealEntry, Request, SOCKET_ENV, ServiceEntry, Status};

use crate::command;

/// The path of one of the workspace's programs: beside this one, or where `SLUICE_BIN_DIR` says.
///
/// # Errors
/// It has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let named = std::env::var_os("SLUICE_BIN_DIR").map(PathBuf::from);
    // Tests lie in a folder below the programs.
    let folders = named.iter().map(PathBuf::as_path).chain(own.ancestors().skip(1).take(2));
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is not built: `make build`"))
}

/// The control side of one daemon.
#[derive(Clone, Debug)]
pub struct Ctl {
    socket: PathBuf,
    binary: PathBuf,
}

/// What came of one command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit status; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ctl {
    /// Speaks to the daemon behind `socket`.
    ///
    /// # Errors
    /// `sluicectl` is not built.
    pub fn new(socket: &Path) -> Result<Self> {
        Ok(Self { socket: socket.to_owned(), binary: program("sluicectl")? })
    }

    /// The same program under another name, as a link in `folder`.
    ///
    /// # Errors
    /// The link cannot be made.
    pub fn named(&self, name: &str, folder: &Path) -> Result<Self> {
        let binary = folder.join(name);
        if !binary.exists() {
            symlink(&self.binary, &binary)?;
        }
        Ok(Self { socket: self.socket.clone(), binary })
    }

    /// The daemon's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs one command line and returns whatever comes of it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn answer(&self, arguments: &str) -> Result<Answer> {
        self.answer_to(arguments, "")
    }

    /// As [`answer`](Self::answer), with `input` on its standard input.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn answer_to(&self, arguments: &str, input: &str) -> Result<Answer> {
        let name = self.binary.file_name().unwrap_or_default().to_string_lossy();
        command::show(&format!("{name} {arguments}"));
        let mut command = Command::new(&self.binary);
        command.args(arguments.split_whitespace()).env(SOCKET_ENV, &self.socket);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // A program that ends before it has read all is judged by its status.
                let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
            });
            child.wait_with_output()
        })?;
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs one command line that must succeed, and returns its standard output.
    ///
    /// # Errors
    /// It exits with another status than 0; the error holds its standard error.
    pub fn run(&self, arguments: &str) -> Result<String> {
        let answer = self.answer(arguments)?;
        if answer.code != 0 {
            bail!("`sluicectl {arguments}` exits with {}: {}", answer.code, answer.stderr.trim());
        }
        Ok(answer.stdout)
    }

    /// A connection to the control socket.
    ///
    /// # Errors
    /// The daemon does not run.
    pub fn client(&self) -> Result<Client> {
        let mut client = Client::connect(&self.socket)?;
        client.set_timeout(Duration::from_secs(20))?;
        Ok(client)
    }

    /// All services.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn services(&self) -> Result<Vec<ServiceEntry>> {
        Ok(self.client()?.call(&Request::ServiceList(OptionalService::default()))?)
    }

    /// The only service there is.
    ///
    /// # Errors
    /// There is none, or more than one; the daemon does not answer.
    pub fn service(&self) -> Result<ServiceEntry> {
        let mut services = self.services()?;
        ensure!(services.len() == 1, "{} services where one was expected", services.len());
        services.pop().context("no service")
    }

    /// Real server `n` of the lab, from 1, in the only service there is.
    ///
    /// # Errors
    /// It is not listed, or as [`service`](Self::service).
    pub fn real(&self, n: usize) -> Result<RealEntry> {
        let address = crate::real_address(n);
        let service = self.service()?;
        let found = service.reals.into_iter().find(|real| real.spec.id.address == address);
        found.with_context(|| format!("real server {address} is not listed"))
    }

    /// How the dataplane fares.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn status(&self) -> Result<Status> {
        Ok(self.client()?.call(&Request::Status)?)
    }

    /// Packets dropped since the daemon's start, by reason; only reasons that were met.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn drops(&self) -> Result<std::collections::BTreeMap<String, u64>> {
        let mut drops: std::collections::BTreeMap<String, u64> = self.client()?.call(&Request::Drops)?;
        drops.retain(|_, count| *count != 0);
        Ok(drops)
    }
}
