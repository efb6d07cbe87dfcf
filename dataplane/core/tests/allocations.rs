//! The packet path allocates nothing: not for established traffic, not for new flows, not for their end.
#![allow(unsafe_code, reason = "a global allocator that counts is an unsafe trait")]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;

use common::*;
use sluice_core::{Jiffies, MarkRule, NewMark, Protocol, ServiceConfig, Verdict};
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::{ACK, RST, SYN};

/// The system's allocator, counting calls by thread, so that the test harness's own do not disturb.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to `System` unchanged; the count is a plain thread-local cell that never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: `place` came from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` allocates or frees.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// A burst from each of `bursts` times 32 client ports.
fn bursts(bursts: u16, frame: impl Fn(u16) -> Frame) -> Vec<[ArrayBuf; 32]> {
    let burst = |n: u16| std::array::from_fn(|at| ArrayBuf::new(&frame(n * 32 + at as u16).build()));
    (0..bursts).map(burst).collect()
}

/// Sends them and returns what it cost and the verdicts seen.
fn cost(lab: &mut Lab, port: u16, mut bursts: Vec<[ArrayBuf; 32]>) -> (u64, Verdict) {
    let mut verdicts = [Verdict::ToKernel; 32];
    let mut last = None;
    let calls = calls(|| {
        for burst in &mut bursts {
            lab.lcore.process_burst(lab.now, &ingress(port), burst, &mut verdicts);
            assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
            last = Some(verdicts[0]);
        }
    });
    (calls, last.unwrap())
}

#[test]
fn the_packet_path_allocates_nothing() {
    assert_eq!(calls(|| drop(std::hint::black_box(Box::new(1)))), 2, "the counter counts");

    let mut lab = Lab::with_flows(8192);
    for (port, scheduler) in (80..).zip(["rr", "wrr", "lc", "wlc"]) {
        lab.add(service(Protocol::Tcp, port, scheduler), [masq(1, 80), masq(2, 80), masq(3, 80)]);
        let request = |flags| move |n| from_gateway(CLIENT).tcp(1024 + n, port, flags);
        assert_eq!(cost(&mut lab, OUTSIDE, bursts(30, request(SYN))), (0, TO_REAL), "{scheduler}: new flows");
        assert_eq!(
            cost(&mut lab, OUTSIDE, bursts(30, request(ACK))),
            (0, TO_REAL),
            "{scheduler}: established"
        );
    }
    let flows = lab.flows();
    assert_eq!(flows.len(), 4 * 960);
    let replies = bursts(30, |n| {
        let flow = &flows[usize::from(n)];
        let IpAddr::V4(real) = flow.destination.ip() else { unreachable!() };
        from_link(real.octets()[3]).ipv4(real, CLIENT).tcp(80, flow.client.port(), ACK)
    });
    assert_eq!(cost(&mut lab, INSIDE, replies), (0, TO_CLIENT), "replies");

    let many = (0..17).map(|n| masq(1 + n % 9, 8000 + u16::from(n)));
    lab.add(service(Protocol::Tcp, 90, "wlc"), many);
    let request = |n| from_gateway(CLIENT).tcp(1024 + n, 90, SYN);
    assert_eq!(cost(&mut lab, OUTSIDE, bursts(30, request)), (0, TO_REAL), "a long list");

    lab.add(service(Protocol::Udp, 53, "rr"), [route(1, 53), route(2, 53)]);
    let queries = || bursts(30, |n| from_gateway(CLIENT).udp(1024 + n, 53));
    assert_eq!(cost(&mut lab, OUTSIDE, queries()), (0, TO_REAL), "direct routing");
    let strangers = bursts(30, |n| from_gateway(CLIENT).tcp(1024 + n, 22, SYN));
    assert_eq!(cost(&mut lab, OUTSIDE, strangers), (0, Verdict::ToKernel), "strangers");
    let errors = bursts(30, |n| {
        let about = Frame::new().ipv4(VIP, CLIENT).tcp(80, flows[usize::from(n)].client.port(), ACK);
        from_gateway(CLIENT).icmp_error(3, 4, 1400, &about.packet())
    });
    assert_eq!(cost(&mut lab, OUTSIDE, errors), (0, TO_REAL), "ICMP errors");
    // A state of a shorter time: filed anew at once.
    let resets = bursts(30, |n| {
        let flow = &flows[usize::from(n)];
        from_gateway(CLIENT).tcp(flow.client.port(), flow.virtual_endpoint.port(), RST)
    });
    assert_eq!(cost(&mut lab, OUTSIDE, resets), (0, TO_REAL), "resets");

    let expiry = calls(|| {
        for _ in 0..1000 {
            lab.tick(Jiffies::HZ);
            lab.lcore.expire(lab.now, 1 << 20);
        }
    });
    assert_eq!((expiry, lab.flows().len()), (0, 0), "expiry");
    assert_eq!(lab.stats.flows_expired.get(), 6 * 960);
    assert_eq!(cost(&mut lab, OUTSIDE, queries()), (0, TO_REAL), "and over again");
}

