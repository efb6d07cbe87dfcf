//! Traffic made on the forwarding lcore itself: which flow comes next, and its frame written into the buffer.
use sluice_bench::balancer::MAC;
use sluice_bench::traffic::{REALS, Template};
use sluice_dpdk::Burst;
use sluice_packet::PacketBuf;

/// In what order the flows come.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Any of so many at any time; the second is the generator's state.
    Random(u32, u64),
    /// One after another, from the first number up to the second and round again.
    Counting(u32, u32),
    /// Those listed, in the list's order and round again; the number is the next one's place.
    Listed(Vec<u32>, usize),
}

impl Order {
    pub(crate) fn random(flows: u32) -> Self {
        Self::Random(flows, 0x9e37_79b9_7f4a_7c15)
    }

    #[inline(always)]
    fn next(&mut self) -> u32 {
        match self {
            Self::Random(flows, state) => {
                // Xorshift, Marsaglia 2003.
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                (((*state >> 32) * u64::from(*flows)) >> 32) as u32
            }
            Self::Counting(next, end) => {
                let this = *next;
                *next = if this + 1 == *end { 0 } else { this + 1 };
                this
            }
            Self::Listed(flows, at) => {
                let this = flows[*at];
                *at = if *at + 1 == flows.len() { 0 } else { *at + 1 };
                this
            }
        }
    }
}

/// Which packets of its flow a source makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packets {
    Requests,
    Replies,
    /// Requests and replies in turn, each of a flow of its own choice.
    Both,
}

/// A source of frames.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    packets: Packets,
    requests: Template,
    /// By `flow % REALS`: round robin gives flow 0 to the first real, flow 1 to the second, and so on.
    replies: Vec<Template>,
    order: Order,
}

impl Source {
    pub(crate) fn new(packets: Packets, order: Order) -> Self {
        let replies = (0..REALS).map(|n| Template::replies(MAC, n)).collect();
        Self { packets, requests: Template::requests(MAC), replies, order }
    }

    /// Writes a frame into each buffer of the burst.
    #[inline(always)]
    pub(crate) fn fill(&mut self, burst: &mut Burst) {
        for (mbuf, n) in burst.as_mut_slice().iter_mut().zip(0..) {
            let flow = self.order.next();
            let reply = match self.packets {
                Packets::Requests => false,
                Packets::Replies => true,
                Packets::Both => n % 2 == 1,
            };
            let template = if reply { &self.replies[(flow % REALS) as usize] } else { &self.requests };
            template.write(flow, mbuf.data_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn orders_go_round_and_stay_in_range() {
        let take = |mut order: Order, n: usize| (0..n).map(|_| order.next()).collect::<Vec<_>>();
        assert_eq!(take(Order::Counting(0, 3), 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(take(Order::Listed(vec![7, 5], 0), 3), [7, 5, 7]);
        let mut seen = take(Order::random(10), 1000);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
}
