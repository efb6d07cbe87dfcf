//! Ports and queues over net_ring, net_null and net_pcap.
use std::fs;

use sluice_dpdk::{Burst, LcoreId, Port, PortConfig, PortStats, Started};
use sluice_packet::PacketBuf;

use crate::support::{Case, Lab};

pub(crate) const CASES: &[Case] = &[
    ("port::ring_gives_back_the_bytes_it_took", ring_gives_back_the_bytes_it_took),
    ("port::full_ring_leaves_the_rest_in_order", full_ring_leaves_the_rest_in_order),
    ("port::rx_fills_only_the_free_room", rx_fills_only_the_free_room),
    ("port::null_receives_and_swallows", null_receives_and_swallows),
    ("port::pcap_replays_for_ever", pcap_replays_for_ever),
    ("port::counters_count_and_reset", counters_count_and_reset),
    ("port::info_tells_identity_and_limits", info_tells_identity_and_limits),
    ("port::queues_travel_to_a_lcore_and_back", queues_travel_to_a_lcore_and_back),
    ("port::queue_keeps_its_port_open", queue_keeps_its_port_open),
    ("port::closed_port_can_be_made_again", closed_port_can_be_made_again),
];

fn start(lab: &Lab, devargs: &str) -> Started {
    let port = Port::attach(&lab.eal, devargs).unwrap_or_else(|error| panic!("{error}"));
    port.start(&PortConfig::default(), &lab.pool).unwrap_or_else(|error| panic!("{error}"))
}

fn ring_gives_back_the_bytes_it_took(lab: &Lab) {
    let mut ring = start(lab, "net_ring_bytes");
    let frames: Vec<Vec<u8>> = (0..32u8).map(|n| vec![n; 60 + usize::from(n) * 40]).collect();
    let mut burst = Burst::new();
    frames.iter().for_each(|frame| burst.push(lab.packet(frame)).expect("32 fit"));
    assert_eq!(ring.tx[0].tx_burst(&mut burst), 32);
    assert!(burst.is_empty());
    assert_eq!(lab.pool.in_use(), 32, "the driver owns them");
    assert_eq!(ring.rx[0].rx_burst(&mut burst), 32);
    assert!(burst.as_slice().iter().zip(&frames).all(|(mbuf, frame)| mbuf.data() == frame));
}

fn full_ring_leaves_the_rest_in_order(lab: &Lab) {
    let mut ring = start(lab, "net_ring_full");
    let mut sent = 0;
    let mut rest = loop {
        let mut burst = lab.numbered(32);
        sent += ring.tx[0].tx_burst(&mut burst);
        if !burst.is_empty() {
            break burst;
        }
    };
    // 1023 fit: 31 full bursts and 31 packets.
    assert_eq!((sent, rest.len()), (1023, 1));
    assert_eq!(rest.as_slice()[0].data()[0], 31);
    let mut more = lab.numbered(5);
    assert_eq!(ring.tx[0].tx_burst(&mut more), 0, "nothing fits");
    assert!(more.as_slice().iter().zip(0..).all(|(mbuf, number)| mbuf.data()[0] == number));
    assert_eq!(lab.pool.in_use(), 1023 + 6);
    let mut out = Burst::new();
    assert_eq!(ring.rx[0].rx_burst(&mut out), 32);
    out.clear();
    assert_eq!(ring.tx[0].tx_burst(&mut rest), 1);
    assert_eq!(ring.tx[0].tx_burst(&mut more), 5);
    let mut received = 0;
    while ring.rx[0].rx_burst(&mut out) > 0 {
        received += out.len();
        out.clear();
    }
    assert_eq!(received, 1023 - 32 + 6);
}

fn rx_fills_only_the_free_room(lab: &Lab) {
    let mut ring = start(lab, "net_ring_room");
    assert_eq!(ring.tx[0].tx_burst(&mut lab.numbered(32)), 32);
    let mut burst = lab.numbered(30);
    assert_eq!(ring.rx[0].rx_burst(&mut burst), 2);
    assert_eq!((burst.as_slice()[29].data()[0], burst.as_slice()[31].data()[0]), (29, 1));
    assert_eq!(ring.rx[0].rx_burst(&mut burst), 0, "full");
    burst.clear();
    assert_eq!(ring.rx[0].rx_burst(&mut burst), 30);
}

fn null_receives_and_swallows(lab: &Lab) {
    let mut null = start(lab, "net_null_plain,size=98");
    let mut burst = Burst::new();
    assert_eq!(null.rx[0].rx_burst(&mut burst), 32);
    assert!(burst.as_slice().iter().all(|mbuf| mbuf.frame_len() == 98 && mbuf.port().is_some()));
    assert_eq!(null.tx[0].tx_burst(&mut burst), 32);
    assert_eq!(lab.pool.in_use(), 0, "sent into nothing");
}

