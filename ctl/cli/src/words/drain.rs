//! `sluicectl drain`: takes the weight from a real server and waits until it has no connection left.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use sluice_api::request::{OptionalService, Purge, RealChange};
use sluice_api::{Applied, Purged, RealEntry, RealId, Request, ServiceEntry, ServiceId};

use super::{ask, purge, which};
use crate::failure::Failure;
use crate::session::Session;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// The exit status where connections are left at the deadline.
const LEFT: u8 = 3;

#[derive(Args)]
pub(super) struct Words {
    #[command(flatten)]
    service: which::Service,
    /// The mark's service of IPv6 packets
    #[arg(short = '6', long = "ipv6", requires = "mark")]
    ipv6: bool,
    /// The real server, which stays listed with weight 0
    #[arg(short = 'r', long, value_name = "ADDRESS[:PORT]")]
    real_server: String,
    /// How long to wait at most; without it, until nothing is left
    #[arg(long, value_name = "SECONDS")]
    deadline: Option<u64>,
    /// End what is left at the deadline
    #[arg(long, requires = "deadline")]
    purge: bool,
}

/// Prints what is left each time that it changes.
pub(super) fn run(session: &mut Session, words: &Words) -> Result<(), Failure> {
    let service = words.service.id(words.ipv6)?;
    let real = which::real(&words.real_server, &service)?;
    let mut spec = look(session, &service, &real)?.spec;
    spec.weight = 0;
    let applied: Applied = ask(session, &Request::RealEdit(RealChange { service, real: spec }))?;
    session.warn(&applied)?;
    let end = words.deadline.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut before = None;
    loop {
        let RealEntry { active, inactive, persistent, .. } = look(session, &service, &real)?;
        let left = (active, inactive, persistent);
        if before != Some(left) {
            writeln!(session.out, "{real}: {active} active, {inactive} inactive, {persistent} persistent")?;
            session.out.flush()?;
            before = Some(left);
        }
        if left == (0, 0, 0) {
            return Ok(());
        }
        let wait = end.map_or(PAUSE, |end| end.saturating_duration_since(Instant::now()).min(PAUSE));
        if wait.is_zero() {
            return at_deadline(session, words.purge, Purge { service, real: Some(real), only: None });
        }
        std::thread::sleep(wait);
    }
}

fn at_deadline(session: &mut Session, purges: bool, what: Purge) -> Result<(), Failure> {
    if !purges {
        return Err(Failure::Run { text: "sluicectl: not drained by the deadline".to_owned(), exit: LEFT });
    }
    let purged: Purged = ask(session, &Request::Purge(what))?;
    Ok(writeln!(session.out, "purged {}", purge::told(&purged))?)
}

fn look(session: &mut Session, service: &ServiceId, real: &RealId) -> Result<RealEntry, Failure> {
    let which = OptionalService { service: Some(*service) };
    let entries: Vec<ServiceEntry> = ask(session, &Request::ServiceList(which))?;
    let mut reals = entries.into_iter().flat_map(|entry| entry.reals);
    reals.find(|entry| entry.spec.id == *real).ok_or_else(|| Failure::Run {
        text: format!("sluicectl: no such destination: {real} of {service}"),
        exit: 1,
    })
}
