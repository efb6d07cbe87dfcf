//! Builders of frames for tests and benches: correct unless asked otherwise, and free to allocate and to
//! panic.
//!
//! ```
//! use sluice_packet::build::Frame;
//! use sluice_packet::header::flags::SYN;
//! use sluice_packet::{Kind, classify};
//!
//! let frame = Frame::new().ipv4([10, 0, 0, 1], [10, 0, 0, 2]).tcp(40_000, 80, SYN).build();
//! let parsed = classify(&frame, frame.len(), &Frame::DESTINATION, false);
//! assert_eq!((parsed.kind, parsed.dport), (Kind::Flow4, 80));
//! ```
mod array_buf;
mod fragments;
mod frame;
mod network;
mod transport;

pub use array_buf::ArrayBuf;
pub use frame::Frame;
