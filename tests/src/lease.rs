//! One lab at a time on a machine, and nothing left of one that was killed.
//!
//! Each run owns the directory `/var/lib/sluice-lab/PID` and holds a lock in it: a directory whose lock is free is that
//! of a dead run. All its processes live in its namespaces, so the namespaces say which they are.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::command;
use crate::wait::{SOON, until};

const BASE: &str = "/var/lib/sluice-lab";

/// Whether this process has removed its lab: nothing may join it from then on.
static ENDED: Mutex<bool> = Mutex::new(false);

/// The right to run a lab, and the directory of its files; removed with all that is in it when dropped.
#[derive(Debug)]
pub struct Lease {
    directory: PathBuf,
    run: u32,
    // In this order: a run is dead to others only after its directory is gone.
    _alive: Flock<File>,
    _turn: Flock<File>,
    keep: bool,
}

impl Lease {
    /// Waits until no other lab runs, sweeps up after dead ones, and makes this run's directory.
    ///
    /// # Errors
    /// Not root; the directory cannot be made; what a dead run left cannot be removed.
    pub fn take() -> Result<Self> {
        ensure!(
            Uid::effective().is_root(),
            "the labs make network namespaces: run them as root (`make test`)"
        );
        let turn = turn()?;
        sweep_dead(false)?;
        let run = std::process::id();
        let directory = Path::new(BASE).join(run.to_string());
        fs::create_dir_all(&directory)?;
        let alive = lock(&directory.join("alive"), FlockArg::LockExclusive)?;
        Ok(Self { directory, run, _alive: alive, _turn: turn, keep: false })
    }

    /// Where the run's files go.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of one of the run's namespaces.
    pub fn namespace(&self, role: &str) -> String {
        format!("{}{role}", prefix(self.run))
    }

    /// Leaves all of the run in place when dropped, until [`remove_all`].
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn keep(&mut self) -> Result<()> {
        File::create(self.directory.join("kept"))?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now, the next run removes.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Removes every lab of a dead run, those kept on purpose too.
///
/// # Errors
/// Not root, or something cannot be removed.
pub fn remove_all() -> Result<()> {
    ensure!(Uid::effective().is_root(), "the labs belong to root: run this as root");
    let _turn = turn()?;
    sweep_dead(true)
}

/// Removes all of this process's own lab, for those who cannot wait for `drop`: signal handlers and panic hooks.
pub fn remove_own() {
    *ENDED.lock().unwrap_or_else(PoisonError::into_inner) = true;
    let run = std::process::id();
    let _ = remove(run, &Path::new(BASE).join(run.to_string()));
}

/// Adds something to this process's lab, unless [`remove_own`] has come first.
pub(crate) fn unless_ended<T>(add: impl FnOnce() -> Result<T>) -> Result<T> {
    let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(!*ended, "the lab is being removed");
    add()
}

fn turn() -> Result<Flock<File>> {
    fs::create_dir_all(BASE)?;
    lock(&Path::new(BASE).join("turn"), FlockArg::LockExclusive)
}

fn prefix(run: u32) -> String {
    format!("sl-{run}-")
}

fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Flock::lock(file, how)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {}", path.display()))
}

fn sweep_dead(kept_too: bool) -> Result<()> {
    for entry in fs::read_dir(BASE)? {
        let directory = entry?.path();
        let Some(run) =
            directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let alive = lock(&directory.join("alive"), FlockArg::LockExclusiveNonblock).is_err();
        if !alive && (kept_too || !directory.join("kept").exists()) {
            remove(run, &directory)?;
        }
    }
    Ok(())
}

fn remove(run: u32, directory: &Path) -> Result<()> {
    // There is no such folder before the machine's first namespace.
    for entry in fs::read_dir("/run/netns").into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix(run)) {
            remove_namespace(&name)?;
        }
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Kills what runs in a namespace of a lab, and removes it. Its own run may be removing it at the same time.
fn remove_namespace(name: &str) -> Result<()> {
    until(&format!("{name} being removed"), SOON, || {
        let listed = command::output(&format!("ip netns pids {name}"))?;
        let pids: Vec<i32> = String::from_utf8_lossy(&listed.stdout)
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter(|&pid| pid != std::process::id().cast_signed() && !is_zombie(pid))
            .collect();
        for &pid in &pids {
            // Gone since it was listed is as good.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        if pids.is_empty() {
            command::output(&format!("ip netns del {name}"))?;
        }
        Ok((!Path::new("/run/netns").join(name).exists()).then_some(()))
    })
}

fn is_zombie(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}
