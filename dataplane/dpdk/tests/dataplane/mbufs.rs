//! Packets and bursts: bounds, chains, and every way of giving mbufs back.
use std::thread;

use sluice_dpdk::{BURST, Burst, Mempool, MempoolConfig};
use sluice_packet::PacketBuf;

use crate::support::{Case, Lab};

pub(crate) const CASES: &[Case] = &[
    ("mbuf::fresh_packet_is_empty", fresh_packet_is_empty),
    ("mbuf::prepend_uses_the_headroom_and_no_more", prepend_uses_the_headroom_and_no_more),
    ("mbuf::trim_front_takes_what_is_there", trim_front_takes_what_is_there),
    ("mbuf::append_uses_the_tailroom_and_no_more", append_uses_the_tailroom_and_no_more),
    ("mbuf::trim_back_takes_what_is_there", trim_back_takes_what_is_there),
    ("mbuf::truncate_keeps_the_front_and_frees_the_rest", truncate_keeps_the_front_and_frees_the_rest),
    ("mbuf::chain_counts_all_segments", chain_counts_all_segments),
    ("mbuf::drop_frees_on_any_thread", drop_frees_on_any_thread),
    ("burst::keeps_order_and_bounds", keeps_order_and_bounds),
    ("burst::clear_and_drop_free_in_bulk", clear_and_drop_free_in_bulk),
    ("burst::drain_frees_what_is_not_taken", drain_frees_what_is_not_taken),
    ("pool::bulk_allocation_is_all_or_nothing", bulk_allocation_is_all_or_nothing),
];

fn fresh_packet_is_empty(lab: &Lab) {
    let mbuf = lab.pool.alloc().expect("an mbuf");
    assert_eq!((mbuf.data().len(), mbuf.frame_len(), mbuf.segment_count()), (0, 0, 1));
    assert_eq!((mbuf.headroom(), mbuf.tailroom()), (128, usize::from(lab.pool.frame_room())));
    assert_eq!((mbuf.port(), mbuf.rss_hash(), mbuf.ip_checksum_good()), (None, None, false));
    assert_eq!(lab.pool.in_use(), 1);
}

fn prepend_uses_the_headroom_and_no_more(lab: &Lab) {
    let mut mbuf = lab.packet(b"payload");
    mbuf.prepend(20).expect("room").copy_from_slice(&[0xaa; 20]);
    assert_eq!(mbuf.data(), [&[0xaa; 20][..], b"payload"].concat());
    assert_eq!((mbuf.frame_len(), mbuf.headroom()), (27, 108));
    assert!(mbuf.prepend(109).is_none());
    assert!(mbuf.prepend(usize::from(u16::MAX) + 1 + 20).is_none(), "must not wrap");
    assert_eq!((mbuf.frame_len(), mbuf.headroom()), (27, 108), "a refusal changes nothing");
    assert_eq!(mbuf.prepend(108).expect("all of it").len(), 108);
    assert!(mbuf.prepend(1).is_none());
    assert_eq!(mbuf.prepend(0).expect("nothing is always possible").len(), 0);
}

fn trim_front_takes_what_is_there(lab: &Lab) {
    let mut mbuf = lab.packet(b"0123456789");
    assert!(mbuf.trim_front(4));
    assert_eq!(mbuf.data(), b"456789");
    assert_eq!((mbuf.frame_len(), mbuf.headroom()), (6, 132));
    assert!(!mbuf.trim_front(7) && !mbuf.trim_front(usize::from(u16::MAX) + 1 + 3));
    assert_eq!(mbuf.data(), b"456789", "a refusal changes nothing");
    assert!(mbuf.trim_front(6));
    assert_eq!((mbuf.data().len(), mbuf.frame_len()), (0, 0));
    mbuf.prepend(4).expect("the bytes taken off are headroom").copy_from_slice(b"wxyz");
    assert_eq!(mbuf.data(), b"wxyz");
}

fn append_uses_the_tailroom_and_no_more(lab: &Lab) {
    let mut mbuf = lab.packet(b"ab");
    let room = mbuf.tailroom();
    assert!(mbuf.append(room + 1).is_none() && !mbuf.extend_from_slice(&vec![0; room + 1]));
    assert_eq!(mbuf.frame_len(), 2, "a refusal changes nothing");
    assert!(mbuf.extend_from_slice(&vec![7; room]));
    assert_eq!((mbuf.frame_len(), mbuf.tailroom()), (room + 2, 0));
    assert_eq!(mbuf.data()[..3], *b"ab\x07");
    assert!(mbuf.data()[2..].iter().all(|&byte| byte == 7));
}

fn trim_back_takes_what_is_there(lab: &Lab) {
    let mut mbuf = lab.packet(b"framePADDING");
    assert!(mbuf.trim_back(7));
    assert_eq!((mbuf.data(), mbuf.frame_len()), (&b"frame"[..], 5));
    assert!(!mbuf.trim_back(6) && !mbuf.trim_back(usize::from(u16::MAX) + 1));
    assert_eq!((mbuf.data(), mbuf.frame_len()), (&b"frame"[..], 5));
}

