//! The slow thread: what needs the kernel or has to wait, off the lcores.
//!
//! Frames between ports and their twins, and frames whose next hop is not resolved yet. Reading a tap is a system call,
//! so no lcore does it.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod hold;
mod thread;

pub use hold::{HOLD_FRAMES, HOLD_PER_NEIGHBOUR, HOLD_TIME, Hold, Neighbour};
pub use thread::{Slow, TwinCounters, TwinEnd};
