//! Counters out of the running daemon: metrics over HTTP, and the files that stand for the kernel's.

mod place;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use place::{NULL, Place};
use sluice_api::request::RealChange;
use sluice_api::{Applied, Request};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// The answer to one request, head and body.
fn ask(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout set");
    write!(stream, "{request}\r\nHost: sluice\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

fn set_up(place: &Place) {
    let mut client = place.client();
    let change = |request: Request| drop(client.call::<Applied>(&request).expect("applied"));
    let of = |spec| serde_json::from_value(spec).expect("a service");
    let service = serde_json::json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80});
    let real = |last: u8, weight: u32| RealChange {
        service: serde_json::from_value(service.clone()).expect("a service"),
        real: serde_json::from_value(serde_json::json!({
            "id": {"address": format!("192.0.2.{last}"), "port": 8080}, "forward": "masq", "weight": weight
        }))
        .expect("a real"),
    };
    [
        Request::ServiceAdd(of(serde_json::json!({"id": service, "scheduler": "rr"}))),
        Request::RealAdd(real(1, 3)),
        Request::RealAdd(real(2, 4)),
        Request::RealAdd(real(3, 0)),
        Request::ServiceAdd(of(serde_json::json!({"id": {"fwmark": 7}, "scheduler": "wlc"}))),
    ]
    .into_iter()
    .for_each(change);
}

#[test]
fn metrics_are_served_and_nothing_else() {
    let (place, port) = (Place::new(), free_port());
    let _daemon = place.start_with(&format!("{NULL}\n[http]\nport = {port}\n"));
    set_up(&place);
    let (head, page) = ask(port, "GET /metrics HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    for line in [
        "# TYPE node_ipvs_connections counter",
        "node_ipvs_connections_total 0",
        r#"node_ipvs_backend_weight{local_address="10.0.0.1",local_port="80",proto="TCP",local_mark=""} 7"#,
        r#"node_ipvs_backend_weight{local_address="",local_port="0",proto="FWM",local_mark="00000007"} 0"#,
        r#"sluice_service_real_servers{local_address="10.0.0.1",local_port="80",proto="TCP",local_mark=""} 2"#,
        r#"sluice_dropped_packets_total{reason="no_real"} 0"#,
        r#"sluice_port_up{port="wan"} 1"#,
        "sluice_services 2",
        "sluice_flows_capacity 4096",
        "# EOF",
    ] {
        assert!(page.lines().any(|have| have == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("remote_address"), "real servers were not asked for:\n{page}");
    let (head, body) = ask(port, "HEAD /metrics HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}\n{body}");
    assert!(ask(port, "GET /etc/passwd HTTP/1.1").0.starts_with("HTTP/1.1 404 "));
    let (head, _) = ask(port, "POST /metrics HTTP/1.1\r\nContent-Length: 0");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD"), "{head}");
    assert!(ask(port, "nonsense").0.starts_with("HTTP/1.1 400 "));
    assert!(ask(port, "GET /metrics HTTP/1.1").0.starts_with("HTTP/1.1 200 "), "still there");
}

#[test]
fn real_servers_are_shown_where_asked_for() {
    let (place, port) = (Place::new(), free_port());
    let _daemon = place.start_with(&format!("{NULL}\n[http]\nport = {port}\nreals = true\n"));
    set_up(&place);
    let (_, page) = ask(port, "GET /metrics HTTP/1.1");
    let labels = r#"{local_address="10.0.0.1",local_port="80",proto="TCP",local_mark="",remote_address="192.0.2.2",remote_port="8080"}"#;
    for line in
        [format!("node_ipvs_backend_weight{labels} 4"), format!("sluice_real_connections_total{labels} 0")]
    {
        assert!(page.lines().any(|have| have == line), "{line} is not in\n{page}");
    }
}

/// docs/monitoring.md names every metric, and no other.
#[test]
fn every_metric_is_described() {
    let (place, port) = (Place::new(), free_port());
    let _daemon = place.start_with(&format!("{NULL}\n[http]\nport = {port}\nreals = true\n"));
    let (_, page) = ask(port, "GET /metrics HTTP/1.1");
    let served: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|family| match family.split_once(' ').expect("a name and a type") {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    let rows =
        include_str!("../../../docs/monitoring.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let described: BTreeSet<String> = rows
        .flat_map(|row| row.split(" | ").next().unwrap_or_default().split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    assert_eq!(described, served);
}

#[test]
fn a_port_in_use_is_refused_by_name() {
    let (place, taken) = (Place::new(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let port = taken.local_addr().expect("an address").port();
    let text = place.refused(&place.config(&format!("{NULL}\n[http]\nport = {port}\n")));
    assert!(
        text.starts_with(&format!("http: cannot listen on 127.0.0.1:{port}: Address already in use")),
        "{text}"
    );
    assert!(text.ends_with("set http.port or http.address to another"), "{text}");
}

#[test]
fn files_follow_the_configuration() {
    let place = Place::new();
    let folder = place.path("proc");
    let section =
        format!("{NULL}\n[proc]\nfolder = \"{}\"\nperiod = 1\nconnections = true\n", folder.display());
    let _daemon = place.start_with(&section);
    set_up(&place);
    let want = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:0050 rr  \n  -> C0000203:1F90      Masq    0      0          0         
  -> C0000202:1F90      Masq    4      0          0         
  -> C0000201:1F90      Masq    3      0          0         
FWM  00000007 wlc \n";
    let deadline = Instant::now() + Duration::from_secs(10);
    let read = |name: &str| std::fs::read_to_string(folder.join("net").join(name)).unwrap_or_default();
    while read("ip_vs") != want {
        assert!(Instant::now() < deadline, "{}", read("ip_vs"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(read("ip_vs_stats").starts_with("   Total Incoming Outgoing "), "{}", read("ip_vs_stats"));
    let titles = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";
    while read("ip_vs_conn") != titles {
        assert!(Instant::now() < deadline, "{}", read("ip_vs_conn"));
        std::thread::sleep(Duration::from_millis(50));
    }
}
