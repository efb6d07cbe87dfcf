//! cache_bypass: without a real server, what a fwmark service takes goes on to where it wanted to go (reference 4.5).
use super::Lcore;
use super::burst::Packet;
use crate::config::Forward;
use crate::family::V4;
use crate::fib::Lookup;
use crate::flow::{NONE, NewFlow};
use crate::proto;
use crate::real::RealId;

impl Lcore {
    /// The flow of a packet of a fwmark service for which there is no real; `None` where it has to be dropped.
    pub(super) fn bypass(&self, packet: &Packet<'_>) -> Option<NewFlow<V4>> {
        let parsed = packet.parsed;
        if !self.snapshot.switches.cache_bypass || self.fib.lookup(parsed.dst) == Lookup::Local {
            return None;
        }
        Some(NewFlow {
            protocol: parsed.protocol,
            client: parsed.src,
            client_port: parsed.sport,
            vip: parsed.dst,
            vport: parsed.dport,
            real_address: 0,
            real_port: 0,
            forward: Forward::Bypass,
            real: RealId(NONE),
            expires: packet.now.after(proto::CREATION),
            template: None,
        })
    }
}
