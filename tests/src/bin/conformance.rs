//! `make conformance`: the same frames to the kernel's IPVS and to Sluice, and every difference shown.
#![allow(clippy::print_stdout, reason = "it talks to whoever started it")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use sluice_tests::conform::{report, run, scenarios};
use sluice_tests::{Context, Result, bail, interrupt};

const USAGE: &str = "usage: conformance [--write] [WORD...]   (scenarios whose names have all of the words)";
const PAGE: &str = "docs/conformance.md";

fn main() -> ExitCode {
    interrupt::guard("conformance", || {
        let (options, words): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|word| word.starts_with('-'));
        match (options.iter().map(String::as_str).collect::<Vec<_>>()[..].as_ref(), words.is_empty()) {
            ([], _) => play(&words),
            (["--write"], true) => Ok(play(&words)? && write()?),
            _ => bail!(USAGE),
        }
    })
}

/// Plays what is wanted; returns whether all of it holds.
fn play(words: &[String]) -> Result<bool> {
    let start = Instant::now();
    let (mut played, mut failed) = (0, 0);
    let ready = |version: &str| {
        println!("Linux {version} and Sluice, ready after {:.1} s", start.elapsed().as_secs_f32());
    };
    run(words, ready, |scenario| {
        let verdict = report::verdict(&scenario.outcome);
        println!("{:<72} {:>5.1} s  {verdict}", scenario.name, scenario.time.as_secs_f32());
        print!("{}", report::details(&scenario.outcome));
        played += 1;
        failed += u32::from(!scenario.outcome.holds());
    })?;
    println!("{played} scenarios in {:.0} s, {failed} of them fail", start.elapsed().as_secs_f32());
    Ok(failed == 0 && played > 0)
}

fn write() -> Result<bool> {
    std::fs::write(PAGE, report::page(&scenarios::all())).with_context(|| {
        format!(
            "{PAGE} (run this in the project's folder: {})",
            Path::new(".").canonicalize().unwrap_or_default().display()
        )
    })?;
    println!("{PAGE} is written");
    Ok(true)
}
