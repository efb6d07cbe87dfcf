//! The Toeplitz hash of an address and a port, by one table for each byte.

/// Input bytes: four of the address, two of the port.
const BYTES: usize = 6;

/// What each value of each byte adds to the hash. The hash is linear over XOR, so that is all there is to it.
#[derive(Debug)]
pub(super) struct Toeplitz([[u32; 256]; BYTES]);

impl Toeplitz {
    /// With `key`, for an input in which the address and the port begin at these bits.
    pub(super) fn new(key: &[u8], address: usize, port: usize) -> Self {
        let mut tables = [[0; 256]; BYTES];
        for (byte, table) in tables.iter_mut().enumerate() {
            let start = if byte < 4 { address + byte * 8 } else { port + (byte - 4) * 8 };
            for (value, entry) in (0u32..).zip(table) {
                let set = (0..8).filter(|bit| value & 0x80 >> bit != 0);
                *entry = set.fold(0, |hash, bit| hash ^ window(key, start + bit));
            }
        }
        Self(tables)
    }

    /// The hash; only its low bits choose a queue.
    #[inline]
    pub(super) fn of(&self, address: u32, port: u16) -> u32 {
        let [a, b, c, d] = address.to_be_bytes();
        let [e, f] = port.to_be_bytes();
        let bytes = [a, b, c, d, e, f];
        self.0
            .iter()
            .zip(bytes)
            .fold(0, |hash, (table, byte)| hash ^ table.get(usize::from(byte)).copied().unwrap_or(0))
    }
}

/// The 32 bits of the key from `start` on, most significant first; past its end it is zero.
fn window(key: &[u8], start: usize) -> u32 {
    (start..start + 32).fold(0, |window, at| {
        let bit = key.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        window << 1 | u32::from(bit)
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::Toeplitz;

    /// The key of the "RSS hashing verification" suite in Microsoft's specification of receive-side scaling.
    const KEY: [u8; 40] = [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
        0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42,
        0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    /// Destination, source, hash with ports, hash of the addresses.
    type Vector = ([u8; 4], u16, [u8; 4], u16, u32, u32);

    /// Its IPv4 vectors.
    const VECTORS: [Vector; 5] = [
        ([161, 142, 100, 80], 1766, [66, 9, 149, 187], 2794, 0x51cc_c178, 0x323e_8fc2),
        ([65, 69, 140, 83], 4739, [199, 92, 111, 2], 14230, 0xc626_b0ea, 0xd718_262a),
        ([12, 22, 207, 184], 38024, [24, 19, 198, 95], 12898, 0x5c2b_394a, 0xd2d0_a5de),
        ([209, 142, 163, 6], 2217, [38, 27, 205, 30], 48228, 0xafc7_327f, 0x8298_9176),
        ([202, 188, 127, 2], 1303, [153, 39, 163, 191], 44251, 0x10e8_28a2, 0x5d18_09c5),
    ];

    /// The hash of a whole tuple is that of its two sides, each at its place, added up.
    #[test]
    fn agrees_with_the_specification() {
        let (source, destination) = (Toeplitz::new(&KEY, 0, 64), Toeplitz::new(&KEY, 32, 80));
        for (dst, dport, src, sport, with_ports, of_addresses) in VECTORS {
            let (src, dst) = (Ipv4Addr::from(src).to_bits(), Ipv4Addr::from(dst).to_bits());
            assert_eq!(source.of(src, sport) ^ destination.of(dst, dport), with_ports);
            assert_eq!(source.of(src, 0) ^ destination.of(dst, 0), of_addresses);
        }
    }
}
