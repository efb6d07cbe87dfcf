//! `-L -c`: the connection table, page by page.

use std::io::{self, Write};
use std::net::SocketAddr;

use sluice_api::request::PageRequest;
use sluice_api::{ConnProtocol, Connection, ConnectionPage, Protocol, Request};

use crate::failure::Failure;
use crate::line::Format;
use crate::names::Names;
use crate::options::Command;
use crate::session::Session;

/// Entries asked for at a time: some 200 KiB a reply.
const PAGE: u32 = 1024;

/// Lists all connections, in the table's order.
pub(crate) fn print(session: &mut Session, format: Format) -> Result<(), Failure> {
    let names = Names::new(format.numeric);
    let mut page = next_page(session, None)?;
    if session.json {
        return print_json(session, page);
    }
    titles(&mut session.out, format.persistent_conn)?;
    loop {
        for connection in &page.connections {
            row(&mut session.out, connection, &names, format.persistent_conn)?;
        }
        match page.next {
            Some(cursor) => page = next_page(session, Some(cursor))?,
            None => return Ok(()),
        }
    }
}

fn next_page(session: &mut Session, cursor: Option<u64>) -> Result<ConnectionPage, Failure> {
    session.ask(&Request::ConnectionList(PageRequest { cursor, limit: Some(PAGE) }), Command::List)
}

/// One array, an entry a line, so that a table of millions is not held in memory.
fn print_json(session: &mut Session, mut page: ConnectionPage) -> Result<(), Failure> {
    let mut separator = "[";
    loop {
        for connection in &page.connections {
            session.out.write_all(separator.as_bytes())?;
            serde_json::to_writer(&mut session.out, connection).map_err(io::Error::from)?;
            separator = ",\n";
        }
        match page.next {
            Some(cursor) => page = next_page(session, Some(cursor))?,
            None if separator == "[" => return Ok(writeln!(session.out, "[]")?),
            None => return Ok(writeln!(session.out, "]")?),
        }
    }
}

fn titles(out: &mut impl Write, with_pe: bool) -> io::Result<()> {
    writeln!(out, "IPVS connection entries")?;
    if with_pe {
        return writeln!(
            out,
            "pro expire {:<11} {:<18} {:<18} {:<18} {:<16} pe_data",
            "state", "source", "virtual", "destination", "pe name"
        );
    }
    writeln!(out, "pro expire {:<11} {:<18} {:<18} destination", "state", "source", "virtual")
}

fn row(out: &mut impl Write, connection: &Connection, names: &Names, with_pe: bool) -> io::Result<()> {
    let protocol = match connection.protocol {
        ConnProtocol::Tcp => Some(Protocol::Tcp),
        ConnProtocol::Udp => Some(Protocol::Udp),
        ConnProtocol::Sctp => Some(Protocol::Sctp),
        ConnProtocol::Ip => None,
    };
    let name = |endpoint: SocketAddr| names.endpoint(endpoint.ip(), endpoint.port(), protocol);
    write!(
        out,
        "{:<3} {:<6} {:<11} {:<18} {:<18} ",
        connection.protocol.label(),
        format!("{:02}:{:02}", connection.expires_s / 60, connection.expires_s % 60),
        connection.state,
        name(connection.client),
        name(connection.virtual_),
    )?;
    let destination = name(connection.destination);
    match (&connection.pe_name, &connection.pe_data) {
        // ipvsadm's rows are two columns off its header here; scripts know them so.
        (Some(pe_name), Some(pe_data)) if with_pe => {
            writeln!(out, "{destination:<16} {pe_name:<18} {pe_data}")
        }
        _ => writeln!(out, "{destination}"),
    }
}
