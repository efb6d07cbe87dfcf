//! The verbs over the real socket: what they do, what they refuse, and when they answer.

mod bed;

use std::time::{Duration, Instant};

use bed::{Bed, Options, real, request, service};
use serde_json::{Value, json};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::SYN;

#[test]
fn services_and_reals_are_added_listed_edited_and_deleted() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    assert_eq!(client.call("service.add", json!({"id": service(), "scheduler": "wrr"})), json!({}));
    for last in [1, 2] {
        client.call("real.add", json!({"service": service(), "real": real(last)}));
    }
    let mut heavier = real(1);
    heavier["weight"] = json!(7);
    client.call("real.edit", json!({"service": service(), "real": heavier}));
    let listed = client.call("service.list", json!({}));
    let seen: Vec<(&Value, &Value)> = listed[0]["reals"]
        .as_array()
        .expect("reals")
        .iter()
        .map(|real| (&real["spec"]["id"]["address"], &real["spec"]["weight"]))
        .collect();
    assert_eq!(seen, [(&json!("192.0.2.2"), &json!(1)), (&json!("192.0.2.1"), &json!(7))], "newest first");
    client.call("service.edit", json!({"id": service(), "scheduler": "lc"}));
    let listed = client.call("service.list", json!({"service": service()}));
    assert_eq!(
        (&listed[0]["spec"]["scheduler"], listed[0]["reals"].as_array().map(Vec::len)),
        (&json!("lc"), Some(2))
    );
    client.call("real.delete", json!({"service": service(), "real": {"address": "192.0.2.2", "port": 80}}));
    let status = client.call("status", json!({}));
    assert_eq!(
        (&status["services"], &status["reals"], &status["table"]["capacity"]),
        (&json!(1), &json!(1), &json!(4096))
    );
    client.call("service.delete", json!({"service": service()}));
    assert_eq!(client.call("service.list", json!({})), json!([]));
}

/// Beside the TCP service of the same address and port, and over a restart; so is the scheduler that is none.
#[test]
fn sctp_services_are_kept() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let id = json!({"protocol": "sctp", "address": "10.0.0.1", "port": 80});
    client.call("service.add", json!({"id": service()}));
    client.call("service.add", json!({"id": id, "scheduler": "none"}));
    client.call("real.add", json!({"service": id, "real": real(1)}));
    let listed = client.call("service.list", json!({"service": id}));
    assert_eq!((&listed[0]["spec"]["id"], &listed[0]["spec"]["scheduler"]), (&id, &json!("none")));
    let bed = Bed::new(Options { restored: Some(bed.end()), ..Options::default() });
    assert_eq!(bed.client().call("service.list", json!({"service": id})), listed);
}

