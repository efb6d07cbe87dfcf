//! The transport layer of a frame in the making.
use crate::checksum::{self, Sum};
use crate::header::{self, Header, Icmp, Sctp, Udp, protocol};
use alloc::vec;
use alloc::vec::Vec;

#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// No header: the protocol number of the payload.
    Raw(u8),
    Tcp(Tcp),
    Udp {
        sport: u16,
        dport: u16,
        checksum: bool,
    },
    Sctp {
        sport: u16,
        dport: u16,
        chunk: u8,
        tag: u32,
    },
    Icmp {
        kind: u8,
        code: u8,
        rest: u32,
    },
}

impl Transport {
    pub(super) fn protocol(&self) -> u8 {
        match self {
            Self::Raw(protocol) => *protocol,
            Self::Tcp(_) => protocol::TCP,
            Self::Udp { .. } => protocol::UDP,
            Self::Sctp { .. } => protocol::SCTP,
            Self::Icmp { .. } => protocol::ICMP,
        }
    }

    /// The segment around a payload. `pseudo` gives the sum over the pseudo-header of a segment of so many
    /// bytes.
    pub(super) fn around(
        &self,
        payload: &[u8],
        wrong_checksum: bool,
        pseudo: impl Fn(usize) -> Sum,
    ) -> Vec<u8> {
        let mut bytes = match self {
            Self::Raw(_) => Vec::new(),
            Self::Tcp(tcp) => tcp.header(),
            Self::Udp { sport, dport, .. } => udp_header(*sport, *dport, payload.len()),
            Self::Sctp { sport, dport, chunk, tag } => {
                sctp_header(*sport, *dport, *chunk, *tag, payload.len())
            }
            Self::Icmp { kind, code, rest } => icmp_header(*kind, *code, *rest),
        };
        bytes.extend_from_slice(payload);
        if matches!(self, Self::Sctp { .. }) {
            // Chunks are padded to whole words (RFC 9260 section 3.2).
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let pseudo = pseudo(bytes.len());
        self.set_checksum(&mut bytes, pseudo, wrong_checksum);
        bytes
    }

    fn set_checksum(&self, bytes: &mut [u8], pseudo: Sum, wrong_checksum: bool) {
        let sent = |right: u16| if wrong_checksum { wrong(right) } else { right };
        match self {
            Self::Raw(_) | Self::Udp { checksum: false, .. } => {}
            Self::Tcp(_) => {
                let right = checksum::tcp(pseudo, bytes).expect(WHOLE);
                header::Tcp::at_mut(bytes, 0).expect(WHOLE).set_checksum(sent(right));
            }
            Self::Udp { .. } => {
                let right = checksum::udp(pseudo, bytes).expect(WHOLE);
                Udp::at_mut(bytes, 0).expect(WHOLE).set_checksum(sent(right));
            }
            Self::Sctp { .. } => {
                let right = checksum::sctp(bytes).expect(WHOLE);
                let sent = if wrong_checksum { !right } else { right };
                Sctp::at_mut(bytes, 0).expect(WHOLE).set_checksum(sent);
            }
            Self::Icmp { .. } => {
                let right = checksum::icmpv6(pseudo, bytes).expect(WHOLE);
                Icmp::at_mut(bytes, 0).expect(WHOLE).set_checksum(sent(right));
            }
        }
    }
}

/// Why a header just made can be viewed.
const WHOLE: &str = "the header was made whole";

#[derive(Clone, Debug)]
pub(super) struct Tcp {
    sport: u16,
    dport: u16,
    flags: u8,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) options: Vec<u8>,
}

impl Tcp {
    pub(super) const fn new(sport: u16, dport: u16, flags: u8) -> Self {
        Self { sport, dport, flags, seq: 0, ack: 0, window: u16::MAX, options: Vec::new() }
    }

    fn header(&self) -> Vec<u8> {
        assert!(self.options.len() <= 40, "a TCP header holds 40 bytes of options");
        let len = header::Tcp::LEN + self.options.len().next_multiple_of(4);
        let mut bytes = vec![0; len];
        bytes[header::Tcp::LEN..][..self.options.len()].copy_from_slice(&self.options);
        let tcp = header::Tcp::at_mut(&mut bytes, 0).expect(WHOLE);
        tcp.set_source_port(self.sport);
        tcp.set_destination_port(self.dport);
        tcp.set_seq(self.seq);
        tcp.set_ack(self.ack);
        tcp.set_offset((len / 4) as u8);
        tcp.set_flags(self.flags);
        tcp.set_window(self.window);
        bytes
    }
}

fn udp_header(sport: u16, dport: u16, payload_len: usize) -> Vec<u8> {
    let mut bytes = vec![0; Udp::LEN];
    let udp = Udp::at_mut(&mut bytes, 0).expect(WHOLE);
    udp.set_source_port(sport);
    udp.set_destination_port(dport);
    udp.set_datagram_len(u16::try_from(Udp::LEN + payload_len).expect("a datagram has 16 bits of length"));
    bytes
}

/// The common header and the header of one chunk: type, flags 0, length.
fn sctp_header(sport: u16, dport: u16, chunk: u8, tag: u32, payload_len: usize) -> Vec<u8> {
    let mut bytes = vec![0; Sctp::LEN];
    let sctp = Sctp::at_mut(&mut bytes, 0).expect(WHOLE);
    sctp.set_source_port(sport);
    sctp.set_destination_port(dport);
    sctp.set_tag(tag);
    bytes.extend_from_slice(&[chunk, 0]);
    let chunk_len = u16::try_from(4 + payload_len).expect("a chunk has 16 bits of length");
    bytes.extend_from_slice(&chunk_len.to_be_bytes());
    bytes
}

fn icmp_header(kind: u8, code: u8, rest: u32) -> Vec<u8> {
    let mut bytes = vec![0; Icmp::LEN];
    let icmp = Icmp::at_mut(&mut bytes, 0).expect(WHOLE);
    icmp.set_kind(kind, code);
    icmp.set_rest(rest);
    bytes
}

/// Another checksum than the right one: one bit differs, and it is never 0, which would say "none" over UDP.
pub(super) fn wrong(right: u16) -> u16 {
    match right ^ 0x0100 {
        0 => 0x0001,
        wrong => wrong,
    }
}