fn pcap_replays_for_ever(lab: &Lab) {
    let frame: Vec<u8> = (0..60).collect();
    let path = std::env::temp_dir().join(format!("sluice-dpdk-{}.pcap", std::process::id()));
    fs::write(&path, pcap(&frame)).expect("the temporary folder is writable");
    let mut pcap = start(lab, &format!("net_pcap_loop,rx_pcap={},infinite_rx=1", path.display()));
    let mut burst = Burst::new();
    for _ in 0..100 {
        assert!(pcap.rx[0].rx_burst(&mut burst) > 0, "it never runs dry");
        assert!(burst.as_slice().iter().all(|mbuf| mbuf.data() == frame));
        burst.clear();
    }
    fs::remove_file(path).expect("it was there");
}

/// A capture file of one frame: <https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap>.
fn pcap(frame: &[u8]) -> Vec<u8> {
    let ethernet = 1u32;
    let header = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, ethernet];
    let length = u32::try_from(frame.len()).expect("small");
    let words = header.into_iter().chain([0, 0, length, length]);
    words.flat_map(u32::to_ne_bytes).chain(frame.iter().copied()).collect()
}

fn counters_count_and_reset(lab: &Lab) {
    let mut ring = start(lab, "net_ring_stats");
    assert_eq!(ring.port.stats(), Ok(PortStats::default()));
    ring.tx[0].tx_burst(&mut lab.numbered(9));
    ring.rx[0].rx_burst(&mut Burst::new());
    let stats = ring.port.stats().expect("net_ring counts");
    assert_eq!((stats.ipackets, stats.opackets), (9, 9));
    assert_eq!((stats.imissed, stats.ierrors, stats.oerrors, stats.rx_nombuf), (0, 0, 0, 0));
    ring.port.reset_stats().expect("net_ring resets");
    assert_eq!(ring.port.stats(), Ok(PortStats::default()));
}

fn info_tells_identity_and_limits(lab: &Lab) {
    let port = Port::attach(&lab.eal, "net_ring_info").expect("net_ring");
    assert!(lab.eal.port_names().contains(&"net_ring_info".to_owned()), "{:?}", lab.eal.port_names());
    let info = port.info().expect("net_ring tells");
    assert_eq!((info.name.as_str(), info.driver.as_str()), ("net_ring_info", "net_ring"));
    assert_eq!((info.mtu, info.if_index, info.rss_fields.is_empty()), (1500, None, true));
    assert!(info.max_rx_queues >= 1 && info.max_tx_queues >= 1 && info.max_mtu >= 1500, "{info:?}");
    let started = port.start(&PortConfig::default(), &lab.pool).expect("starts");
    assert!(started.port.link().expect("net_ring tells").up);
    assert_eq!(started.port.mac(), Ok(info.mac));
    assert_eq!(started.port.info().map(|after| after.id), Ok(info.id));
    assert_eq!((started.rx[0].port(), started.tx[0].port()), (info.id, info.id));
}

fn queues_travel_to_a_lcore_and_back(lab: &Lab) {
    let Started { port, mut rx, mut tx } = start(lab, "net_ring_travel");
    let worker = &lab.eal.workers()[0];
    let (mut rx0, mut tx0) = (rx.remove(0), tx.remove(0));
    let pool = lab.pool.clone();
    let job = worker.launch(move || {
        let mut burst = Burst::new();
        assert!(pool.alloc_burst(&mut burst));
        let sent = tx0.tx_burst(&mut burst);
        (LcoreId::current(), sent, rx0, tx0)
    });
    let (lcore, sent, back, _tx) = job.expect("the lcore is idle").join();
    assert_eq!((lcore, sent), (Some(worker.id()), 32));
    rx0 = back;
    let mut burst = Burst::new();
    assert_eq!(rx0.rx_burst(&mut burst), 32, "what the lcore sent comes in here");
    assert_eq!(port.stats().map(|stats| stats.opackets), Ok(32));
}

fn queue_keeps_its_port_open(lab: &Lab) {
    let Started { port, mut rx, mut tx } = start(lab, "net_ring_alive");
    drop(port);
    let (mut rx0, mut tx0) = (rx.remove(0), tx.remove(0));
    drop((rx, tx));
    assert_eq!(tx0.tx_burst(&mut lab.numbered(4)), 4);
    drop(tx0);
    assert_eq!(rx0.rx_burst(&mut Burst::new()), 4);
    assert!(lab.eal.port_names().contains(&"net_ring_alive".to_owned()));
    drop(rx0);
    assert!(!lab.eal.port_names().contains(&"net_ring_alive".to_owned()), "the last handle closes it");
}

fn closed_port_can_be_made_again(lab: &Lab) {
    for size in [64, 128] {
        let mut null = start(lab, &format!("net_null_again,size={size}"));
        let mut burst = Burst::new();
        null.rx[0].rx_burst(&mut burst);
        assert!(burst.as_slice().iter().all(|mbuf| mbuf.frame_len() == size));
    }
}
