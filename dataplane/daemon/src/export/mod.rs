//! Counters out: metrics over HTTP, and files in the kernel's format.

mod files;
mod http;
mod metrics;
mod proc;

pub use files::{ProcFiles, write_files};
pub use http::{HttpError, listen, serve_http};
pub use metrics::{Detail, metrics};
