//! Which lcore owns a flow: computed from the client's endpoint, so that requests and replies name the same one.

/// The owner among `lcores` of the flows of a client endpoint. Not seeded: every lcore must agree, and an attacker who
/// picks ports to fill one lcore could as well aim at its queue.
#[inline]
pub(crate) fn owner_of(address: u32, port: u16, lcores: u16) -> u16 {
    let key = u64::from(address) << 16 | u64::from(port);
    let mixed = (key ^ key >> 23).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ((mixed * u64::from(lcores)) >> 32) as u16
}

#[cfg(test)]
mod tests {
    use super::owner_of;

    #[test]
    fn spreads_clients_evenly() {
        for lcores in [1u16, 2, 3, 16] {
            let mut owned = vec![0u32; usize::from(lcores)];
            for n in 0..64_000u32 {
                owned[usize::from(owner_of(0x0a00_0000 + n / 100, (1024 + n % 100) as u16, lcores))] += 1;
            }
            let fair = 64_000 / u32::from(lcores);
            assert!(owned.iter().all(|&n| n.abs_diff(fair) < fair / 10), "{owned:?}");
        }
    }
}
