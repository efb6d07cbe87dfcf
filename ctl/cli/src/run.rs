//! Carries out an ipvsadm line.

use std::io::{self, BufReader, Write};

use crate::failure::{Dialect, Failure};
use crate::line::{LineAction, What};
use crate::options::Command;
use crate::parse::parse;
use crate::session::Session;
use crate::{help, list, restore, save};

/// The words of one invocation; none at all = list.
pub(crate) fn run(session: &mut Session, words: &[String]) -> Result<(), Failure> {
    let list = ["-L".to_owned()];
    let words = if words.is_empty() { &list } else { words };
    let line = parse(words, &session.program, session.dialect)?;
    session.override_with(line.socket, line.json);
    match line.action {
        LineAction::Restore => {
            // A buffer of its own shows what can be had without waiting.
            let input = BufReader::with_capacity(64 << 10, io::stdin().lock());
            restore::restore(session, input)
        }
        other => act(session, other),
    }
}

/// Carries out anything but a restore, which is not nested.
pub(crate) fn act(session: &mut Session, action: LineAction) -> Result<(), Failure> {
    match action {
        LineAction::Help => help::print(session),
        LineAction::Version => Ok(writeln!(session.out, "{}", help::VERSION)?),
        LineAction::Change(command, request) => session.change(&request, command),
        LineAction::List(What::Connections, format) => list::connections::print(session, format),
        LineAction::List(What::Timeouts, _) => list::other::timeouts(session),
        LineAction::List(What::Daemons, _) => list::other::daemons(session),
        LineAction::List(What::All, format) => list::services::print(session, None, format),
        LineAction::List(What::Service(id), format) => list::services::print(session, Some(id), format),
        LineAction::Save { numeric } => save::print(session, numeric),
        LineAction::Restore => Err(Failure::try_help(&session.program)),
    }
}

/// `ipvsadm-save [-n]`. Words that are no options are ignored.
pub(crate) fn run_save(session: &mut Session, words: &[String]) -> Result<(), Failure> {
    let mut numeric = false;
    for word in words.iter().filter(|word| word.starts_with('-')) {
        if word != "-n" {
            let name = session.program.rsplit('/').next().unwrap_or_default();
            let text = format!(
                "{name}: prints the IPVS table as lines for ipvsadm-restore.\n   -n  prints addresses and ports as numbers."
            );
            return Err(Failure::Run { text, exit: 1 });
        }
        numeric = true;
    }
    save::print(session, numeric)
}

/// `ipvsadm-restore`: clears the table, then carries out the lines that are no comments. All of the input is
/// read first, so that nothing is cleared while its source fails to arrive.
pub(crate) fn run_restore(session: &mut Session) -> Result<(), Failure> {
    let input = io::read_to_string(io::stdin());
    let input = input.map_err(|error| restore::input_error(&session.program, &error))?;
    let lines: String = input.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    match session.change(&sluice_api::Request::Flush, Command::Flush) {
        // As the script does: what follows says the same, or works.
        Err(Failure::Line { text, .. }) => session.complain(&text)?,
        other => other?,
    }
    restore::restore(session, BufReader::with_capacity(64 << 10, lines.as_bytes()))
}

/// The name a program was called by, to what it does.
pub(crate) fn dialect_of(name: &str) -> Dialect {
    match name {
        "ipvsadm" | "ipvsadm-save" | "ipvsadm-restore" => Dialect::Ipvsadm,
        _ => Dialect::Sluicectl,
    }
}
