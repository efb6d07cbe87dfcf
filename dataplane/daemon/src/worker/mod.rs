//! The workers: one per lcore, each with a queue of its own on every port, its own flows and its own counters.

mod clock;
mod egress;
mod pulse;
mod rings;
mod run;

pub use clock::Clock;
pub use egress::{Egress, Outputs};
pub use pulse::Pulse;
pub use rings::{Errand, ForSlow, Passed, RING, Rings, SlowRings, Wish, rings};
pub use run::{Input, Worker, WorkerConfig};
