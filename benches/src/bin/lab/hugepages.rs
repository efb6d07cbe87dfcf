//! Huge pages for the time of the benchmark: taken where the kernel gives them, handed back at the end.
use std::fs;

use anyhow::{Context, Result, ensure};

const COUNT: &str = "/proc/sys/vm/nr_hugepages";

/// Huge pages of 2 MiB that this process has added to the system's. They go back when it is dropped.
///
/// No file system of huge pages is needed: both programs take them as anonymous memory.
#[derive(Debug)]
pub(crate) struct HugePages {
    added: u64,
    shortage: Option<String>,
}

/// Makes sure that `megabytes` of huge pages are free, if it can.
pub(crate) fn take(megabytes: u64) -> HugePages {
    let mut pages = HugePages { added: 0, shortage: None };
    if let Err(error) = pages.add(megabytes) {
        pages.shortage = Some(format!("{error:#}"));
    }
    pages
}

impl HugePages {
    /// Whether there are enough.
    pub(crate) fn got(&self) -> bool {
        self.shortage.is_none()
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match &self.shortage {
            None => "packet memory of both programs on huge pages of 2 MiB".to_owned(),
            Some(why) => format!("packet memory of both programs on ordinary pages of 4 KiB: {why}"),
        }
    }

    fn add(&mut self, megabytes: u64) -> Result<()> {
        let size = meminfo("Hugepagesize:")?;
        ensure!(size == 2048, "huge pages are of {size} KiB by default, not 2048");
        let missing = (megabytes / 2).saturating_sub(meminfo("HugePages_Free:")?);
        if missing == 0 {
            return Ok(());
        }
        let before = count()?;
        fs::write(COUNT, (before + missing).to_string())
            .with_context(|| format!("cannot write {COUNT} (not root?)"))?;
        self.added = count()?.saturating_sub(before);
        ensure!(
            self.added >= missing,
            "the kernel gave {} of {missing} huge pages: memory is short or in pieces",
            self.added
        );
        Ok(())
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if self.added == 0 {
            return;
        }
        // Relative to the count as it is now: somebody else may have changed it meanwhile.
        let back = count().and_then(|now| Ok(fs::write(COUNT, now.saturating_sub(self.added).to_string())?));
        if let Err(error) = back {
            eprintln!("lab: {} huge pages could not be given back: {error:#}", self.added);
        }
    }
}

fn count() -> Result<u64> {
    let text = fs::read_to_string(COUNT).with_context(|| format!("cannot read {COUNT}"))?;
    text.trim().parse().with_context(|| format!("{COUNT} holds no number"))
}

fn meminfo(name: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok());
    number.with_context(|| format!("/proc/meminfo has no {name}"))
}
