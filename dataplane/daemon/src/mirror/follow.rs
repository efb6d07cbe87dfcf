//! The netlink connection: dumps the kernel's tables, then follows their changes.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::TryStreamExt;
use rtnetlink::packet_core::{NLM_F_REPLACE, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::neighbour::{NeighbourFlags, NeighbourState};
use rtnetlink::packet_route::route::RouteMessage;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use sluice_core::Fib;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use super::fib::FibBuilder;
use super::refresh::Refresh;
use super::tables::{Changes, Tables};
use super::{Resolved, Static, Wanted};

/// How long a request for a neighbour is remembered: longer than the slow thread holds frames.
const WANTED_FOR: Duration = Duration::from_secs(5);
/// Messages taken in one wake-up before the FIB is published.
const BATCH: usize = 4096;
/// Neighbour requests under way at once.
const REQUESTS_MAX: usize = 256;

type Messages = futures_util::stream::BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>;

/// Why the mirror cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// No netlink socket.
    #[error("cannot open a route netlink socket: {0}")]
    Open(#[from] std::io::Error),
    /// A dump failed.
    #[error("cannot read the kernel's tables: {0}")]
    Dump(#[from] rtnetlink::Error),
    /// The connection ended.
    #[error("the route netlink connection ended")]
    Closed,
}

/// Follows the kernel's tables.
pub struct Mirror {
    handle: Handle,
    messages: Messages,
    connection: tokio::task::JoinHandle<()>,
    tables: Tables,
    builder: FibBuilder,
    wanted: HashMap<Wanted, Instant>,
    refresh: Refresh,
    requests: Arc<Semaphore>,
}

fn connect() -> Result<(tokio::task::JoinHandle<()>, Handle, Messages), MirrorError> {
    let groups =
        [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv4Route, MulticastGroup::Neigh];
    let (connection, handle, messages) = new_multicast_connection(&groups)?;
    Ok((tokio::spawn(connection), handle, messages.map(|(message, _)| message).boxed()))
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Mirror {
    /// Connects and takes a first full picture. Needs a tokio runtime; the network namespace is the calling thread's.
    ///
    /// # Errors
    /// [`MirrorError`], where the kernel refuses the socket or a dump.
    pub async fn new(fixed: Static) -> Result<Self, MirrorError> {
        let (connection, handle, messages) = connect()?;
        let mut mirror = Self {
            handle,
            messages,
            connection,
            tables: Tables::new(fixed.twins.clone()),
            builder: FibBuilder::new(fixed),
            wanted: HashMap::new(),
            refresh: Refresh::default(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
        };
        mirror.dump().await?;
        Ok(mirror)
    }

    /// Takes a full picture over a new connection; says whether the FIB has changed. The FIB goes on from where it was:
    /// next hops keep their slots.
    ///
    /// A new connection, because what the old one still holds is older than the picture and must not be applied to it.
    /// What the new one receives during the dump is as new as the picture or newer, and is applied after it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn reconnect(&mut self) -> Result<bool, MirrorError> {
        self.connection.abort();
        (self.connection, self.handle, self.messages) = connect()?;
        self.dump().await
    }

    /// The FIB as it stands.
    pub fn fib(&self) -> &Fib {
        self.builder.fib()
    }

    /// The interface index of a port's twin, where the kernel has it.
    pub fn interface(&self, port: u16) -> Option<u32> {
        self.tables.interface(port)
    }

    /// A handle for requests on the same connection.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Follows the kernel until the connection fails. `publish` gets each new FIB, at most one a wake-up, and the
    /// neighbours of `requests` as they are resolved; `reals` says whose next hops are to be kept resolved.
    ///
    /// # Errors
    /// [`MirrorError`]; the caller may [`reconnect`](Self::reconnect).
    pub async fn run(
        &mut self,
        requests: &mut mpsc::Receiver<Wanted>,
        reals: impl Fn() -> Vec<Ipv4Addr>,
        mut publish: impl FnMut(&Fib, &[Resolved]),
    ) -> Result<(), MirrorError> {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        publish(self.fib(), &[]);
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    let changes = self.take_messages(message).await?;
                    let changed = if changes.redump { self.reconnect().await? } else { self.update(changes) };
                    let resolved = self.take_resolved();
                    if changed || !resolved.is_empty() {
                        publish(self.fib(), &resolved);
                    }
                }
                Some(wanted) = requests.recv() => {
                    if let Some(resolved) = self.request(wanted) {
                        publish(self.fib(), &[resolved]);
                    }
                }
                _ = second.tick() => {
                    let now = Instant::now();
                    self.wanted.retain(|_, until| *until > now);
                    for hop in self.refresh.round(self.builder.fib(), &self.tables, &reals()) {
                        self.ask_kernel(hop);
                    }
                }
            }
        }
    }

    /// Applies `first` and what else has arrived meanwhile.
    async fn take_messages(
        &mut self,
        first: Option<NetlinkMessage<RouteNetlinkMessage>>,
    ) -> Result<Changes, MirrorError> {
        let mut changes = self.apply(first.ok_or(MirrorError::Closed)?);
        // One turn of the runtime lets the connection hand over all that its socket holds.
        tokio::task::yield_now().await;
        for _ in 0..BATCH {
            match futures_util::FutureExt::now_or_never(self.messages.next()) {
                Some(Some(message)) => changes.merge(self.apply(message)),
                Some(None) => return Err(MirrorError::Closed),
                None => break,
            }
        }
        Ok(changes)
    }

    fn apply(&mut self, message: NetlinkMessage<RouteNetlinkMessage>) -> Changes {
        let replaces = message.header.flags & NLM_F_REPLACE != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(inner) => self.apply_inner(&inner, replaces),
            // ENOBUFS: the kernel has dropped notifications.
            NetlinkPayload::Overrun(_) => Changes { redump: true, ..Changes::default() },
            _ => Changes::default(),
        }
    }

    fn apply_inner(&mut self, message: &RouteNetlinkMessage, replaces: bool) -> Changes {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.tables.link(link, false),
            RouteNetlinkMessage::DelLink(link) => self.tables.link(link, true),
            RouteNetlinkMessage::NewAddress(address) => self.tables.address(address, false),
            RouteNetlinkMessage::DelAddress(address) => self.tables.address(address, true),
            RouteNetlinkMessage::NewRoute(route) => self.tables.route(route, false, replaces),
            RouteNetlinkMessage::DelRoute(route) => self.tables.route(route, true, false),
            RouteNetlinkMessage::NewNeighbour(neighbour) => {
                self.tables.neighbour(neighbour, false);
                Changes::default()
            }
            RouteNetlinkMessage::DelNeighbour(neighbour) => {
                self.tables.neighbour(neighbour, true);
                Changes::default()
            }
            _ => Changes::default(),
        }
    }

    /// Reads all tables anew; says whether the FIB has changed.
    async fn dump(&mut self) -> Result<bool, MirrorError> {
        self.tables.clear();
        let mut links = self.handle.link().get().execute();
        while let Some(link) = links.try_next().await? {
            self.tables.link(&link, false);
        }
        let mut addresses = self.handle.address().get().execute();
        while let Some(address) = addresses.try_next().await? {
            self.tables.address(&address, false);
        }
        let mut all = RouteMessage::default();
        all.header.address_family = AddressFamily::Inet;
        let mut routes = self.handle.route().get(all).execute();
        while let Some(route) = routes.try_next().await? {
            self.tables.route(&route, false, false);
        }
        let mut neighbours = self.handle.neighbours().get().set_address_family(AddressFamily::Inet).execute();
        while let Some(neighbour) = neighbours.try_next().await? {
            self.tables.neighbour(&neighbour, false);
        }
        Ok(self.update(Changes { addresses: true, routes: true, redump: true }))
    }

    fn update(&mut self, changes: Changes) -> bool {
        self.builder.update(&mut self.tables, changes)
    }

    /// Notes that frames wait for a neighbour. Returns it where it is known already.
    fn request(&mut self, wanted: Wanted) -> Option<Resolved> {
        if let Some(resolved) = self.resolved(wanted) {
            return Some(resolved);
        }
        self.wanted.insert(wanted, Instant::now() + WANTED_FOR);
        self.ask_kernel(wanted);
        None
    }

    fn resolved(&self, wanted: Wanted) -> Option<Resolved> {
        let id = self.fib().neighbour(wanted.port, wanted.address)?;
        let mac = *self.fib().hop(id)?.macs?.first_chunk::<6>()?;
        Some(Resolved { port: wanted.port, address: wanted.address, mac })
    }

    fn take_resolved(&mut self) -> Vec<Resolved> {
        let found: Vec<Resolved> = self.wanted.keys().filter_map(|wanted| self.resolved(*wanted)).collect();
        let done: HashSet<(u16, Ipv4Addr)> = found.iter().map(|one| (one.port, one.address)).collect();
        self.wanted.retain(|wanted, _| !done.contains(&(wanted.port, wanted.address)));
        found
    }

    /// Tells the kernel that the neighbour is in use, so that it resolves or verifies it.
    fn ask_kernel(&self, hop: Wanted) {
        let Some(interface) = self.tables.interface(hop.port) else { return };
        // One left out now comes up again in a second.
        let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() else { return };
        let request = self
            .handle
            .neighbours()
            .add(interface, IpAddr::V4(hop.address))
            .flags(NeighbourFlags::Use)
            .state(NeighbourState::None)
            .replace();
        tokio::spawn(async move {
            if let Err(error) = request.execute().await {
                tracing::debug!(address = %hop.address, %error, "the kernel refused to resolve a neighbour");
            }
            drop(permit);
        });
    }
}
