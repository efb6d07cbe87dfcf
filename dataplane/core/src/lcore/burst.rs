//! The burst pipeline: classify all, hash all, name all candidates, then decide each packet in order of arrival.
//!
//! Each stage runs over the whole burst and asks for the memory that the next one reads, so that the loads of 32
//! packets overlap: bucket first, then the flow's first line. Only the last stage changes anything; it confirms the
//! key on the flow itself, so a candidate that an earlier packet of the burst has ended is seen to be stale.
use std::cell::Cell;

use sluice_packet::{Kind, PacketBuf, Parsed, classify_into};

use super::Lcore;
use super::tunnel::Bound;
use crate::config::Protocol;
use crate::drop::DropReason;
use crate::flow::{Candidate, FlowKey, Key4};
use crate::time::Jiffies;
use crate::verdict::{BURST, Ingress, Verdict};

/// How many packets ahead a packet's first bytes are asked for.
const AHEAD: usize = 4;

/// What the stages know of one packet.
#[derive(Clone, Copy, Debug)]
struct Staged {
    parsed: Parsed,
    key: Key4,
    hash: u64,
    candidate: Candidate,
    /// Whether the stages look for a flow: TCP or UDP over IPv4, untagged (a tag belongs to a VLAN interface of the twin).
    is_flow: bool,
}

/// The burst between stages.
#[derive(Debug)]
pub(super) struct Stage {
    packets: [Staged; BURST],
}

impl Default for Stage {
    fn default() -> Self {
        let nothing = Staged {
            parsed: Parsed::NOTHING,
            key: Key4::new(0, 0, 0, 0, 0),
            hash: 0,
            candidate: Candidate::NONE,
            is_flow: false,
        };
        Self { packets: [nothing; BURST] }
    }
}

/// A packet at hand, with what the stages found.
pub(super) struct Packet<'a> {
    pub(super) frame: &'a mut [u8],
    pub(super) parsed: &'a Parsed,
    /// Of its five numbers.
    pub(super) hash: u64,
    pub(super) ingress: &'a Ingress,
    pub(super) now: Jiffies,
    /// Set where it goes into a tunnel: only [`decide`](Lcore::decide) can make its frame longer.
    pub(super) bound: &'a Cell<Option<Bound>>,
}

impl Stage {
    #[inline]
    fn classify<B: PacketBuf>(&mut self, burst: &[B], ingress: &Ingress) {
        if ingress.from_kernel {
            return self.classify_from_kernel(burst);
        }
        for packet in burst.iter().take(AHEAD) {
            packet.prefetch();
        }
        for (at, (packet, staged)) in burst.iter().zip(&mut self.packets).enumerate() {
            if let Some(later) = burst.get(at + AHEAD) {
                later.prefetch();
            }
            let good = packet.ip_checksum_good();
            classify_into(packet.data(), packet.frame_len(), &ingress.mac, good, &mut staged.parsed);
        }
    }

    /// The kernel's own frames go to any MAC address.
    #[cold]
    fn classify_from_kernel<B: PacketBuf>(&mut self, burst: &[B]) {
        for (packet, staged) in burst.iter().zip(&mut self.packets) {
            let frame = packet.data();
            let to = frame.first_chunk().copied().unwrap_or_default();
            classify_into(frame, packet.frame_len(), &to, packet.ip_checksum_good(), &mut staged.parsed);
        }
    }
}

impl Lcore {
    /// Decides every packet of `burst` (at most [`BURST`], the rest is left alone), rewrites those that are forwarded,
    /// and writes one verdict each into `verdicts`.
    pub fn process_burst<B: PacketBuf>(
        &mut self,
        now: Jiffies,
        ingress: &Ingress,
        burst: &mut [B],
        verdicts: &mut [Verdict; BURST],
    ) {
        let count = burst.len().min(BURST);
        let Some(burst) = burst.get_mut(..count) else { return };
        // Moved out for the time of the burst, so that deciding may borrow the rest of the lcore.
        let Some(mut stage) = self.stage.take() else { return };
        stage.classify(burst, ingress);
        if let Some(staged) = stage.packets.get_mut(..count) {
            self.hash_all(staged);
            self.name_candidates(staged);
            for ((packet, staged), verdict) in burst.iter_mut().zip(&*staged).zip(verdicts) {
                *verdict = self.decide(now, ingress, packet, staged);
            }
            self.flows.settle();
        }
        self.stage = Some(stage);
        self.stats.packets.add(count as u64);
        self.stats.bursts.add(1);
    }

