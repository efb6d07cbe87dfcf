//! The service that takes a packet without a flow.
use std::sync::Arc;

use super::Lcore;
use super::burst::Packet;
use crate::config::Service;
use crate::mark::MarkPacket4;

/// The bits of a VLAN tag that are its id.
const VLAN_ID: u16 = 0x0fff;

impl Lcore {
    /// The service and its slot, in the kernel's order (reference 1): by the packet's mark, then by its destination.
    pub(super) fn service_of(&self, packet: &Packet<'_>) -> Option<(u32, &Arc<Service>)> {
        let parsed = packet.parsed;
        let by_mark = self.service_by_mark(packet);
        by_mark.or_else(|| self.snapshot.service_at((parsed.protocol, parsed.dst, parsed.dport)))
    }

    /// Mark rules are for what comes in by a port, and are consulted only while there is a fwmark service.
    fn service_by_mark(&self, packet: &Packet<'_>) -> Option<(u32, &Arc<Service>)> {
        if self.snapshot.by_mark.is_empty() || packet.ingress.from_kernel {
            return None;
        }
        let parsed = packet.parsed;
        let hit = self.snapshot.marks.lookup(&MarkPacket4 {
            port: packet.ingress.port,
            vlan: parsed.vlan & VLAN_ID,
            protocol: parsed.protocol,
            source: parsed.src,
            destination: parsed.dst,
            source_port: parsed.sport,
            destination_port: parsed.dport,
        })?;
        self.stats.count_mark(hit.slot);
        self.snapshot.service_marked(hit.mark)
    }
}
