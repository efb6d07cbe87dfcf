//! `sluicectl`, and by its other names `ipvsadm`, `ipvsadm-save` and `ipvsadm-restore`.
//!
//! The name in argv\[0\] decides. The ipvsadm names speak ipvsadm 1.31's syntax, messages and exit statuses to the
//! byte. sluicectl speaks the same syntax when its first word starts with `-` (or there is none), adds `--json`
//! and `--socket PATH`, and has words of its own: `status`, `drops`, `stats`, `sysctl`, `mark`, `purge`, `drain`,
//! `version`, `completions`, `man`, `help`.

mod address;
mod draft;
mod failure;
mod help;
mod legality;
mod line;
mod list;
mod names;
mod numbers;
mod options;
mod parse;
mod popt;
mod restore;
mod run;
mod save;
mod sched_flags;
mod session;
mod words;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::failure::{Dialect, Failure};
use crate::session::Session;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = arguments.next().unwrap_or_else(|| "sluicectl".to_owned());
    let words: Vec<String> = arguments.collect();
    match dispatch(program, &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Line { text, exit } | Failure::Run { text, exit }) => {
            if !text.is_empty() {
                // With standard error gone, the status still tells.
                let _ = writeln!(io::stderr(), "{text}");
            }
            ExitCode::from(exit)
        }
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            let _ = writeln!(io::stderr(), "standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(program: String, words: &[String]) -> Result<(), Failure> {
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    let dialect = run::dialect_of(&name);
    let (leading, rest) = match dialect {
        Dialect::Ipvsadm => (Leading::default(), words),
        Dialect::Sluicectl => Leading::split(words)?,
    };
    if dialect == Dialect::Sluicectl && rest.first().is_some_and(|word| !word.starts_with('-')) {
        return words::run(&program, words);
    }
    let mut session = Session::new(program, dialect, leading.socket, leading.json);
    let outcome = match name.as_str() {
        "ipvsadm-save" => run::run_save(&mut session, rest),
        "ipvsadm-restore" => run::run_restore(&mut session),
        _ => run::run(&mut session, rest),
    };
    // What was printed before a failure belongs before its message.
    session.out.flush()?;
    outcome
}

/// sluicectl's own options, where they stand before an ipvsadm line.
#[derive(Default)]
struct Leading {
    json: bool,
    socket: Option<PathBuf>,
}

impl Leading {
    fn split(mut words: &[String]) -> Result<(Self, &[String]), Failure> {
        let mut leading = Self::default();
        loop {
            match words {
                [first, rest @ ..] if first == "--json" => {
                    leading.json = true;
                    words = rest;
                }
                [first, path, rest @ ..] if first == "--socket" => {
                    leading.socket = Some(path.into());
                    words = rest;
                }
                [first] if first == "--socket" => {
                    return Err(Failure::invalid("--socket: missing argument"));
                }
                [first, rest @ ..] if first.starts_with("--socket=") => {
                    leading.socket = first.split_once('=').map(|(_, path)| path.into());
                    words = rest;
                }
                _ => return Ok((leading, words)),
            }
        }
    }
}
