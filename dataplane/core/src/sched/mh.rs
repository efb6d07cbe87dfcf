//! mh: Maglev hashing, a client stays with its real, and few clients move when reals come and go (reference 2.4).
use super::hash::{fold, fold_for, hsiphash};
use super::shared::Shared;
use super::{Reals, Request};
use crate::config::Real;

/// Slots of the table, a prime: the kernel's default size. No service has more reals.
pub(crate) const SLOTS: usize = 4093;
const SIZE: u32 = SLOTS as u32;
/// A real takes at most 2 to the power of this slots in a row.
const TURN_BITS: u32 = 6;
const PLACE: u32 = 2_654_435_761;
const SKIP: u32 = 2_654_446_892;
/// More than any place in the list of reals.
const FREE: u16 = u16::MAX;

/// Places in the list of reals by slot. Takes some 100 us to build: the control side does, for all lcores.
#[derive(Debug)]
pub(crate) struct Table {
    /// All taken, or all free where no real has a weight.
    slots: Box<[u16]>,
}

/// A real's way through the table.
struct Permutation {
    place: u16,
    slot: u32,
    skip: u32,
    /// Slots it takes in a row.
    turns: u32,
}

impl Table {
    /// The table of up to [`SLOTS`] reals.
    pub(crate) fn build(list: &[Real], ipv6_service: bool) -> Self {
        let mut slots = vec![FREE; SLOTS].into_boxed_slice();
        let mut permutations = permutations(list, ipv6_service);
        let mut left = if permutations.is_empty() { 0 } else { SLOTS };
        while left > 0 {
            for real in &mut permutations {
                for _ in 0..real.turns.min(left as u32) {
                    real.take(&mut slots);
                    left -= 1;
                }
            }
        }
        Self { slots }
    }

    /// The place of the real that has the slot of `key`.
    #[inline]
    fn real(&self, key: u32) -> Option<usize> {
        let place = *self.slots.get(slot(key) as usize)?;
        (place != FREE).then_some(usize::from(place))
    }
}

impl Permutation {
    /// Takes its next free slot; there has to be one.
    fn take(&mut self, slots: &mut [u16]) {
        while let Some(slot) = slots.get_mut(self.slot as usize) {
            if *slot == FREE {
                *slot = self.place;
                return;
            }
            self.slot = (self.slot + self.skip) % SIZE;
        }
    }
}

/// The ways of those reals that have a weight or had one: a real set to 0 keeps its slots, so that no other client of
/// the service has to move.
fn permutations(list: &[Real], ipv6_service: bool) -> Vec<Permutation> {
    let unit = list.iter().fold(0, |unit, real| gcd(unit, real.last_weight)).max(1);
    let most = list.iter().map(|real| real.last_weight / unit).max().unwrap_or(0);
    let shift = (u32::BITS - most.leading_zeros()).saturating_sub(TURN_BITS);
    let weighted = (0..).zip(list).filter(|(_, real)| real.last_weight > 0);
    let permutation = |(place, real): (u16, &Real)| {
        let key = fold_for(ipv6_service, real.config.address).wrapping_add(u32::from(real.config.port));
        Permutation {
            place,
            slot: slot(key),
            skip: hsiphash(key, SKIP) % (SIZE - 1) + 1,
            turns: ((real.last_weight / unit) >> shift).max(1),
        }
    };
    weighted.map(permutation).collect()
}

