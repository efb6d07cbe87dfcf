//! The straight line: a TCP or UDP packet of an established flow that changes no state and can leave at once.
//!
//! Nothing is written before it is sure that all of it can be done; whatever does not fit goes the general way
//! (`forward.rs`), which decides from scratch.
use sluice_packet::Parsed;

use super::Lcore;
use crate::fib::NextHopId;
use crate::flow::{Candidate, Direction, Key4};
use crate::proto::{self, tcp};
use crate::time::Jiffies;
use crate::transmit;

impl Lcore {
    /// Forwards the packet along its candidate and answers the port it leaves by.
    #[inline(always)]
    pub(super) fn established(
        &mut self,
        now: Jiffies,
        frame: &mut [u8],
        parsed: &Parsed,
        candidate: Candidate,
        key: Key4,
    ) -> Option<u16> {
        let (flow, direction) = self.flows.confirm(candidate, key)?;
        let real = self.stats.real(flow.real)?;
        if !real.is_available() || (direction == Direction::In && parsed.flags & tcp::SYN != 0) {
            return None;
        }
        let expires = proto::unchanged(flow, direction, parsed.flags, &self.timeouts, now)?;
        let version = self.fib.version();
        let hop = match direction {
            Direction::In => real.hop(version)?,
            Direction::Out if flow.fib_version == version => NextHopId(flow.hop_out),
            Direction::Out => return None,
        };
        let hop = self.fib.hop(hop)?;
        let macs = hop.macs.as_ref()?;
        if parsed.ip_len > hop.mtu || transmit::time_to_live(frame, parsed) <= 1 {
            return None;
        }
        flow.expires = expires;
        flow.in_packets = flow.in_packets.wrapping_add(u32::from(direction == Direction::In));
        real.count(direction, parsed.ip_len);
        if flow.is_masq() {
            transmit::nat(frame, parsed, flow, direction, true);
        } else {
            transmit::direct(frame, parsed);
        }
        transmit::ethernet(frame, *macs);
        Some(hop.port)
    }
}
