//! Writing the kernel's files anew every few seconds, each whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::proc;
use crate::control::{Shared, View, list_connections};

/// Which files, where and how often.
#[derive(Clone, Debug)]
pub struct ProcFiles {
    /// What stands for /proc; the files are in `net` below.
    pub folder: PathBuf,
    /// How long they stand.
    pub period: Duration,
    /// Whether `ip_vs_conn` is among them.
    pub connections: bool,
}

/// Writes the files for ever. The disk is waited for off the control thread.
pub async fn write_files(files: ProcFiles, shared: Rc<Shared>) {
    let mut turn = interval(files.period);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut in_trouble = false;
    loop {
        turn.tick().await;
        let written = files.write(&shared).await;
        // Once is enough: the next turn would say the same.
        if let Err(error) = &written
            && !in_trouble
        {
            tracing::warn!(%error, folder = %files.folder.display(), "counters are not written for node_exporter");
        }
        in_trouble = written.is_err();
    }
}

impl ProcFiles {
    async fn write(&self, shared: &Shared) -> io::Result<()> {
        let view = shared.plane.borrow().view();
        let net = self.folder.join("net");
        let folder = net.clone();
        off_thread(move || counters(&folder, &view)).await?;
        if self.connections { self.list_connections(shared, net).await } else { Ok(()) }
    }

    /// A page at a time, so that a table of millions is not held in memory.
    async fn list_connections(&self, shared: &Shared, net: PathBuf) -> io::Result<()> {
        let mut file = off_thread(move || Replacement::of(&net, "ip_vs_conn")).await?;
        let (mut text, mut cursor) = (proc::CONN_TITLES.to_owned(), Some(0));
        while let Some(from) = cursor {
            let page = list_connections(shared, from, None).await.map_err(io::Error::other)?;
            proc::ip_vs_conn(&mut text, &page.connections);
            cursor = page.next;
            let part = std::mem::take(&mut text);
            file = off_thread(move || file.add(&part)).await?;
        }
        off_thread(move || file.put_in_place()).await
    }
}

fn counters(net: &Path, view: &View) -> io::Result<()> {
    std::fs::create_dir_all(net)?;
    let version = &view.version;
    let services = proc::ip_vs(&version.ipvs, version.connection_table_size, &view.services);
    Replacement::of(net, "ip_vs")?.add(&services)?.put_in_place()?;
    Replacement::of(net, "ip_vs_stats")?.add(&proc::ip_vs_stats(&view.totals))?.put_in_place()
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file that takes another's place once it is whole: who reads finds the old one or the new one.
struct Replacement {
    file: std::fs::File,
    draft: PathBuf,
    path: PathBuf,
}

impl Replacement {
    fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let (path, draft) = (folder.join(name), folder.join(format!(".{name}.new")));
        Ok(Self { file: std::fs::File::create(&draft)?, draft, path })
    }

    fn add(mut self, text: &str) -> io::Result<Self> {
        self.file.write_all(text.as_bytes())?;
        Ok(self)
    }

    fn put_in_place(self) -> io::Result<()> {
        std::fs::rename(&self.draft, &self.path)
    }
}
