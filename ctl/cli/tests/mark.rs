//! `sluicectl mark`.

mod support;

use serde_json::{Value, json};
use sluice_api::request::{MarkList, MarkRef};
use sluice_api::{Applied, ErrorCode, MarkEntry, MarkSpec, Reply, Request, RpcError};
use support::{Ran, Server, run_alone};

fn spec(value: Value) -> MarkSpec {
    serde_json::from_value(value).unwrap()
}

fn whole() -> Value {
    json!({"id": 12, "priority": 10, "port": "wan", "vlan": 0, "protocol": "udp", "source": "10.0.0.0/8",
           "source_ports": "1024-65535", "destination": "2001:db8::1", "destination_ports": 53, "mark": 4294967295u32})
}

/// A daemon with these rules, which takes any other.
fn server(rules: Vec<Value>) -> Server {
    Server::start(move |request| {
        let entry = |(hits, rule): (u64, &Value)| MarkEntry {
            spec: spec(rule.clone()),
            hits: hits * 1000,
            service: hits == 0,
        };
        Ok(match request {
            Request::MarkList => Reply::Marks((0..).zip(&rules).map(entry).collect()),
            Request::MarkAdd(_) => Reply::Applied(Applied { id: Some(3), ..Applied::default() }),
            Request::MarkDelete(_) | Request::MarkReplace(_) => Reply::Applied(Applied::default()),
            other => panic!("{other:?}"),
        })
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

const WHOLE: &str = "--id 12 --priority 10 -i wan --vlan 0 -p udp -s 10.0.0.0/8 --sport 1024-65535 -d 2001:db8::1 \
                     --dport 53 --mark 4294967295";

#[test]
fn rules_are_added_by_iptables_letters() {
    let server = server(Vec::new());
    for (line, rule) in [
        (WHOLE, whole()),
        ("--mark 7", json!({"mark": 7})),
        ("--mark 0xff", json!({"mark": 255})),
        (
            "--port lan --protocol tcp --source 10.0.0.1 --destination 0.0.0.0/0 --mark 1",
            json!({"port": "lan", "protocol": "tcp", "source": "10.0.0.1", "destination": "0.0.0.0/0", "mark": 1}),
        ),
    ] {
        let got = server.run("sluicectl", &words(&format!("mark add {line}")), "");
        assert_eq!(got, Ran::ok("rule 3\n"), "{line}");
        assert_eq!(server.requests().pop(), Some(Request::MarkAdd(spec(rule))), "{line}");
    }
    let got = server.run("sluicectl", &words("mark add --mark 7 --json"), "");
    assert_eq!(serde_json::from_str::<Value>(&got.stdout).unwrap(), json!({"id": 3}));
    assert_eq!(server.run("sluicectl", &words("mark delete 3"), ""), Ran::ok(""));
    assert_eq!(server.requests().pop(), Some(Request::MarkDelete(MarkRef { id: 3 })));
}

#[test]
fn the_list_is_a_table_or_json_or_lines() {
    let any = json!({"id": 1, "priority": 1000, "mark": 7});
    let server = server(vec![whole(), any.clone()]);
    let want = "\
ID  PRIORITY  PORT  VLAN  PROTOCOL      SOURCE       SPORT  DESTINATION  DPORT        MARK  SERVICE  HITS
12        10   wan     0       udp  10.0.0.0/8  1024-65535  2001:db8::1     53  4294967295      yes     0
1       1000     -     -         -           -           -            -      -           7     none  1000
";
    assert_eq!(server.run("sluicectl", &["mark", "list"], ""), Ran::ok(want));
    let got = server.run("sluicectl", &["mark", "list", "--json"], "");
    let want = json!([
        {"spec": whole(), "hits": 0, "service": true},
        {"spec": any, "hits": 1000, "service": false},
    ]);
    assert_eq!(serde_json::from_str::<Value>(&got.stdout).unwrap(), want);

    let saved = server.run("sluicectl", &["mark", "list", "--save"], "");
    assert_eq!(saved, Ran::ok(&format!("{WHOLE}\n--id 1 --priority 1000 --mark 7\n")));
    assert_eq!(server.run("sluicectl", &["mark", "replace", "-"], &saved.stdout), Ran::ok("2 rules\n"));
    let rules = vec![spec(whole()), spec(any)];
    assert_eq!(server.requests().pop(), Some(Request::MarkReplace(MarkList { rules })));
}

#[test]
fn an_empty_list_says_how_to_fill_it() {
    let server = server(Vec::new());
    let want = "no mark rule: add one with `sluicectl mark add`\n";
    assert_eq!(server.run("sluicectl", &["mark", "list"], ""), Ran::ok(want));
    assert_eq!(server.run("sluicectl", &["mark", "list", "--save"], ""), Ran::ok(""));
    assert_eq!(server.run("sluicectl", &["mark", "list", "--json"], ""), Ran::ok("[]\n"));
}

#[test]
fn a_file_may_have_comments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules");
    std::fs::write(&file, "# sites\n\n  --mark 1 -p tcp   # web\n#--mark 2\n\t--mark 3\n").unwrap();
    let server = server(Vec::new());
    let got = server.run("sluicectl", &["mark", "replace", file.to_str().unwrap()], "");
    assert_eq!(got, Ran::ok("2 rules\n"));
    let rules = vec![spec(json!({"mark": 1, "protocol": "tcp"})), spec(json!({"mark": 3}))];
    assert_eq!(server.requests(), [Request::MarkReplace(MarkList { rules })]);
    assert_eq!(server.run("sluicectl", &["mark", "replace", "-"], ""), Ran::ok("0 rules\n"));
}

/// Nothing of this may reach the daemon: there is none.
#[test]
fn what_makes_no_sense_is_told() {
    for (line, part) in [
        ("add", "--mark <MARK>"),
        ("add --mark 0", "a mark is 1 to 4294967295"),
        ("add --mark 4294967296", "a mark is 1 to 4294967295"),
        ("add --mark 0x", "a mark is 1 to 4294967295"),
        ("add --mark 1 --id 0", "0 is not in 1.."),
        ("add --mark 1 --vlan 4095", "4095 is not in 0..=4094"),
        ("add --mark 1 -p icmp", "give tcp, udp or sctp"),
        ("add --mark 1 -s 10.0.0.0/33", "the prefix length is at most 32"),
        ("add --mark 1 -d www", "`www` is no address or prefix: give 10.0.0.0/8"),
        ("add --mark 1 --dport 90-80", "the range ends before it begins"),
        ("add --mark 1 --sport 1:2", "`1:2` is no port or range: give 80 or 1024-65535"),
        ("add --mark 1 --prioritty 1", "'--priority'"),
        ("delete", "<ID>"),
        ("delete x", "invalid digit"),
        ("list --save --json", "cannot be used with"),
        ("lits", "'list'"),
    ] {
        let got = run_alone("sluicectl", &words(&format!("mark {line}")));
        assert_eq!((got.exit, got.stdout.as_str()), (2, ""), "{line}");
        assert!(got.stderr.contains(part), "{line}: {}", got.stderr);
    }
    for (file, want) in [
        ("--mark 1\n\n--mark 0\n", "-:3: invalid value '0' for '--mark <MARK>': a mark is 1 to 4294967295"),
        ("-p tcp", "-:1: the following required arguments were not provided: --mark <MARK>"),
        ("--mark 1 --dprt 80", "-:1: unexpected argument '--dprt' found"),
        ("mark add --mark 1", "-:1: unexpected argument 'mark' found"),
        ("--mark 1 --help", "-:1: unexpected argument '--help' found"),
    ] {
        let server = Server::start(|request| panic!("{request:?}"));
        let got = server.run("sluicectl", &["mark", "replace", "-"], file);
        assert_eq!(got, Ran::failed(&format!("sluicectl: {want}\n"), 2));
    }
    let got = run_alone("sluicectl", &["mark", "replace", "/nonexistent"]);
    let want = "sluicectl: /nonexistent: No such file or directory (os error 2)\n";
    assert_eq!(got, Ran::failed(want, 2));
}

#[test]
fn refusals_are_the_daemons_words_and_what_to_type_next() {
    for (code, line, next) in [
        (ErrorCode::NoSuchEntry, "delete 4", ": `sluicectl mark list` shows those there are"),
        (ErrorCode::Exists, "add --id 4 --mark 1", ": delete it first, or leave --id out for a free number"),
        (ErrorCode::NoMemory, "add --mark 1", ""),
        (ErrorCode::NoDevice, "add -i dmz --mark 1", ""),
    ] {
        let server = Server::start(move |_| Err(RpcError::new(code, "the daemon's words")));
        let got = server.run("sluicectl", &words(&format!("mark {line}")), "");
        assert_eq!(got, Ran::failed(&format!("sluicectl: the daemon's words{next}\n"), 1));
    }
    let alone = run_alone("sluicectl", &["mark", "list"]);
    assert!(alone.exit == 2 && alone.stderr.contains("sluiced is not running"), "{alone:?}");
}
