//! Conformance: the same frames and command lines to the kernel's IPVS and to Sluice, and every difference shown.
//!
//! The kernel is a real one: Debian's user-mode-linux, which runs as a plain process ([`guest`]), with Debian's
//! `ipvsadm`. Sluice is `sluiced` on veth pairs. Both get the same addresses, routes and neighbours ([`balancer`]), and
//! each frame is followed by a fence, so that what comes out belongs to what went in ([`wires`]). A scenario
//! ([`scenario`]) is taken step by step by both at the same time, and each step's frames and lines are compared
//! ([`play`]), byte by byte but for what nobody can foresee ([`normal`]).

mod answers;
pub mod balancer;
pub mod describe;
pub mod frames;
pub mod guest;
pub mod kernel;
pub mod normal;
pub mod play;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod sluice;
pub mod wires;

pub use play::{Outcome, Stage};
pub use run::{Played, run};
pub use scenario::Scenario;
