//! Listings, byte for byte as ipvsadm prints them.

mod support;

use std::net::SocketAddr;

use serde_json::json;
use sluice_api::request::PageRequest;
use sluice_api::{
    ConnProtocol, Connection, ConnectionPage, Forward, Rates, Reply, Request, ServiceEntry, Stats,
    SyncDaemon, SyncRole, Timeouts,
};
use support::table::{self, examples};
use support::{Ran, Server, shown};

fn lists(services: Vec<ServiceEntry>, line: &str, want: &str) {
    let server = Server::start(table::listing(services));
    assert_eq!(server.ipvsadm(line), Ran::ok(&shown(want)), "{line}");
}

#[test]
fn plain() {
    let want = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 rr
  -> 192.168.1.1:80               Route   9      0          0·········
  -> 192.168.1.2:8080             Masq    3      0          0·········
  -> 192.168.1.4:80               Tunnel  0      0          0·········
  -> 192.168.1.5:80               Tunnel  1      0          0·········
  -> 192.168.1.7:80               Tunnel  1      0          0·········
  -> 192.168.1.8:80               Tunnel  1      0          0·········
  -> 192.168.1.11:80              Masq    2147483647 0          0·········
  -> 192.168.1.12:80              Masq    1      0          0·········
TCP  10.0.0.1:81 rr persistent 600 mask 255.255.255.0
TCP  10.0.0.1:83 sh (sh-fallback,sh-port)
UDP  10.0.0.1:53 wrr ops
UDP  10.0.0.1:5060 wlc persistent 60 pe sip
SCTP 10.0.0.1:9899 mh (mh-fallback,mh-port)
TCP  [2001:db8::1]:80 lc persistent 120 mask 64
  -> [fd00::1]:8080               Masq    7      0          0·········
FWM  7 wlc persistent 300
  -> 192.168.1.1:0                Route   1      0          0·········
FWM  7 IPv6 wlc
  -> [fd00::2]:0                  Route   1      0          0·········
";
    lists(examples(), "-Ln", want);
    lists(examples(), "-l -n --sort", want);
}

fn only(port: u16, address: &str) -> Vec<ServiceEntry> {
    let mut all = examples();
    all.retain(|s| serde_json::to_value(s.spec.id).unwrap() == table::tcp(port));
    for service in &mut all {
        service.reals.retain(|real| real.spec.id.address.to_string() == address);
    }
    all
}

#[test]
fn one_service_has_no_banner() {
    lists(
        examples(),
        "-Ln -t 10.0.0.1:81",
        "Prot LocalAddress:Port Scheduler Flags\n  \
           -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
         TCP  10.0.0.1:81 rr persistent 600 mask 255.255.255.0\n",
    );
}

#[test]
fn counters() {
    let mut services = only(80, "192.168.1.2");
    lists(
        services.clone(),
        "-Ln --stats -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.0.1:80                         0        0        0        0        0
  -> 192.168.1.2:8080                    0        0        0        0        0
",
    );
    let stats = Stats {
        conns: 99_999_999,
        in_packets: 100_000_000,
        out_packets: 1_234_567_890,
        in_bytes: 123_456_789_012,
        out_bytes: u64::MAX,
    };
    let rates = Rates { cps: 7, in_pps: 100_000_000, out_pps: 1, in_bps: 100_000_000, out_bps: 5 };
    (services[0].stats, services[0].rates) = (stats, rates);
    (services[0].reals[0].stats, services[0].reals[0].rates) = (stats, rates);
    lists(
        services.clone(),
        "-Ln --stats --rate -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.0.1:80                  99999999  100000K    1234M     123G18446744T
  -> 192.168.1.2:8080             99999999  100000K    1234M     123G18446744T
",
    );
    lists(
        services.clone(),
        "-Ln --stats --exact -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.0.1:80                  99999999 100000000 1234567890 123456789012 18446744073709551615
  -> 192.168.1.2:8080             99999999 100000000 1234567890 123456789012 18446744073709551615
",
    );
    lists(
        services,
        "-Ln --rate -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS
  -> RemoteAddress:Port
TCP  10.0.0.1:80                         7  100000K        1  100000K        5
  -> 192.168.1.2:8080                    7 100000000        1  100000K        5
",
    );
}

