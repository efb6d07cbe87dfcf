//! The protocol as it is on the wire: every verb, every kind of refusal.

use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_api::request::PageRequest;
use sluice_api::rpc::{self, decode};
use sluice_api::{
    Applied, Call, ErrorCode, Id, Message, Netmask, Rejected, Reply, Request, RpcError, ServiceId,
};

/// Every verb with its parameters, as a client writes them in full.
fn verbs() -> Vec<(&'static str, Value)> {
    let tcp = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80});
    let mark = json!({"fwmark": 7, "family": "ipv6"});
    let service = json!({"id": tcp, "scheduler": "sh", "flags": ["flag-1", "flag-2"], "one_packet": true,
                         "persistent": {"timeout": 300, "netmask": "255.255.255.0"}, "pe": "sip"});
    let masq = json!({"id": {"address": "192.168.1.1", "port": 8080}, "forward": "masq", "weight": 3,
                      "upper_threshold": 20, "lower_threshold": 10});
    let tunnel = json!({"id": {"address": "fd00::1", "port": 0}, "forward": "tunnel", "weight": 0,
                        "tunnel": {"type": "gue", "port": 6080, "checksum": "remcsum"}});
    let v6 = json!({"id": mark, "scheduler": "wlc", "persistent": {"timeout": 1, "netmask": 64}});
    let sync = json!({"role": "backup", "interface": "eth1", "sync_id": 5, "max_length": 1472,
                      "group": "224.0.0.81", "port": 8848, "ttl": 1});
    let rule = json!({"id": 3, "priority": 10, "port": "wan", "vlan": 0, "protocol": "tcp", "source": "10.0.0.0/8",
                      "destination": "203.0.113.1", "source_ports": "1024-65535", "destination_ports": 80, "mark": 7});
    let any = json!({"priority": 1000, "mark": 4294967295u32});
    vec![
        ("version", Value::Null),
        ("service.add", service),
        ("service.edit", v6),
        ("service.delete", json!({"service": mark})),
        ("service.list", json!({})),
        ("service.list", json!({"service": tcp})),
        ("real.add", json!({"service": tcp, "real": masq})),
        ("real.edit", json!({"service": mark, "real": tunnel})),
        ("real.delete", json!({"service": tcp, "real": {"address": "::1", "port": 1}})),
        ("flush", Value::Null),
        ("zero", json!({})),
        ("zero", json!({"service": mark})),
        ("connection.list", json!({})),
        ("connection.list", json!({"cursor": 9007199254740991u64, "limit": 100})),
        ("mark.add", rule),
        ("mark.delete", json!({"id": 3})),
        ("purge", json!({"service": {"fwmark": 7, "family": "ipv4"}})),
        (
            "purge",
            json!({"service": {"fwmark": 7, "family": "ipv4"}, "real": {"address": "10.0.0.1", "port": 80},
                   "only": "templates"}),
        ),
        ("mark.list", Value::Null),
        ("mark.replace", json!({"rules": [any]})),
        ("mark.replace", json!({"rules": []})),
        ("timeout.get", Value::Null),
        ("timeout.set", json!({"tcp": 900, "tcp_fin": 0, "udp": 300})),
        ("sync.start", sync),
        ("sync.stop", json!({"role": "master", "sync_id": 5})),
        ("sync.list", Value::Null),
        ("sysctl.list", json!({})),
        ("sysctl.list", json!({"names": ["conn_reuse_mode"]})),
        ("sysctl.set", json!({"values": {"conn_reuse_mode": 0, "sync_threshold": "3 50"}})),
        ("stats", Value::Null),
        ("status", Value::Null),
        ("drops", Value::Null),
    ]
}

fn line(method: &str, params: &Value) -> String {
    let mut object = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    if !params.is_null() {
        object["params"] = params.clone();
    }
    object.to_string()
}

fn decode_one(line: &str) -> Result<Call, Rejected> {
    match decode(line.as_bytes()) {
        Message::One(call) => call,
        batch => panic!("{batch:?}"),
    }
}

fn refusal(line: &str) -> (ErrorCode, String, Option<Id>) {
    let rejected = decode_one(line).unwrap_err();
    (rejected.error.kind().unwrap(), rejected.error.message, rejected.id)
}

#[test]
fn every_verb_survives_the_way_there() {
    for (method, params) in verbs() {
        let call = decode_one(&line(method, &params)).unwrap();
        assert_eq!(call.id, Some(Id::Number(1)));
        assert_eq!(call.request.method(), method);
        let encoded: Value = serde_json::from_slice(&rpc::request(&Id::Number(1), &call.request)).unwrap();
        let original: Value = serde_json::from_str(&line(method, &params)).unwrap();
        assert_eq!(encoded, original);
    }
}

