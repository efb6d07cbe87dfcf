//! Counters on the control side: sums over lcores, zero points, rates, drops by name.

mod accounts;
mod drops;
mod estimator;
mod marks;

pub use accounts::{Accounts, Shown};
pub use drops::{SharedDrops, drops};
pub use estimator::{Estimator, PERIOD_S, Rates};
pub use marks::MarkAccounts;