#[inline]
fn slot(key: u32) -> u32 {
    hsiphash(key, PLACE) % SIZE
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

pub(super) fn pick(reals: Reals<'_>, request: &Request) -> Option<usize> {
    let Shared::Maglev(table) = reals.shared else { return None };
    let key = fold(request.source).wrapping_add(u32::from(request.hashed_port()));
    let eligible = |key| reals.eligible(table.real(key)?).map(|real| real.at);
    if let Some(at) = eligible(key) {
        return Some(at);
    }
    // Where none is left, 4093 hashes would find none.
    if !request.falls_back() || reals.all_eligible().next().is_none() {
        return None;
    }
    let first = slot(key);
    (0..SIZE).find_map(|offset| eligible(key.wrapping_add((first + offset) % SIZE)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use sha2::{Digest, Sha256};

    use super::{SIZE, SKIP, SLOTS, Table, slot};
    use crate::config::{Encapsulation, Forward, Real, RealConfig};
    use crate::real::RealId;
    use crate::sched::hash::{fold, hsiphash};

    fn real(address: &str, port: u16, weight: u32) -> Real {
        let address = address.parse().unwrap();
        let config = RealConfig {
            address,
            port,
            forward: Forward::Masq,
            weight,
            upper: 0,
            lower: 0,
            encapsulation: Encapsulation::default(),
        };
        Real { id: RealId(0), revision: 0, last_weight: weight, config }
    }

    fn key(address: &str, port: u32) -> u32 {
        fold(address.parse::<IpAddr>().unwrap()) + port
    }

    /// The first 16 hexadecimal digits of the table's SHA-256, and how many slots each real has.
    fn digest(list: &[Real], ipv6: bool) -> (String, Vec<usize>) {
        let bytes: Vec<u8> =
            Table::build(list, ipv6).slots.iter().map(|&place| u8::try_from(place).unwrap()).collect();
        assert_eq!(bytes.len(), SLOTS);
        let hex = Sha256::digest(&bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let slots = |place| bytes.iter().filter(|&&byte| usize::from(byte) == place).count();
        (hex, (0..list.len()).map(slots).collect())
    }

    /// Reference A.1.
    #[test]
    fn slots_of_clients_and_ways_of_reals() {
        for (address, port, expected) in [
            ("172.16.0.1", 0, 1127),
            ("172.16.0.2", 0, 3254),
            ("10.1.2.3", 0, 1263),
            ("10.0.0.1", 0, 3711),
            ("2001:db8::1", 0, 3457),
            ("172.16.0.1", 40_000, 1790),
        ] {
            assert_eq!(slot(key(address, port)), expected, "{address} {port}");
        }
        for (address, port, expected) in [
            ("192.168.1.1", 80, (2684, 2584)),
            ("192.168.1.2", 8080, (2726, 1400)),
            ("192.168.1.3", 80, (1446, 594)),
            ("10.0.0.1", 0, (3711, 966)),
            ("2001:db8::1", 80, (708, 3575)),
        ] {
            let key = key(address, port);
            assert_eq!((slot(key), hsiphash(key, SKIP) % (SIZE - 1) + 1), expected, "{address} {port}");
        }
    }

    /// Reference A.2, in list order.
    #[test]
    fn tables_of_the_kernel() {
        let [three, two, one] = ["192.168.1.3", "192.168.1.2", "192.168.1.1"];
        for (list, sha, slots) in [
            (
                [real(three, 80, 1), real(two, 80, 1), real(one, 80, 1)],
                "372bb046fcd3a8a7",
                [1365, 1364, 1364],
            ),
            (
                [real(three, 80, 2), real(two, 8080, 3), real(one, 80, 1)],
                "a605e0c6d39a7f12",
                [1365, 2046, 682],
            ),
            (
                [real(three, 80, 7), real(two, 80, 300), real(one, 80, 100)],
                "5034a3942db253f1",
                [82, 3034, 977],
            ),
        ] {
            assert_eq!(digest(&list, false), (sha.to_owned(), slots.to_vec()));
        }
        let six = [real("2001:db8::3", 443, 5), real("2001:db8::2", 443, 1), real("2001:db8::1", 443, 1)];
        assert_eq!(digest(&six, true), ("21673ec1932f6286".to_owned(), vec![2925, 584, 584]));
    }

    /// Reference A.2, case E: of 32 reals one goes, and 63 slots of others move besides its own 128.
    #[test]
    fn few_slots_move_when_a_real_goes() {
        let mut list: Vec<Real> = (1..=32).rev().map(|n| real(&format!("10.0.0.{n}"), 80, 1)).collect();
        let all = Table::build(&list, false);
        let expected = [vec![128; 29], vec![127; 3]].concat();
        assert_eq!(digest(&list, false), ("4f4d37b813dbffcb".to_owned(), expected));
        let gone = 32 - 5;
        list.remove(gone);
        assert_eq!(digest(&list, false).0, "d6c3cbfcc147e448");
        let rest = Table::build(&list, false);
        let moved = |(&before, &after): (&u16, &u16)| {
            let (before, after) = (usize::from(before), usize::from(after));
            before != gone && before != after + usize::from(after >= gone)
        };
        assert_eq!(all.slots.iter().zip(&rest.slots).filter(|&pair| moved(pair)).count(), 63);
    }

    #[test]
    fn as_many_reals_as_slots_and_none() {
        let many: Vec<Real> =
            (0..4093).map(|n| real(&format!("10.0.{}.{}", n / 256, n % 256), 80, 1)).collect();
        let table = Table::build(&many, false);
        assert!((0..4093).all(|place| table.slots.contains(&place)));
        for list in [vec![], vec![real("10.0.0.1", 80, 0)]] {
            let table = Table::build(&list, false);
            assert!((0..SIZE).all(|key| table.real(key).is_none()));
        }
        let one = [real("10.0.0.1", 80, i32::MAX as u32)];
        assert_eq!(digest(&one, false).1, [4093]);
    }
}
