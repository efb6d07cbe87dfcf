//! RSS key, redirection table and flow rules, over net_null, which keeps the first two and knows no rules.
use std::net::Ipv4Addr;

use nix::errno::Errno;
use sluice_dpdk::{Error, Port, PortConfig, Rss, RssFields, RssRule, StartedPort};

use crate::support::{Case, Lab};

pub(crate) const CASES: &[Case] = &[
    ("rss::table_is_what_was_set", table_is_what_was_set),
    ("rss::tables_that_do_not_fit_are_refused", tables_that_do_not_fit_are_refused),
    ("rss::key_is_what_was_set", key_is_what_was_set),
    ("rss::keys_and_fields_that_do_not_fit_are_refused", keys_and_fields_that_do_not_fit_are_refused),
    ("rss::device_without_rss_says_so", device_without_rss_says_so),
    ("rss::device_without_rules_says_so", device_without_rules_says_so),
];

fn fields() -> RssFields {
    RssFields::IP | RssFields::TCP | RssFields::UDP
}

/// A port of four queues that spreads flows.
fn start(lab: &Lab, devargs: &str) -> StartedPort {
    let port = Port::attach(&lab.eal, devargs).unwrap_or_else(|error| panic!("{error}"));
    let rss = Some(Rss { key: None, fields: fields() });
    let config = PortConfig { rx_queues: 4, tx_queues: 4, rss, ..PortConfig::default() };
    port.start(&config, &lab.pool).unwrap_or_else(|error| panic!("{error}")).port
}

fn table_is_what_was_set(lab: &Lab) {
    let port = start(lab, "net_null_reta");
    let size = usize::from(port.info().expect("net_null tells").reta_size);
    assert!(size > 64, "more than one group: {size}");
    for step in [1, 3] {
        let table: Vec<u16> = (0..size).map(|n| (n / step % 4) as u16).collect();
        port.set_reta(&table).expect("net_null keeps a table");
        assert_eq!(port.reta().expect("and tells"), table);
    }
}

fn tables_that_do_not_fit_are_refused(lab: &Lab) {
    let port = start(lab, "net_null_reta_size");
    let wanted = port.info().expect("net_null tells").reta_size;
    for given in [0, 64, usize::from(wanted) + 1] {
        let error = port.set_reta(&vec![0; given]).expect_err("another size");
        assert_eq!(error, Error::RetaSize { port: "net_null_reta_size".into(), wanted, given });
    }
    let before = port.reta().expect("net_null tells");
    let error = port.set_reta(&vec![4; wanted.into()]).expect_err("the queues are 0 to 3");
    assert!(matches!(error, Error::Port { errno: Errno::EINVAL, .. }), "{error}");
    assert_eq!(port.reta().expect("net_null tells"), before);
}

fn key_is_what_was_set(lab: &Lab) {
    let port = start(lab, "net_null_key");
    let length = port.info().expect("net_null tells").rss_key_len;
    let key: Vec<u8> = (1..).take(length).collect();
    port.set_rss(&Rss { key: Some(key.clone()), fields: fields() }).expect("net_null keeps a key");
    assert_eq!(port.rss().expect("and tells").key, Some(key.clone()));
    port.set_rss(&Rss { key: None, fields: fields() }).expect("net_null takes fields alone");
    assert_eq!(port.rss().expect("and tells").key, Some(key), "kept");
}

fn keys_and_fields_that_do_not_fit_are_refused(lab: &Lab) {
    let port = start(lab, "net_null_misfit");
    let (name, wanted) = ("net_null_misfit".to_owned(), port.info().expect("net_null tells").rss_key_len);
    let error = port.set_rss(&Rss { key: Some(vec![0; 16]), fields: fields() }).expect_err("too short");
    assert_eq!(error, Error::RssKey { port: name.clone(), wanted, given: 16 });
    for fields in [RssFields::default(), fields() | RssFields::SOURCE_ADDRESS_ONLY] {
        let error = port.set_rss(&Rss { key: None, fields }).expect_err("not offered");
        assert!(matches!(error, Error::RssFields { .. }), "{error}");
    }
}

fn device_without_rss_says_so(lab: &Lab) {
    let port = Port::attach(&lab.eal, "net_ring_no_rss").expect("net_ring");
    let port = port.start(&PortConfig::default(), &lab.pool).expect("starts").port;
    assert!(matches!(port.rss(), Err(Error::Port { errno: Errno::ENOTSUP, .. })), "{:?}", port.rss());
    assert!(matches!(port.reta(), Err(Error::Port { .. })), "{:?}", port.reta());
    assert!(matches!(port.set_reta(&[]), Err(Error::RetaSize { wanted: 0, given: 0, .. })));
}

fn device_without_rules_says_so(lab: &Lab) {
    let port = start(lab, "net_null_rules");
    let rule = RssRule {
        destination: Some(Ipv4Addr::new(192, 0, 2, 1)),
        priority: 0,
        rss: Rss { key: None, fields: fields() },
        queues: vec![0, 1, 2, 3],
    };
    for result in [port.validate_rule(&rule), port.add_rule(&rule).map(drop)] {
        assert!(matches!(result, Err(Error::FlowRule { errno: Errno::ENOSYS, .. })), "{result:?}");
    }
}
