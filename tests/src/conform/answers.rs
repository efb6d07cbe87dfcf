//! What a plain server answers to a packet that reaches it at its own address.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, PSH, SYN};

use super::frames::{is_real, tcp, udp};

/// The sequence number of a server's SYN.
pub(super) const SERVER_SEQ: u32 = 1000;

/// The answer to a frame, if there is one.
pub(super) fn answer(frame: &[u8]) -> Option<Frame> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(NetSlice::Ipv4(ip)) = packet.net else { return None };
    let header = ip.header();
    let (client, own) = (header.source_addr(), header.destination_addr());
    if !is_real(own) {
        return None;
    }
    match packet.transport? {
        TransportSlice::Tcp(segment) => {
            let (from, to) = ((own, segment.destination_port()), (client, segment.source_port()));
            let taken = segment.payload().len() + usize::from(segment.syn()) + usize::from(segment.fin());
            let next = segment.sequence_number().wrapping_add(u32::try_from(taken).ok()?);
            let with = |flags, seq| tcp(from, to, flags).seq(seq).ack(next);
            let seq = segment.acknowledgment_number();
            match (segment.rst(), segment.syn(), segment.fin(), segment.payload()) {
                (true, ..) => None,
                (_, true, ..) => Some(with(SYN | ACK, SERVER_SEQ)),
                (_, _, true, _) => Some(with(FIN | ACK, seq)),
                (.., []) => None,
                (.., data) => Some(with(PSH | ACK, seq).payload(&reply(data))),
            }
        }
        TransportSlice::Udp(datagram) => {
            let datagram_back = udp((own, datagram.destination_port()), (client, datagram.source_port()));
            Some(datagram_back.payload(&reply(datagram.payload())))
        }
        _ => None,
    }
}

/// What is said in return: short, whatever was said.
fn reply(data: &[u8]) -> Vec<u8> {
    [b"reply to ", &data[..data.len().min(16)]].concat()
}
