//! Packets for tunnelled reals: what an lcore keeps of each tunnel, and the general way into it.
use sluice_packet::{PacketBuf, Parsed};

use super::Lcore;
use super::burst::Packet;
use super::forward::refusal;
use crate::config::Encapsulation;
use crate::drop::DropReason;
use crate::family::V4;
use crate::fib::NextHop;
use crate::flow::Flow;
use crate::real::RealId;
use crate::transmit::Wrapping;
use crate::verdict::Verdict;

/// A packet that is to be wrapped once it has been decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    real: RealId,
    wrapping: Wrapping,
}

impl Lcore {
    /// Makes the headers of the tunnel to a real, if the FIB as it stands has not made them.
    pub(super) fn prepare_tunnel(&mut self, real: RealId, destination: u32) {
        let fib_version = self.fib.version();
        let Some(how) = self.encapsulation(real) else { return };
        let Some(tunnel) = self.tunnels.get_mut(real.0 as usize) else { return };
        if !tunnel.is_made_by(fib_version)
            && let Some(source) = self.fib.source(destination)
        {
            tunnel.make(how, source, destination, fib_version);
        }
    }

    /// Of a real that is one of its service's.
    fn encapsulation(&self, real: RealId) -> Option<Encapsulation> {
        let (slot, at) = self.stats.real(real)?.place()?;
        let service = self.snapshot.services.get(slot)?.as_ref()?;
        Some(service.reals.get(at)?.config.encapsulation)
    }

    /// Says that the packet is to be wrapped, if it fits.
    pub(super) fn enter_tunnel(&self, packet: &Packet<'_>, flow: &Flow<V4>, hop: &NextHop) -> Verdict {
        if let Some(reason) = refusal(packet, hop) {
            return self.drop(reason);
        }
        let tunnel = self.tunnels.get(flow.real.0 as usize);
        let Some(tunnel) = tunnel.filter(|tunnel| tunnel.is_made_by(self.fib.version())) else {
            return self.drop(DropReason::NoTunnelSource);
        };
        if !tunnel.has_room_for(packet.parsed.ip_len, hop.mtu) {
            return self.drop(DropReason::MtuExceeded);
        }
        let macs = hop.macs.unwrap_or_default();
        let wrapping = Wrapping { macs, hash: packet.hash, dont_fragment: self.dont_fragment };
        packet.bound.set(Some(Bound { real: flow.real, wrapping }));
        match hop.macs {
            Some(_) => Verdict::Transmit { port: hop.port },
            None => Verdict::Resolve { port: hop.port, address: hop.address },
        }
    }

    /// Wraps a packet on which `verdict` was passed.
    pub(super) fn wrap<B: PacketBuf>(
        &mut self,
        packet: &mut B,
        parsed: &Parsed,
        bound: &Bound,
        verdict: Verdict,
    ) -> Verdict {
        let Some(tunnel) = self.tunnels.get(bound.real.0 as usize) else { return verdict };
        match tunnel.wrap(packet, parsed, &bound.wrapping, &mut self.idents) {
            Ok(()) => verdict,
            Err(reason) => self.drop(reason),
        }
    }
}
