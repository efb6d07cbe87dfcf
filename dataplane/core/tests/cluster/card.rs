//! A network card's receive-side scaling, by the letter of its specification: one input bit after the other.
use sluice_core::{RssInput, rss_key};

use super::common::OUTSIDE;

/// A card with a key and a redirection table.
pub(crate) struct Card {
    key: Vec<u8>,
    table: Vec<u16>,
    hashed: Hashed,
}

#[derive(Clone, Copy)]
enum Hashed {
    Tuple,
    Source,
    Destination,
}

impl Card {
    /// A card whose table of `entries` queues repeats `owners`. Told to hash one side, it is the source's at the port
    /// where requests come in and the destination's at the other.
    pub(crate) fn new(input: RssInput, port: u16, owners: &[u16], entries: usize) -> Self {
        let hashed = match input {
            RssInput::OneSide if port == OUTSIDE => Hashed::Source,
            RssInput::OneSide => Hashed::Destination,
            _ => Hashed::Tuple,
        };
        let key = rss_key(input, owners.len().ilog2(), 40);
        Self { key, table: owners.iter().copied().cycle().take(entries).collect(), hashed }
    }

    /// The queue of an untagged IPv4 frame without options.
    pub(crate) fn queue(&self, frame: &[u8]) -> u16 {
        let (source, destination) = (&frame[26..30], &frame[30..34]);
        let (sport, dport) = (&frame[34..36], &frame[36..38]);
        let input = match self.hashed {
            Hashed::Tuple => [source, destination, sport, dport].concat(),
            Hashed::Source => [source, sport].concat(),
            Hashed::Destination => [destination, dport].concat(),
        };
        self.table[self.toeplitz(&input) as usize % self.table.len()]
    }

    fn toeplitz(&self, input: &[u8]) -> u32 {
        let mut hash = 0;
        let mut window = u32::from_be_bytes(self.key[..4].try_into().unwrap());
        for (at, byte) in input.iter().enumerate() {
            for bit in 0..8 {
                if byte & 0x80 >> bit != 0 {
                    hash ^= window;
                }
                window = window << 1 | u32::from(self.key[at + 4] >> (7 - bit) & 1);
            }
        }
        hash
    }
}
