//! The small listings (`-L --timeout`, `-L --daemon`), and listings as JSON.

use std::io::{self, Write};

use serde::Serialize;
use sluice_api::{Request, SyncDaemon, SyncRole, Timeouts};

use crate::failure::Failure;
use crate::options::Command;
use crate::session::Session;

/// A reply as it came, on one line.
pub(crate) fn json<T: Serialize + ?Sized>(session: &mut Session, value: &T) -> Result<(), Failure> {
    serde_json::to_writer(&mut session.out, value).map_err(io::Error::from)?;
    Ok(writeln!(session.out)?)
}

/// `-L --timeout`.
pub(crate) fn timeouts(session: &mut Session) -> Result<(), Failure> {
    let timeouts: Timeouts = session.ask(&Request::TimeoutGet, Command::List)?;
    if session.json {
        return json(session, &timeouts);
    }
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    Ok(writeln!(session.out, "Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}")?)
}

/// `-L --daemon`: nothing when none runs.
pub(crate) fn daemons(session: &mut Session) -> Result<(), Failure> {
    let mut daemons: Vec<SyncDaemon> = session.ask(&Request::SyncList, Command::List)?;
    daemons.sort_by_key(|daemon| daemon.role);
    if session.json {
        return json(session, &daemons);
    }
    for daemon in &daemons {
        writeln!(session.out, "{}", daemon_row(daemon))?;
    }
    Ok(())
}

fn daemon_row(daemon: &SyncDaemon) -> String {
    let role = match daemon.role {
        SyncRole::Master => "master",
        SyncRole::Backup => "backup",
    };
    let mut row = format!("{role} sync daemon (mcast={}, syncid={}", daemon.interface, daemon.sync_id);
    let fields = [
        ("maxlen", daemon.max_length.map(|n| n.to_string())),
        ("group", daemon.group.map(|group| group.to_string())),
        ("port", daemon.port.map(|n| n.to_string())),
        ("ttl", daemon.ttl.map(|n| n.to_string())),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            row += &format!(", {name}={value}");
        }
    }
    row + ")"
}
