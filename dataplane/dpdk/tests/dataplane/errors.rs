//! Errors: each names what is wrong and what to do.
use sluice_dpdk::{Eal, Error, Mempool, MempoolConfig, Port, PortConfig, Rss, RssFields};

use crate::support::{Case, Lab, eal_args, first_cpu};

pub(crate) const CASES: &[Case] = &[
    ("error::second_start", second_start),
    ("error::worker_on_a_cpu_that_is_not_there", worker_on_a_cpu_that_is_not_there),
    ("error::missing_interface", missing_interface),
    ("error::unknown_driver", unknown_driver),
    ("error::name_in_use", name_in_use),
    ("error::unknown_port_lists_the_known", unknown_port_lists_the_known),
    ("error::too_many_queues", too_many_queues),
    ("error::mtu_out_of_range", mtu_out_of_range),
    ("error::frames_larger_than_an_mbuf", frames_larger_than_an_mbuf),
    ("error::rss_without_hardware", rss_without_hardware),
    ("error::pools", pools),
];

/// The error's text must hold each of `parts`.
fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {text:?}");
}

fn start_error(lab: &Lab, devargs: &str, config: &PortConfig) -> Error {
    let port = Port::attach(&lab.eal, devargs).expect("a software device");
    let error = port.start(config, &lab.pool).expect_err("a bad configuration");
    let name = devargs.split(',').next().expect("a name");
    assert!(!lab.eal.port_names().contains(&name.to_owned()), "the port is closed after a failed start");
    error
}

fn second_start(_: &Lab) {
    let error = Eal::init(&eal_args()).expect_err("once per process");
    assert_eq!(error, Error::AlreadyInitialised);
    assert_says(&error, &["already", "cloning"]);
}

fn worker_on_a_cpu_that_is_not_there(_: &Lab) {
    let error = Eal::init(&eal_args().workers(&[first_cpu(), 1023])).expect_err("no machine here has it");
    assert!(matches!(error, Error::CpuUnavailable { cpu: 1023, .. }), "{error:?}");
    assert_says(&error, &["CPU 1023", "allowed CPUs ("]);
    let error = Eal::init(&eal_args().workers(&[0; 128])).expect_err("the main lcore takes one");
    assert_eq!(error, Error::TooManyWorkers { asked: 128, max: 127 });
}

fn missing_interface(lab: &Lab) {
    for driver in ["net_af_packet", "net_af_xdp"] {
        let error =
            Port::attach(&lab.eal, &format!("{driver}_x,iface=nope0")).expect_err("no such interface");
        assert!(matches!(error, Error::NoSuchInterface { .. }), "{error:?}");
        assert_says(&error, &["`nope0` does not exist", "ip link", driver]);
    }
}

fn unknown_driver(lab: &Lab) {
    let error = Port::attach(&lab.eal, "net_nonsense0").expect_err("no such driver");
    assert_says(&error, &["cannot attach `net_nonsense0`", "driver's name right"]);
}

fn name_in_use(lab: &Lab) {
    let first = Port::attach(&lab.eal, "net_null_twice").expect("net_null");
    let error = Port::attach(&lab.eal, "net_null_twice").expect_err("the name is taken");
    assert_says(&error, &["net_null_twice", "another name"]);
    let error = Port::open(&lab.eal, "net_null_twice").expect_err("the port is held");
    assert_eq!(error, Error::PortInUse { name: "net_null_twice".into() });
    drop(first);
    assert!(Port::attach(&lab.eal, "net_null_twice").is_ok(), "free again");
}

fn unknown_port_lists_the_known(lab: &Lab) {
    let _known = Port::attach(&lab.eal, "net_null_known").expect("net_null");
    let error = Port::open(&lab.eal, "eth9").expect_err("no such port");
    assert_says(&error, &["no port `eth9`", "net_null_known"]);
}

fn too_many_queues(lab: &Lab) {
    let config = PortConfig { rx_queues: 2000, ..PortConfig::default() };
    let error = start_error(lab, "net_null_rxq", &config);
    assert_says(&error, &["net_null_rxq", "rx queues", "2000 asked", "lower"]);
    let error = start_error(lab, "net_null_txq", &PortConfig { tx_queues: 0, ..PortConfig::default() });
    assert_says(&error, &["tx queues", "0 asked", "at least 1"]);
}

fn mtu_out_of_range(lab: &Lab) {
    let error = start_error(lab, "net_null_mtu", &PortConfig { mtu: Some(10), ..PortConfig::default() });
    assert!(matches!(error, Error::Mtu { asked: 10, min: 46, .. }), "{error:?}");
    assert_says(&error, &["net_null_mtu", "10 asked"]);
}

fn frames_larger_than_an_mbuf(lab: &Lab) {
    let config = PortConfig { mtu: Some(9000), ..PortConfig::default() };
    let error = start_error(lab, "net_null_jumbo", &config);
    assert!(matches!(error, Error::DataRoom { frame: 9022, room: 2048, .. }), "{error:?}");
    assert_says(&error, &["9022 bytes", "raise the pool's data room"]);
}

fn rss_without_hardware(lab: &Lab) {
    let rss = |fields, key| PortConfig { rss: Some(Rss { key, fields }), ..PortConfig::default() };
    let error = start_error(lab, "net_ring_rss", &rss(RssFields::IP | RssFields::TCP, None));
    assert!(matches!(error, Error::RssFields { supported: 0, .. }), "{error:?}");
    assert_says(&error, &["net_ring_rss", "use one rx queue"]);
    let error = start_error(lab, "net_null_rsskey", &rss(RssFields::TCP, Some(vec![1; 39])));
    assert!(matches!(error, Error::RssKey { wanted: 40, given: 39, .. }), "{error:?}");
}

fn pools(lab: &Lab) {
    let fail = |config: &MempoolConfig| Mempool::new(&lab.eal, config).expect_err("a bad pool");
    assert_says(&fail(&MempoolConfig::new("lab", 1023)), &["`lab`", "unique"]);
    assert_says(&fail(&MempoolConfig::new("huge", 1 << 20)), &["1048576 mbufs", "about 2", "hugepages"]);
    let cache = MempoolConfig { cache: 513, ..MempoolConfig::new("cache", 1023) };
    assert_says(&fail(&cache), &["at most 512"]);
    assert_says(&fail(&MempoolConfig::new("a-name-that-is-much-too-long", 1023)), &["25 bytes"]);
}
