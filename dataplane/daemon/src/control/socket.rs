//! Claiming the control socket: never from a live daemon, always from a dead one.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Group;

/// Why the socket could not be had. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another daemon serves it.
    #[error("another sluiced serves {}: stop it, or set control.socket to another path", .0.display())]
    InUse(PathBuf),
    /// Something else has that name.
    #[error("{} is there and is no socket: remove it, or set control.socket to another path", .0.display())]
    NotASocket(PathBuf),
    /// No such group.
    #[error("control.group = \"{0}\": no such group (groupadd --system {0})")]
    NoGroup(String),
    /// Anything else the system says.
    #[error("cannot listen on {}: {what}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A claimed control socket. The socket file is removed on drop; the lock file beside it stays, unlocked, since whoever
/// removed it could pull it from under another daemon that has just locked it.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    listener: UnixListener,
    _lock: Flock<File>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Claim {
    /// Claims `path` and listens on it. The lock, which dies with its process however that ends, tells a live daemon
    /// from a dead one's leftover.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub fn new(path: &Path, group: Option<&str>) -> Result<Self, ClaimError> {
        let io = |what| move |source| ClaimError::Io { path: path.to_owned(), what, source };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(io("make its folder"))?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&lock_path).map_err(io("open its lock file"))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|_| ClaimError::InUse(path.to_owned()))?;
        remove_leftover(path)?;
        let listener = UnixListener::bind(path).map_err(io("bind"))?;
        listener.set_nonblocking(true).map_err(io("make it non-blocking"))?;
        let claim = Self { path: path.to_owned(), listener, _lock: lock };
        claim.admit(group)?;
        Ok(claim)
    }

    /// The listener, for another owner; the claim stays.
    ///
    /// # Errors
    /// Where the descriptor cannot be duplicated.
    pub fn listener(&self) -> std::io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// The owner may connect, and the group where one is named.
    fn admit(&self, group: Option<&str>) -> Result<(), ClaimError> {
        let io = |what| move |source| ClaimError::Io { path: self.path.clone(), what, source };
        let mut mode = 0o600;
        if let Some(name) = group {
            let group = Group::from_name(name)
                .map_err(|errno| io("look up its group")(errno.into()))?
                .ok_or_else(|| ClaimError::NoGroup(name.to_owned()))?;
            std::os::unix::fs::chown(&self.path, None, Some(group.gid.as_raw()))
                .map_err(io("change its group"))?;
            mode = 0o660;
        }
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(mode))
            .map_err(io("change its mode"))
    }
}

/// Removes the socket of a daemon that is gone.
fn remove_leftover(path: &Path) -> Result<(), ClaimError> {
    let io = |what| move |source| ClaimError::Io { path: path.to_owned(), what, source };
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("look at it")(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(ClaimError::NotASocket(path.to_owned()));
    }
    // Someone who takes no lock may serve it all the same.
    if UnixStream::connect(path).is_ok() {
        return Err(ClaimError::InUse(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(io("remove the socket of a dead daemon"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_one_is_refused_and_a_dead_one_taken_over() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("run/control.sock");
        let first = Claim::new(&path, None).expect("free");
        let text = Claim::new(&path, None).expect_err("in use").to_string();
        assert_eq!(
            text,
            format!(
                "another sluiced serves {}: stop it, or set control.socket to another path",
                path.display()
            )
        );
        assert!(UnixStream::connect(&path).is_ok(), "the refused one has left it alone");
        drop(first);
        assert!(!path.exists());
        // As kill -9 leaves it: a socket that nobody serves.
        drop(UnixListener::bind(&path).expect("bind"));
        assert!(path.exists());
        let second = Claim::new(&path, None).expect("taken over");
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
    }

    #[test]
    fn one_served_without_a_lock_is_refused_too() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("control.sock");
        let _served = UnixListener::bind(&path).expect("bind");
        assert!(matches!(Claim::new(&path, None), Err(ClaimError::InUse(_))));
    }

    #[test]
    fn what_is_no_socket_is_not_removed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("control.sock");
        std::fs::write(&path, "precious").expect("written");
        assert!(matches!(Claim::new(&path, None), Err(ClaimError::NotASocket(_))));
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "precious");
    }

    #[test]
    fn an_unknown_group_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let text =
            Claim::new(&folder.path().join("s"), Some("no-such-group")).expect_err("unknown").to_string();
        assert!(text.starts_with("control.group = \"no-such-group\": no such group"), "{text}");
    }
}
