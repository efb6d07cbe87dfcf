//! Frames through the kernel, and what the kernel is told of MAC address and MTU.
use std::time::{Duration, Instant};

use sluice_dpdk::{Burst, Error, Mbuf, Port, PortConfig, RxQueue, Started};
use sluice_packet::PacketBuf;

use crate::ip;
use crate::support::{Case, Lab};

pub(crate) const CASES: &[Case] = &[
    ("kernel::veth_carries_frames_both_ways", veth_carries_frames_both_ways),
    ("kernel::queues_share_an_interface", queues_share_an_interface),
    ("kernel::mtu_is_the_interface_s", mtu_is_the_interface_s),
    ("kernel::tap_has_the_name_and_mac_asked_for", tap_has_the_name_and_mac_asked_for),
    ("kernel::tap_carries_frames_both_ways", tap_carries_frames_both_ways),
];

/// For frames of the tests' own, told from the kernel's by it (local experimental, IEEE 802).
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const TAP_MAC: [u8; 6] = [0x02, 0x51, 0x00, 0x00, 0x00, 0x07];
const DEADLINE: Duration = Duration::from_secs(5);

fn start(lab: &Lab, devargs: &str, config: &PortConfig) -> Started {
    let port = Port::attach(&lab.eal, devargs).unwrap_or_else(|error| panic!("{error}"));
    port.start(config, &lab.pool).unwrap_or_else(|error| panic!("{error}"))
}

fn frame(number: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![number; len];
    bytes[..6].fill(0xff);
    bytes[6..12].copy_from_slice(&[0x02, 0, 0, 0, 0, 1]);
    bytes[12..14].copy_from_slice(&ETHERTYPE);
    bytes
}

/// Receives until `count` packets are `wanted`; others, the kernel's, are dropped.
fn receive(rx: &mut RxQueue, count: usize, wanted: impl Fn(&Mbuf) -> bool) -> Vec<Mbuf> {
    let (mut found, started) = (Vec::new(), Instant::now());
    let mut burst = Burst::new();
    while found.len() < count {
        assert!(started.elapsed() < DEADLINE, "{} of {count} packets came in {DEADLINE:?}", found.len());
        rx.rx_burst(&mut burst);
        found.extend(burst.drain().filter(&wanted));
    }
    found
}

fn is_ours(mbuf: &Mbuf) -> bool {
    mbuf.data().get(12..14) == Some(&ETHERTYPE)
}

/// Sends frames of several sizes from one port and checks them at the other.
fn pass(lab: &Lab, from: &mut Started, to: &mut Started) {
    let frames: Vec<_> = (0..20).map(|number| frame(number, 60 + usize::from(number) * 70)).collect();
    let mut burst = Burst::new();
    frames.iter().for_each(|frame| burst.push(lab.packet(frame)).expect("20 fit"));
    assert_eq!(from.tx[0].tx_burst(&mut burst), frames.len());
    let received = receive(&mut to.rx[0], frames.len(), is_ours);
    assert!(received.iter().zip(&frames).all(|(mbuf, frame)| mbuf.data() == frame));
}

fn veth_carries_frames_both_ways(lab: &Lab) {
    ip("link add va type veth peer name vb");
    ip("link set va up");
    ip("link set vb up");
    let mut a = start(lab, "net_af_packet_a,iface=va", &PortConfig::default());
    let mut b = start(lab, "net_af_packet_b,iface=vb", &PortConfig::default());
    pass(lab, &mut a, &mut b);
    pass(lab, &mut b, &mut a);
    assert!(a.port.stats().expect("counters").opackets >= 20);
    assert!(a.port.link().expect("a link state").up);
    drop((a, b));
    ip("link del va");
}

fn queues_share_an_interface(lab: &Lab) {
    ip("link add qa type veth peer name qb");
    ip("link set qa up");
    ip("link set qb up");
    let config = PortConfig { rx_queues: 2, tx_queues: 2, ..PortConfig::default() };
    let mut a = start(lab, "net_af_packet_qa,iface=qa,qpairs=2", &config);
    let mut b = start(lab, "net_af_packet_qb,iface=qb", &PortConfig::default());
    for (queue, number) in a.tx.iter_mut().zip(1..) {
        let mut burst = Burst::new();
        burst.push(lab.packet(&frame(number, 60))).expect("room");
        assert_eq!(queue.tx_burst(&mut burst), 1);
    }
    let numbers: Vec<_> = receive(&mut b.rx[0], 2, is_ours).iter().map(|mbuf| mbuf.data()[20]).collect();
    assert_eq!(numbers, [1, 2]);
    drop((a, b));
    ip("link del qa");
}

fn mtu_is_the_interface_s(lab: &Lab) {
    ip("link add mtu0 type veth peer name mtu1");
    let config = PortConfig { mtu: Some(1400), ..PortConfig::default() };
    let port = start(lab, "net_af_packet_m,iface=mtu0", &config);
    assert_eq!(port.port.info().expect("info").mtu, 1400);
    assert!(ip("link show mtu0").contains("mtu 1400"), "{}", ip("link show mtu0"));
    drop(port);
    let jumbo = PortConfig { mtu: Some(9000), ..PortConfig::default() };
    let port = Port::attach(&lab.eal, "net_af_packet_m,iface=mtu0").expect("the interface is there");
    let error = port.start(&jumbo, &lab.pool).expect_err("net_af_packet's frames end at 1518 bytes");
    assert!(matches!(error, Error::Mtu { asked: 9000, max: 1500, .. }), "{error:?}");
    ip("link del mtu0");
}

fn tap_has_the_name_and_mac_asked_for(lab: &Lab) {
    let started = start(lab, "net_tap_named,iface=twin0,mac=02:51:00:00:00:07", &PortConfig::default());
    assert_eq!(started.port.mac(), Ok(TAP_MAC));
    let shown = ip("link show twin0");
    assert!(shown.contains("02:51:00:00:00:07") && shown.contains("UP"), "{shown}");
    drop(started);
    assert!(!ip("link").contains("twin0"), "the interface goes with the port");
}

fn tap_carries_frames_both_ways(lab: &Lab) {
    let mut tap = start(lab, "net_tap_both,iface=twin1,mac=02:51:00:00:00:07", &PortConfig::default());
    ip("addr add 192.0.2.1/24 dev twin1");
    // In by the tap: the kernel hears a question. Out by it: the kernel answers.
    let mut burst = Burst::new();
    burst.push(lab.packet(&arp_request([192, 0, 2, 1]))).expect("room");
    assert_eq!(tap.tx[0].tx_burst(&mut burst), 1);
    let is_reply = |mbuf: &Mbuf| mbuf.data().get(12..22) == Some(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    let replies = receive(&mut tap.rx[0], 1, is_reply);
    let reply = replies[0].data();
    assert_eq!((&reply[22..28], &reply[28..32]), (&TAP_MAC[..], &[192, 0, 2, 1][..]), "who has it");
    assert_eq!(reply[..6], ASKER, "told to who asked");
}

const ASKER: [u8; 6] = [0x02, 0x51, 0, 0, 0, 9];

/// RFC 826: who has `target`? Asked by 192.0.2.9.
fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let ethernet = [&[0xff; 6][..], &ASKER, &[8, 6]].concat();
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &ASKER, &[192, 0, 2, 9], &[0; 6], &target].concat();
    [ethernet, arp, vec![0; 18]].concat()
}
