//! Saving the state after changes. Replies wait for it; changes that come while a write is under way share the next.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::control::{Kept, Shared};
use crate::state::{SavedState, StateError, save};

/// How long to wait after a failed attempt.
const RETRY: Duration = Duration::from_secs(5);

/// Writes the state file.
pub(crate) struct Saver {
    /// `None`: nothing is kept.
    file: Option<Arc<StateFile>>,
    shared: Rc<Shared>,
}

impl Saver {
    /// A saver for the file at `path`; empty: it does nothing.
    pub(crate) fn new(path: &Path, shared: Rc<Shared>) -> Rc<Self> {
        let kept = !path.as_os_str().is_empty();
        let file = kept.then(|| Arc::new(StateFile { path: path.to_owned(), taken: Mutex::new(0) }));
        Rc::new(Self { file, shared })
    }

    /// Writes after each change, for ever. The disk is waited for off the control thread.
    pub(crate) async fn run(self: Rc<Self>) {
        let Some(file) = &self.file else { return };
        self.shared.keep(Kept::default());
        for turn in 1.. {
            self.shared.changed.notified().await;
            let changes = self.shared.changes();
            let (file, state) = (Arc::clone(file), self.state());
            let written = tokio::task::spawn_blocking(move || file.write(turn, &state)).await;
            let trouble = match written {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            self.shared.keep(Kept { changes, trouble: trouble.clone() });
            if let Some(error) = trouble {
                tracing::error!(%error, "services set up now would be lost by a restart");
                // The next change tries again at once; without one, this does.
                let again = Rc::clone(&self.shared);
                tokio::task::spawn_local(async move {
                    sleep(RETRY).await;
                    again.changed.notify_one();
                });
            }
        }
    }

    /// Writes at once, before the end.
    pub(crate) fn last(&self) {
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.write(u64::MAX, &self.state())) {
            tracing::error!(%error, "the latest changes are lost");
        }
    }

    fn state(&self) -> SavedState {
        self.shared.plane.borrow().saved_state()
    }
}

/// The file, written by one thread at a time.
struct StateFile {
    path: PathBuf,
    /// The turn whose state was written last.
    taken: Mutex<u64>,
}

impl StateFile {
    /// Writes the state of a turn, unless a later one's is written already: a write that was under way at the end must
    /// not undo the last.
    fn write(&self, turn: u64, state: &SavedState) -> Result<(), StateError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if turn <= *taken {
            return Ok(());
        }
        save(&self.path, state)?;
        *taken = turn;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sluice_api::SysctlValue;

    use super::*;
    use crate::state::{VERSION, load};
    use crate::switches::KeptSwitch;

    #[test]
    fn an_older_state_does_not_undo_a_newer() {
        let folder = tempfile::tempdir().expect("folder");
        let file = StateFile { path: folder.path().join("state.json"), taken: Mutex::new(0) };
        let of = |value| {
            let kept = KeptSwitch { value: SysctlValue::Number(value), over: SysctlValue::Number(0) };
            let sysctl = BTreeMap::from([("amemthresh".to_owned(), kept)]);
            SavedState { version: VERSION, sysctl, services: Vec::new(), marks: Vec::new() }
        };
        file.write(1, &of(1)).expect("written");
        file.write(u64::MAX, &of(2)).expect("written");
        file.write(3, &of(3)).expect("left alone");
        assert_eq!(load(&file.path).expect("read"), Some(of(2)));
    }
}
