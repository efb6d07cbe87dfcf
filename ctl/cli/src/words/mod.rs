//! sluicectl's own words: what ipvsadm has no option for.

mod drain;
mod drops;
mod manual;
mod mark;
mod purge;
mod stats;
mod status;
mod sysctl;
mod table;
mod which;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sluice_api::{ClientError, Request, Version};

use crate::failure::{Dialect, Failure};
use crate::list::other::json;
use crate::session::Session;

/// Controls sluiced.
///
/// With a first word that starts with `-`, or none, speaks ipvsadm's syntax: `sluicectl -Ln`, `sluicectl -h`.
#[derive(Parser)]
#[command(name = "sluicectl", disable_version_flag = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    word: Word,
}

#[derive(Args)]
struct Common {
    /// Print the reply as JSON
    #[arg(long, global = true)]
    json: bool,
    /// sluiced's socket [default: $SLUICE_SOCKET or /run/sluice/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Word {
    /// Show lcores, ports, tables and kernel twins
    Status,
    /// Show dropped packets by reason
    Drops {
        /// Also show reasons that never occurred
        #[arg(long)]
        all: bool,
    },
    /// Show the counters and rates of everything together
    Stats,
    /// Show or set the kernel's switches (net.ipv4.vs), typed as for sysctl(8)
    Sysctl(sysctl::Words),
    /// Show or change the rules that mark packets for services of `-A -f MARK`
    #[command(subcommand)]
    Mark(mark::Word),
    /// End the flows and persistence templates of a service, or of one real server
    Purge(purge::Words),
    /// Take the weight from a real server and wait until no connection is left
    Drain(drain::Words),
    /// Show the versions of sluicectl and sluiced
    Version,
    /// Print what makes a shell complete what is typed
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
        /// For which program
        #[arg(default_value = "sluicectl")]
        program: manual::Program,
    },
    /// Write man pages of sluicectl and ipvsadm into a folder
    Man {
        /// The folder, such as /usr/local/share/man/man8
        folder: PathBuf,
    },
}

/// Runs a word.
pub(crate) fn run(program: &str, words: &[String]) -> Result<(), Failure> {
    let arguments = std::iter::once(program.to_owned()).chain(words.iter().cloned());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = u8::try_from(error.exit_code()).unwrap_or(2);
            error.print()?;
            return Err(Failure::Run { text: String::new(), exit });
        }
    };
    let mut session =
        Session::new(program.to_owned(), Dialect::Sluicectl, cli.common.socket, cli.common.json);
    let outcome = match cli.word {
        Word::Status => status::print(&mut session),
        Word::Drops { all } => drops::print(&mut session, all),
        Word::Stats => stats::print(&mut session),
        Word::Sysctl(words) => sysctl::run(&mut session, &words),
        Word::Mark(word) => mark::run(&mut session, word),
        Word::Purge(words) => purge::run(&mut session, &words),
        Word::Drain(words) => drain::run(&mut session, &words),
        Word::Version => version(&mut session),
        Word::Completions { shell, program } => manual::completions(&mut session, shell, program),
        Word::Man { folder } => manual::pages(&folder),
    };
    session.out.flush()?;
    outcome
}

/// Asks; a refusal of any of these ends the run.
fn ask<R: serde::de::DeserializeOwned>(session: &mut Session, request: &Request) -> Result<R, Failure> {
    session.ask_raw(request).map_err(|error| match error {
        ClientError::Refused(refusal) => Failure::Run { text: format!("sluicectl: {refusal}"), exit: 1 },
        other => Failure::unreachable(&other, Dialect::Sluicectl),
    })
}

fn version(session: &mut Session) -> Result<(), Failure> {
    if !session.json {
        writeln!(session.out, "sluicectl {}", env!("CARGO_PKG_VERSION"))?;
    }
    let version: Version = ask(session, &Request::Version)?;
    if session.json {
        return json(session, &version);
    }
    Ok(writeln!(session.out, "sluiced {} (behaves as IPVS {})", version.daemon, version.ipvs)?)
}

/// Headings stand out on a terminal, unless the user has asked for no colours (no-color.org).
fn heading(text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
