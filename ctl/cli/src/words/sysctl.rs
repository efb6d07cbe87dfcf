//! `sluicectl sysctl`: switches, typed as for sysctl(8).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use sluice_api::{Applied, Request, SysctlEffect, SysctlEntry, SysctlNames, SysctlValue, SysctlValues};

use super::{ask, heading};
use crate::failure::Failure;
use crate::list::other::json;
use crate::session::Session;

/// What the kernel's names begin with.
const PREFIX: &str = "net.ipv4.vs.";

#[derive(Args)]
pub(super) struct Words {
    /// Set values; NAME=VALUE does so without it too
    #[arg(short = 'w', long = "write")]
    write: bool,
    /// List all, also given without any name
    #[arg(short, long)]
    all: bool,
    /// Print values without their names
    #[arg(short = 'n', long)]
    values: bool,
    /// Set what a file in sysctl.conf's form says of net.ipv4.vs [default: /etc/sysctl.conf]
    #[arg(short = 'p', long, value_name = "FILE", num_args = 0..=1, default_missing_value = "/etc/sysctl.conf",
          conflicts_with_all = ["names", "all"])]
    load: Option<PathBuf>,
    /// Switches, with or without `net.ipv4.vs.` before their names
    #[arg(value_name = "NAME[=VALUE]")]
    names: Vec<String>,
}

/// Sets what is to be set, all of it or nothing, then prints all that was named.
pub(super) fn run(session: &mut Session, words: &Words) -> Result<(), Failure> {
    let lines = match &words.load {
        Some(path) => of_file(path)?,
        None => words.names.iter().map(|word| (short(word), word.contains('='))).collect(),
    };
    let (mut names, mut values) = (Vec::new(), BTreeMap::new());
    for (line, sets) in lines {
        let (name, value) =
            line.split_once('=').map_or((&*line, ""), |(name, value)| (name.trim(), value.trim()));
        if words.write && !sets {
            return Err(Failure::invalid(format!("sluicectl: `{name}`: give a value: {name}=VALUE")));
        }
        if sets {
            values.insert(name.to_owned(), SysctlValue::of_word(value));
        }
        names.push(name.to_owned());
    }
    if words.load.is_some() && names.is_empty() {
        return session.complain(&format!("nothing there of {}", PREFIX.trim_end_matches('.')));
    }
    if !values.is_empty() {
        let applied: Applied = ask(session, &Request::SysctlSet(SysctlValues { values }))?;
        session.warn(&applied)?;
    }
    let all = names.is_empty();
    let which = SysctlNames { names: (!all).then_some(names) };
    let entries: Vec<SysctlEntry> = ask(session, &Request::SysctlList(which))?;
    if session.json {
        return json(session, &entries);
    }
    match () {
        () if words.values => {
            entries.iter().try_for_each(|entry| writeln!(session.out, "{}", entry.value))?
        }
        () if all => print(&mut session.out, &entries)?,
        () => entries
            .iter()
            .try_for_each(|entry| writeln!(session.out, "{PREFIX}{} = {}", entry.name, entry.value))?,
    }
    Ok(())
}

/// The name as the daemon knows it. sysctl takes slashes for dots.
fn short(word: &str) -> String {
    let rest = word.strip_prefix(PREFIX).or_else(|| word.strip_prefix("net/ipv4/vs/"));
    rest.unwrap_or(word).to_owned()
}

/// The lines of a file that are of IPVS: each sets a switch. The others are for sysctl(8).
fn of_file(path: &Path) -> Result<Vec<(String, bool)>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::invalid(format!("sluicectl: {}: {error}", path.display())))?;
    let lines = text.lines().map(|line| line.trim().trim_start_matches('-').trim_start());
    let ours = lines.filter(|line| line.contains('=') && short(line) != *line);
    Ok(ours.map(|line| (short(line), true)).collect())
}

fn print(out: &mut impl Write, entries: &[SysctlEntry]) -> io::Result<()> {
    let rows: Vec<[String; 4]> = entries
        .iter()
        .map(|entry| [entry.name.clone(), entry.value.to_string(), entry.default.to_string(), meaning(entry)])
        .collect();
    let titles = ["NAME", "VALUE", "DEFAULT", "MEANING"];
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let (name, value, default) = (width(0), width(1), width(2));
    let line = |[a, b, c, d]: [&str; 4]| format!("{a:<name$}  {b:>value$}  {c:>default$}  {d}");
    writeln!(out, "{}", heading(&line(titles)))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row.each_ref().map(String::as_str))))
}

/// What it is about; first, if setting it does nothing.
fn meaning(entry: &SysctlEntry) -> String {
    let reason = entry.reason.as_deref().unwrap_or_default();
    match entry.effect {
        SysctlEffect::Works => entry.meaning.clone(),
        SysctlEffect::None => format!("no effect here: {reason}. {}", entry.meaning),
        SysctlEffect::NotYet => format!("not yet: {reason}. {}", entry.meaning),
    }
}
