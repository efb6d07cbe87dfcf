//! The HTTP server: pages to read, nothing to change. Off unless `http.port` is set.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::{Detail, metrics};
use crate::control::Shared;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 32;
/// How long a client may take to ask, and keep a connection idle between two questions.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may live, whatever it does. A scrape takes well under a second.
const LIFETIME: Duration = Duration::from_secs(600);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
#[error("http: cannot listen on {address}: {source}: set http.port or http.address to another")]
pub struct HttpError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Claims the port.
///
/// # Errors
/// The address is another's, or not this machine's.
pub fn listen(address: SocketAddr) -> Result<std::net::TcpListener, HttpError> {
    let wrong = |source| HttpError { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    Ok(listener)
}

/// Serves for ever, each connection as a task on the current thread. Needs a `LocalSet`.
pub async fn serve_http(listener: TcpListener, shared: Rc<Shared>, detail: Detail) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: wait until a client has gone.
                tracing::warn!(%error, "cannot accept an HTTP client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            let _permit = permit;
            let service = service_fn(|request| answer(Rc::clone(&shared), detail, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever the client did wrong is answered or cut off, and nobody else's concern.
            let _ = tokio::time::timeout(LIFETIME, connection).await;
        });
    }
}

type Page = Response<Full<Bytes>>;

async fn answer(shared: Rc<Shared>, detail: Detail, request: Request<Incoming>) -> Result<Page, Infallible> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut page = page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "read only: GET or HEAD\n");
        page.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(page);
    }
    Ok(match request.uri().path() {
        "/metrics" => {
            let view = shared.plane.borrow().view();
            // Long with many services: not on the control thread.
            match tokio::task::spawn_blocking(move || metrics(view, detail)).await {
                Ok(text) => page(StatusCode::OK, OPEN_METRICS, text),
                Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
            }
        }
        _ => page(StatusCode::NOT_FOUND, PLAIN, "there is /metrics\n"),
    })
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
