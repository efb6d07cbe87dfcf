//! What the daemon is asked for, line by line, and what its refusals look like.

mod support;

use serde_json::{Value, json};
use sluice_api::{Applied, ErrorCode, Reply, Request, RpcError};
use support::{Ran, Server};

fn accepting() -> Server {
    Server::start(|_| Ok(Reply::Applied(Applied::default())))
}

/// The requests of a line, as they are on the wire.
fn asked(line: &str) -> Vec<Value> {
    let server = accepting();
    assert_eq!(server.ipvsadm(line), Ran::ok(""), "{line}");
    server.requests().iter().map(|request| serde_json::to_value(request).unwrap()).collect()
}

fn service(line: &str, params: Value) {
    let add = json!({"method": "service.add", "params": params});
    assert_eq!(asked(&format!("-A {line}")), [add], "-A {line}");
    let edit = json!({"method": "service.edit", "params": params});
    assert_eq!(asked(&format!("-E {line}")), [edit], "-E {line}");
}

fn real(line: &str, service: &Value, params: &Value) {
    for (option, method) in [("-a", "real.add"), ("-e", "real.edit")] {
        let want = json!({"method": method, "params": {"service": service, "real": params}});
        assert_eq!(asked(&format!("{option} {line}")), [want], "{option} {line}");
    }
}

#[test]
fn services() {
    let tcp = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80});
    service("-t 10.0.0.1:80", json!({"id": tcp, "scheduler": "wlc"}));
    service("-t=10.1:0080 -srr", json!({"id": tcp, "scheduler": "rr"}));
    service("--tcp-service=0x0a000001:http --scheduler rr", json!({"id": tcp, "scheduler": "rr"}));
    // A name longer than the kernel's field is cut.
    service("-t 10.0.0.1:80 -s 0123456789abcdefg", json!({"id": tcp, "scheduler": "0123456789abcde"}));
    service(
        "-t 10.0.0.1:80 -p -s mh -b mh-port,flag-3,flag-2",
        json!({"id": tcp, "scheduler": "mh", "flags": ["flag-2", "flag-3"], "persistent": {"timeout": 360}}),
    );
    // -s may come after -b.
    service("-t 10.0.0.1:80 -b sh-port -s sh", json!({"id": tcp, "scheduler": "sh", "flags": ["flag-2"]}));
    service(
        "-t 10.0.0.1:80 -p120 -M 255.255.255.0",
        json!({"id": tcp, "scheduler": "wlc", "persistent": {"timeout": 120, "netmask": "255.255.255.0"}}),
    );
    // Not a prefix length: a number is an address.
    service(
        "-M 24 -t 10.0.0.1:80 --persistent=08",
        json!({"id": tcp, "scheduler": "wlc", "persistent": {"timeout": 8, "netmask": "0.0.0.24"}}),
    );
    service(
        "-t 10.0.0.1:80 -M 255.255.255.255 -p",
        json!({"id": tcp, "scheduler": "wlc", "persistent": {"timeout": 360}}),
    );
    service("-t 10.0.0.1:80 -M 255.0.0.0", json!({"id": tcp, "scheduler": "wlc"}));
    service(
        "-u 10.0.0.1:53 -o --pe sip -p 60",
        json!({"id": {"protocol": "udp", "address": "10.0.0.1", "port": 53}, "scheduler": "wlc",
               "persistent": {"timeout": 60}, "one_packet": true, "pe": "sip"}),
    );
    service(
        "--sctp-service [2001:db8::1]:9899 -p -M 64x",
        json!({"id": {"protocol": "sctp", "address": "2001:db8::1", "port": 9899}, "scheduler": "wlc",
               "persistent": {"timeout": 360, "netmask": 64}}),
    );
    // A bare IPv6 address has no port; a mask before the address is lost.
    service(
        "-M 255.0.0.0 -t 2001:db8::1 -p",
        json!({"id": {"protocol": "tcp", "address": "2001:db8::1", "port": 0}, "scheduler": "wlc",
               "persistent": {"timeout": 360}}),
    );
    service("-f 4294967295", json!({"id": {"fwmark": 4294967295u32, "family": "ipv4"}, "scheduler": "wlc"}));
    service(
        "-f 7 -6 -o -p -M 128",
        json!({"id": {"fwmark": 7, "family": "ipv6"}, "scheduler": "wlc", "one_packet": true,
               "persistent": {"timeout": 360}}),
    );
}

