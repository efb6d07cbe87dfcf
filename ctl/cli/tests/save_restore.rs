//! `-S` and `-R`, and the scripts around them.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::sync::Mutex;

use sluice_api::{
    Applied, ErrorCode, RealEntry, RealId, Reply, Request, RpcError, ServiceEntry, ServiceId, Version,
};
use support::table::{self, examples};
use support::{Ran, Server, command};

const SAVED: &str = "\
-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 192.168.1.1:80 -g -w 9
-a -t 10.0.0.1:80 -r 192.168.1.2:8080 -m -w 3
-a -t 10.0.0.1:80 -r 192.168.1.4:80 -i -w 0 --tun-type ipip
-a -t 10.0.0.1:80 -r 192.168.1.5:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 10.0.0.1:80 -r 192.168.1.7:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.0.0.1:80 -r 192.168.1.8:80 -i -w 1 --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r 192.168.1.11:80 -m -w 2147483647
-a -t 10.0.0.1:80 -r 192.168.1.12:80 -m -w 1
-A -t 10.0.0.1:81 -s rr -p 600 -M 255.255.255.0
-A -t 10.0.0.1:83 -s sh -b sh-fallback,sh-port
-A -u 10.0.0.1:53 -s wrr -o
-A -u 10.0.0.1:5060 -s wlc -p 60 --pe sip
-A --sctp-service 10.0.0.1:9899 -s mh -b mh-fallback,mh-port
-A -t [2001:db8::1]:80 -s lc -p 120 -M 64
-a -t [2001:db8::1]:80 -r [fd00::1]:8080 -m -w 7
-A -f 7 -s wlc -p 300
-a -f 7 -r 192.168.1.1:0 -g -w 1
-A -f 7 -6 -s wlc
-a -f 7 -6 -r [fd00::2]:0 -g -w 1
";

/// A daemon that keeps what it is given.
fn keeping() -> Server {
    type Table = BTreeMap<ServiceId, (ServiceEntry, BTreeMap<RealId, RealEntry>)>;
    let table: Mutex<Table> = Mutex::default();
    Server::start(move |request| {
        let mut table = table.lock().unwrap();
        let missing = || RpcError::new(ErrorCode::NoSuchService, "no such service");
        match request {
            Request::Flush => table.clear(),
            Request::ServiceAdd(spec) => {
                if table.contains_key(&spec.id) {
                    return Err(RpcError::new(ErrorCode::Exists, "there already"));
                }
                let (stats, rates) = Default::default();
                let entry = ServiceEntry { spec: spec.clone(), stats, rates, reals: Vec::new() };
                table.insert(spec.id, (entry, BTreeMap::new()));
            }
            Request::RealAdd(change) => {
                let (stats, rates) = Default::default();
                let (active, inactive, persistent) = (0, 0, 0);
                let entry = RealEntry { spec: change.real, active, inactive, persistent, stats, rates };
                table.get_mut(&change.service).ok_or_else(missing)?.1.insert(change.real.id, entry);
            }
            Request::ServiceDelete(params) => {
                table.remove(&params.service).ok_or_else(missing)?;
            }
            Request::ServiceList(_) => {
                let service = |(entry, reals): &(ServiceEntry, BTreeMap<_, RealEntry>)| ServiceEntry {
                    reals: reals.values().cloned().collect(),
                    ..entry.clone()
                };
                return Ok(Reply::Services(table.values().map(service).collect()));
            }
            Request::Version => {
                let (daemon, ipvs) = ("0.1.0".to_owned(), "1.2.1".to_owned());
                return Ok(Reply::Version(Version { daemon, ipvs, connection_table_size: 4096 }));
            }
            other => panic!("{other:?}"),
        }
        Ok(Reply::Applied(Applied::default()))
    })
}

fn restore(server: &Server, input: &str) -> Ran {
    server.run("ipvsadm", &["-R"], input)
}

#[test]
fn saved_lines() {
    let server = Server::start(table::listing(examples()));
    assert_eq!(server.ipvsadm("-S -n"), Ran::ok(SAVED));
    assert_eq!(server.run("ipvsadm-save", &["-n"], ""), Ran::ok(SAVED));
    assert_eq!(server.run("/sbin/ipvsadm-save", &["word", "-n"], ""), Ran::ok(SAVED));
    let help = server.run("/sbin/ipvsadm-save", &["-x"], "");
    assert_eq!((help.stdout.as_str(), help.exit), ("", 1));
    assert!(help.stderr.starts_with("ipvsadm-save: "), "{}", help.stderr);
    // ipvsadm saves no thresholds.
    let with_thresholds = SAVED.replace("192.168.1.12:80 -m -w 1\n", "192.168.1.12:80 -m -w 1 -x 20 -y 10\n");
    assert_eq!(server.run("sluicectl", &["-Sn"], ""), Ran::ok(&with_thresholds));
}

#[test]
fn names_are_saved_where_numbers_are_not_asked_for() {
    let server = keeping();
    assert_eq!(restore(&server, "-A -t 127.0.0.1:80 -p\n-a -t 127.0.0.1:80 -r 127.0.0.1:80 -m"), Ran::ok(""));
    let want = "-A -t localhost:http -s wlc -p 360\n-a -t localhost:http -r localhost:http -m -w 1\n";
    assert_eq!(server.ipvsadm("-S"), Ran::ok(want));
}

