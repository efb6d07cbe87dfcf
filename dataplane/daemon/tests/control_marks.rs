//! Mark rules and fwmark services over the real socket.

mod bed;

use bed::{Bed, Client, Options, real};
use serde_json::{Value, json};

fn rules(client: &mut Client) -> Vec<Value> {
    let listed = client.call("mark.list", json!({}));
    listed.as_array().expect("rules").iter().map(|entry| entry["spec"].clone()).collect()
}

#[test]
fn rules_are_added_listed_replaced_and_deleted() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let whole = json!({"priority": 10, "port": "lan", "vlan": 0, "protocol": "udp", "source": "10.0.0.0/8",
                       "destination": "203.0.113.1", "source_ports": "1024-65535", "destination_ports": 53, "mark": 7});
    assert_eq!(client.call("mark.add", whole.clone()), json!({"id": 1}));
    assert_eq!(client.call("mark.add", json!({"priority": 9, "mark": 8})), json!({"id": 2}));
    assert_eq!(client.call("mark.add", json!({"id": 5, "priority": 10, "mark": 9})), json!({"id": 5}));
    client.call("service.add", json!({"id": {"fwmark": 8}}));
    let mut numbered = whole.clone();
    numbered["id"] = json!(1);
    assert_eq!(
        client.call("mark.list", json!({})),
        json!([
            {"spec": {"id": 2, "priority": 9, "mark": 8}, "hits": 0, "service": true},
            {"spec": numbered, "hits": 0, "service": false},
            {"spec": {"id": 5, "priority": 10, "mark": 9}, "hits": 0, "service": false},
        ])
    );
    assert_eq!(client.call("mark.delete", json!({"id": 2})), json!({}));
    let replaced = json!({"rules": [{"mark": 1}, whole, {"mark": 2, "source": "2001:db8::/32"}]});
    assert_eq!(client.call("mark.replace", replaced), json!({}));
    assert_eq!(
        rules(&mut client),
        [
            numbered,
            json!({"id": 2, "priority": 1000, "mark": 1}),
            json!({"id": 3, "priority": 1000, "mark": 2, "source": "2001:db8::/32"})
        ],
        "the rule that stays keeps its number"
    );
}

#[test]
fn refusals_say_what_is_wrong_and_change_nothing() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    client.call("mark.add", json!({"id": 3, "mark": 7}));
    let bad = |bad: Value| json!({"rules": [{"mark": 1}, bad]});
    let cases = [
        ("mark.add", json!({"mark": 0}), "EINVAL", "the mark may not be 0"),
        ("mark.add", json!({"id": 3, "mark": 1}), "EEXIST", "mark rule 3 already exists"),
        (
            "mark.add",
            json!({"id": 0, "mark": 1}),
            "ERANGE",
            "the number of a mark rule (from 1) is out of range",
        ),
        ("mark.add", json!({"port": "dmz", "mark": 1}), "ENODEV", "no port `dmz`; there are: wan, lan"),
        (
            "mark.add",
            json!({"vlan": 4095, "mark": 1}),
            "ERANGE",
            "the VLAN id (0 to 4094, 0 is no tag) is out of range",
        ),
        (
            "mark.add",
            json!({"source": "10.0.0.1/8", "mark": 1}),
            "EINVAL",
            "an address has bits beyond its prefix length",
        ),
        (
            "mark.add",
            json!({"source": "10.0.0.1", "destination": "::1", "mark": 1}),
            "EINVAL",
            "source and destination are not of one address family",
        ),
        ("mark.delete", json!({"id": 4}), "ENOENT", "no mark rule 4"),
        ("mark.replace", bad(json!({"mark": 0})), "EINVAL", "rule 2 of 2: the mark may not be 0"),
        (
            "mark.replace",
            bad(json!({"port": "dmz", "mark": 1})),
            "ENODEV",
            "rule 2 of 2: no port `dmz`; there are: wan, lan",
        ),
        (
            "mark.replace",
            json!({"rules": [{"id": 1, "mark": 1}, {"id": 1, "mark": 2}]}),
            "EEXIST",
            "mark rule 1 already exists",
        ),
        (
            "mark.replace",
            json!({"rules": vec![json!({"mark": 1}); 9]}),
            "ENOMEM",
            "all 8 marks are in use: raise tables.marks",
        ),
        (
            "service.add",
            json!({"id": {"fwmark": 7, "family": "ipv6"}}),
            "EOPNOTSUPP",
            "an IPv6 service is not supported yet: fwmark 7 ipv6",
        ),
    ];
    for (method, params, errno, message) in cases {
        assert_eq!(client.refused(method, params), (errno.to_owned(), message.to_owned()));
    }
    for (params, part) in [
        (json!({}), "missing field `mark`"),
        (json!({"mark": 1, "dport": 80}), "unknown field `dport`"),
        (json!({"mark": 1, "source": "10.0.0.0/33"}), "the prefix length is at most 32"),
        (json!({"mark": 1, "source_ports": "9-8"}), "the range ends before it begins"),
        (json!({"mark": 1, "destination_ports": 65536}), "65536"),
        (json!({"mark": 1, "protocol": "icmp"}), "icmp"),
        (json!({"mark": 4294967296u64}), "4294967296"),
        (json!({"mark": 1, "priority": -1}), "-1"),
    ] {
        let (code, message) = client.refused("mark.add", params);
        assert_eq!(code, "-32602");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(rules(&mut client), [json!({"id": 3, "priority": 1000, "mark": 7})]);
    for id in 0..7 {
        client.call("mark.add", json!({"priority": id, "mark": 1}));
    }
    let (_, message) = client.refused("mark.add", json!({"mark": 1}));
    assert_eq!(message, "all 8 marks are in use: raise tables.marks");
}

#[test]
fn rules_and_marked_services_survive_a_restart() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let service = json!({"fwmark": 4294967295u32});
    client.call("service.add", json!({"id": service, "scheduler": "rr"}));
    let mut any_port = real(1);
    any_port["id"]["port"] = json!(0);
    client.call("real.add", json!({"service": service, "real": any_port}));
    for (id, priority) in [(4, 10), (2, 10), (9, 1)] {
        client
            .call("mark.add", json!({"id": id, "priority": priority, "port": "lan", "mark": 4294967295u32}));
    }
    let before = (client.call("mark.list", json!({})), client.call("service.list", json!({})));
    let saved = bed.end();
    let text = serde_json::to_string(&saved).expect("JSON");
    let again = Bed::new(Options {
        restored: Some(serde_json::from_str(&text).expect("as it was")),
        ..Options::default()
    });
    let mut client = again.client();
    assert_eq!((client.call("mark.list", json!({})), client.call("service.list", json!({}))), before);
    client.call("zero", json!({}));
    client.call("zero", json!({"service": service}));
    client.call("service.delete", json!({"service": service}));
    assert_eq!(client.call("mark.list", json!({}))[0]["service"], false);
}
