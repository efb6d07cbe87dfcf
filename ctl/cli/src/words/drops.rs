//! `sluicectl drops`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;

use sluice_api::Request;

use super::{ask, table};
use crate::failure::Failure;
use crate::list::other::json;
use crate::session::Session;

/// Reasons with their counts, the most frequent first.
pub(super) fn print(session: &mut Session, all: bool) -> Result<(), Failure> {
    let drops: BTreeMap<String, u64> = ask(session, &Request::Drops)?;
    if session.json {
        return json(session, &drops);
    }
    let mut rows: Vec<_> = drops.into_iter().filter(|(_, count)| all || *count > 0).collect();
    if rows.is_empty() {
        return Ok(writeln!(session.out, "no packet was dropped")?);
    }
    rows.sort_by_key(|(_, count)| Reverse(*count));
    let rows: Vec<_> = rows.into_iter().map(|(reason, count)| [reason, count.to_string()]).collect();
    Ok(table::print(&mut session.out, ["REASON", "PACKETS"], &rows)?)
}
