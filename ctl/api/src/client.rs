//! A blocking client of the control socket.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::error::RpcError;
use crate::framing::{LineBuffer, LineTooLong, MAX_REPLY, MAX_REQUEST};
use crate::request::Request;
use crate::rpc::{self, Id, Incoming};

/// How long a call may take unless [`Client::set_timeout`] says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why no reply could be had. A refusal by the daemon is [`ClientError::Refused`]; after any other error the
/// connection is of no more use.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "sluiced is not running at {path}: start it (systemctl start sluiced), or name its socket with --socket or SLUICE_SOCKET"
    )]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's owner does not let this user in.
    #[error("no permission to use {path}: be root or a member of the socket's group")]
    Permission {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon did not answer in time.
    #[error("sluiced at {path} did not answer within {} s", .timeout.as_secs_f32())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// The time allowed.
        timeout: Duration,
    },
    /// The daemon went away before it answered.
    #[error("sluiced at {path} closed the connection without an answer: see its log")]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// Any other fault of the socket.
    #[error("socket {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was to be sent is over [`MAX_REQUEST`].
    #[error("a request of {size} bytes; sluiced takes {MAX_REQUEST} at most")]
    RequestTooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// The answer is over [`MAX_REPLY`].
    #[error("the reply is {0}")]
    ReplyTooLong(#[from] LineTooLong),
    /// The answer is not understood: most likely another version.
    #[error("the reply of sluiced is not understood ({0}): is it of this version?")]
    Reply(String),
    /// The daemon understood and refused.
    #[error(transparent)]
    Refused(#[from] RpcError),
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
    timeout: Duration,
    lines: LineBuffer,
    next_id: i64,
}

impl Client {
    /// Connects to the daemon's socket.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], [`ClientError::Permission`] or [`ClientError::Io`].
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|source| connect_error(path, source))?;
        let mut client = Self {
            stream,
            path: path.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            lines: LineBuffer::new(MAX_REPLY),
            next_id: 1,
        };
        client.set_timeout(DEFAULT_TIMEOUT)?;
        Ok(client)
    }

    /// Sets how long a write, and each wait for more of a reply, may take; not zero.
    ///
    /// # Errors
    /// [`ClientError::Io`] for a timeout the system does not take.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.stream.set_read_timeout(Some(timeout)).map_err(|e| self.io_error(e))?;
        self.stream.set_write_timeout(Some(timeout)).map_err(|e| self.io_error(e))?;
        self.timeout = timeout;
        Ok(())
    }

    /// Sends a request and waits for its reply, of the type [`Request`] names for it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the daemon's reason; the others when no reply could be had.
    pub fn call<R: DeserializeOwned>(&mut self, request: &Request) -> Result<R, ClientError> {
        let id = self.take_id();
        let line = self.exchange(rpc::request(&Id::Number(id), request))?;
        let incoming = serde_json::from_slice(&line).map_err(|e| ClientError::Reply(e.to_string()))?;
        Ok(outcome(incoming, id)??)
    }

    /// Sends many requests on one line; the daemon carries them out in order, going on after a refusal. The
    /// outcomes are in the order of the requests, whose replies must be of one type.
    ///
    /// # Errors
    /// When no reply could be had; a refusal is the outcome of its request.
    pub fn batch<R: DeserializeOwned>(
        &mut self,
        requests: &[Request],
    ) -> Result<Vec<Result<R, RpcError>>, ClientError> {
        let first = self.next_id;
        let encoded: Vec<_> = requests.iter().map(|r| rpc::request(&Id::Number(self.take_id()), r)).collect();
        let Some(message) = rpc::batch(encoded) else { return Ok(Vec::new()) };
        let line = self.exchange(message)?;
        if line.first() == Some(&b'{') {
            // One object answers a batch that was refused as a whole.
            let whole: Incoming<serde::de::IgnoredAny> =
                serde_json::from_slice(&line).map_err(|e| ClientError::Reply(e.to_string()))?;
            let error = whole.error.map_or_else(|| ClientError::Reply("no batch".to_owned()), Into::into);
            return Err(error);
        }
        let replies: Vec<Incoming<R>> =
            serde_json::from_slice(&line).map_err(|e| ClientError::Reply(e.to_string()))?;
        in_order(replies, first, requests.len())
    }

    fn take_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn exchange(&mut self, mut message: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        if message.len() > MAX_REQUEST {
            return Err(ClientError::RequestTooLong { size: message.len() });
        }
        message.push(b'\n');
        self.stream.write_all(&message).map_err(|e| self.io_error(e))?;
        let mut chunk = [0; 64 << 10];
        loop {
            if let Some(line) = self.lines.next_line()? {
                return Ok(line);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Closed { path: self.path.clone() }),
                Ok(n) => self.lines.extend(chunk.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io_error(e)),
            }
        }
    }

    fn io_error(&self, source: io::Error) -> ClientError {
        let path = self.path.clone();
        match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                ClientError::TimedOut { path, timeout: self.timeout }
            }
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => ClientError::Closed { path },
            _ => ClientError::Io { path, source },
        }
    }
}

fn connect_error(path: &Path, source: io::Error) -> ClientError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning { path },
        ErrorKind::PermissionDenied => ClientError::Permission { path },
        _ => ClientError::Io { path, source },
    }
}

fn outcome<R>(incoming: Incoming<R>, id: i64) -> Result<Result<R, RpcError>, ClientError> {
    match (incoming.result, incoming.error) {
        // What could not be understood is answered with a null id.
        (None, Some(error)) if incoming.id == Id::Number(id) || incoming.id == Id::Null => Ok(Err(error)),
        (Some(result), None) if incoming.id == Id::Number(id) => Ok(Ok(result)),
        (Some(_), None) | (None, Some(_)) => {
            Err(ClientError::Reply(format!("id {:?} where {id} was asked", incoming.id)))
        }
        _ => Err(ClientError::Reply("neither result nor error, or both".to_owned())),
    }
}

/// A server may answer a batch in any order (JSON-RPC 2.0, section 6).
fn in_order<R>(
    replies: Vec<Incoming<R>>,
    first: i64,
    count: usize,
) -> Result<Vec<Result<R, RpcError>>, ClientError> {
    let mut slots: Vec<Option<Result<R, RpcError>>> = std::iter::repeat_with(|| None).take(count).collect();
    for reply in replies {
        let Id::Number(id) = reply.id else {
            return Err(ClientError::Reply(format!("id {:?} in a batch", reply.id)));
        };
        let slot =
            id.checked_sub(first).and_then(|at| usize::try_from(at).ok()).and_then(|at| slots.get_mut(at));
        let Some(slot @ None) = slot else {
            return Err(ClientError::Reply(format!("id {id} was not asked, or is answered twice")));
        };
        *slot = Some(outcome(reply, id)?);
    }
    slots
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| ClientError::Reply("a batch half answered".to_owned()))
}
