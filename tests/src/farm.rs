//! The lab at work: nginx on each real server and `sluiced` in front of them.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};

use crate::http::{Connection, spread};
use crate::sluiced::{Sluiced, configuration};
use crate::topology::{Lab, ReplyPath, VIP, real_address};
use crate::wait::{SOON, until};
use crate::web::Web;

/// The virtual HTTP service.
pub const HTTP: (Ipv4Addr, u16) = (VIP, 80);

/// A lab with everything running; no service is configured yet.
#[derive(Debug)]
pub struct Farm {
    /// The daemon.
    pub sluiced: Sluiced,
    /// The web servers `real1` and `real2`.
    pub webs: Vec<Web>,
    /// The lab around them; last, so that it goes last.
    pub lab: Lab,
}

impl Farm {
    /// Builds the lab and starts everything in it.
    ///
    /// # Errors
    /// As [`Lab::new`], [`Web::start`] and [`Sluiced::start`].
    pub fn start() -> Result<Self> {
        Self::start_with(configuration)
    }

    /// As [`start`](Self::start), with another configuration of the daemon.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(configuration: impl FnOnce(&Lab) -> String) -> Result<Self> {
        let lab = Lab::new()?;
        let webs = webs(&lab)?;
        let sluiced = Sluiced::start_with(&lab, &configuration(&lab))?;
        Ok(Self { sluiced, webs, lab })
    }

    /// Adds the service `VIP:port` over both reals: `option` is ipvsadm's `-m` or `-g`; DR moves the reply path too.
    ///
    /// # Errors
    /// A command fails.
    pub fn serve(&self, protocol: &str, port: u16, scheduler: &str, option: &str) -> Result<()> {
        let path = if option == "-g" { ReplyPath::Direct } else { ReplyPath::Director };
        self.lab.reply_path(path)?;
        let ctl = &self.sluiced.ctl;
        ctl.run(&format!("-A {protocol} {VIP}:{port} -s {scheduler}"))?;
        for n in 1..=self.lab.reals.len() {
            ctl.run(&format!("-a {protocol} {VIP}:{port} -r {}:{port} {option}", real_address(n)))?;
        }
        Ok(())
    }

    /// Waits until every real has answered a request through the service: neighbours are resolved by then. Counters
    /// and access logs start from zero after it.
    ///
    /// # Errors
    /// They do not within the usual time.
    pub fn warm_up(&self) -> Result<()> {
        let mut answered = std::collections::BTreeSet::new();
        until("every real answering through the service", SOON, || {
            let tally = spread(&self.lab.client, 1, |tally, _| {
                let page = Connection::open(std::net::SocketAddrV4::new(HTTP.0, HTTP.1))
                    .and_then(|mut c| c.get(true));
                if let Ok(page) = page {
                    tally.answers.insert(page, 1);
                }
            })?;
            answered.extend(tally.answers.into_keys());
            Ok((answered.len() == self.webs.len()).then_some(()))
        })
        .with_context(|| format!("answered so far: {answered:?}\n{}", self.state()))?;
        self.forget()
    }

    /// Zeroes the counters and the access logs, once nginx has written what it still has to.
    ///
    /// # Errors
    /// A command fails.
    pub fn forget(&self) -> Result<()> {
        self.sluiced.ctl.run("-Z")?;
        self.webs.iter().try_for_each(Web::forget)
    }

    /// What the daemon shows of itself, for a failed assertion's message.
    pub fn state(&self) -> String {
        let ctl = &self.sluiced.ctl;
        let parts = ["-Ln", "-Ln --stats", "-Lnc", "drops", "status"].map(|words| match ctl.answer(words) {
            Ok(answer) => format!("# {words}\n{}{}", answer.stdout, answer.stderr),
            Err(error) => format!("# {words}\n{error:#}\n"),
        });
        parts.concat()
    }

    /// Checks that the access logs agree with the counters of the only service: `requests` in all, and for each real as
    /// many connections as it was given.
    ///
    /// # Errors
    /// They do not agree within the usual time.
    pub fn logs_agree(&self, requests: usize) -> Result<()> {
        // A request is logged after it was answered.
        until("the access logs being complete", SOON, || {
            Ok((self.webs.iter().map(Web::requests).sum::<usize>() >= requests).then_some(()))
        })?;
        let logged: usize = self.webs.iter().map(Web::requests).sum();
        ensure!(logged == requests, "{logged} requests are logged of {requests} made");
        for (n, web) in (1..).zip(&self.webs) {
            let conns = self.sluiced.ctl.real(n)?.stats.conns;
            let seen = web.connections();
            ensure!(
                conns == seen as u64,
                "real{n} saw {seen} connections, the counter says {conns}\n{}",
                self.state()
            );
        }
        Ok(())
    }
}

/// Starts nginx on every real of the lab.
///
/// # Errors
/// As [`Web::start`].
pub fn webs(lab: &Lab) -> Result<Vec<Web>> {
    (1..).zip(&lab.reals).map(|(n, real)| Web::start(real, &format!("real{n}"), lab.directory())).collect()
}
