//! The table of the reference's examples.

use serde_json::{Value, json};
use sluice_api::{Rates, Reply, Request, RpcError, ServiceEntry, ServiceId, Stats, Version};

/// A real server from `ADDRESS PORT FORWARD WEIGHT`, with members added.
pub(crate) fn real(address: &str, port: u16, forward: &str, weight: u32, more: &Value) -> Value {
    let mut spec = json!({"id": {"address": address, "port": port}, "forward": forward, "weight": weight});
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    json!({"spec": spec, "active": 0, "inactive": 0, "persistent": 0,
           "stats": Stats::default(), "rates": Rates::default()})
}

pub(crate) fn service(spec: &Value, reals: &[Value]) -> Value {
    json!({"spec": spec, "reals": reals, "stats": Stats::default(), "rates": Rates::default()})
}

pub(crate) fn tcp(port: u16) -> Value {
    json!({"protocol": "tcp", "address": "10.0.0.1", "port": port})
}

/// Everything the reference lists, in an order of no meaning.
pub(crate) fn examples() -> Vec<ServiceEntry> {
    let none = Value::Null;
    let gue = |checksum| json!({"tunnel": {"type": "gue", "port": 6080, "checksum": checksum}});
    let udp = |port: u16| json!({"protocol": "udp", "address": "10.0.0.1", "port": port});
    let rows = vec![
        service(
            &json!({"id": {"fwmark": 7, "family": "ipv6"}, "scheduler": "wlc"}),
            &[real("fd00::2", 0, "route", 1, &none)],
        ),
        service(
            &json!({"id": {"fwmark": 7, "family": "ipv4"}, "scheduler": "wlc", "persistent": {"timeout": 300}}),
            &[real("192.168.1.1", 0, "route", 1, &none)],
        ),
        service(
            &json!({"id": {"protocol": "tcp", "address": "2001:db8::1", "port": 80}, "scheduler": "lc",
                    "persistent": {"timeout": 120, "netmask": 64}}),
            &[real("fd00::1", 8080, "masq", 7, &none)],
        ),
        service(
            &json!({"id": {"protocol": "sctp", "address": "10.0.0.1", "port": 9899}, "scheduler": "mh",
                        "flags": ["flag-1", "flag-2"]}),
            &[],
        ),
        service(
            &json!({"id": udp(5060), "scheduler": "wlc", "persistent": {"timeout": 60}, "pe": "sip"}),
            &[],
        ),
        service(&json!({"id": udp(53), "scheduler": "wrr", "one_packet": true}), &[]),
        service(&json!({"id": tcp(83), "scheduler": "sh", "flags": ["flag-1", "flag-2"]}), &[]),
        service(
            &json!({"id": tcp(81), "scheduler": "rr",
                    "persistent": {"timeout": 600, "netmask": "255.255.255.0"}}),
            &[],
        ),
        service(
            &json!({"id": tcp(80), "scheduler": "rr"}),
            &[
                real("192.168.1.11", 80, "masq", 2147483647, &none),
                real("192.168.1.8", 80, "tunnel", 1, &json!({"tunnel": {"type": "gre", "checksum": "csum"}})),
                real("192.168.1.7", 80, "tunnel", 1, &gue("remcsum")),
                real("192.168.1.5", 80, "tunnel", 1, &gue("none")),
                real("192.168.1.4", 80, "tunnel", 0, &none),
                real("192.168.1.2", 8080, "masq", 3, &none),
                real("192.168.1.12", 80, "masq", 1, &json!({"upper_threshold": 20, "lower_threshold": 10})),
                real("192.168.1.1", 80, "route", 9, &none),
            ],
        ),
    ];
    serde_json::from_value(Value::Array(rows)).unwrap()
}

/// Answers listings from a table.
pub(crate) fn listing(services: Vec<ServiceEntry>) -> impl Fn(&Request) -> Result<Reply, RpcError> {
    move |request| {
        Ok(match request {
            Request::Version => Reply::Version(Version {
                daemon: "0.1.0".to_owned(),
                ipvs: "1.2.1".to_owned(),
                connection_table_size: 4096,
            }),
            Request::ServiceList(params) => {
                let wanted = |id: ServiceId| params.service.is_none_or(|service| service == id);
                Reply::Services(services.iter().filter(|s| wanted(s.spec.id)).cloned().collect())
            }
            other => panic!("not asked for here: {other:?}"),
        })
    }
}
