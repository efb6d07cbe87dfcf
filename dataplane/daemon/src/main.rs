//! sluiced, the Sluice daemon.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match sluiced::start::run(&sluiced::args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "one line for whoever started the daemon")]
            {
                eprintln!("sluiced: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
