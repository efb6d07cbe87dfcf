//! What `-L` prints, byte for byte as ipvsadm 1.31.

pub(crate) mod connections;
pub(crate) mod order;
pub(crate) mod other;
pub(crate) mod services;
