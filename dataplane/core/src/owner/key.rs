//! Keys that make a card's Toeplitz hash name the owner, whatever the card can hash.
//!
//! Bit `i` of the input adds the 32 key bits from `i` on, of which the low ones, `i + 31` and those before it, reach the
//! index into the redirection table. A key that is zero where only the other side's input would meet it makes the index
//! a function of one side, on every card that takes a key. Of the 12 input bytes, source address, destination address,
//! source port, destination port, the first key leaves the client to be the source, the second the destination.

/// The low bits of the hash that depend on the client alone: tables of up to 128 entries.
pub const INDEX_BITS: usize = 7;

/// Where the key can be other than zero for an address, and how, counted from the address's first bit. It ends in a
/// one: 128 consecutive addresses get 128 indices.
const ADDRESS_BAND: Band = Band { start: 31, bits: 0b10_1100_1101_0011_1001_0110_1001, length: 26 };
/// The same for a port.
const PORT_BAND: Band = Band { start: 31, bits: 0b11_0100_1011, length: 10 };

/// First bits of the input's fields.
pub(super) const ADDRESS: usize = 0;
const TUPLE_DESTINATION: usize = 32;
const TUPLE_SOURCE_PORT: usize = 64;
const TUPLE_DESTINATION_PORT: usize = 80;
pub(super) const ONE_SIDE_PORT: usize = 32;

/// Key bytes that the one-sided input meets.
pub(super) const ONE_SIDE: usize = 10;

struct Band {
    start: usize,
    bits: u32,
    length: usize,
}

/// What a card hashes, and where in it the client's endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RssInput {
    /// Both sides of the packet; the client is the source.
    TupleBySource,
    /// Both sides of the packet; the client is the destination.
    TupleByDestination,
    /// Only the address and the port of the client's side, whichever that is.
    OneSide,
}

/// The key, of `length` bytes (at least 16 are needed), for a card that hashes `input`. The low [`INDEX_BITS`] bits of
/// the hash are then the same for all inputs.
#[must_use]
pub fn rss_key(input: RssInput, length: usize) -> Vec<u8> {
    let (address, port) = match input {
        RssInput::TupleBySource => (ADDRESS, TUPLE_SOURCE_PORT),
        RssInput::TupleByDestination => (TUPLE_DESTINATION, TUPLE_DESTINATION_PORT),
        RssInput::OneSide => (ADDRESS, ONE_SIDE_PORT),
    };
    let mut key = vec![0; length];
    ADDRESS_BAND.lay(&mut key, address);
    PORT_BAND.lay(&mut key, port);
    key
}

impl Band {
    /// Writes the band into the key, for a field that begins at this bit of the input.
    fn lay(&self, key: &mut [u8], field: usize) {
        for bit in (0..self.length).filter(|bit| self.bits >> (self.length - 1 - bit) & 1 != 0) {
            let at = field + self.start + bit;
            if let Some(byte) = key.get_mut(at / 8) {
                *byte |= 0x80 >> (at % 8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::toeplitz::Toeplitz;
    use super::*;

    const MASK: u32 = (1 << INDEX_BITS) - 1;

    /// A card that hashes both sides.
    fn card(input: RssInput, (src, sport): (u32, u16), (dst, dport): (u32, u16)) -> u32 {
        let key = rss_key(input, 40);
        let source = Toeplitz::new(&key, ADDRESS, TUPLE_SOURCE_PORT).of(src, sport);
        let destination = Toeplitz::new(&key, TUPLE_DESTINATION, TUPLE_DESTINATION_PORT).of(dst, dport);
        (source ^ destination) & MASK
    }

    proptest! {
        /// A request at one port, its reply at another, and cards of either make: one index.
        #[test]
        fn all_inputs_agree(client: (u32, u16), vip: (u32, u16), real: (u32, u16)) {
            let key = rss_key(RssInput::OneSide, ONE_SIDE);
            let one_side = Toeplitz::new(&key, ADDRESS, ONE_SIDE_PORT).of(client.0, client.1) & MASK;
            prop_assert_eq!(card(RssInput::TupleBySource, client, vip), one_side);
            prop_assert_eq!(card(RssInput::TupleByDestination, real, client), one_side);
        }
    }

    #[test]
    fn keys_fit_in_16_bytes() {
        for input in [RssInput::TupleBySource, RssInput::TupleByDestination, RssInput::OneSide] {
            assert_eq!(rss_key(input, 52)[..16], rss_key(input, 16)[..]);
            assert!(rss_key(input, 52)[16..].iter().all(|&byte| byte == 0));
        }
    }
}
