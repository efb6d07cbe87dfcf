//! The kernel's switches (`net.ipv4.vs.*`): one table of what there is, the values in force, and what follows from them.

mod defence;
mod kind;
mod settings;
mod table;

pub use defence::{Defences, Room};
pub use kind::Kind;
pub use settings::{KeptSwitch, Settings};
pub use table::{ALL, Effect, NAMES, Refusal, Switch};