#[test]
fn real_servers() {
    let tcp = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80});
    let id = |port: u16| json!({"address": "192.168.1.1", "port": port});
    real("-t 10.0.0.1:80 -r 192.168.1.1", &tcp, &json!({"id": id(80), "forward": "route", "weight": 1}));
    // Direct routing and tunnels keep the service's port.
    real(
        "-t 10.0.0.1:80 -r 192.168.1.1:81 -g",
        &tcp,
        &json!({"id": id(80), "forward": "route", "weight": 1}),
    );
    real(
        "-r 192.168.1.1:81 -i -t 10.0.0.1:80",
        &tcp,
        &json!({"id": id(80), "forward": "tunnel", "weight": 1}),
    );
    real("-t 10.0.0.1:80 -r 192.168.1.1:81 -m", &tcp, &json!({"id": id(81), "forward": "masq", "weight": 1}));
    // The port is copied only from a service that stands before.
    real("-r 192.168.1.1 -t 10.0.0.1:80 -m", &tcp, &json!({"id": id(0), "forward": "masq", "weight": 1}));
    real(
        "-t 10.0.0.1:80 -r 192.168.1.1:0 -m -w 2147483647 -x 20 -y 10",
        &tcp,
        &json!({"id": id(0), "forward": "masq", "weight": 2147483647, "upper_threshold": 20, "lower_threshold": 10}),
    );
    real(
        "-t 10.0.0.1:80 -r [fd00::1]:9 -i -w0 --tun-type gue --tun-port 6080 --tun-remcsum",
        &tcp,
        &json!({"id": {"address": "fd00::1", "port": 80}, "forward": "tunnel", "weight": 0,
                "tunnel": {"type": "gue", "port": 6080, "checksum": "remcsum"}}),
    );
    real(
        "-t 10.0.0.1:80 -r 192.168.1.1 -i --tun-type gre --tun-csum",
        &tcp,
        &json!({"id": id(80), "forward": "tunnel", "weight": 1, "tunnel": {"type": "gre", "checksum": "csum"}}),
    );
    let mark = json!({"fwmark": 7, "family": "ipv4"});
    real("-f 7 -r 192.168.1.1:http", &mark, &json!({"id": id(80), "forward": "route", "weight": 1}));
    real("-f 7 -r 192.168.1.1", &mark, &json!({"id": id(0), "forward": "route", "weight": 1}));
}

#[test]
fn the_others() {
    let tcp = json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80});
    for (line, method, params) in [
        ("-D -t 10.0.0.1:80", "service.delete", json!({"service": tcp})),
        (
            "-d -t 10.0.0.1:80 -r 192.168.1.1:81",
            "real.delete",
            json!({"service": tcp, "real": {"address": "192.168.1.1", "port": 81}}),
        ),
        ("-Z", "zero", json!({})),
        ("-Z -t 10.0.0.1:80", "zero", json!({"service": tcp})),
        ("--set 900 0 300", "timeout.set", json!({"tcp": 900, "tcp_fin": 0, "udp": 300})),
        ("--start-daemon master", "sync.start", json!({"role": "master", "interface": "eth0", "sync_id": 0})),
        (
            "--start-daemon backup --mcast-interface e1 --syncid 5 --mcast-group ff05::51 --mcast-port 1 \
             --mcast-ttl 2 --sync-maxlen 3",
            "sync.start",
            json!({"role": "backup", "interface": "e1", "sync_id": 5, "max_length": 3, "group": "ff05::51",
                   "port": 1, "ttl": 2}),
        ),
        ("--stop-daemon backup --syncid 5", "sync.stop", json!({"role": "backup", "sync_id": 5})),
    ] {
        assert_eq!(asked(line), [json!({"method": method, "params": params})], "{line}");
    }
    assert_eq!(asked("-C"), [json!({"method": "flush"})]);
}

