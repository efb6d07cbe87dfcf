//! The control loop: one thread on which the socket, the mirror, the clockwork and the saver take turns.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::config::Config;
use crate::control::{Admission, ServeLimits, Shared, serve};
use crate::counters::PERIOD_S;
use crate::export::{Detail, ProcFiles, serve_http, write_files};
use crate::mirror::{Mirror, Resolved, Static, Wanted};
use crate::saver::Saver;
use crate::start::StartError;
use crate::state::SavedState;
use crate::twin;
use crate::watchdog::Watchdog;
use crate::worker::Clock;

/// How long to wait before the kernel's tables are read anew after an error.
const MIRROR_RETRY: Duration = Duration::from_secs(1);

/// What the control loop works with.
pub(crate) struct ControlLoop<'a> {
    pub(crate) config: &'a Config,
    pub(crate) listener: std::os::unix::net::UnixListener,
    pub(crate) http: Option<std::net::TcpListener>,
    pub(crate) shared: Rc<Shared>,
    pub(crate) saved: Option<SavedState>,
    pub(crate) fixed: Static,
    pub(crate) clock: Clock,
    pub(crate) wanted: Receiver<Wanted>,
    pub(crate) resolved: Sender<Resolved>,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps the loop from starting.
pub(crate) fn run(parts: ControlLoop<'_>) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, parts.run())
}

impl ControlLoop<'_> {
    async fn run(self) -> Result<(), StartError> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shared = self.shared;
        let mirror = Mirror::new(self.fixed.clone()).await?;
        for (twin, port) in self.fixed.twins.iter().zip(&self.fixed.ports) {
            if let Some(name) = twin {
                twin::bring_up(&mirror.handle(), name, port.mtu).await.map_err(StartError::Other)?;
            }
        }
        restore(&shared, self.saved, mirror.fib())?;
        let workers = shared.plane.borrow().pulses();
        spawn_local(follow(mirror, Rc::clone(&shared), self.wanted, self.resolved));
        spawn_local(every_second(Rc::clone(&shared), self.clock));
        spawn_local(estimate(Rc::clone(&shared)));
        spawn_local(Watchdog::new(workers, Instant::now()).watch());
        let saver = Saver::new(&self.config.state.file, Rc::clone(&shared));
        spawn_local(Rc::clone(&saver).run());
        let listener = UnixListener::from_std(self.listener)?;
        let admission = Admission::new(self.config.control.group.as_deref());
        spawn_local(serve(listener, Rc::clone(&shared), admission, ServeLimits::default()));
        counters_out(self.config, self.http, &shared)?;
        crate::log::running();
        tracing::info!(socket = %self.config.control.socket.display(), "ready");
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        saver.last();
        Ok(())
    }
}

/// Starts whatever shows the counters outside.
fn counters_out(
    config: &Config,
    http: Option<std::net::TcpListener>,
    shared: &Rc<Shared>,
) -> Result<(), StartError> {
    if let Some(listener) = http {
        let detail = if config.http.reals { Detail::Reals } else { Detail::Services };
        tracing::info!(address = %listener.local_addr()?, "metrics over HTTP");
        spawn_local(serve_http(TcpListener::from_std(listener)?, Rc::clone(shared), detail));
    }
    if !config.proc.folder.as_os_str().is_empty() {
        let files = ProcFiles {
            folder: config.proc.folder.clone(),
            period: Duration::from_secs(config.proc.period.into()),
            connections: config.proc.connections,
        };
        spawn_local(write_files(files, Rc::clone(shared)));
    }
    Ok(())
}

fn restore(shared: &Shared, saved: Option<SavedState>, fib: &sluice_core::Fib) -> Result<(), StartError> {
    let mut plane = shared.plane.borrow_mut();
    plane.set_fib(fib);
    if let Some(saved) = saved {
        let wrong = |error| StartError::Other(format!("the saved state cannot be set up: {error}"));
        plane.restore(saved).map_err(wrong)?;
    }
    plane.publish();
    Ok(())
}

/// Keeps the FIB as the kernel's tables are, for ever.
async fn follow(
    mut mirror: Mirror,
    shared: Rc<Shared>,
    mut wanted: Receiver<Wanted>,
    resolved: Sender<Resolved>,
) {
    loop {
        let reals = || -> Vec<Ipv4Addr> { shared.plane.borrow().real_addresses() };
        let publish = |fib: &sluice_core::Fib, found: &[Resolved]| {
            shared.plane.borrow_mut().set_fib(fib);
            for neighbour in found {
                // A full queue: the slow thread asks again within a second.
                let _ = resolved.try_send(*neighbour);
            }
        };
        if let Err(error) = mirror.run(&mut wanted, reals, publish).await {
            tracing::warn!(%error, "lost sight of the kernel's tables; reading them anew");
        }
        loop {
            sleep(MIRROR_RETRY).await;
            match mirror.reconnect().await {
                Ok(_) => break,
                Err(error) => tracing::warn!(%error, "cannot read the kernel's tables"),
            }
        }
    }
}

async fn every_second(shared: Rc<Shared>, mut clock: Clock) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        shared.plane.borrow_mut().every_second(clock.now());
    }
}

async fn estimate(shared: Rc<Shared>) {
    let mut window = interval(Duration::from_secs(PERIOD_S));
    loop {
        window.tick().await;
        shared.plane.borrow_mut().tick_estimators();
    }
}
