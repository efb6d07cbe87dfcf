//! The transport header: ports and flags of what can be balanced, the type of an ICMP message.
use crate::header::{Header, Icmp, Sctp, SctpChunk, Tcp, Udp, protocol};

/// What an IP packet carries.
pub(super) enum Transport {
    /// TCP or UDP.
    Flow {
        sport: u16,
        dport: u16,
        /// As [`Parsed::flags`](crate::Parsed::flags).
        flags: u8,
    },
    /// SCTP.
    Sctp {
        sport: u16,
        dport: u16,
        /// As [`Parsed::flags`](crate::Parsed::flags).
        chunk: u8,
    },
    /// ESP or AH.
    Ipsec,
    /// ICMP of the packet's own IP version, with its type.
    Icmp(u8),
    /// Any other protocol.
    Other,
    /// The header is cut off.
    Truncated,
}

/// Reads the header at the start of `payload`; `icmp` is the protocol number of ICMP in this IP version.
#[inline(always)]
pub(super) fn read(protocol: u8, payload: &[u8], icmp: u8) -> Transport {
    match protocol {
        protocol::TCP => {
            flow(Tcp::at(payload, 0), |tcp| (tcp.source_port(), tcp.destination_port(), tcp.flags()))
        }
        protocol::UDP => flow(Udp::at(payload, 0), |udp| (udp.source_port(), udp.destination_port(), 0)),
        _ => rare(protocol, payload, icmp),
    }
}

#[inline(always)]
fn flow<H>(header: Option<&H>, fields: impl FnOnce(&H) -> (u16, u16, u8)) -> Transport {
    header.map(fields).map_or(Transport::Truncated, |(sport, dport, flags)| Transport::Flow {
        sport,
        dport,
        flags,
    })
}

/// What is neither TCP nor UDP.
#[inline(never)]
fn rare(protocol: u8, payload: &[u8], icmp: u8) -> Transport {
    match protocol {
        protocol::SCTP => Sctp::at(payload, 0).map_or(Transport::Truncated, |sctp| Transport::Sctp {
            sport: sctp.source_port(),
            dport: sctp.destination_port(),
            chunk: SctpChunk::telling(payload.get(Sctp::LEN..).unwrap_or_default()),
        }),
        protocol::ESP | protocol::AH => Transport::Ipsec,
        _ if protocol == icmp => {
            Icmp::at(payload, 0).map_or(Transport::Truncated, |message| Transport::Icmp(message.kind()))
        }
        _ => Transport::Other,
    }
}
