//! What the tests of this crate share: a sound frame of every shape, and a slow second opinion.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses its own part")]
pub mod naive;
pub mod shapes;