#[test]
fn what_is_saved_is_restored_and_saved_again_the_same() {
    let original = Server::start(table::listing(examples()));
    let saved = original.run("sluicectl", &["-Sn"], "").stdout;
    let server = keeping();
    assert_eq!(server.run("ipvsadm-restore", &[], &saved), Ran::ok(""));
    assert_eq!(server.run("sluicectl", &["-Sn"], "").stdout, saved);
    assert_eq!(server.requests()[0], Request::Flush);
    // Once more over what is there: cleared first, so nothing exists already.
    assert_eq!(server.run("ipvsadm-restore", &["ignored"], &format!("# a comment\n{saved}")), Ran::ok(""));
    assert_eq!(server.run("sluicectl", &["-Sn"], "").stdout, saved);
}

#[test]
fn words_of_a_line() {
    let server = keeping();
    let input = "\n  \t\nipvsadm\nipvsadm  -A\t-t ipvsadm 10.0.0.1:80\r\n-Z ipvsadm-x\n";
    assert_eq!(restore(&server, input), Ran::failed("unexpected argument ipvsadm-x\n", 2));
    assert_eq!(server.ipvsadm("-Sn").stdout, "-A -t 10.0.0.1:80 -s wlc\n");
}

#[test]
fn a_refused_change_is_reported_and_the_run_goes_on() {
    let input = "-A -t 1.0.0.1:1\n-A -t 1.0.0.1:1\n-D -t 2.0.0.1:1\n-A -t 1.0.0.1:2";
    let want = Ran::failed("Service already exists\nNo such service\n", 0);
    assert_eq!(restore(&keeping(), input), want);
    // The status is the last line's.
    let input = "-A -t 1.0.0.1:1\n-A -t 1.0.0.1:1\n\n";
    assert_eq!(restore(&keeping(), input), Ran::failed("Service already exists\n", 255));
    // So is that of an unknown option, unless in the command's place.
    let input = "-A -t 1.0.0.1:1 --foo\n-A -t 1.0.0.1:1\n";
    assert_eq!(restore(&keeping(), input), Ran::failed("--foo: unknown option\n", 0));
}

#[test]
fn a_line_that_fails_validation_ends_the_run() {
    const TRY_HELP: &str = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n";
    const ZERO: &str = "Zero port specified for non-persistent service\n";
    for (line, stderr, exit) in [
        ("-A -t 1.0.0.1", ZERO, 2),
        ("# comment", TRY_HELP, 255),
        ("-R", TRY_HELP, 255),
        ("-C -n", "Illegal 'numeric' option with the 'flush' command\n", 2),
    ] {
        let server = keeping();
        let got = restore(&server, &format!("-A -t 9.0.0.1:1\n{line}\n-A -t 9.0.0.2:1\n"));
        assert_eq!(got, Ran::failed(stderr, exit), "{line}");
        // What stood before was carried out, what stood after was not.
        assert_eq!(server.ipvsadm("-Sn").stdout, "-A -t 9.0.0.1:1 -s wlc\n", "{line}");
    }
    let got = restore(&keeping(), "-v\n-A -t 1.0.0.1\n");
    assert_eq!((got.exit, got.stderr.as_str()), (0, ""));
}

#[test]
fn listings_see_the_changes_before_them() {
    let got = restore(&keeping(), "-A -t 1.0.0.1:1\n-S -n\n-C\n-S -n\n-A -t 1.0.0.1:2\n-S -n\n");
    assert_eq!(got, Ran::ok("-A -t 1.0.0.1:1 -s wlc\n-A -t 1.0.0.1:2 -s wlc\n"));
}

#[test]
fn changes_travel_in_batches() {
    let server = keeping();
    let input: String = (1..=2000).map(|port| format!("-A -t 10.0.0.1:{port} -s rr\n")).collect();
    assert_eq!(restore(&server, &input), Ran::ok(""));
    assert_eq!(server.ipvsadm("-Sn").stdout, input);
    let batches = server.lines.lock().unwrap().len();
    assert!(batches < 30, "{batches} round trips for 2000 lines");
}

#[test]
fn a_line_is_carried_out_before_the_next_is_waited_for() {
    let server = keeping();
    let mut child = command("ipvsadm").env("SLUICE_SOCKET", &server.socket).arg("-R").spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    for _ in 0..2 {
        stdin.write_all(b"-D -t 1.0.0.1:1\n").unwrap();
        let mut answer = String::new();
        stderr.read_line(&mut answer).unwrap();
        assert_eq!(answer, "No such service\n");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(255));
}

#[test]
fn a_daemon_that_dies_half_way_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let dying = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
    });
    let got = support::run_at(&socket, "ipvsadm", &["-R"], "-C\n-C\n");
    dying.join().unwrap();
    assert_eq!(got.exit, 2);
    let want =
        format!("sluiced at {} closed the connection without an answer: see its log", socket.display());
    assert!(got.stderr.contains(&want), "{}", got.stderr);
}