#[test]
fn refusals_carry_the_kernels_errno_and_name_what_they_are_about() {
    let bed = Bed::new(Options { services: 1, ..Options::default() });
    let mut client = bed.client();
    client.call("service.add", json!({"id": service()}));
    client.call("real.add", json!({"service": service(), "real": real(1)}));
    let gone = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 81});
    let mut over = real(2);
    over["lower_threshold"] = json!(5);
    let mut multicast = real(2);
    multicast["id"]["address"] = json!("224.0.0.1");
    let cases = [
        ("service.add", json!({"id": service()}), "EEXIST", "service already exists: tcp 10.0.0.1:80"),
        (
            "service.add",
            json!({"id": gone}),
            "ENOMEM",
            "all 1 services are in use: raise tables.services: tcp 10.0.0.1:81",
        ),
        ("service.edit", json!({"id": gone}), "ESRCH", "no such service: tcp 10.0.0.1:81"),
        ("service.delete", json!({"service": gone}), "ESRCH", "no such service: tcp 10.0.0.1:81"),
        ("service.list", json!({"service": gone}), "ESRCH", "no such service: tcp 10.0.0.1:81"),
        ("zero", json!({"service": gone}), "ESRCH", "no such service: tcp 10.0.0.1:81"),
        (
            "real.add",
            json!({"service": service(), "real": real(1)}),
            "EEXIST",
            "destination already exists: 192.0.2.1:80 of tcp 10.0.0.1:80",
        ),
        (
            "real.edit",
            json!({"service": service(), "real": real(9)}),
            "ENOENT",
            "no such destination: 192.0.2.9:80 of tcp 10.0.0.1:80",
        ),
        (
            "real.add",
            json!({"service": gone, "real": real(1)}),
            "ESRCH",
            "no such service: 192.0.2.1:80 of tcp 10.0.0.1:81",
        ),
        (
            "service.edit",
            json!({"id": service(), "scheduler": "fastest"}),
            "ENOENT",
            "no scheduler `fastest`: tcp 10.0.0.1:80",
        ),
        ("sync.stop", json!({"role": "master"}), "ESRCH", "no sync daemon runs"),
    ];
    for (method, params, errno, message) in cases {
        assert_eq!(client.refused(method, params), (errno.to_owned(), message.to_owned()), "{method}");
    }
    assert_eq!(client.refused("real.add", json!({"service": service(), "real": over})).0, "ERANGE");
    assert_eq!(client.refused("real.add", json!({"service": service(), "real": multicast})).0, "EINVAL");
    assert_eq!(client.call("service.list", json!({}))[0]["reals"].as_array().map(Vec::len), Some(1));
}

/// Reference 1.1: an edit replaces what was, and leaving it out turns it off.
#[test]
fn persistence_and_one_packet_scheduling_are_set_listed_and_replaced() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let dns = json!({"protocol": "udp", "address": "10.0.0.1", "port": 53});
    let any = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 0});
    let specs = [
        json!({"id": service(), "scheduler": "rr", "persistent": {"timeout": 1}}),
        json!({"id": any, "scheduler": "rr", "persistent": {"timeout": 2_678_400, "netmask": "255.255.255.0"}}),
        json!({"id": dns, "scheduler": "rr", "persistent": {"timeout": 60, "netmask": "0.0.0.0"}, "one_packet": true}),
    ];
    for spec in &specs {
        client.call("service.add", spec.clone());
        assert_eq!(client.call("service.list", json!({"service": spec["id"]}))[0]["spec"], *spec);
    }
    for spec in [
        json!({"id": service(), "scheduler": "rr", "persistent": {"timeout": 9, "netmask": "255.0.255.0"}}),
        json!({"id": service(), "scheduler": "rr"}),
    ] {
        client.call("service.edit", spec.clone());
        assert_eq!(client.call("service.list", json!({"service": service()}))[0]["spec"], spec);
    }
}

#[test]
fn persistence_that_cannot_be_is_refused() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    client.call("service.add", json!({"id": service(), "scheduler": "rr", "persistent": {"timeout": 300}}));
    let before = client.call("service.list", json!({}));
    let range = "the persistence timeout (1 to 2678400 seconds) is out of range: tcp 10.0.0.1:80";
    for (parameters, errno, message) in [
        (json!({"persistent": {"timeout": 0}}), "ERANGE", range),
        (json!({"persistent": {"timeout": 2_678_401}}), "ERANGE", range),
        (
            json!({"persistent": {"timeout": 300, "netmask": 24}}),
            "EINVAL",
            "netmask: an IPv4 service takes a dotted mask",
        ),
        (json!({"pe": "http"}), "ENOENT", "no persistence engine `http`: tcp 10.0.0.1:80"),
    ] {
        let mut edit = parameters;
        edit["id"] = service();
        assert_eq!(client.refused("service.edit", edit), (errno.to_owned(), message.to_owned()));
    }
    for mask in [json!("none"), json!("255.255.255"), json!(0), json!(129), json!(-1), json!(null)] {
        let persistent = json!({"timeout": 300, "netmask": mask});
        if mask.is_null() {
            client
                .call("service.edit", json!({"id": service(), "scheduler": "rr", "persistent": persistent}));
        } else {
            client.refused("service.edit", json!({"id": service(), "persistent": persistent}));
        }
    }
    assert_eq!(client.call("service.list", json!({})), before, "nothing has changed");
}

