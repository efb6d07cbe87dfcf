//! What mark rules have counted since they were added or zeroed. As for reals, slots never go back to 0.

use std::collections::HashMap;
use std::sync::Arc;

use sluice_core::{LcoreStats, MarkEntry};

/// The slots' readings at the zero points of the rules in force.
#[derive(Debug, Default)]
pub struct MarkAccounts {
    zero: HashMap<u32, u64>,
}

impl MarkAccounts {
    /// The rules have changed: those that are new start at 0.
    pub fn follow(&mut self, rules: &[MarkEntry], lcores: &[Arc<LcoreStats>]) {
        let zero = |slot: u32| self.zero.get(&slot).copied().unwrap_or_else(|| read(lcores, slot));
        self.zero = rules.iter().map(|rule| (rule.slot, zero(rule.slot))).collect();
    }

    /// Sets all to 0.
    pub fn zero(&mut self, lcores: &[Arc<LcoreStats>]) {
        for (slot, zero) in &mut self.zero {
            *zero = read(lcores, *slot);
        }
    }

    /// The packets that a rule has marked.
    #[must_use]
    pub fn hits(&self, slot: u32, lcores: &[Arc<LcoreStats>]) -> u64 {
        read(lcores, slot).wrapping_sub(self.zero.get(&slot).copied().unwrap_or(0))
    }
}

fn read(lcores: &[Arc<LcoreStats>], slot: u32) -> u64 {
    lcores.iter().map(|lcore| lcore.mark_hits(slot)).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sluice_core::{
        Director, Ingress, Jiffies, Lcore, LcoreConfig, Limits, MarkRule, NewMark, RealTable, ServiceConfig,
        ServiceKey, Verdict,
    };
    use sluice_packet::build::{ArrayBuf, Frame};

    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// Two lcores that count what a fwmark service has no real for.
    struct Bed {
        director: Director,
        lcores: Vec<Lcore>,
        stats: Vec<Arc<LcoreStats>>,
        accounts: MarkAccounts,
    }

    impl Bed {
        fn new() -> Self {
            let table = Arc::new(RealTable::new(1));
            let mut director = Director::new(Limits { services: 1 }, Arc::clone(&table)).with_marks(2);
            let service = ServiceConfig {
                key: ServiceKey::Fwmark { mark: 7, ipv6: false },
                scheduler: "rr".to_owned(),
                flags: 0,
                persistence: None,
                one_packet: false,
                engine: None,
            };
            director.add_service(service).expect("added");
            let stats: Vec<_> =
                (0..2).map(|_| Arc::new(LcoreStats::new(1).with_marks(director.mark_slots()))).collect();
            let lcores = stats.iter().map(|stats| {
                let config = LcoreConfig { id: 0, lcores: 1, flows: 64, seed: [1, 2], now: Jiffies(0) };
                Lcore::new(config, director.snapshot(), Arc::clone(&table), Arc::clone(stats), &|_, _| {})
            });
            let lcores = lcores.collect();
            Self { director, lcores, stats, accounts: MarkAccounts::default() }
        }

        /// Rules that match all packets, the first of which meets them.
        fn replace(&mut self, priorities: &[u32]) {
            let rule = |priority: &u32| NewMark { id: None, rule: MarkRule::any(*priority, 7) };
            self.director.replace_marks(priorities.iter().map(rule).collect()).expect("replaced");
            self.accounts.follow(self.director.marks(), &self.stats);
            for lcore in &mut self.lcores {
                lcore.load(self.director.snapshot());
            }
        }

        fn meet(&mut self, lcore: usize, packets: u16) {
            let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered: false };
            for sport in 1..=packets {
                let frame = Frame::new()
                    .eth(MAC, [2, 0, 0, 0, 0, 2])
                    .ipv4(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2))
                    .udp(sport, 53);
                let mut verdicts = [Verdict::ToKernel; 32];
                self.lcores[lcore].process_burst(
                    Jiffies(0),
                    &ingress,
                    &mut [ArrayBuf::new(&frame.build())],
                    &mut verdicts,
                );
            }
        }

        fn hits(&self) -> Vec<u64> {
            self.director.marks().iter().map(|rule| self.accounts.hits(rule.slot, &self.stats)).collect()
        }
    }

    #[test]
    fn rules_count_over_lcores_from_their_zero_points() {
        let mut bed = Bed::new();
        bed.replace(&[5]);
        bed.meet(0, 3);
        bed.meet(1, 4);
        assert_eq!(bed.hits(), [7]);
        bed.replace(&[4, 5]);
        bed.meet(1, 1);
        assert_eq!(bed.hits(), [1, 7], "a rule that stays keeps its count");
        bed.accounts.zero(&bed.stats);
        assert_eq!(bed.hits(), [0, 0]);
        // Through all slots and round again: those that were used before have counted.
        for priority in 6..16 {
            bed.replace(&[priority]);
            assert_eq!(bed.hits(), [0]);
            bed.meet(0, 2);
            assert_eq!(bed.hits(), [2]);
        }
    }
}