#[test]
fn unknown_members_are_refused_at_every_level_of_parameters() {
    fn objects(value: &Value, path: String, found: &mut Vec<String>) {
        let Value::Object(map) = value else { return };
        found.push(path.clone());
        for (key, inner) in map {
            objects(inner, format!("{path}/{key}"), found);
        }
    }
    for (method, params) in verbs() {
        let mut paths = Vec::new();
        objects(&params, String::new(), &mut paths);
        // The names of switches are not the language's: the daemon knows them.
        for path in paths.into_iter().filter(|path| path != "/values") {
            let mut with_typo = params.clone();
            with_typo.pointer_mut(&path).unwrap()["wieght"] = json!(1);
            let (code, message, _) = refusal(&line(method, &with_typo));
            assert_eq!(code, ErrorCode::InvalidParams, "{method} {path}");
            assert!(message.contains("wieght"), "{message}");
        }
    }
}

#[test]
fn defaults_are_ipvsadms() {
    let service = r#"{"id":{"fwmark":7},"scheduler":"rr"}"#;
    let Ok(Call { request: Request::ServiceAdd(spec), .. }) =
        decode_one(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"service.add","params":{service}}}"#))
    else {
        panic!()
    };
    assert_eq!(spec.id.to_string(), "fwmark 7 ipv4");
    assert!(spec.flags.is_empty() && spec.persistent.is_none() && !spec.one_packet && spec.pe.is_none());
    let real =
        json!({"service": {"fwmark": 7}, "real": {"id": {"address": "::1", "port": 1}, "forward": "route"}});
    let Ok(Call { request: Request::RealAdd(change), .. }) = decode_one(&line("real.add", &real)) else {
        panic!()
    };
    assert_eq!((change.real.weight, change.real.upper_threshold, change.real.tunnel), (1, 0, None));
    let Ok(Call { request: Request::MarkAdd(rule), .. }) = decode_one(&line("mark.add", &json!({"mark": 7})))
    else {
        panic!()
    };
    assert_eq!((rule.priority, rule.id, rule.port), (1000, None, None));
    let all = Request::ConnectionList(PageRequest { cursor: None, limit: None });
    assert_eq!(decode_one(&line("connection.list", &Value::Null)).unwrap().request, all);
}

#[test]
fn what_is_no_request_is_told_what_is_wrong() {
    use ErrorCode::{InvalidParams, InvalidRequest, MethodNotFound, Parse};
    let null = Some(Id::Null);
    for (line, code, part, id) in [
        ("{", Parse, "not JSON", null.clone()),
        ("\u{1}", Parse, "not JSON", null.clone()),
        ("[]", InvalidRequest, "empty", null.clone()),
        ("7", InvalidRequest, "object", null.clone()),
        (r#"{"id":1,"method":"flush"}"#, InvalidRequest, "jsonrpc", Some(Id::Number(1))),
        (r#"{"jsonrpc":"1.0","id":1,"method":"flush"}"#, InvalidRequest, "2.0", Some(Id::Number(1))),
        (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, InvalidRequest, "method", Some(Id::Text("a".into()))),
        (r#"{"jsonrpc":"2.0","id":[],"method":"flush"}"#, InvalidRequest, "id", null.clone()),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"flush"}"#, InvalidRequest, "id", null.clone()),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"flush","parms":{}}"#,
            InvalidRequest,
            "parms",
            Some(Id::Number(1)),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"flash"}"#, MethodNotFound, "flash", Some(Id::Number(1))),
        (r#"{"jsonrpc":"2.0","id":null,"method":"flash"}"#, MethodNotFound, "flash", null),
        (r#"{"jsonrpc":"2.0","method":"flash"}"#, MethodNotFound, "flash", None),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"flush","params":{"x":1}}"#,
            InvalidParams,
            "no params",
            Some(Id::Number(1)),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"zero","params":[]}"#,
            InvalidParams,
            "array",
            Some(Id::Number(1)),
        ),
    ] {
        let got = refusal(line);
        assert_eq!((got.0, got.2), (code, id), "{line}");
        assert!(got.1.contains(part), "{line}: {}", got.1);
    }
}

#[test]
fn a_service_is_named_in_one_of_two_ways() {
    for (id, part) in [
        (json!({"protocol": "tcp", "address": "10.0.0.1"}), "a service is named by"),
        (json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80, "fwmark": 7}), "a service is named by"),
        (
            json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80, "family": "ipv4"}),
            "a service is named by",
        ),
        (json!({}), "a service is named by"),
        (json!({"fwmark": 0}), "1..=4294967295"),
        (json!({"fwmark": 4294967296u64}), "u32"),
        (json!({"protocol": "icmp", "address": "10.0.0.1", "port": 80}), "icmp"),
        (json!({"protocol": "tcp", "address": "10.0.0.256", "port": 80}), "IP address"),
        (json!({"protocol": "tcp", "address": "10.0.0.1", "port": 65536}), "65536"),
        (json!({"protocol": "tcp", "address": "10.0.0.1", "port": -1}), "-1"),
    ] {
        let (code, message, _) = refusal(&line("service.delete", &json!({"service": id})));
        assert_eq!(code, ErrorCode::InvalidParams);
        assert!(message.contains(part), "{id}: {message}");
    }
}

