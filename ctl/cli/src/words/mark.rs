//! `sluicectl mark`: rules that mark packets, with iptables' letters where it has some.

mod line;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sluice_api::mark::DEFAULT_PRIORITY;
use sluice_api::request::{MarkList, MarkRef};
use sluice_api::{
    Applied, ClientError, ErrorCode, MarkEntry, MarkSpec, PortRange, Prefix, Protocol, Request,
};

use super::table;
use crate::failure::{Dialect, Failure};
use crate::list::other::json;
use crate::session::Session;

#[derive(Subcommand)]
pub(super) enum Word {
    /// Add a rule, behind those of its priority
    Add(Rule),
    /// Delete a rule; the flows that its mark made go on
    Delete {
        /// Its number, as `mark list` shows it
        id: u32,
    },
    /// Show the rules in the order in which they are asked; HITS are first packets of flows only
    List {
        /// Print lines that `mark replace` reads
        #[arg(long, conflicts_with = "json")]
        save: bool,
    },
    /// Replace all rules at once by those of a file
    Replace {
        /// A rule a line, written as the options of `mark add`; empty lines and lines from # on are skipped. `-`: standard
        /// input
        file: PathBuf,
    },
}

/// A rule matches packets that have all that it asks for.
#[derive(Args)]
pub(super) struct Rule {
    /// The mark to give, of a service made by `-A -f MARK`; 0x in front for hexadecimal
    #[arg(long, value_parser = mark)]
    mark: u32,
    /// The lowest is asked first; among equals, the rule that was added first
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PRIORITY)]
    priority: u32,
    /// A number to know the rule by [default: the lowest that is free]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    id: Option<u32>,
    /// The port that packets come in by, as sluice.toml names it
    #[arg(short = 'i', long, value_name = "NAME")]
    port: Option<String>,
    /// VLAN id; 0 for packets without a tag
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
    /// tcp, udp or sctp
    #[arg(short, long, value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Source addresses
    #[arg(short, long, value_name = "ADDRESS[/LENGTH]")]
    source: Option<Prefix>,
    /// Destination addresses
    #[arg(short, long, value_name = "ADDRESS[/LENGTH]")]
    destination: Option<Prefix>,
    /// Source ports
    #[arg(long, value_name = "PORT[-PORT]")]
    sport: Option<PortRange>,
    /// Destination ports
    #[arg(long, value_name = "PORT[-PORT]")]
    dport: Option<PortRange>,
}

fn mark(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().filter(|mark| *mark != 0).ok_or_else(|| "a mark is 1 to 4294967295".to_owned())
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    all.into_iter().find(|protocol| protocol.name() == text).ok_or_else(|| "give tcp, udp or sctp".to_owned())
}

impl From<Rule> for MarkSpec {
    fn from(rule: Rule) -> Self {
        Self {
            id: rule.id,
            priority: rule.priority,
            port: rule.port,
            vlan: rule.vlan,
            protocol: rule.protocol,
            source: rule.source,
            destination: rule.destination,
            source_ports: rule.sport,
            destination_ports: rule.dport,
            mark: rule.mark,
        }
    }
}

pub(super) fn run(session: &mut Session, word: Word) -> Result<(), Failure> {
    match word {
        Word::Add(rule) => {
            let applied = change(session, &Request::MarkAdd(rule.into()))?;
            match applied.id {
                Some(id) if !session.json => Ok(writeln!(session.out, "rule {id}")?),
                _ => Ok(()),
            }
        }
        Word::Delete { id } => change(session, &Request::MarkDelete(MarkRef { id })).map(|_| ()),
        Word::List { save } => list(session, save),
        Word::Replace { file } => replace(session, &file),
    }
}

fn change(session: &mut Session, request: &Request) -> Result<Applied, Failure> {
    let applied: Applied = session.ask_raw(request).map_err(failure)?;
    session.warn(&applied)?;
    if session.json {
        json(session, &applied)?;
    }
    Ok(applied)
}

/// The daemon's words, and what to type next.
fn failure(error: ClientError) -> Failure {
    let ClientError::Refused(refusal) = error else {
        return Failure::unreachable(&error, Dialect::Sluicectl);
    };
    let next = match refusal.kind() {
        Some(ErrorCode::NoSuchEntry) => ": `sluicectl mark list` shows those there are",
        Some(ErrorCode::Exists) => ": delete it first, or leave --id out for a free number",
        _ => "",
    };
    Failure::Run { text: format!("sluicectl: {refusal}{next}"), exit: 1 }
}

fn replace(session: &mut Session, file: &Path) -> Result<(), Failure> {
    let wrong = |text: String| Failure::invalid(format!("sluicectl: {}{text}", file.display()));
    let text = read(file).map_err(|error| wrong(format!(": {error}")))?;
    let rules = line::parse_all(&text).map_err(|error| wrong(format!(":{error}")))?;
    let count = rules.len();
    change(session, &Request::MarkReplace(MarkList { rules }))?;
    if session.json { Ok(()) } else { Ok(writeln!(session.out, "{count} rules")?) }
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        return io::stdin().read_to_string(&mut text).map(|_| text);
    }
    std::fs::read_to_string(file)
}

fn list(session: &mut Session, save: bool) -> Result<(), Failure> {
    let entries: Vec<MarkEntry> = super::ask(session, &Request::MarkList)?;
    if save {
        return Ok(entries
            .iter()
            .try_for_each(|entry| writeln!(session.out, "{}", line::of(&entry.spec)))?);
    }
    if session.json {
        return json(session, &entries);
    }
    if entries.is_empty() {
        return Ok(writeln!(session.out, "no mark rule: add one with `sluicectl mark add`")?);
    }
    let rows: Vec<_> = entries.iter().map(row).collect();
    let titles = [
        "ID",
        "PRIORITY",
        "PORT",
        "VLAN",
        "PROTOCOL",
        "SOURCE",
        "SPORT",
        "DESTINATION",
        "DPORT",
        "MARK",
        "SERVICE",
        "HITS",
    ];
    Ok(table::print(&mut session.out, titles, &rows)?)
}

fn row(entry: &MarkEntry) -> [String; 12] {
    fn any(value: Option<&impl ToString>) -> String {
        value.map_or_else(|| "-".to_owned(), ToString::to_string)
    }
    let spec = &entry.spec;
    [
        any(spec.id.as_ref()),
        spec.priority.to_string(),
        any(spec.port.as_ref()),
        any(spec.vlan.as_ref()),
        any(spec.protocol.map(Protocol::name).as_ref()),
        any(spec.source.as_ref()),
        any(spec.source_ports.as_ref()),
        any(spec.destination.as_ref()),
        any(spec.destination_ports.as_ref()),
        spec.mark.to_string(),
        if entry.service { "yes" } else { "none" }.to_owned(),
        entry.hits.to_string(),
    ]
}
