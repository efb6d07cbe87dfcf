//! One run of the tool: who it is, its streams and its connection to the daemon.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use sluice_api::{Applied, Client, ClientError, Request, RpcError};

use crate::failure::{Dialect, Failure};
use crate::options::Command;

/// The state of a run.
pub(crate) struct Session {
    /// What the tool was called as; messages quote it whole.
    pub(crate) program: String,
    pub(crate) dialect: Dialect,
    /// sluicectl's `--json`, given before the line's first option.
    pub(crate) json: bool,
    pub(crate) out: BufWriter<Stdout>,
    socket: PathBuf,
    client: Option<Client>,
}

impl Session {
    pub(crate) fn new(program: String, dialect: Dialect, socket: Option<PathBuf>, json: bool) -> Self {
        let socket = sluice_api::socket_path(socket);
        Self { program, dialect, json, out: BufWriter::new(io::stdout()), socket, client: None }
    }

    /// Takes over what a line says of its own.
    pub(crate) fn override_with(&mut self, socket: Option<PathBuf>, json: bool) {
        self.json |= json;
        if let Some(socket) = socket
            && socket != self.socket
        {
            self.socket = socket;
            self.client = None;
        }
    }

    /// Asks; `command` decides the words of a refusal.
    pub(crate) fn ask<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        command: Command,
    ) -> Result<R, Failure> {
        let dialect = self.dialect;
        self.ask_raw(request).map_err(|error| Failure::client(error, command, dialect))
    }

    /// Asks, with the error as it is.
    pub(crate) fn ask_raw<R: DeserializeOwned>(&mut self, request: &Request) -> Result<R, ClientError> {
        self.client()?.call(request)
    }

    /// Asks for a change, and prints what the daemon has to say about it.
    pub(crate) fn change(&mut self, request: &Request, command: Command) -> Result<(), Failure> {
        let applied: Applied = self.ask(request, command)?;
        self.warn(&applied)
    }

    /// Asks for many changes at once.
    pub(crate) fn changes(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<Applied, RpcError>>, Failure> {
        let dialect = self.dialect;
        let outcomes = self.client().and_then(|client| client.batch(requests));
        outcomes.map_err(|error| match error {
            ClientError::Refused(error) => Failure::Run { text: error.message, exit: 2 },
            other => Failure::unreachable(&other, dialect),
        })
    }

    pub(crate) fn warn(&mut self, applied: &Applied) -> Result<(), Failure> {
        for warning in &applied.warnings {
            self.complain(&format!("warning: {warning}"))?;
        }
        Ok(())
    }

    /// A line on standard error, after all that standard output was given before it.
    pub(crate) fn complain(&mut self, text: &str) -> Result<(), Failure> {
        self.out.flush()?;
        // With standard error gone, the work and the exit status are no less.
        let _ = writeln!(io::stderr(), "{text}");
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, ClientError> {
        match &mut self.client {
            Some(client) => Ok(client),
            none => Ok(none.insert(Client::connect(&self.socket)?)),
        }
    }
}
