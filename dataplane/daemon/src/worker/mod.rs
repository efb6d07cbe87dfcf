//! The workers: one per lcore, each with a queue of its own on every port, its own flows and its own counters.
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

mod clock;
mod egress;
mod pulse;
mod rings;
mod run;

pub use clock::Clock;
pub use egress::{Egress, Outputs};
pub use pulse::{Pulse, SIZES};
pub use rings::{Errand, ForSlow, Passed, RING, Rings, SlowRings, Wish, rings};
pub use run::{Input, Worker, WorkerConfig};
