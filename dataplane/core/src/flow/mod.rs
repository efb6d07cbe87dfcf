//! Flows of one lcore: entries, the index over them, and the wheel that expires them. No lock, no allocation.
mod entry;
mod hash;
mod index;
mod replies;
mod table;
mod wheel;

pub(crate) use entry::{Direction, Flow, NONE, NewFlow, flags};
pub use entry::{FLOW_BYTES, FLOW6_BYTES, FlowView};
pub(crate) use hash::{FlowKey, Key4, Key6, Seed, with_bytes};
pub(crate) use index::filled;
pub(crate) use table::{Candidate, FlowId, FlowTable};
