//! sluicectl's own words.

mod support;

use std::collections::BTreeMap;
use std::io::Read;

use sluice_api::request::Purge;
use sluice_api::{
    Applied, ErrorCode, LcoreStatus, PortStatus, Purged, Rates, Reply, Request, RpcError, ServiceId, Stats,
    Status, SysctlEffect, SysctlEntry, SysctlNames, SysctlSource, SysctlValue, SysctlValues, TableStatus,
    TemplateStatus, Totals, TwinStatus, Version,
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
        table: TableStatus {
            capacity: 4096,
            used: 1024,
            evicted_half_open: 3,
            evicted_closing: 0,
            dropped_entries: 12,
        },
        templates: TemplateStatus { capacity: 1024, used: 256, evicted: 7 },
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
flows 1024 of 4096 (25.0 %); a full table ended 3 half-open and 0 closing ones; drop_entry ended 12
persistence templates 256 of 1024 (25.0 %); a full table gave up 7

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
    for word in ["status", "drops", "stats", "sysctl", "version", "--socket", "sluicectl -Ln"] {
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

/// Two switches as the daemon tells of them; of what is asked, the values set are those in force.
fn switches() -> Server {
    let entry = |name: &str, value, effect, reason: Option<&str>| SysctlEntry {
        name: name.to_owned(),
        value: SysctlValue::of_word(value),
        default: SysctlValue::of_word("1"),
        accepts: "0 to 3".to_owned(),
        source: SysctlSource::Set,
        effect,
        reason: reason.map(str::to_owned),
        meaning: format!("About {name}."),
    };
    Server::start(move |request| match request {
        Request::SysctlList(SysctlNames { names: None }) => Ok(Reply::Sysctls(vec![
            entry("conn_reuse_mode", "2", SysctlEffect::Works, None),
            entry("sync_threshold", "3 50", SysctlEffect::None, Some("no daemon")),
            entry("secure_tcp", "1", SysctlEffect::NotYet, Some("states")),
        ])),
        Request::SysctlList(SysctlNames { names: Some(names) }) => {
            let named = |name: &String| entry(name, "0", SysctlEffect::Works, None);
            Ok(Reply::Sysctls(names.iter().map(named).collect()))
        }
        Request::SysctlSet(SysctlValues { values }) if values.contains_key("nonsense") => {
            Err(RpcError::new(ErrorCode::NoSuchEntry, "no switch `nonsense`"))
        }
        Request::SysctlSet(_) => Ok(Reply::Applied(Applied { warnings: vec!["mind".to_owned()], id: None })),
        other => panic!("{other:?}"),
    })
}

#[test]
fn all_switches_with_value_default_and_meaning() {
    let want = "\
NAME             VALUE  DEFAULT  MEANING
conn_reuse_mode      2        1  About conn_reuse_mode.
sync_threshold    3 50        1  no effect here: no daemon. About sync_threshold.
secure_tcp           1        1  not yet: states. About secure_tcp.
";
    let server = switches();
    for words in [&["sysctl"][..], &["sysctl", "-a"]] {
        assert_eq!(server.run("sluicectl", words, ""), Ran::ok(want));
    }
    assert_eq!(server.run("sluicectl", &["sysctl", "-n"], ""), Ran::ok("2\n3 50\n1\n"));
    let json = server.run("sluicectl", &["sysctl", "--json"], "");
    assert_eq!(serde_json::from_str::<Vec<SysctlEntry>>(&json.stdout).unwrap().len(), 3);
}

#[test]
fn a_switch_is_shown_and_set_as_with_sysctl() {
    let server = switches();
    let shown = "net.ipv4.vs.conn_reuse_mode = 0\n";
    for name in ["conn_reuse_mode", "net.ipv4.vs.conn_reuse_mode", "net/ipv4/vs/conn_reuse_mode"] {
        assert_eq!(server.run("sluicectl", &["sysctl", name], ""), Ran::ok(shown));
    }
    assert_eq!(server.run("sluicectl", &["sysctl", "-n", "conn_reuse_mode"], ""), Ran::ok("0\n"));
    let set = Ran { stdout: shown.to_owned(), stderr: "warning: mind\n".to_owned(), exit: 0 };
    for words in [
        &["sysctl", "conn_reuse_mode=0"][..],
        &["sysctl", "-w", "net.ipv4.vs.conn_reuse_mode=0"],
        &["sysctl", "net.ipv4.vs.conn_reuse_mode = 0"],
    ] {
        assert_eq!(server.run("sluicectl", words, ""), set, "{words:?}");
        let asked = server.requests();
        let values = [("conn_reuse_mode".to_owned(), SysctlValue::Number(0))].into();
        assert_eq!(asked[asked.len() - 2], Request::SysctlSet(SysctlValues { values }), "{words:?}");
    }
    assert_eq!(
        server.run("sluicectl", &["sysctl", "-w", "conn_reuse_mode"], ""),
        Ran::failed("sluicectl: `conn_reuse_mode`: give a value: conn_reuse_mode=VALUE\n", 2)
    );
    let refused = server.run("sluicectl", &["sysctl", "sloppy_tcp=1", "nonsense=1"], "");
    assert_eq!(refused, Ran::failed("sluicectl: no switch `nonsense`\n", 1));
}

/// One request for the whole file, so that a wrong line leaves all as it was.
#[test]
fn a_sysctl_conf_is_taken_for_what_is_of_ipvs() {
    let server = switches();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("90-lvs.conf");
    let text = "# net.ipv4.vs.sloppy_tcp = 1\nnet.ipv4.ip_forward = 1\n-net.ipv4.vs.conn_reuse_mode=0\n\n\
                net.ipv4.vs.sync_threshold = 3\t50\n; no\nnet/ipv4/vs/expire_nodest_conn = 1\n";
    std::fs::write(&file, text).unwrap();
    let ran = server.run("sluicectl", &["sysctl", "-p", file.to_str().unwrap()], "");
    assert_eq!((ran.exit, ran.stdout.lines().count()), (0, 3), "{ran:?}");
    let values = [
        ("conn_reuse_mode", SysctlValue::Number(0)),
        ("expire_nodest_conn", SysctlValue::Number(1)),
        ("sync_threshold", SysctlValue::Text("3\t50".to_owned())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(server.requests()[0], Request::SysctlSet(SysctlValues { values }));
    std::fs::write(&file, "net.ipv4.ip_forward = 1\n").unwrap();
    let none = server.run("sluicectl", &["sysctl", "-p", file.to_str().unwrap()], "");
    assert_eq!((none.exit, none.stderr.as_str()), (0, "nothing there of net.ipv4.vs\n"));
    let missing = server.run("sluicectl", &["sysctl", "-p", "/nonexistent.conf"], "");
    assert_eq!((missing.exit, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.starts_with("sluicectl: /nonexistent.conf: "), "{}", missing.stderr);
}

#[test]
fn everything_together() {
    let server = Server::start(|_| {
        let stats = Stats { conns: 3, in_packets: 1005, out_packets: 0, in_bytes: 100_200, out_bytes: 7 };
        let rates = Rates { cps: 1, in_pps: 125, out_pps: 0, in_bps: 12_500, out_bps: 0 };
        Ok(Reply::Totals(Totals { stats, rates }))
    });
    let want = "          CONNS  IN PACKETS  OUT PACKETS  IN BYTES  OUT BYTES
total         3        1005            0    100200          7
a second      1         125            0     12500          0
";
    assert_eq!(server.run("sluicectl", &["stats"], ""), Ran::ok(want));
    let json = server.run("sluicectl", &["stats", "--json"], "");
    assert_eq!(serde_json::from_str::<Totals>(&json.stdout).unwrap().stats.in_packets, 1005);
}

/// Every option and every word, from the same definitions that read them.
#[test]
fn shells_complete_all_that_can_be_typed() {
    for (shell, mark) in
        [("bash", "complete -F"), ("zsh", "#compdef sluicectl"), ("fish", "complete -c sluicectl")]
    {
        let ran = run_alone("sluicectl", &["completions", shell]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""));
        for word in [mark, "add-service", "persistent-conn", "sysctl", "replace", "socket"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        let ran = run_alone("sluicectl", &["completions", shell, "ipvsadm"]);
        assert!(
            ran.exit == 0 && ran.stdout.contains("masquerading") && !ran.stdout.contains("sysctl"),
            "{shell}"
        );
    }
    assert_eq!(run_alone("sluicectl", &["completions", "csh"]).exit, 2);
}

/// What bash offers, asked as bash asks.
#[test]
fn bash_offers_words_and_options() {
    let script = run_alone("sluicectl", &["completions", "bash"]).stdout;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluicectl");
    std::fs::write(&file, script).unwrap();
    let offered = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let ask = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={}; _sluicectl sluicectl {} {}; echo ${{COMPREPLY[@]}}",
            file.display(),
            words.join(" "),
            words.len() - 1,
            words.last().unwrap(),
            words[words.len() - 2],
        );
        let output = std::process::Command::new("bash").args(["-c", &ask]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(offered("sluicectl sta"), "status stats");
    assert_eq!(offered("sluicectl --add-"), "--add-service --add-server");
    assert_eq!(offered("sluicectl mark rep"), "replace");
}

#[test]
fn man_pages_have_every_option_and_word() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man8");
    let ran = run_alone("sluicectl", &["man", pages.to_str().unwrap()]);
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let read =
        |name: &str| std::fs::read_to_string(pages.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let own = read("sluicectl.8");
    for text in [
        ".TH sluicectl 8",
        " WORD [options of the word]",
        "add\\-service",
        "sluicectl\\-status(8)",
        "sync\\-maxlen",
    ] {
        assert!(own.contains(text), "{text} is not in\n{own}");
    }
    assert!(read("ipvsadm.8").contains("masquerading") && !read("ipvsadm.8").contains("sysctl"));
    assert!(read("sluicectl-mark-add.8").contains("priority"));
    for name in ["ipvsadm-save.8", "ipvsadm-restore.8", "sluicectl-sysctl.8", "sluicectl-man.8"] {
        assert!(read(name).contains(".SH SYNOPSIS"), "{name}");
    }
}

#[test]
fn purge_says_what_has_ended() {
    let server = Server::start(|request| match request {
        Request::Purge(Purge { service: ServiceId::Mark { .. }, .. }) => {
            Ok(Reply::Purged(Purged { flows: 1, templates: 1 }))
        }
        Request::Purge(_) => Ok(Reply::Purged(Purged { flows: 3, templates: 0 })),
        other => panic!("{other:?}"),
    });
    let purge = |line: &str| server.run("sluicectl", &line.split_whitespace().collect::<Vec<_>>(), "");
    assert_eq!(purge("purge -t 10.0.0.1:80"), Ran::ok("3 flows, 0 templates\n"));
    assert_eq!(purge("purge -f 7 -6 -r [fd00::1]:80 --flows"), Ran::ok("1 flow, 1 template\n"));
    assert_eq!(
        purge("purge -u 10.0.0.1:53 -r 10.0.0.2 --templates --json").stdout,
        "{\"flows\":3,\"templates\":0}\n"
    );
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| serde_json::to_value(request).unwrap()["params"].clone())
        .collect();
    assert_eq!(
        asked,
        [
            serde_json::json!({"service": {"protocol": "tcp", "address": "10.0.0.1", "port": 80}}),
            serde_json::json!({"service": {"fwmark": 7, "family": "ipv6"}, "real": {"address": "fd00::1", "port": 80},
                               "only": "flows"}),
            serde_json::json!({"service": {"protocol": "udp", "address": "10.0.0.1", "port": 53},
                               "real": {"address": "10.0.0.2", "port": 53}, "only": "templates"}),
        ]
    );
    let gone =
        Server::start(|_| Err(RpcError::new(ErrorCode::NoSuchService, "no such service: tcp 10.0.0.1:80")));
    let ran = gone.run("sluicectl", &["purge", "-t", "10.0.0.1:80"], "");
    assert_eq!(ran, Ran::failed("sluicectl: no such service: tcp 10.0.0.1:80\n", 1));
    for line in [
        "purge",
        "purge -t 10.0.0.1:80 -u 10.0.0.1:80",
        "purge -t 80",
        "purge -t 10.0.0.1:80 --flows --templates",
    ] {
        assert_eq!(purge(line).exit, 2, "{line}");
    }
}

/// The table of the reference, whose real loses a connection with each look once it has no weight.
fn draining() -> Server {
    let looks = std::sync::atomic::AtomicU32::new(3);
    Server::start(move |request| match request {
        Request::ServiceList(_) => {
            let left = looks.load(std::sync::atomic::Ordering::Relaxed);
            let mut entry = table::examples().into_iter().find(|entry| entry.reals.len() > 2).unwrap();
            let real = entry.reals.iter_mut().find(|real| real.spec.weight == 9).unwrap();
            (real.active, real.persistent) = (left, u32::from(left > 2));
            looks.store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
            Ok(Reply::Services(vec![entry]))
        }
        Request::RealEdit(change) => {
            assert_eq!((change.real.weight, change.real.forward), (0, sluice_api::Forward::Route));
            Ok(Reply::Applied(Applied::default()))
        }
        Request::Purge(_) => Ok(Reply::Purged(Purged { flows: 2, templates: 1 })),
        other => panic!("{other:?}"),
    })
}

#[test]
fn drain_waits_until_nothing_is_left() {
    let ran = draining().run("sluicectl", &["drain", "-t", "10.0.0.1:80", "-r", "192.168.1.1"], "");
    let want = "\
192.168.1.1:80: 2 active, 0 inactive, 0 persistent
192.168.1.1:80: 1 active, 0 inactive, 0 persistent
192.168.1.1:80: 0 active, 0 inactive, 0 persistent
";
    assert_eq!(ran, Ran::ok(want));
}

#[test]
fn drain_ends_at_its_deadline() {
    let line = ["drain", "-t", "10.0.0.1:80", "-r", "192.168.1.1:80", "--deadline", "0"];
    let ran = draining().run("sluicectl", &line, "");
    let first = "192.168.1.1:80: 2 active, 0 inactive, 0 persistent\n";
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str(), ran.exit),
        (first, "sluicectl: not drained by the deadline\n", 3)
    );
    let ran = draining().run("sluicectl", &[&line[..], &["--purge"]].concat(), "");
    assert_eq!(ran, Ran::ok(&format!("{first}purged 2 flows, 1 template\n")));
    let ran = draining().run("sluicectl", &["drain", "-t", "10.0.0.1:80", "-r", "192.168.1.99"], "");
    assert_eq!(ran, Ran::failed("sluicectl: no such destination: 192.168.1.99:80 of tcp 10.0.0.1:80\n", 1));
    assert_eq!(
        run_alone("sluicectl", &["drain", "-t", "10.0.0.1:80", "-r", "192.168.1.1", "--purge"]).exit,
        2
    );
}
