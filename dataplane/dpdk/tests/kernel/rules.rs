//! Flow rules over net_tap, which makes filters of the kernel's of them, and says why not.
//!
//! Whether it takes a sound rule depends on the kernel having the multiq discipline, so only refusals are looked at.
use std::net::Ipv4Addr;

use nix::errno::Errno;
use sluice_dpdk::{Error, Port, PortConfig, Rss, RssFields, RssRule};

use crate::support::{Case, Lab};

pub(crate) const CASES: &[Case] = &[("rules::refusals_name_the_reason", refusals_name_the_reason)];

fn refusals_name_the_reason(lab: &Lab) {
    let port =
        Port::attach(&lab.eal, "net_tap_rules,iface=sl_rules").unwrap_or_else(|error| panic!("{error}"));
    let config = PortConfig { rx_queues: 2, tx_queues: 2, ..PortConfig::default() };
    let port = port.start(&config, &lab.pool).unwrap_or_else(|error| panic!("{error}")).port;
    let rule = |priority, fields| RssRule {
        destination: Some(Ipv4Addr::new(192, 0, 2, 1)),
        priority,
        rss: Rss { key: None, fields },
        queues: vec![0, 1],
    };
    for result in [
        port.validate_rule(&rule(u32::MAX, RssFields::IP)),
        port.add_rule(&rule(u32::MAX, RssFields::IP)).map(drop),
    ] {
        let Err(Error::FlowRule { port, errno, message }) = result else { panic!("{result:?}") };
        assert_eq!((port.as_str(), errno), ("net_tap_rules", Errno::EINVAL));
        assert!(message.contains("priority"), "the driver's own words: {message}");
    }
    // It hashes by programs of its own, for both sides only.
    let result = port.add_rule(&rule(0, RssFields::IP | RssFields::SOURCE_ADDRESS_ONLY));
    assert!(matches!(result, Err(Error::FlowRule { .. })), "{result:?}");
}