/// Nor where many mark rules are asked first.
#[test]
fn mark_rules_allocate_nothing() {
    let mut lab = Lab::with_flows(8192);
    lab.add(marked(7, "rr"), [masq(1, 0), masq(2, 0)]);
    let rule = |n: u16| {
        let rule = MarkRule { destination_ports: Some(n..=n + 100), ..MarkRule::any(n.into(), 8) };
        NewMark { id: None, rule }
    };
    let last = NewMark {
        id: None,
        rule: MarkRule { source_ports: Some(1024..=1983), ..MarkRule::any(u32::MAX, 7) },
    };
    let rules = (0..1000).map(rule).chain([last]).collect();
    lab.change(|director| director.replace_marks(rules)).unwrap();
    let syns = |first: u16, to| bursts(30, move |n| from_gateway(CLIENT).tcp(first + n, to, SYN));
    assert_eq!(cost(&mut lab, OUTSIDE, syns(1024, 2000)), (0, TO_REAL), "the last rule");
    assert_eq!(cost(&mut lab, OUTSIDE, syns(1024, 500)), (0, Verdict::ToKernel), "another");
    assert_eq!(cost(&mut lab, OUTSIDE, syns(3000, 2000)), (0, Verdict::ToKernel), "none");
}

/// Nor for any scheduler, whether it finds a real or not.
#[test]
fn no_scheduler_allocates() {
    for kind in sluice_core::SchedulerKind::ALL {
        let mut lab = Lab::with_flows(8192);
        let config = ServiceConfig { flags: 3, ..service(Protocol::Tcp, 80, kind.name()) };
        // Enough for all under ovf.
        let real = |n| sluice_core::RealConfig { weight: 50, ..masq(n, 80) };
        let key = lab.add(config, (1..10).map(real));
        let syns = |first| bursts(10, move |n| request(first + n, SYN));
        let none = Verdict::Drop(sluice_core::DropReason::NoReal);
        let found = if kind == sluice_core::SchedulerKind::None { none } else { TO_REAL };
        assert_eq!(cost(&mut lab, OUTSIDE, syns(1024)), (0, found), "{}", kind.name());
        for n in 1..10 {
            let quiesced = sluice_core::RealConfig { weight: 0, ..real(n) };
            lab.change(|director| director.edit_real(&key, quiesced)).unwrap();
        }
        assert_eq!(cost(&mut lab, OUTSIDE, syns(2048)), (0, none), "{}", kind.name());
    }
}

/// Nor for persistence, with room or without, nor for one-packet scheduling.
#[test]
fn templates_and_single_packets_allocate_nothing() {
    let mut lab = Lab::with_tables(8192, 512);
    lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), [masq(1, 80), masq(2, 80)]);
    lab.add(persistent(service(Protocol::Tcp, 0, "rr"), 300, 32), [masq(1, 80), masq(2, 80)]);
    let client = |n: u16| from_gateway(std::net::Ipv4Addr::new(203, 0, (n >> 8) as u8, n as u8));
    assert_eq!(
        cost(&mut lab, OUTSIDE, bursts(10, |n| client(n).tcp(1024, 80, SYN))),
        (0, TO_REAL),
        "new clients"
    );
    assert_eq!(
        cost(&mut lab, OUTSIDE, bursts(10, |n| client(n).tcp(1025, 80, SYN))),
        (0, TO_REAL),
        "known ones"
    );
    let others = |port| bursts(20, move |n| client(n + 1000).tcp(port, 8080, SYN));
    assert_eq!(cost(&mut lab, OUTSIDE, others(1024)), (0, TO_REAL), "in others' place");
    assert!(lab.stats.evicted_templates.get() > 0);
    let acks = bursts(20, |n| client(n + 1000).tcp(1024, 8080, ACK));
    assert_eq!(cost(&mut lab, OUTSIDE, acks), (0, TO_REAL), "assured, where they still have one");
    let config = ServiceConfig { one_packet: true, ..service(Protocol::Udp, 53, "rr") };
    lab.add(config, [route(1, 53), masq(2, 53)]);
    let queries = bursts(10, |n| from_gateway(CLIENT).udp(1024 + n, 53));
    assert_eq!(cost(&mut lab, OUTSIDE, queries), (0, TO_REAL), "one packet each");
    let expiry = calls(|| {
        for _ in 0..1000 {
            lab.tick(Jiffies::HZ);
            lab.lcore.expire(lab.now, 1 << 20);
        }
    });
    assert_eq!((expiry, lab.flows().len(), lab.templates().len()), (0, 0, 0), "expiry");
}

/// Nor for the SIP engine, whoever calls whom.
#[test]
fn calls_allocate_nothing() {
    let mut lab = Lab::with_tables(8192, 1024);
    let config = persistent(service(Protocol::Udp, 5060, "rr"), 300, 32);
    lab.add(ServiceConfig { engine: Some("sip".to_owned()), ..config }, [masq(1, 5060)]);
    let message = |n: u16| format!("BYE sip:b SIP/2.0\r\nCall-ID: {n}@b\r\n\r\n").into_bytes();
    let calls_in = bursts(10, |n| from_gateway(CLIENT).udp(1024 + n, 5060).payload(&message(n)));
    assert_eq!(cost(&mut lab, OUTSIDE, calls_in), (0, TO_REAL), "calls of clients");
    let calls_out =
        bursts(10, |n| from_link(1).ipv4(real(1), CLIENT).udp(5060, 9000 + n).payload(&message(n)));
    assert_eq!(cost(&mut lab, INSIDE, calls_out), (0, TO_CLIENT), "calls of reals");
}
