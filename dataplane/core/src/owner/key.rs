//! Keys that make a card's Toeplitz hash name the owner, whatever the card can hash.
//!
//! Bit `i` of the input adds the 32 key bits from `i` on, and of these the last ones, up to `i + 31`, reach the index
//! into the redirection table. A key that is zero where only the other side's bits would meet it makes the index a
//! function of the client, on every card that takes a key. Cards hash source address, destination address, source port,
//! destination port, in this order; those that can be told to hash one side see an address and a port.

/// The most low bits of the hash that can be made to depend on the client alone: tables of up to 512 entries.
pub const INDEX_BITS: u32 = 9;

/// First bits of the input's fields.
pub(super) const ADDRESS: usize = 0;
const TUPLE_DESTINATION: usize = 32;
const TUPLE_SOURCE_PORT: usize = 64;
const TUPLE_DESTINATION_PORT: usize = 80;
pub(super) const ONE_SIDE_PORT: usize = 32;

/// Key bytes that the one-sided input meets.
pub(super) const ONE_SIDE: usize = 10;

/// Bits without a pattern, of which a key takes as many as it has room for.
const ADDRESS_PATTERN: u32 = 0xb34e_5a2d;
const PORT_PATTERN: u32 = 0xd2c7_0000;

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

/// The key, of `length` bytes (at least 16 are needed), for a card that hashes `input` and whose table is to follow
/// another of 2^`bits` entries, `bits` from 1 to [`INDEX_BITS`]. So many low bits of the hash are then the same for all
/// inputs.
#[must_use]
pub fn rss_key(input: RssInput, bits: u32, length: usize) -> Vec<u8> {
    let bits = bits.clamp(1, INDEX_BITS) as usize;
    let (address, port) = match input {
        RssInput::TupleBySource => (ADDRESS, TUPLE_SOURCE_PORT),
        RssInput::TupleByDestination => (TUPLE_DESTINATION, TUPLE_DESTINATION_PORT),
        RssInput::OneSide => (ADDRESS, ONE_SIDE_PORT),
    };
    let mut key = vec![0; length];
    lay(&mut key, ADDRESS_PATTERN, address, 33 - bits);
    lay(&mut key, PORT_PATTERN, port, 17 - bits);
    key
}

/// Writes the pattern's first `length` bits where the field that begins at bit `field` first reaches the index; further
/// on, the next field does. The last bit is a one: so many consecutive values as the table has entries reach them all.
fn lay(key: &mut [u8], pattern: u32, field: usize, length: usize) {
    for bit in (0..length).filter(|&bit| bit + 1 == length || pattern << bit >> 31 != 0) {
        let at = field + 31 + bit;
        if let Some(byte) = key.get_mut(at / 8) {
            *byte |= 0x80 >> (at % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::toeplitz::Toeplitz;
    use super::*;

    const INPUTS: [RssInput; 3] = [RssInput::TupleBySource, RssInput::TupleByDestination, RssInput::OneSide];

    /// The index by a card that hashes both sides.
    fn card(input: RssInput, bits: u32, (src, sport): (u32, u16), (dst, dport): (u32, u16)) -> u32 {
        let key = rss_key(input, bits, 40);
        let source = Toeplitz::new(&key, ADDRESS, TUPLE_SOURCE_PORT).of(src, sport);
        let destination = Toeplitz::new(&key, TUPLE_DESTINATION, TUPLE_DESTINATION_PORT).of(dst, dport);
        (source ^ destination) & ((1 << bits) - 1)
    }

    proptest! {
        /// A request at one port, its reply at another, and cards of either make: one index.
        #[test]
        fn all_inputs_agree(bits in 1..=INDEX_BITS, client: (u32, u16), vip: (u32, u16), real: (u32, u16)) {
            let key = rss_key(RssInput::OneSide, bits, ONE_SIDE);
            let one_side = Toeplitz::new(&key, ADDRESS, ONE_SIDE_PORT).of(client.0, client.1);
            let one_side = one_side & ((1 << bits) - 1);
            prop_assert_eq!(card(RssInput::TupleBySource, bits, client, vip), one_side);
            prop_assert_eq!(card(RssInput::TupleByDestination, bits, real, client), one_side);
        }
    }

    #[test]
    fn keys_fit_in_16_bytes() {
        for (input, bits) in
            INPUTS.into_iter().flat_map(|input| (1..=INDEX_BITS).map(move |bits| (input, bits)))
        {
            let (long, short) = (rss_key(input, bits, 52), rss_key(input, bits, 16));
            assert!(
                long[..16] == short && long[16..].iter().all(|&byte| byte == 0),
                "{input:?}, {bits} bits"
            );
        }
    }
}
