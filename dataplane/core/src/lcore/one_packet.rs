//! One-packet scheduling: each packet of a UDP service is a connection of its own, that ends with it (reference 6).
use super::Lcore;
use super::burst::Packet;
use super::forward::{Next, resolved};
use crate::config::Forward;
use crate::family::V4;
use crate::flow::{Direction, Flow, NewFlow};
use crate::verdict::Verdict;

impl Lcore {
    /// Counts the connection and sends its packet. No flow is kept: what comes back meets none, and the real's connections
    /// stay as they are.
    pub(super) fn one_packet(
        &mut self,
        packet: &mut Packet<'_>,
        new: &NewFlow<V4>,
        direction: Direction,
    ) -> Verdict {
        if let Some(line) = self.stats.real(new.real) {
            line.conns.add(1);
            line.count(direction, packet.parsed.ip_len);
        }
        let next = match direction {
            Direction::In if new.forward == Forward::Bypass => self.way_to(new.vip),
            Direction::In => self.way_to_real(new),
            Direction::Out => self.way_to(new.client),
        };
        let mut flow = Flow::<V4>::EMPTY;
        flow.begin(new);
        if flow.is_tunnelled() {
            self.prepare_tunnel(new.real, new.real_address);
        }
        self.leave(packet, &flow, direction, next)
    }

    /// By the next hop that the real's line remembers, else by the FIB.
    fn way_to_real(&self, new: &NewFlow<V4>) -> Next {
        let version = self.fib.version();
        let Some(line) = self.stats.real(new.real) else { return Next::Nowhere };
        if let Some(hop) = line.hop(version).and_then(|hop| self.fib.hop(hop)) {
            return Next::Hop(*hop);
        }
        match resolved(&self.fib, new.real_address) {
            Ok(hop) => {
                line.set_hop(hop, version);
                self.fib.hop(hop).map_or(Next::Nowhere, |hop| Next::Hop(*hop))
            }
            Err(next) => next,
        }
    }

    fn way_to(&self, address: u32) -> Next {
        match resolved(&self.fib, address) {
            Ok(hop) => self.fib.hop(hop).map_or(Next::Nowhere, |hop| Next::Hop(*hop)),
            Err(next) => next,
        }
    }
}
