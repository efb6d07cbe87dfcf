//! A real web server: one nginx with its own files, pages and access log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::netns::Netns;
use crate::process::Process;
use crate::wait::{SOON, until};

/// A running nginx on port 80 of its namespace, on every address there.
#[derive(Debug)]
pub struct Web {
    _process: Process,
    root: PathBuf,
}

impl Web {
    /// Starts one that serves `/` as the line `NAME`; its files lie in `directory/NAME`.
    ///
    /// # Errors
    /// nginx is missing or does not start: the error holds what it printed.
    pub fn start(netns: &Netns, name: &str, directory: &Path) -> Result<Self> {
        let root = directory.join(name);
        std::fs::create_dir_all(root.join("pages"))?;
        std::fs::write(root.join("pages/index.html"), format!("{name}\n"))?;
        std::fs::write(root.join("nginx.conf"), configuration(&root))?;
        let line = format!("nginx -p {0} -e {0}/error.log -c {0}/nginx.conf", root.display());
        let mut process = Process::start(&format!("{name}-nginx"), netns.command(&line), directory)?;
        until("nginx answering", SOON, || {
            if let Some(status) = process.exited()? {
                anyhow::bail!(
                    "nginx ended with {status}: {}{}",
                    process.log(),
                    read(&root.join("error.log"))
                );
            }
            netns.inside(|| Ok(std::net::TcpStream::connect(("127.0.0.1", 80)).ok()))
        })?;
        Ok(Self { _process: process, root })
    }

    /// The directory that it serves.
    pub fn pages(&self) -> PathBuf {
        self.root.join("pages")
    }

    /// How many requests it has logged.
    pub fn requests(&self) -> usize {
        read(&self.root.join("access.log")).lines().count()
    }

    /// How many connections it has logged requests of.
    pub fn connections(&self) -> usize {
        let log = read(&self.root.join("access.log"));
        log.lines().filter_map(|line| line.split(' ').next()).collect::<BTreeSet<_>>().len()
    }

    /// Forgets the requests logged so far.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn forget(&self) -> Result<()> {
        std::fs::write(self.root.join("access.log"), "").context("cannot empty the access log")
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// One process, so that its id is all there is to kill; each log line starts with the connection's number.
fn configuration(root: &Path) -> String {
    let root = root.display();
    format!(
        "daemon off;\n\
         master_process off;\n\
         user root;\n\
         pid {root}/pid;\n\
         error_log {root}/error.log;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n\
           log_format lab '$connection $connection_requests $remote_addr $request_uri $status';\n\
           access_log {root}/access.log lab;\n\
           client_body_temp_path {root}/body;\n\
           proxy_temp_path {root}/proxy;\n\
           fastcgi_temp_path {root}/fastcgi;\n\
           uwsgi_temp_path {root}/uwsgi;\n\
           scgi_temp_path {root}/scgi;\n\
           keepalive_requests 1000000;\n\
           server {{ listen 80 backlog=4096; root {root}/pages; }}\n\
         }}\n"
    )
}
