//! Completions for shells and man pages, made of what there is to type: the words as clap has them, and the table of ipvsadm's
//! options.

use std::io::Write;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use crate::failure::Failure;
use crate::help::SYNTAX;
use crate::options::{Argument, Group, ROWS, Row};
use crate::session::Session;

/// The names that the program answers to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Program {
    Sluicectl,
    Ipvsadm,
    IpvsadmSave,
    IpvsadmRestore,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Sluicectl => "sluicectl",
            Self::Ipvsadm => "ipvsadm",
            Self::IpvsadmSave => "ipvsadm-save",
            Self::IpvsadmRestore => "ipvsadm-restore",
        }
    }

    /// Everything that can be typed after the name.
    fn command(self) -> Command {
        let bare = |about| {
            Command::new(self.name()).about(about).disable_help_flag(true).disable_help_subcommand(true)
        };
        match self {
            Self::Sluicectl => {
                with_options(Cli::command().disable_help_flag(true)).subcommand_required(false)
            }
            Self::Ipvsadm => with_options(bare("Controls sluiced in ipvsadm's words")),
            Self::IpvsadmSave => bare("Prints the services and real servers as lines for ipvsadm-restore")
                .arg(
                    Arg::new("numeric")
                        .short('n')
                        .action(ArgAction::SetTrue)
                        .help("print addresses and ports as numbers"),
                ),
            Self::IpvsadmRestore => {
                bare("Replaces all services and real servers by the lines of standard input")
            }
        }
    }
}

/// Adds ipvsadm's options. They are for show: lines are read by the parser of their own, as ipvsadm reads them.
fn with_options(command: Command) -> Command {
    let words = if command.has_subcommands() { "  PROGRAM WORD [options of the word]\n" } else { "" };
    let usage = format!("{SYNTAX}{words}").replace("PROGRAM", command.get_name());
    let rows = ROWS.iter().filter(|row| Group::IPVSADM.contains(&row.group) && !row.help.is_empty());
    rows.fold(command, |command, row| command.arg(option(row))).override_usage(usage.trim().to_owned())
}

fn option(row: &'static Row) -> Arg {
    let mut arg = Arg::new(row.long).long(row.long).help(row.help).help_heading(row.group.title());
    if let Some(letter) = row.short {
        arg = arg.short(letter);
    }
    // A row without help is another spelling.
    let others = ROWS.iter().filter(|other| other.long == row.long && other.short != row.short);
    arg = arg.visible_short_aliases(others.filter_map(|other| other.short).collect::<Vec<_>>());
    match row.argument {
        Argument::None => arg.action(ArgAction::SetTrue),
        Argument::Required(name) => arg.value_name(name),
        Argument::Optional(name) => arg.value_name(name).num_args(0..=1),
    }
}

/// Prints what a shell is to load.
pub(super) fn completions(session: &mut Session, shell: Shell, program: Program) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program.command(), program.name(), &mut script);
    Ok(session.out.write_all(&script)?)
}

/// Writes a page for each name, and for each word `sluicectl-WORD.8`.
pub(super) fn pages(folder: &Path) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::invalid(format!("sluicectl: {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    Program::value_variants()
        .iter()
        .try_for_each(|program| {
            let mut command = program.command();
            command.build();
            page(folder, &command, program.name())
        })
        .map_err(wrong)
}

fn page(folder: &Path, command: &Command, name: &str) -> std::io::Result<()> {
    let mut text = Vec::new();
    Man::new(command.clone()).title(name).section("8").manual("Sluice").render(&mut text)?;
    std::fs::write(folder.join(format!("{name}.8")), text)?;
    let words = command.get_subcommands().filter(|word| word.get_name() != "help");
    words.into_iter().try_for_each(|word| page(folder, word, &format!("{name}-{}", word.get_name())))
}
