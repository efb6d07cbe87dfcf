//! Accepting clients of the control socket, a bounded number of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_api::{ErrorCode, RpcError};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::peer::Admission;
use super::plane::Shared;
use super::session;

/// What clients may take up.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Clients served at once.
    pub clients: usize,
    /// A client that takes no byte of its reply for so long is closed.
    pub write_stall: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { clients: 64, write_stall: Duration::from_secs(10) }
    }
}

/// Serves clients for ever, each as a task on the current thread. Needs a `LocalSet`.
pub async fn serve(listener: UnixListener, shared: Rc<Shared>, admission: Admission, limits: ServeLimits) {
    let room = Arc::new(Semaphore::new(limits.clients));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait until a client has gone.
                tracing::warn!(%error, "cannot accept a control client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let refusal = refusal(&stream, &admission);
        let permit = Arc::clone(&room).try_acquire_owned();
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            match (refusal, permit) {
                (Some(error), _) => session::refuse(stream, error, limits.write_stall).await,
                (None, Err(_)) => session::refuse(stream, too_many(limits.clients), limits.write_stall).await,
                (None, Ok(_permit)) => session::run(stream, &shared, limits.write_stall).await,
            }
        });
    }
}

fn refusal(stream: &UnixStream, admission: &Admission) -> Option<RpcError> {
    match stream.peer_cred() {
        Ok(peer) if admission.admits(peer.uid(), peer.gid()) => None,
        Ok(peer) => Some(RpcError::new(
            ErrorCode::NotPermitted,
            format!("uid {} may not control sluiced: be root or a member of control.group", peer.uid()),
        )),
        Err(error) => {
            Some(RpcError::new(ErrorCode::NotPermitted, format!("cannot tell who you are: {error}")))
        }
    }
}

fn too_many(clients: usize) -> RpcError {
    let message = format!("{clients} clients are connected already: close one and try again");
    RpcError::new(ErrorCode::NoMemory, message)
}