#[test]
fn other_columns() {
    lists(
        only(80, "192.168.1.12"),
        "-Ln --thresholds --persistent-conn --tun-info -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn·
  -> RemoteAddress:Port
TCP  10.0.0.1:80 rr
  -> 192.168.1.12:80              20         10         0          0·········
",
    );
    lists(
        only(80, "192.168.1.1"),
        "-Ln --persistent-conn --tun-info -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn·
  -> RemoteAddress:Port
TCP  10.0.0.1:80 rr
  -> 192.168.1.1:80               9         0           0          0·········
",
    );
    lists(
        examples(),
        "-Ln --tun-info -t 10.0.0.1:80",
        "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn
TCP  10.0.0.1:80 rr
  -> 192.168.1.1:80               Route   n/a           9      0          0·········
  -> 192.168.1.2:8080             Masq    n/a           3      0          0·········
  -> 192.168.1.4:80               Tunnel  ipip          0      0          0·········
  -> 192.168.1.5:80               Tunnel  gue:6080:-c   1      0          0·········
  -> 192.168.1.7:80               Tunnel  gue:6080:r+c  1      0          0·········
  -> 192.168.1.8:80               Tunnel  gre:+c        1      0          0·········
  -> 192.168.1.11:80              Masq    n/a           2147483647 0          0·········
  -> 192.168.1.12:80              Masq    n/a           1      0          0·········
",
    );
}

/// Addresses more than 2^31 apart, marks beyond 2^31: ipvsadm compares signed differences and errs.
#[test]
fn order_is_unsigned() {
    let rows: Vec<_> = [
        json!({"fwmark": 4294967295u32}),
        json!({"fwmark": 1, "family": "ipv6"}),
        json!({"fwmark": 1}),
        json!({"protocol": "tcp", "address": "2001:db8::1", "port": 1}),
        json!({"protocol": "udp", "address": "1.0.0.1", "port": 1}),
        json!({"protocol": "tcp", "address": "192.168.1.1", "port": 2}),
        json!({"protocol": "tcp", "address": "192.168.1.1", "port": 1}),
        json!({"protocol": "tcp", "address": "10.0.0.1", "port": 65535}),
    ]
    .iter()
    .map(|id| table::service(&json!({"id": id, "scheduler": "rr", "flags": ["flag-1", "flag-3"]}), &[]))
    .collect();
    let services: Vec<ServiceEntry> = serde_json::from_value(rows.into()).unwrap();
    let head = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  \
                -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n";
    let names = [
        "TCP  10.0.0.1:65535",
        "TCP  192.168.1.1:1",
        "TCP  192.168.1.1:2",
        "UDP  1.0.0.1:1",
        "TCP  [2001:db8::1]:1",
        "FWM  1",
        "FWM  1 IPv6",
        "FWM  4294967295",
    ];
    let row = |name: &&str| format!("{name} rr (flag-1,flag-3)\n");
    let sorted: String = names.iter().map(row).collect();
    lists(services.clone(), "-Ln", &format!("{head}{sorted}"));
    let as_it_came: String = [7, 6, 5, 4, 3, 2, 1, 0].iter().map(|&at| row(&names[at])).collect();
    lists(services, "-Ln --nosort", &format!("{head}{as_it_came}"));
}

#[test]
fn names_and_cuts() {
    let spec = json!({"id": {"protocol": "tcp", "address": "127.0.0.1", "port": 80}, "scheduler": "rr"});
    let rows = vec![table::service(&spec, &[table::real("127.0.0.1", 443, "masq", 1, &json!(null))])];
    let services: Vec<ServiceEntry> = serde_json::from_value(rows.into()).unwrap();
    lists(
        services,
        "-L -t 127.0.0.1:80",
        "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  localhost:http rr
  -> localhost:https              Masq    1      0          0·········
",
    );
    // IPv6 is never cut; its rows push the columns aside.
    let long = "2001:db8:1111:2222:3333:4444:5555:6666";
    let spec = json!({"id": {"protocol": "tcp", "address": long, "port": 65535}, "scheduler": "rr"});
    let rows = vec![table::service(&spec, &[table::real(long, 65535, "masq", 1, &json!(null))])];
    let services: Vec<ServiceEntry> = serde_json::from_value(rows.into()).unwrap();
    lists(
        services,
        &format!("-Ln -t [{long}]:65535 --stats"),
        "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  [2001:db8:1111:2222:3333:4444:5555:6666]:65535        0        0        0        0        0
  -> [2001:db8:1111:2222:3333:4444:5555:6666]:65535        0        0        0        0        0
",
    );
}

fn connection(protocol: ConnProtocol, endpoints: [&str; 3], state: &str, expires_s: u32) -> Connection {
    let [client, virtual_, destination] = endpoints.map(|text| text.parse::<SocketAddr>().unwrap());
    let (forward, state) = (Forward::Masq, state.to_owned());
    Connection {
        protocol,
        client,
        virtual_,
        destination,
        state,
        expires_s,
        forward,
        template: false,
        pe_name: None,
        pe_data: None,
    }
}

