//! An HTTP/1.1 client that counts every failure: many requests at once, on fresh connections or on kept ones.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::netns::Netns;

/// How long one answer may take; longer is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection, kept open from request to request.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddrV4,
}

impl Connection {
    /// Connects from the namespace that the calling thread is in.
    ///
    /// # Errors
    /// No connection within ten seconds.
    pub fn open(host: SocketAddrV4) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&host.into(), PATIENCE)
            .with_context(|| format!("connect to {host}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    /// Asks for `/` and returns the page without the blanks around it; `last` closes the connection with it.
    ///
    /// # Errors
    /// The connection breaks, stays silent for ten seconds, or answers anything but a 200 with a length.
    pub fn get(&mut self, last: bool) -> Result<String> {
        let close = if last { "Connection: close\r\n" } else { "" };
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{close}\r\n", self.host);
        self.stream.get_mut().write_all(request.as_bytes()).context("send a request")?;
        let status = self.line()?;
        if !status.starts_with("HTTP/1.1 200 ") {
            bail!("the answer is `{status}`");
        }
        let mut length = None;
        loop {
            let header = self.line()?;
            if header.is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        let mut body = vec![0; length.context("the answer has no length")?];
        self.stream.read_exact(&mut body).context("read the page")?;
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).context("read the answer")? == 0 {
            bail!("the connection was closed before the answer");
        }
        Ok(line.trim_end().to_owned())
    }
}

/// What came of many requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered, by the page that came back.
    pub answers: BTreeMap<String, u64>,
    /// Requests not answered, or wrongly.
    pub failures: u64,
    /// Kept connections on which the answering server changed.
    pub moved: u64,
    /// What the first failure was.
    pub first_failure: Option<String>,
}

impl Tally {
    /// Requests answered in all.
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    fn count(&mut self, outcome: Result<String>) {
        match outcome {
            Ok(page) => *self.answers.entry(page).or_default() += 1,
            Err(error) => {
                self.failures += 1;
                self.first_failure.get_or_insert(format!("{error:#}"));
            }
        }
    }

    fn add(&mut self, other: Self) {
        for (page, count) in other.answers {
            *self.answers.entry(page).or_default() += count;
        }
        self.failures += other.failures;
        self.moved += other.moved;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}

/// Makes `requests` requests from `client`, each on a connection of its own, `threads` at a time.
///
/// # Errors
/// The namespace cannot be entered; failed requests are counted, not errors.
pub fn fresh(client: &Netns, host: (Ipv4Addr, u16), requests: u64, threads: u64) -> Result<Tally> {
    spread(client, threads, |tally, thread| {
        for _ in 0..share(requests, threads, thread) {
            tally.count(Connection::open(address(host)).and_then(|mut connection| connection.get(true)));
        }
    })
}

/// Makes `requests` requests from `client` over `connections` kept connections, all at a time.
///
/// # Errors
/// As [`fresh`].
pub fn keep_alive(client: &Netns, host: (Ipv4Addr, u16), requests: u64, connections: u64) -> Result<Tally> {
    spread(client, connections, |tally, thread| {
        let wanted = share(requests, connections, thread);
        keep_asking(tally, host, |done| done < wanted);
    })
}

/// Asks on one kept connection as long as `more` says so, given how many requests are done.
pub fn keep_asking(tally: &mut Tally, host: (Ipv4Addr, u16), mut more: impl FnMut(u64) -> bool) {
    let mut connection = match Connection::open(address(host)) {
        Ok(connection) => connection,
        Err(error) => return tally.count(Err(error)),
    };
    let mut server = None;
    let mut done = 0;
    while more(done) {
        let answer = connection.get(false);
        done += 1;
        if let Ok(page) = &answer
            && *server.get_or_insert_with(|| page.clone()) != *page
        {
            tally.moved += 1;
        }
        let broken = answer.is_err();
        tally.count(answer);
        if broken {
            return;
        }
    }
}

/// Runs `work` on `threads` threads inside `netns`, each with its number, and adds up their tallies.
///
/// # Errors
/// The namespace cannot be entered.
pub fn spread(netns: &Netns, threads: u64, work: impl Fn(&mut Tally, u64) + Sync) -> Result<Tally> {
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || -> Result<Tally> {
                    netns.enter()?;
                    let mut tally = Tally::default();
                    work(&mut tally, thread);
                    Ok(tally)
                })
            })
            .collect();
        for thread in running {
            total.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(total)
    })
}

fn share(requests: u64, threads: u64, thread: u64) -> u64 {
    requests / threads + u64::from(thread < requests % threads)
}

fn address((address, port): (Ipv4Addr, u16)) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}