/// A client with two ports, over two lcores: two flows, one template, which the last page shows.
#[test]
fn templates_are_listed_after_the_flows() {
    let syn = |cport| {
        let ends = Frame::new().eth(bed::MAC, [2; 6]).ipv4([203, 0, 113, 7], [10, 0, 0, 1]);
        ends.tcp(cport, 80, SYN).build()
    };
    let frames = vec![syn(40_000), syn(40_001)];
    let bed = Bed::new(Options { lcores: 2, frames, ..Options::default() });
    let mut client = bed.client();
    let persistent = json!({"timeout": 300, "netmask": "255.255.255.0"});
    client.call("service.add", json!({"id": service(), "persistent": persistent}));
    client.call("real.add", json!({"service": service(), "real": real(1)}));
    let deadline = Instant::now() + Duration::from_secs(20);
    let template = json!({
        "protocol": "tcp", "client": "203.0.113.0:0", "virtual": "10.0.0.1:80", "destination": "192.0.2.1:80",
        "state": "NONE", "expires_s": 300, "forward": "masq", "template": true
    });
    let listed = loop {
        let (mut all, mut cursor) = (Vec::new(), json!(0));
        while !cursor.is_null() {
            let page = client.call("connection.list", json!({"cursor": cursor, "limit": 2}));
            all.extend(page["connections"].as_array().expect("an array").clone());
            cursor = page["next"].clone();
        }
        if all.len() == 5 {
            break all;
        }
        assert!(Instant::now() < deadline, "{all:?}");
    };
    assert!(listed[..4].iter().all(|flow| flow["template"].is_null()));
    assert_eq!(listed[4], template);
    let service = client.call("service.list", json!({}));
    let counts = &service[0]["reals"][0];
    assert_eq!((&counts["persistent"], &counts["active"]), (&json!(1), &json!(4)));
    let status = client.call("status", json!({}));
    assert_eq!(status["templates"], json!({"capacity": 1024, "used": 1, "evicted": 0}));
    let past_the_end = client.call("connection.list", json!({"cursor": 9_u64 << 32}));
    assert_eq!(past_the_end, json!({"connections": []}));
}

#[test]
fn what_is_not_supported_yet_is_named() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    client.call("service.add", json!({"id": service()}));
    let cases = [
        ("service.add", json!({"id": {"fwmark": 7, "family": "ipv6"}}), "IPv6"),
        ("service.add", json!({"id": {"protocol": "tcp", "address": "2001:db8::1", "port": 80}}), "IPv6"),
        ("sync.start", json!({"role": "master", "interface": "eth0"}), "sync"),
    ];
    for (method, params, word) in cases {
        let (errno, message) = client.refused(method, params);
        assert!(errno == "EOPNOTSUPP" && message.contains(word), "{method}: {errno} {message}");
    }
}

#[test]
fn tunnels_are_listed_as_they_were_added() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    client.call("service.add", json!({"id": service()}));
    let ways = [
        json!({"type": "ipip", "checksum": "none"}),
        json!({"type": "gue", "port": 6080, "checksum": "remcsum"}),
        json!({"type": "gre", "checksum": "csum"}),
    ];
    for (n, way) in (1..).zip(&ways) {
        let mut real = real(n);
        real["forward"] = json!("tunnel");
        real["tunnel"] = way.clone();
        client.call("real.add", json!({"service": service(), "real": real}));
    }
    let listed = client.call("service.list", json!({}));
    for (n, way) in ways.iter().rev().enumerate() {
        assert_eq!(listed[0]["reals"][n]["spec"]["tunnel"], *way);
    }
    let mut real = real(4);
    real["forward"] = json!("tunnel");
    client.call("real.add", json!({"service": service(), "real": real}));
    real["tunnel"] = json!({"type": "gue"});
    let (errno, message) = client.refused("real.edit", json!({"service": service(), "real": real}));
    assert!(errno == "EINVAL" && message.contains("port"), "{errno} {message}");
}