/// Three pages, one of them empty.
fn connections() -> Server {
    let tcp = ["172.16.7.7:7100", "10.0.1.62:8080", "192.168.1.2:8080"];
    let mark = ["172.16.7.7:0", "0.0.0.9:0", "192.168.1.2:0"];
    let sip = ["172.16.7.7:0", "10.0.1.64:5060", "192.168.1.1:5060"];
    let mut sip = connection(ConnProtocol::Udp, sip, "NONE", 59);
    (sip.pe_name, sip.pe_data) = (Some("sip".to_owned()), Some("zzz@2".to_owned()));
    let first = vec![
        connection(ConnProtocol::Tcp, tcp, "SYN_RECV", 57),
        connection(ConnProtocol::Ip, mark, "NONE", 197),
    ];
    let last = vec![sip, connection(ConnProtocol::Tcp, tcp, "ESTABLISHED", 6000)];
    Server::start(move |request| {
        let Request::ConnectionList(PageRequest { cursor, limit }) = request else {
            panic!("{request:?}");
        };
        assert!(limit.is_some_and(|n| n > 0));
        let (connections, next) = match cursor {
            None => (first.clone(), Some(5)),
            Some(5) => (Vec::new(), Some(1 << 52)),
            Some(_) => (last.clone(), None),
        };
        Ok(Reply::Connections(ConnectionPage { connections, next }))
    })
}

#[test]
fn connection_table() {
    assert_eq!(
        connections().ipvsadm("-L -c -n"),
        Ran::ok(
            "\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 00:57  SYN_RECV    172.16.7.7:7100    10.0.1.62:8080     192.168.1.2:8080
IP  03:17  NONE        172.16.7.7:0       0.0.0.9:0          192.168.1.2:0
UDP 00:59  NONE        172.16.7.7:0       10.0.1.64:5060     192.168.1.1:5060
TCP 100:00 ESTABLISHED 172.16.7.7:7100    10.0.1.62:8080     192.168.1.2:8080
"
        )
    );
    assert_eq!(
        connections().ipvsadm("-L -c -n --persistent-conn"),
        Ran::ok(
            "\
IPVS connection entries
pro expire state       source             virtual            destination        pe name          pe_data
TCP 00:57  SYN_RECV    172.16.7.7:7100    10.0.1.62:8080     192.168.1.2:8080
IP  03:17  NONE        172.16.7.7:0       0.0.0.9:0          192.168.1.2:0
UDP 00:59  NONE        172.16.7.7:0       10.0.1.64:5060     192.168.1.1:5060 sip                zzz@2
TCP 100:00 ESTABLISHED 172.16.7.7:7100    10.0.1.62:8080     192.168.1.2:8080
"
        )
    );
    let json = connections().run("sluicectl", &["-Lc", "--json"], "");
    let rows: Vec<Connection> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[2].pe_data.as_deref(), Some("zzz@2"));
}

#[test]
fn timeouts_and_daemons() {
    let server = Server::start(|request| {
        let daemon = |role, interface: &str| SyncDaemon {
            role,
            interface: interface.to_owned(),
            sync_id: 5,
            max_length: None,
            group: None,
            port: None,
            ttl: None,
        };
        Ok(match request {
            Request::TimeoutGet => Reply::Timeouts(Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }),
            _ => Reply::SyncDaemons(vec![
                daemon(SyncRole::Backup, "c0"),
                SyncDaemon {
                    max_length: Some(1472),
                    group: Some([224, 0, 0, 81].into()),
                    port: Some(8848),
                    ttl: Some(1),
                    ..daemon(SyncRole::Master, "r0")
                },
            ]),
        })
    });
    assert_eq!(server.ipvsadm("-L --timeout"), Ran::ok("Timeout (tcp tcpfin udp): 900 120 300\n"));
    let want = "master sync daemon (mcast=r0, syncid=5, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n\
                backup sync daemon (mcast=c0, syncid=5)\n";
    assert_eq!(server.ipvsadm("-L --daemon"), Ran::ok(want));
    let none = Server::start(|_| Ok(Reply::SyncDaemons(Vec::new())));
    assert_eq!(none.ipvsadm("-L --daemon"), Ran::ok(""));
    let json = server.run("sluicectl", &["--json", "-L", "--timeout"], "");
    assert_eq!(json, Ran::ok("{\"tcp\":900,\"tcp_fin\":120,\"udp\":300}\n"));
}

#[test]
fn services_as_json_are_the_reply_sorted() {
    let server = Server::start(table::listing(examples()));
    for words in [&["--json"][..], &["--json", "-L"], &["-Ln", "--json"], &["-S", "--json"]] {
        let got = server.run("sluicectl", words, "");
        let listed: Vec<ServiceEntry> = serde_json::from_str(&got.stdout).unwrap();
        let mut want = examples();
        want.sort_by_key(|s| s.spec.id);
        for service in &mut want {
            service.reals.sort_by_key(|real| real.spec.id);
        }
        assert_eq!(listed, want, "{words:?}");
    }
}