fn truncate_keeps_the_front_and_frees_the_rest(lab: &Lab) {
    let mut mbuf = lab.packet(b"head-");
    mbuf.chain(lab.packet(b"middle-")).expect("room for segments");
    mbuf.chain(lab.packet(b"tail")).expect("room for segments");
    assert!(!mbuf.truncate(6), "more than the first segment has");
    assert_eq!((mbuf.frame_len(), mbuf.segment_count(), lab.pool.in_use()), (16, 3, 3));
    assert!(mbuf.truncate(5));
    assert_eq!((mbuf.data(), mbuf.frame_len(), mbuf.segment_count()), (&b"head-"[..], 5, 1));
    assert_eq!(lab.pool.in_use(), 1, "the other segments are freed");
    assert!(mbuf.truncate(2) && mbuf.extend_from_slice(b"!"));
    assert_eq!((mbuf.data(), mbuf.frame_len()), (&b"he!"[..], 3));
}

fn chain_counts_all_segments(lab: &Lab) {
    let mut mbuf = lab.packet(b"head-");
    mbuf.chain(lab.packet(b"middle-")).expect("room for segments");
    mbuf.chain(lab.packet(b"tail")).expect("room for segments");
    assert_eq!((mbuf.segment_count(), mbuf.frame_len()), (3, 16));
    assert_eq!(mbuf.data(), b"head-", "only the first segment is contiguous");
    assert_eq!(mbuf.segments().collect::<Vec<_>>().concat(), b"head-middle-tail");
    assert!(mbuf.extend_from_slice(b"!") && mbuf.trim_front(5) && mbuf.prepend(1).is_some());
    assert_eq!(mbuf.frame_len(), 13);
    assert!(!mbuf.trim_back(6), "more than the last segment has");
    assert!(mbuf.trim_back(5));
    assert_eq!((mbuf.frame_len(), mbuf.segments().nth(2)), (8, Some(&b""[..])));
    assert_eq!(lab.pool.in_use(), 3);
    drop(mbuf);
    assert_eq!(lab.pool.in_use(), 0, "the whole chain is freed");
}

fn drop_frees_on_any_thread(lab: &Lab) {
    let (one, mut many) = (lab.packet(b"x"), lab.numbered(32));
    assert_eq!(lab.pool.in_use(), 33);
    thread::spawn(move || drop(one)).join().expect("no panic");
    assert_eq!(lab.pool.in_use(), 32);
    let worker = &lab.eal.workers()[0];
    let left = worker.launch(move || many.drain().take(7).count()).expect("idle");
    assert_eq!(left.join(), 7);
    assert_eq!(lab.pool.in_use(), 0);
}

fn keeps_order_and_bounds(lab: &Lab) {
    let mut burst = lab.numbered(32);
    assert!(burst.is_full() && burst.len() == BURST);
    let refused = burst.push(lab.packet(b"one too many")).expect_err("full");
    assert_eq!(refused.data(), b"one too many");
    assert!(burst.as_slice().iter().zip(0..).all(|(mbuf, number)| mbuf.data()[0] == number));
    (&mut burst).into_iter().for_each(|mbuf| mbuf.data_mut()[0] += 100);
    assert_eq!(burst.pop().expect("the last").data()[0], 131);
    let numbers: Vec<u8> = burst.drain().map(|mbuf| mbuf.data()[0]).collect();
    assert_eq!(numbers, (100..131).collect::<Vec<u8>>());
    assert!(burst.is_empty());
}

fn clear_and_drop_free_in_bulk(lab: &Lab) {
    let mut burst = lab.numbered(20);
    burst.as_mut_slice()[3].chain(lab.packet(b"second segment")).expect("room for segments");
    assert_eq!(lab.pool.in_use(), 21);
    burst.clear();
    assert_eq!((burst.len(), lab.pool.in_use()), (0, 0));
    burst.clear();
    burst.push(lab.packet(b"again")).expect("room");
    drop(burst);
    assert_eq!(lab.pool.in_use(), 0);
}

fn drain_frees_what_is_not_taken(lab: &Lab) {
    let mut burst = lab.numbered(10);
    let kept: Vec<_> = burst.drain().take(3).collect();
    assert_eq!((burst.len(), lab.pool.in_use()), (0, 3));
    drop(kept);
}

fn bulk_allocation_is_all_or_nothing(lab: &Lab) {
    // No caches: what lies in another lcore's is out of reach here.
    let config = MempoolConfig { cache: 0, ..MempoolConfig::new("bulk", 1000) };
    let pool = Mempool::new(&lab.eal, &config).expect("memory for 1000");
    assert_eq!((pool.capacity(), pool.available()), (1000, 1000));
    let mut bursts: Vec<Burst> = (0..32).map(|_| Burst::new()).collect();
    let filled = bursts.iter_mut().filter_map(|burst| pool.alloc_burst(burst).then_some(burst.len())).sum();
    assert_eq!((filled, pool.in_use()), (31 * BURST, 992));
    assert!(bursts[31].is_empty(), "eight are left, which is not enough");
    let singles: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
    assert_eq!((singles.len(), pool.available()), (8, 0));
    drop((bursts, singles));
    assert_eq!(pool.in_use(), 0);
}
