//! The straight line: a TCP or UDP packet of an established flow that changes no state and can leave at once.
//!
//! Nothing is written before it is sure that all of it can be done; whatever does not fit goes the general way
//! (`forward.rs`), which decides from scratch.
use sluice_packet::{PacketBuf, Parsed};

use super::Lcore;
use crate::fib::NextHopId;
use crate::flow::{Candidate, Direction, Key4};
use crate::proto::{self, tcp};
use crate::time::Jiffies;
use crate::transmit::{self, Wrapping};

impl Lcore {
    /// Forwards the packet along its candidate and answers the port it leaves by.
    #[inline(always)]
    pub(super) fn established<B: PacketBuf>(
        &mut self,
        now: Jiffies,
        packet: &mut B,
        parsed: &Parsed,
        candidate: Candidate,
        key: Key4,
        hash: u64,
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
        if parsed.ip_len > hop.mtu || transmit::time_to_live(packet.data(), parsed) <= 1 {
            return None;
        }
        if flow.is_tunnelled() {
            let tunnel = self.tunnels.get(flow.real.0 as usize)?;
            if !tunnel.is_made_by(version) || !tunnel.has_room_for(parsed.ip_len, hop.mtu) {
                return None;
            }
            let wrapping = Wrapping { macs: *macs, hash, dont_fragment: self.dont_fragment };
            tunnel.wrap(packet, parsed, &wrapping, &mut self.idents).ok()?;
        }
        flow.expires = expires;
        flow.in_packets = flow.in_packets.wrapping_add(u32::from(direction == Direction::In));
        real.count(direction, parsed.ip_len);
        if flow.is_tunnelled() {
            return Some(hop.port);
        }
        let frame = packet.data_mut();
        if flow.is_masq() {
            transmit::nat(frame, parsed, flow, direction, true);
        } else {
            transmit::direct(frame, parsed);
        }
        transmit::ethernet(frame, *macs);
        Some(hop.port)
    }
}