    #[inline]
    fn hash_all(&self, staged: &mut [Staged]) {
        for packet in staged {
            packet.is_flow = packet.parsed.kind == Kind::Flow4 && packet.parsed.vlan == 0;
            if packet.is_flow {
                let Parsed { protocol, src, sport, dst, dport, .. } = packet.parsed;
                packet.key = Key4::new(protocol, src, sport, dst, dport);
                packet.hash = self.flows.hash(packet.key);
                self.flows.prefetch_bucket(packet.hash);
            }
        }
    }

    #[inline]
    fn name_candidates(&self, staged: &mut [Staged]) {
        for packet in staged {
            if packet.is_flow {
                packet.candidate = self.flows.candidate(packet.hash);
            }
        }
    }

    #[inline(always)]
    fn decide<B: PacketBuf>(
        &mut self,
        now: Jiffies,
        ingress: &Ingress,
        packet: &mut B,
        staged: &Staged,
    ) -> Verdict {
        let Staged { parsed, key, hash, candidate, is_flow } = staged;
        if *is_flow && let Some(port) = self.established(now, packet, parsed, *candidate, *key, *hash) {
            return Verdict::Transmit { port };
        }
        let (verdict, bound) = self.decide_otherwise(now, ingress, packet.data_mut(), staged);
        match bound {
            Some(bound) => self.wrap(packet, parsed, &bound, verdict),
            None => verdict,
        }
    }

    /// Whatever is not on the straight line.
    #[cold]
    fn decide_otherwise(
        &mut self,
        now: Jiffies,
        ingress: &Ingress,
        frame: &mut [u8],
        staged: &Staged,
    ) -> (Verdict, Option<Bound>) {
        let Staged { parsed, key, hash, .. } = staged;
        let bound = Cell::new(None);
        let mut packet = Packet { frame, parsed, hash: *hash, ingress, now, bound: &bound };
        let verdict = match parsed.kind {
            _ if staged.is_flow => self.look_up(&mut packet, *key),
            Kind::Sctp4 if parsed.vlan == 0 => self.look_up_at_once(&mut packet),
            Kind::Ipsec4 if parsed.vlan == 0 => {
                let parsed = &in_the_name_of_its_key_exchange(parsed);
                self.look_up_at_once(&mut Packet { parsed, ..packet })
            }
            Kind::IcmpError4 if parsed.vlan == 0 => self.icmp_error(&mut packet),
            _ => self.not_a_flow(ingress, parsed),
        };
        (verdict, bound.get())
    }

    /// A packet that the stages have not looked up.
    fn look_up_at_once(&mut self, packet: &mut Packet<'_>) -> Verdict {
        let Parsed { protocol, src, sport, dst, dport, .. } = *packet.parsed;
        let key = Key4::new(protocol, src, sport, dst, dport);
        packet.hash = self.flows.hash(key);
        self.look_up(packet, key)
    }

    fn look_up(&mut self, packet: &mut Packet<'_>, key: Key4) -> Verdict {
        match self.flows.find(key, packet.hash) {
            Some((id, direction)) => self.known(packet, id, direction),
            None => self.unknown(packet),
        }
    }

    fn not_a_flow(&self, ingress: &Ingress, parsed: &Parsed) -> Verdict {
        match parsed.kind {
            _ if ingress.from_kernel => Verdict::Transmit { port: ingress.port },
            Kind::Bad => self.drop(DropReason::of_malformed(parsed.malformed)),
            Kind::NotOurs => self.drop(DropReason::NotOurs),
            _ => self.pass(ingress),
        }
    }

    /// Not the load balancer's: to the kernel, or, where the kernel sent it, out of the port.
    pub(super) fn pass(&self, ingress: &Ingress) -> Verdict {
        if ingress.from_kernel {
            return Verdict::Transmit { port: ingress.port };
        }
        self.to_kernel()
    }

    pub(super) fn to_kernel(&self) -> Verdict {
        self.stats.to_kernel.add(1);
        Verdict::ToKernel
    }

    #[cold]
    pub(super) fn drop(&self, reason: DropReason) -> Verdict {
        self.stats.count_drop(reason);
        Verdict::Drop(reason)
    }
}

/// ESP and AH belong to the flow of the key exchange between the same hosts (reference 3.2). The kind stays: it tells what
/// NAT may change.
pub(super) fn in_the_name_of_its_key_exchange(parsed: &Parsed) -> Parsed {
    /// RFC 7296.
    const IKE: u16 = 500;
    Parsed { protocol: Protocol::Udp as u8, flags: 0, sport: IKE, dport: IKE, ..*parsed }
}
