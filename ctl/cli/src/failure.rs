//! How a run fails: the line for standard error, the exit status, and whether a restore goes on.

use std::io;

use sluice_api::{ClientError, ErrorCode, RpcError};

use crate::options::Command;

/// Under which name the tool was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As ipvsadm: its words exactly.
    Ipvsadm,
    /// As sluicectl: ipvsadm's syntax, with options and words of our own.
    Sluicectl,
}

/// Exit status of a popt error, of try-help and of a refused change (-1 in C).
pub(crate) const EXIT_MINUS_ONE: u8 = 255;

/// Why a line was not carried out, or not wholly.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Reported; a restore goes on with the next line.
    Line {
        /// For standard error.
        text: String,
        /// The status, should this be the last line.
        exit: u8,
    },
    /// Ends the run, also that of a restore.
    Run {
        /// For standard error.
        text: String,
        /// The status.
        exit: u8,
    },
    /// Standard output could not be written.
    Output(io::Error),
}

impl Failure {
    /// The tool's own validation.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Run { text: text.into(), exit: 2 }
    }

    /// What has no command to begin with.
    pub(crate) fn try_help(program: &str) -> Self {
        let text = format!("Try `{program} -h' or '{program} --help' for more information.");
        Self::Run { text, exit: EXIT_MINUS_ONE }
    }

    /// The daemon could not be asked, or said no. Refused changes end a line, refused listings the run.
    pub(crate) fn client(error: ClientError, command: Command, dialect: Dialect) -> Self {
        match error {
            ClientError::Refused(refusal) => {
                let text = refusal_text(&refusal, command, dialect);
                match command {
                    Command::List | Command::Save => Self::Run { text, exit: 1 },
                    _ => Self::Line { text, exit: EXIT_MINUS_ONE },
                }
            }
            other => Self::unreachable(&other, dialect),
        }
    }

    /// No answer could be had at all.
    pub(crate) fn unreachable(error: &ClientError, dialect: Dialect) -> Self {
        match dialect {
            Dialect::Ipvsadm => Self::Run { text: format!("Can't initialize ipvs: {error}"), exit: 2 },
            Dialect::Sluicectl => Self::Run { text: format!("sluicectl: {error}"), exit: 2 },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// ipvsadm knows the errno only, so that is what its name prints; sluicectl prints the daemon's reason.
pub(crate) fn refusal_text(refusal: &RpcError, command: Command, dialect: Dialect) -> String {
    let known = match dialect {
        Dialect::Ipvsadm => refusal.kind().and_then(|kind| errno_text(kind, command)),
        Dialect::Sluicectl => None,
    };
    known.map_or_else(|| refusal.message.clone(), str::to_owned)
}

/// ipvsadm's text for an errno of a command; `None` where the daemon's own message says more.
const fn errno_text(kind: ErrorCode, command: Command) -> Option<&'static str> {
    use Command::{
        AddServer, AddService, DeleteServer, DeleteService, EditServer, EditService, List, Save, StartDaemon,
        StopDaemon, Zero,
    };
    Some(match (kind, command) {
        (ErrorCode::Exists, AddService) => "Service already exists",
        (ErrorCode::Exists, AddServer) => "Destination already exists",
        (ErrorCode::Exists, StartDaemon) => "Daemon has already run",
        (ErrorCode::Exists, _) => "File exists",
        (ErrorCode::NoSuchEntry, AddService | EditService) => "Scheduler or persistence engine not found",
        (ErrorCode::NoSuchEntry, EditServer | DeleteServer) => "No such destination",
        (ErrorCode::NoSuchEntry, _) => "No such file or directory",
        (ErrorCode::NoSuchService, EditService | DeleteService | Zero | List | Save) => "No such service",
        (ErrorCode::NoSuchService, AddServer | EditServer | DeleteServer) => "Service not defined",
        (ErrorCode::NoSuchService, StopDaemon) => "No daemon is running",
        (ErrorCode::NoSuchService, _) => "No such process",
        (ErrorCode::NotPermitted, _) => "Permission denied (you must be root)",
        (ErrorCode::Invalid, _) => {
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        }
        (ErrorCode::NoMemory, _) => "Memory allocation problem",
        (ErrorCode::FamilyNotSupported, _) => "Operation not supported with specified address family",
        (ErrorCode::TooBig, _) => "Module is wrong version",
        (ErrorCode::Range, _) => "Numerical result out of range",
        (ErrorCode::NoDevice, _) => "No such device",
        // ipvsadm's text blames IPv6; what Sluice does not do is another matter.
        (ErrorCode::NotSupported, _) => return None,
        (
            ErrorCode::Parse
            | ErrorCode::InvalidRequest
            | ErrorCode::MethodNotFound
            | ErrorCode::InvalidParams
            | ErrorCode::Internal,
            _,
        ) => return None,
    })
}
