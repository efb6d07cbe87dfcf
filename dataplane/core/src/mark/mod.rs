//! Mark rules: what iptables' MARK target is to the kernel's IPVS. They give packets without a flow the mark by which a
//! fwmark service takes them; a packet of a known flow never meets them.
mod field;
mod rule;
mod table;
#[cfg(test)]
mod tests;

pub use rule::{MarkRule, Prefix};
pub use table::{MarkHit, MarkPacket4, MarkTable};
