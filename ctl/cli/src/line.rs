//! What an ipvsadm line asks for, once it is understood.

use std::path::PathBuf;

use sluice_api::{Request, ServiceId};

use crate::options::{Command, Opt, OptSet};

/// A line that passed every check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) action: LineAction,
    /// sluicectl's `--json`.
    pub(crate) json: bool,
    /// sluicectl's `--socket`.
    pub(crate) socket: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineAction {
    Help,
    Version,
    /// Ask the daemon for a change; the command decides the words of a refusal.
    Change(Command, Request),
    List(What, Format),
    Save {
        numeric: bool,
    },
    Restore,
}

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    All,
    Service(ServiceId),
    Connections,
    Timeouts,
    Daemons,
}

/// The columns of a listing of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    Plain,
    TunInfo,
    Thresholds,
    PersistentConn,
    Rate,
    Stats,
}

/// How to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) columns: Columns,
    pub(crate) numeric: bool,
    pub(crate) exact: bool,
    pub(crate) sorted: bool,
    /// Connections are listed with their persistence engine's data; unlike the columns, next to any of those.
    pub(crate) persistent_conn: bool,
}

impl Format {
    /// The format that options ask for; of several columns the first of this order wins.
    pub(crate) fn from_options(given: OptSet) -> Self {
        let order = [
            (Opt::Stats, Columns::Stats),
            (Opt::Rate, Columns::Rate),
            (Opt::Thresholds, Columns::Thresholds),
            (Opt::PersistentConn, Columns::PersistentConn),
            (Opt::TunInfo, Columns::TunInfo),
        ];
        let columns = order.iter().find(|row| given.has(row.0)).map_or(Columns::Plain, |row| row.1);
        Self {
            columns,
            numeric: given.has(Opt::Numeric),
            exact: given.has(Opt::Exact),
            sorted: !given.has(Opt::NoSort),
            persistent_conn: given.has(Opt::PersistentConn),
        }
    }
}
