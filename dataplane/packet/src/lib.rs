//! Wire formats as views on bytes: classification, header views, checksums and the buffer trait of the packet
//! path.
//!
//! Nothing here knows DPDK, allocates or panics: whatever bytes come in, the answer is a view, a [`Parsed`]
//! or a named [`Malformed`] reason. The one exception is [`build`], which makes frames for tests and benches.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
#![forbid(unsafe_code)]

extern crate alloc;

mod buf;
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests and benches, where a frame that cannot be built should stop the run"
)]
pub mod build;
pub mod checksum;
mod classify;
pub mod header;
mod parsed;
mod quoted;
pub mod sip;

pub use buf::PacketBuf;
pub use classify::{classify, classify_into};
pub use parsed::{Kind, Malformed, Parsed};
pub use quoted::Quoted4;
