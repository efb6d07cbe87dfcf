//! The traffic of the benches: small UDP packets between many clients and one virtual service.
use std::net::Ipv4Addr;

use sluice_packet::build::Frame;
use sluice_packet::checksum::Delta;

/// Bytes of a frame in memory: the shortest Ethernet frame, 64 bytes on the wire with its check sequence.
pub const FRAME: usize = 60;
/// The virtual service's address.
pub const VIP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The virtual service's UDP port.
pub const VPORT: u16 = 53;
/// Real servers of the service.
pub const REALS: u32 = 4;
/// The port that NAT gives requests.
pub const REAL_PORT: u16 = 5353;
/// The MAC address that every neighbour of the bench has.
pub const NEIGHBOUR: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
/// The most flows there can be: every client address with every port from 1024 on.
pub const MAX_FLOWS: u32 = CLIENTS * (u16::MAX as u32 + 1 - FIRST_PORT as u32);

/// Client addresses, from 198.18.0.0 on, which RFC 2544 sets apart for benchmarks.
const CLIENTS: u32 = 1024;
const FIRST_CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const FIRST_PORT: u16 = 1024;

/// Where the fields lie in a frame with neither VLAN tag nor IP options.
const IP_CHECKSUM: usize = 24;
const IP_SOURCE: usize = 26;
const UDP_SOURCE: usize = 34;
const UDP_CHECKSUM: usize = 40;

/// The address of real server `n`, from 0.
#[must_use]
pub fn real(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(192, 0, 2, 1).to_bits() + n)
}

/// The client's address and port of a flow, one pair for each number under [`MAX_FLOWS`].
#[must_use]
pub fn client(flow: u32) -> (Ipv4Addr, u16) {
    let port = u32::from(FIRST_PORT) + flow / CLIENTS % (MAX_FLOWS / CLIENTS);
    (Ipv4Addr::from_bits(FIRST_CLIENT.to_bits() + flow % CLIENTS), port as u16)
}

/// Frames that differ only in the client's endpoint. Writing one reads no table, so that making traffic leaves the
/// caches to what is measured.
#[derive(Clone, Debug)]
pub struct Template {
    frame: [u8; FRAME],
    /// How far the client's fields lie behind the source's: 0 in a request.
    offset: (usize, usize),
}

impl Template {
    /// Requests to the virtual service, sent to the port with address `mac`.
    #[must_use]
    pub fn requests(mac: [u8; 6]) -> Self {
        let ((client, port), frame) = (client(0), Frame::new().eth(mac, NEIGHBOUR));
        Self::new(&frame.ipv4(client, VIP).udp(port, VPORT), (0, 0))
    }

    /// Replies of real server `n` (behind NAT), sent to the port with address `mac`.
    #[must_use]
    pub fn replies(mac: [u8; 6], n: u32) -> Self {
        let ((client, port), frame) = (client(0), Frame::new().eth(mac, NEIGHBOUR));
        Self::new(&frame.ipv4(real(n), client).udp(REAL_PORT, port), (4, 2))
    }

    fn new(frame: &Frame, offset: (usize, usize)) -> Self {
        let bytes = frame.clone().payload(b"sluice bench, flow").build();
        Self { frame: bytes.try_into().expect("a frame of the shortest length"), offset }
    }

    /// Writes the frame of a flow over `into`, which is [`FRAME`] bytes long.
    ///
    /// # Panics
    /// Where `into` has another length.
    #[inline]
    pub fn write(&self, flow: u32, into: &mut [u8]) {
        let ((address, port), (was_address, was_port)) = (client(flow), client(0));
        let moved = Delta::of_u32(was_address.to_bits(), address.to_bits());
        let all_moved = moved.plus(Delta::of_u16(was_port, port));
        let into: &mut [u8; FRAME] = into.try_into().expect("a frame's length");
        // Whole, then patched in place: patched first, the wide copy would wait for the narrow stores before it.
        *into = self.frame;
        put(into, IP_SOURCE + self.offset.0, address.octets());
        put(into, UDP_SOURCE + self.offset.1, port.to_be_bytes());
        let (ip, udp) = (word(&self.frame, IP_CHECKSUM), word(&self.frame, UDP_CHECKSUM));
        put(into, IP_CHECKSUM, moved.apply(ip).to_be_bytes());
        put(into, UDP_CHECKSUM, all_moved.apply_udp(udp).to_be_bytes());
    }
}

fn put<const N: usize>(frame: &mut [u8; FRAME], at: usize, bytes: [u8; N]) {
    frame[at..at + N].copy_from_slice(&bytes);
}

fn word(frame: &[u8; FRAME], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn written(template: &Template, flow: u32) -> Vec<u8> {
        let mut bytes = vec![0; FRAME];
        template.write(flow, &mut bytes);
        bytes
    }

    /// Patching must give what the builder gives, checksums included.
    #[test]
    fn a_frame_is_as_if_built_anew() {
        for flow in [0, 1, 1023, 1024, 9_999, 1_000_000, MAX_FLOWS - 1] {
            let (address, port) = client(flow);
            let frame = || Frame::new().eth(MAC, NEIGHBOUR).payload(b"sluice bench, flow");
            let request = frame().ipv4(address, VIP).udp(port, VPORT).build();
            assert_eq!(written(&Template::requests(MAC), flow), request, "request of flow {flow}");
            let reply = frame().ipv4(real(3), address).udp(REAL_PORT, port).build();
            assert_eq!(written(&Template::replies(MAC, 3), flow), reply, "reply of flow {flow}");
        }
    }

    #[test]
    fn every_flow_has_its_own_endpoint() {
        let mut seen: Vec<_> = (0..100_000).map(client).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 100_000);
        assert_eq!(client(MAX_FLOWS - 1).1, u16::MAX);
    }
}
