//! Running a command to its end, with an error that says which one failed and what it printed.

use std::io::IsTerminal;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

/// Whether commands are shown as they run: the demo's way of hiding nothing.
static ECHO: AtomicBool = AtomicBool::new(false);

/// Shows every command that runs from now on, on standard output.
pub fn echo(on: bool) {
    ECHO.store(on, Ordering::Relaxed);
}

/// Shows one command line, where [`echo`] is on.
#[allow(clippy::print_stdout, reason = "the demo talks to whoever started it")]
pub fn show(line: &str) {
    if ECHO.load(Ordering::Relaxed) {
        if std::io::stdout().is_terminal() {
            println!("\x1b[2m$ {line}\x1b[0m");
        } else {
            println!("$ {line}");
        }
    }
}

/// Splits a command line at blanks; no quoting, so no word of it may hold a blank.
pub fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs `line` and returns its standard output.
///
/// # Errors
/// It cannot be started, or exits with another status than 0: the error holds the line and its standard error.
pub fn run(line: &str) -> Result<String> {
    let output = output(line)?;
    if !output.status.success() {
        bail!("`{line}`: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `line` and returns all that came of it, a failure too.
///
/// # Errors
/// It cannot be started.
pub fn output(line: &str) -> Result<Output> {
    show(line);
    command(line)
        .output()
        .with_context(|| format!("cannot start `{line}` (`make setup` installs what the labs run)"))
}