#[test]
fn refusals_in_ipvsadms_words() {
    use ErrorCode::*;
    const TCP: &str = "-t 10.0.0.1:80";
    const DEST: &str = "-t 10.0.0.1:80 -r 10.0.0.2";
    let invalid = "Invalid operation.  Possibly wrong module version, address not unicast, ...";
    for (code, line, text, exit) in [
        (Exists, format!("-A {TCP}"), "Service already exists", 255),
        (NoSuchEntry, format!("-A {TCP}"), "Scheduler or persistence engine not found", 255),
        (NoSuchEntry, format!("-E {TCP}"), "Scheduler or persistence engine not found", 255),
        (NoSuchService, format!("-E {TCP}"), "No such service", 255),
        (NoSuchService, format!("-D {TCP}"), "No such service", 255),
        (NoSuchService, format!("-Z {TCP}"), "No such service", 255),
        (NoSuchService, format!("-A {TCP}"), "No such process", 255),
        (Exists, format!("-D {TCP}"), "File exists", 255),
        (Exists, format!("-a {DEST}"), "Destination already exists", 255),
        (NoSuchService, format!("-a {DEST}"), "Service not defined", 255),
        (NoSuchService, format!("-e {DEST}"), "Service not defined", 255),
        (NoSuchEntry, format!("-e {DEST}"), "No such destination", 255),
        (NoSuchEntry, format!("-d {DEST}"), "No such destination", 255),
        (Range, format!("-a {DEST} -y 5"), "Numerical result out of range", 255),
        (Exists, "--start-daemon master".into(), "Daemon has already run", 255),
        (NoSuchService, "--stop-daemon master".into(), "No daemon is running", 255),
        (NoDevice, "--start-daemon master".into(), "No such device", 255),
        (NotPermitted, "-C".into(), "Permission denied (you must be root)", 255),
        (Invalid, "--set 1 2 3".into(), invalid, 255),
        (NoMemory, "-C".into(), "Memory allocation problem", 255),
        (FamilyNotSupported, "-C".into(), "Operation not supported with specified address family", 255),
        (TooBig, "-C".into(), "Module is wrong version", 255),
        // What is Sluice's own to say.
        (NotSupported, "--start-daemon master".into(), "the daemon's own words", 255),
        (Internal, "-C".into(), "the daemon's own words", 255),
        (NoSuchService, format!("-L {TCP}"), "No such service", 1),
        (NotPermitted, "-S".into(), "Permission denied (you must be root)", 1),
        (NotPermitted, "-L --timeout".into(), "Permission denied (you must be root)", 1),
    ] {
        let server = Server::start(move |_| Err(RpcError::new(code, "the daemon's own words")));
        assert_eq!(server.ipvsadm(&line), Ran::failed(&format!("{text}\n"), exit), "{code:?} {line}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = server.run("sluicectl", &words, "");
        assert_eq!(own, Ran::failed("the daemon's own words\n", exit), "sluicectl {line}");
    }
}

#[test]
fn warnings_go_to_standard_error_and_are_no_failure() {
    let warnings = vec!["no route to 10.0.0.2".to_owned(), "second".to_owned()];
    let server = Server::start(move |_| Ok(Reply::Applied(Applied { warnings: warnings.clone(), id: None })));
    let got = server.ipvsadm("-a -t 10.0.0.1:80 -r 10.0.0.2");
    assert_eq!(got, Ran::failed("warning: no route to 10.0.0.2\nwarning: second\n", 0));
}

#[test]
fn a_daemon_of_another_version_is_told_from_a_refusal() {
    let server = Server::start(|_| Ok(Reply::Services(Vec::new())));
    let got = server.ipvsadm("-L --timeout");
    assert_eq!((got.exit, got.stdout.as_str()), (2, ""));
    assert!(got.stderr.contains("is it of this version?"), "{}", got.stderr);
}

#[test]
fn the_socket_option_wins_over_the_environment() {
    let server = accepting();
    let socket = server.socket.to_str().unwrap();
    for words in [
        vec!["--socket", socket, "-C"],
        vec!["-C", "--socket", socket],
        vec![&*format!("--socket={socket}"), "--json", "-C"],
    ] {
        assert_eq!(support::run_alone("sluicectl", &words), Ran::ok(""), "{words:?}");
    }
    assert_eq!(server.requests(), vec![Request::Flush; 3]);
}