#[test]
fn masks_are_dotted_or_a_length() {
    let mask = |value: Value| serde_json::from_value::<Netmask>(value);
    assert_eq!(mask(json!("255.255.255.0")).unwrap(), Netmask::V4([255, 255, 255, 0].into()));
    assert_eq!(mask(json!(64)).unwrap(), Netmask::V6(64));
    assert!(Netmask::V6(128).is_full() && Netmask::V4([255; 4].into()).is_full());
    assert!(!Netmask::V6(64).is_full());
    for wrong in [json!("64"), json!(256), json!("::1"), json!(null)] {
        assert!(mask(wrong).unwrap_err().to_string().contains("dotted IPv4 mask"));
    }
}

#[test]
fn listings_order_is_unsigned() {
    let ids = [
        json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80}),
        json!({"protocol": "tcp", "address": "192.168.1.1", "port": 2}),
        json!({"protocol": "udp", "address": "1.0.0.1", "port": 1}),
        json!({"protocol": "sctp", "address": "0.0.0.1", "port": 1}),
        json!({"protocol": "tcp", "address": "::1", "port": 1}),
        json!({"fwmark": 1}),
        json!({"fwmark": 1, "family": "ipv6"}),
        json!({"fwmark": 4294967295u32}),
    ];
    let ids: Vec<ServiceId> = ids.into_iter().map(|id| serde_json::from_value(id).unwrap()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn replies() {
    let id = Id::Text("x".to_owned());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let done: Result<Reply, RpcError> = Ok(Reply::Applied(Applied::default()));
    assert_eq!(text(rpc::reply(&id, &done)), r#"{"jsonrpc":"2.0","result":{},"id":"x"}"#);
    let refused: Result<Reply, _> = Err(RpcError::new(ErrorCode::NoSuchService, "gone"));
    assert_eq!(
        text(rpc::reply(&Id::Null, &refused)),
        r#"{"jsonrpc":"2.0","error":{"code":3,"message":"gone","data":{"errno":"ESRCH"}},"id":null}"#
    );
    assert_eq!(rpc::batch([]), None);
    assert_eq!(text(rpc::batch([b"1".to_vec(), b"2".to_vec()]).unwrap()), "[1,2]");
}

#[test]
fn batches_keep_order_and_their_good_parts() {
    let line = r#"[{"jsonrpc":"2.0","id":1,"method":"flush"},7,{"jsonrpc":"2.0","method":"zero"}]"#;
    let Message::Batch(calls) = decode(line.as_bytes()) else { panic!() };
    assert_eq!(calls[0], Ok(Call { id: Some(Id::Number(1)), request: Request::Flush }));
    assert_eq!(calls[1].as_ref().unwrap_err().error.kind(), Some(ErrorCode::InvalidRequest));
    assert_eq!(calls[2].as_ref().unwrap().id, None);
}

proptest! {
    /// Whatever a peer sends, there is an answer.
    #[test]
    fn any_line_decodes(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode(&line);
    }

    /// The same with lines that are close to right: a verb's line with a piece replaced.
    #[test]
    fn nearly_right_lines_decode(pick in 0..verbs().len(), at in 0usize..200, cut in 0usize..9, put in "[\\]\\[{}\",:0-9a-z]{0,6}") {
        let (method, params) = &verbs()[pick];
        let mut text = line(method, params);
        let from = at.min(text.len());
        text.replace_range(from..(from + cut).min(text.len()), &put);
        decode(text.as_bytes());
    }
}
