//! `-h` and `-v`.

use std::io::{self, Write};

use crate::failure::{Dialect, Failure};
use crate::options::{Argument, Group, ROWS, Row};
use crate::session::Session;

/// What `-v` prints, under any name: scripts look for exactly this.
pub(crate) const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)";

/// What can be typed, for any name of the program.
pub(crate) const SYNTAX: &str = "\
  PROGRAM [-L [SERVICE]] [listing options]
  PROGRAM -A|-E SERVICE [service parameters]
  PROGRAM -a|-e SERVICE -r HOST[:PORT] [real server parameters]
  PROGRAM -D SERVICE
  PROGRAM -d SERVICE -r HOST[:PORT]
  PROGRAM -C | -Z [SERVICE] | -S [-n] | -R
  PROGRAM --set TCP TCPFIN UDP
  PROGRAM --start-daemon master|backup [synchronisation options]
  PROGRAM --stop-daemon master|backup [--syncid N]
";

const OWN_WORDS: &str = "\
Words of its own (PROGRAM help says more):
  PROGRAM status             lcores, ports, tables
  PROGRAM drops              dropped packets by reason
  PROGRAM stats              counters and rates of everything together
  PROGRAM sysctl             the kernel's switches: -a, NAME, NAME=VALUE
  PROGRAM mark               rules that mark packets for -f: add, delete, list, replace FILE
  PROGRAM purge              end flows and templates: SERVICE [-r HOST[:PORT]] [--flows|--templates]
  PROGRAM drain              SERVICE -r HOST[:PORT]: weight 0, then wait until nothing is left
  PROGRAM version            what is running
  PROGRAM completions SHELL  what to load into bash, zsh or fish
  PROGRAM man FOLDER         man pages
";

/// Prints the syntax and every option.
pub(crate) fn print(session: &mut Session) -> Result<(), Failure> {
    let program = session.program.clone();
    let own = session.dialect == Dialect::Sluicectl;
    let out = &mut session.out;
    writeln!(out, "{VERSION}\nUsage:\n{}", SYNTAX.replace("PROGRAM", &program))?;
    for group in Group::IPVSADM {
        print_group(out, group)?;
    }
    if own {
        print_group(out, Group::Sluice)?;
        write!(out, "{}", OWN_WORDS.replace("PROGRAM", &program))?;
    }
    Ok(())
}

fn print_group(out: &mut impl Write, group: Group) -> io::Result<()> {
    writeln!(out, "{}:", group.title())?;
    // A row without help is another spelling of the one before.
    for row in ROWS.iter().filter(|row| row.group == group && !row.help.is_empty()) {
        writeln!(out, "  {:<34} {}", spelling(row), row.help)?;
    }
    writeln!(out)
}

fn spelling(row: &Row) -> String {
    let short = row.short.map_or("    ".to_owned(), |letter| format!("-{letter}, "));
    let argument = match row.argument {
        Argument::None => String::new(),
        Argument::Required(name) => format!(" {name}"),
        Argument::Optional(name) => format!(" [{name}]"),
    };
    format!("{short}--{}{argument}", row.long)
}
