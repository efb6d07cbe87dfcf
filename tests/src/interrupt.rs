//! Programs that make a lab: Ctrl-C, and a panic too, must leave nothing behind.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::lease;

/// A signal has come: its thread removes everything and ends the process.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the program `name`, which says whether it succeeded, and removes its lab if it is interrupted.
pub fn guard(name: &'static str, work: impl FnOnce() -> Result<bool>) -> ExitCode {
    let outcome = clean_up_on_signals(name).and_then(|()| work());
    while INTERRUPTED.load(Ordering::Relaxed) {
        std::thread::park();
    }
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn clean_up_on_signals(name: &'static str) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            INTERRUPTED.store(true, Ordering::Relaxed);
            eprintln!("\n{name}: interrupted; removing the lab");
            lease::remove_own();
            std::process::exit(128 + signal);
        }
    });
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        lease::remove_own();
    }));
    Ok(())
}