#[test]
fn a_service_whose_address_no_twin_holds_is_accepted_with_the_line_to_type() {
    let bed = Bed::new(Options { twins: vec!["sl-wan".to_owned()], ..Options::default() });
    let warning = "no twin holds 10.0.0.1, so nobody answers ARP for it: ip addr add 10.0.0.1/32 dev sl-wan";
    assert_eq!(bed.client().call("service.add", json!({"id": service()})), json!({"warnings": [warning]}));
}

#[test]
fn a_change_is_answered_when_every_lcore_works_with_it() {
    let lag = Duration::from_millis(80);
    let bed = Bed::new(Options { lcores: 2, lag, ..Options::default() });
    let mut client = bed.client();
    let start = Instant::now();
    client.call("service.add", json!({"id": service()}));
    assert!(start.elapsed() >= lag, "{:?}", start.elapsed());
    let start = Instant::now();
    client.call("service.list", json!({}));
    assert!(start.elapsed() < lag, "a listing waits for nobody: {:?}", start.elapsed());
}

#[test]
fn a_batch_is_carried_out_in_order_and_waits_for_the_lcores_once() {
    let lag = Duration::from_millis(50);
    let bed = Bed::new(Options { lag, ..Options::default() });
    let mut batch = vec![request("service.add", json!({"id": service()}))];
    batch.extend((1..=40).map(|last| request("real.add", json!({"service": service(), "real": real(last)}))));
    batch.push(request("real.add", json!({"service": service(), "real": real(1)})));
    batch.push(request("nonsense", json!({})));
    let mut notification = request("flush", json!({}));
    notification.as_object_mut().expect("object").remove("id");
    batch.push(notification);
    batch.push(request("service.list", json!({})));
    let start = Instant::now();
    let replies = bed.client().ask(&Value::Array(batch).to_string());
    assert!(start.elapsed() < lag * 10, "{:?}", start.elapsed());
    let replies = replies.as_array().expect("array");
    assert_eq!(replies.len(), 44, "none for the notification");
    assert!(replies[..41].iter().all(|reply| reply["result"] == json!({})));
    assert_eq!(
        (&replies[41]["error"]["data"]["errno"], &replies[42]["error"]["code"]),
        (&json!("EEXIST"), &json!(-32601))
    );
    assert_eq!(replies[43]["result"], json!([]), "the notification before it was carried out");
}

#[test]
fn timeouts_are_set_one_by_one() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    assert_eq!(client.call("timeout.get", json!({})), json!({"tcp": 900, "tcp_fin": 120, "udp": 300}));
    client.call("timeout.set", json!({"tcp": 0, "tcp_fin": 30, "udp": 0}));
    assert_eq!(client.call("timeout.get", json!({})), json!({"tcp": 900, "tcp_fin": 30, "udp": 300}));
    client.call("sysctl.set", json!({"values": {"timeout_udp": 60}}));
    assert_eq!(client.call("timeout.get", json!({})), json!({"tcp": 900, "tcp_fin": 30, "udp": 60}));
    let (errno, _) = client.refused("timeout.set", json!({"tcp": 4_000_000_000u32, "tcp_fin": 0, "udp": 0}));
    assert_eq!(errno, "ERANGE");
}

#[test]
fn connections_of_all_lcores_are_listed_to_the_end() {
    let bed = Bed::new(Options { lcores: 3, ..Options::default() });
    let page = bed.client().call("connection.list", json!({}));
    assert_eq!(page, json!({"connections": []}), "no next page: every lcore was asked");
}

