//! `sluicectl purge`: ends flows and persistence templates.

use std::io::Write;

use clap::Args;
use sluice_api::request::{Purge, PurgeOnly};
use sluice_api::{Purged, Request};

use super::{ask, which};
use crate::failure::Failure;
use crate::list::other::json;
use crate::session::Session;

#[derive(Args)]
pub(super) struct Words {
    #[command(flatten)]
    service: which::Service,
    /// The mark's service of IPv6 packets
    #[arg(short = '6', long = "ipv6", requires = "mark")]
    ipv6: bool,
    /// Only what belongs to this real server, which may have been removed
    #[arg(short = 'r', long, value_name = "ADDRESS[:PORT]")]
    real_server: Option<String>,
    /// Only flows
    #[arg(long, conflicts_with = "templates")]
    flows: bool,
    /// Only persistence templates
    #[arg(long)]
    templates: bool,
}

pub(super) fn run(session: &mut Session, words: &Words) -> Result<(), Failure> {
    let service = words.service.id(words.ipv6)?;
    let real = match &words.real_server {
        Some(word) => Some(which::real(word, &service)?),
        None => None,
    };
    let only = match (words.flows, words.templates) {
        (true, _) => Some(PurgeOnly::Flows),
        (_, true) => Some(PurgeOnly::Templates),
        _ => None,
    };
    let purged: Purged = ask(session, &Request::Purge(Purge { service, real, only }))?;
    if session.json {
        return json(session, &purged);
    }
    Ok(writeln!(session.out, "{}", told(&purged))?)
}

/// What has ended, in words.
pub(super) fn told(purged: &Purged) -> String {
    let counted = |count: u64, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", counted(purged.flows, "flow"), counted(purged.templates, "template"))
}
