//! sluicectl's own words.

mod support;

use std::collections::BTreeMap;
use std::io::Read;

use sluice_api::{
    ErrorCode, LcoreStatus, PortStatus, Reply, Request, RpcError, Status, TableStatus, TwinStatus, Version,
};
use support::{Ran, Server, command, run_alone, table};

fn status() -> Status {
    Status {
        uptime_s: 86400 + 2 * 3600 + 3 * 60 + 4,
        services: 2,
        reals: 5,
        lcores: vec![
            LcoreStatus {
                id: 1,
                packets: 3200,
                bursts: 200,
                steered: 7,
                dropped: 11,
                loops: 123_456,
                cycles: 8_000_000,
                busy_cycles: 1_000_000,
                busy: 0.125,
                cycles_per_packet: 312.5,
                burst_sizes: [100, 20, 0, 0, 1, 4, 75].into(),
                flows: 40,
            },
            LcoreStatus { id: 2, ..Default::default() },
        ],
        ports: vec![PortStatus {
            name: "client".to_owned(),
            link_up: true,
            speed_mbps: 10_000,
            rx_packets: 3200,
            tx_packets: 3100,
            rx_missed: 9,
            ..Default::default()
        }],
        table: TableStatus { capacity: 4096, used: 1024, evicted_half_open: 3, evicted_closing: 0 },
        twins: vec![TwinStatus {
            interface: "client0".to_owned(),
            port: "client".to_owned(),
            up: true,
            to_kernel: 5,
            from_kernel: 6,
            dropped: 0,
        }],
    }
}

fn server() -> Server {
    Server::start(|request| {
        let drops = [("no-route", 3), ("bad-checksum", 12), ("never", 0)];
        Ok(match request {
            Request::Status => Reply::Status(Box::new(status())),
            Request::Drops => {
                Reply::Drops(drops.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect())
            }
            Request::Version => Reply::Version(Version {
                daemon: "9.8.7".to_owned(),
                ipvs: "1.2.1".to_owned(),
                connection_table_size: 1,
            }),
            other => panic!("{other:?}"),
        })
    })
}

#[test]
fn status_fits_a_screen() {
    let want = "\
up 1 d 02:03:04, 2 services, 5 real servers
flows 1024 of 4096 (25.0 %); a full table ended 3 half-open and 0 closing ones

LCORE    BUSY  CYCLES/PACKET  PACKETS  PER BURST  STEERED  DROPPED   LOOPS  FLOWS
1      12.5 %            312     3200       16.0        7       11  123456     40
2       0.0 %              -        0        0.0        0        0       0      0

BURSTS OF       1       2    3-4    5-8   9-16  17-31      32
1          50.0 %  10.0 %  0.0 %  0.0 %  0.5 %  2.0 %  37.5 %
2           0.0 %   0.0 %  0.0 %  0.0 %  0.0 %  0.0 %   0.0 %

PORT            LINK    RX    TX  MISSED  NO MBUF  RX ERRORS  TX ERRORS
client  10000 Mbit/s  3200  3100       9        0          0          0

TWIN       PORT  STATE  TO KERNEL  FROM KERNEL  DROPPED
client0  client     up          5            6        0
";
    assert_eq!(server().run("sluicectl", &["status"], ""), Ran::ok(want));
    let json = server().run("sluicectl", &["status", "--json"], "");
    assert_eq!(serde_json::from_str::<Status>(&json.stdout).unwrap(), status());
}

#[test]
fn drops_most_frequent_first() {
    let want = "REASON        PACKETS\nbad-checksum       12\nno-route            3\n";
    assert_eq!(server().run("sluicectl", &["drops"], ""), Ran::ok(want));
    let all = server().run("sluicectl", &["drops", "--all"], "");
    assert_eq!(all, Ran::ok(&format!("{want}never               0\n")));
    let json = server().run("sluicectl", &["--json", "drops"], "");
    assert_eq!(serde_json::from_str::<BTreeMap<String, u64>>(&json.stdout).unwrap()["never"], 0);
    let none = Server::start(|_| Ok(Reply::Drops(BTreeMap::new())));
    assert_eq!(none.run("sluicectl", &["drops"], ""), Ran::ok("no packet was dropped\n"));
}

#[test]
fn version_of_both_sides() {
    let own = env!("CARGO_PKG_VERSION");
    let want = format!("sluicectl {own}\nsluiced 9.8.7 (behaves as IPVS 1.2.1)\n");
    assert_eq!(server().run("sluicectl", &["version"], ""), Ran::ok(&want));
    // Its own is printed even with no daemon.
    let alone = run_alone("sluicectl", &["version"]);
    assert_eq!((alone.stdout.as_str(), alone.exit), (&*format!("sluicectl {own}\n"), 2));
    assert!(alone.stderr.contains("sluiced is not running"), "{}", alone.stderr);
}

#[test]
fn a_refusal_is_the_daemons_own_words() {
    let server = Server::start(|_| Err(RpcError::new(ErrorCode::NotPermitted, "ask root")));
    assert_eq!(server.run("sluicectl", &["status"], ""), Ran::failed("sluicectl: ask root\n", 1));
}

#[test]
fn usage() {
    let help = run_alone("sluicectl", &["help"]);
    assert_eq!((help.exit, help.stderr.as_str()), (0, ""));
    for word in ["status", "drops", "version", "--socket", "sluicectl -Ln"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let wrong = run_alone("sluicectl", &["statsu"]);
    assert_eq!((wrong.exit, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.contains("'status'"), "{}", wrong.stderr);
    assert_eq!(run_alone("sluicectl", &["--socket"]), Ran::failed("--socket: missing argument\n", 2));
}

/// `sluicectl -L | head -1` must end quietly.
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let rows: Vec<_> = (1..5000)
        .map(|port| table::service(&serde_json::json!({"id": table::tcp(port), "scheduler": "rr"}), &[]))
        .collect();
    let services = serde_json::from_value(rows.into()).unwrap();
    let server = Server::start(table::listing(services));
    let mut child = command("ipvsadm").env("SLUICE_SOCKET", &server.socket).arg("-Ln").spawn().unwrap();
    let mut start = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