/// A SYN of each of 40 ports arrives at two lcores over and over; ended flows come back as new ones with another real.
#[test]
fn a_purge_ends_flows_and_templates_on_all_lcores() {
    let syn = |cport| {
        let ends = Frame::new().eth(bed::MAC, [2; 6]).ipv4([203, 0, 113, 7], [10, 0, 0, 1]);
        ends.tcp(cport, 80, SYN).build()
    };
    let bed = Bed::new(Options { lcores: 2, frames: (1000..1040).map(syn).collect(), ..Options::default() });
    let mut client = bed.client();
    client.call("service.add", json!({"id": service(), "persistent": {"timeout": 300}}));
    client.call("real.add", json!({"service": service(), "real": real(1)}));
    let counts = |client: &mut bed::Client, n: usize| {
        let real = &client.call("service.list", json!({}))[0]["reals"][n];
        (real["active"].as_u64(), real["persistent"].as_u64())
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while counts(&mut client, 0) != (Some(80), Some(1)) {
        assert!(Instant::now() < deadline, "{:?}", counts(&mut client, 0));
    }
    let one = json!({"address": "192.0.2.1", "port": 80});
    client.call("real.add", json!({"service": service(), "real": real(2)}));
    let mut quiesced = real(1);
    quiesced["weight"] = json!(0);
    client.call("real.edit", json!({"service": service(), "real": quiesced}));
    let templates = client.call("purge", json!({"service": service(), "real": one, "only": "templates"}));
    assert_eq!(templates, json!({"flows": 0, "templates": 1}));
    assert_eq!(counts(&mut client, 1), (Some(80), Some(0)));
    let flows = client.call("purge", json!({"service": service(), "real": one, "only": "flows"}));
    assert_eq!(flows, json!({"flows": 80, "templates": 0}));
    assert_eq!(counts(&mut client, 1), (Some(0), Some(0)));
    client.call("real.delete", json!({"service": service(), "real": one}));
    let removed = client.call("purge", json!({"service": service(), "real": one}));
    assert_eq!(removed, json!({"flows": 0, "templates": 0}));
    while counts(&mut client, 0).0 != Some(80) {
        assert!(Instant::now() < deadline, "{:?}", counts(&mut client, 0));
    }
    let nobody = json!({"address": "192.0.2.9", "port": 80});
    for (params, errno, message) in [
        (
            json!({"service": service(), "real": nobody}),
            "ENOENT",
            "no such destination: 192.0.2.9:80 of tcp 10.0.0.1:80",
        ),
        (json!({"service": {"fwmark": 4}}), "ESRCH", "no such service: fwmark 4 ipv4"),
    ] {
        assert_eq!(client.refused("purge", params), (errno.to_owned(), message.to_owned()));
    }
    let (code, _) = client.refused("purge", json!({"service": service(), "only": "all"}));
    assert_eq!(code, "-32602");
}

#[test]
fn version_and_drops_name_all_there_is() {
    let bed = Bed::new(Options { lcores: 2, ..Options::default() });
    let mut client = bed.client();
    let version = client.call("version", json!({}));
    assert_eq!((&version["ipvs"], &version["connection_table_size"]), (&json!("1.2.1"), &json!(8192)));
    let drops = client.call("drops", json!({}));
    for reason in sluice_core::DropReason::ALL {
        assert_eq!(drops[reason.name()], json!(0), "{}", reason.name());
    }
}

#[test]
fn the_state_survives_with_the_order_of_the_reals() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    client.call("service.add", json!({"id": service(), "scheduler": "wrr", "flags": ["flag-1", "flag-3"]}));
    for last in [3, 1, 2] {
        client.call("real.add", json!({"service": service(), "real": real(last)}));
    }
    client.call("timeout.set", json!({"tcp": 77, "tcp_fin": 0, "udp": 0}));
    let before = client.call("service.list", json!({}));
    let state = bed.end();
    let bed = Bed::new(Options { restored: Some(state.clone()), ..Options::default() });
    let mut client = bed.client();
    assert_eq!(client.call("service.list", json!({})), before);
    assert_eq!(client.call("timeout.get", json!({}))["tcp"], json!(77));
    assert_eq!(bed.end(), state);
}
