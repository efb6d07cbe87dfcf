//! Who is who on the wires, and frames from them.
//!
//! ```text
//!   clients 198.51.100.0/24 -- router 192.0.2.254 -- wan 192.0.2.1 | balancer | lan 10.0.0.1 -- reals 10.0.0.10 to .29
//!                                                        VIPs 203.0.113.1 to .4
//! ```

use std::net::Ipv4Addr;

use sluice_packet::build::Frame;

/// The balancer's MAC addresses on `wan` and `lan`.
pub const PORT_MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 1]];

/// The router to the clients.
pub const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0xfe];

/// The balancer's own addresses on `wan` and `lan`.
pub const DIRECTORS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(10, 0, 0, 1)];

/// The router's address.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);

/// The virtual addresses.
pub const VIPS: [Ipv4Addr; 4] = [vip(1), vip(2), vip(3), vip(4)];

/// The first of them.
pub const VIP: Ipv4Addr = vip(1);

/// The numbers of the real servers.
pub const REALS: std::ops::Range<u8> = 10..30;

/// The IP identification of every frame that is sent in; others are the balancer's own choice.
pub const IDENT: u16 = 0x5157;

/// Virtual address `n`.
pub const fn vip(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, n)
}

/// Client `n`.
pub const fn client(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, n)
}

/// Real server `n`.
pub const fn real(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

/// The MAC address of the real server with this address.
pub const fn real_mac(address: Ipv4Addr) -> [u8; 6] {
    [2, 0, 0, 0, 2, address.octets()[3]]
}

/// A frame from `source` to `destination`: clients' come by the router, real servers' by their own MAC address.
pub fn ip(source: Ipv4Addr, destination: Ipv4Addr) -> Frame {
    let [wan, lan] = PORT_MACS;
    let frame = if is_real(source) {
        Frame::new().eth(lan, real_mac(source))
    } else {
        Frame::new().eth(wan, ROUTER_MAC)
    };
    frame.ipv4(source, destination).ident(IDENT.into()).dont_fragment()
}

/// A TCP segment; data flags carry their meaning alone, sequence numbers are fixed.
pub fn tcp(source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16), flags: u8) -> Frame {
    ip(source.0, destination.0).tcp(source.1, destination.1, flags).window(65535)
}

/// A UDP datagram with a few bytes in it.
pub fn udp(source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16)) -> Frame {
    ip(source.0, destination.0).udp(source.1, destination.1).payload(b"query")
}

/// Whether an address is a real server's.
pub fn is_real(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [10, 0, 0, n] if REALS.contains(&n))
}
