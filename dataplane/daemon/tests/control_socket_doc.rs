//! docs/control-socket.md against the daemon: every example is typed as it stands, every method and code described.

mod place;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use place::Place;
use serde_json::{Value, json};
use sluice_api::{ErrorCode, LcoreStatus, PortStatus, Status, TwinStatus};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::SYN;

const DOCUMENT: &str = include_str!("../../../docs/control-socket.md");
/// What is measured rather than set: only its shape is compared.
const MEASURED: &[&str] = &[
    "stats",
    "rates",
    "active",
    "inactive",
    "expires_s",
    "hits",
    "uptime_s",
    "lcores",
    "ports",
    "table",
    "daemon",
    "connection_table_size",
];
/// The net_pcap driver's address for its first port.
const MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x61, 0x70, 0x00];

struct Socket {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Socket {
    fn connect(path: &Path) -> Self {
        let writer = UnixStream::connect(path).expect("connected");
        writer.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout set");
        Self { reader: BufReader::new(writer.try_clone().expect("cloned")), writer }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.writer, "{request}").expect("written");
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a reply in time");
        serde_json::from_str(&line).expect("JSON")
    }

    /// The names that the refusal of an unknown method gives.
    fn methods(&mut self) -> BTreeSet<String> {
        let reply = self.ask(&json!({"jsonrpc": "2.0", "id": 0, "method": "?"}));
        let message = reply["error"]["message"].as_str().expect("a message");
        let (_, names) = message.split_once("there are: ").expect("the methods");
        names.split(", ").map(str::to_owned).collect()
    }
}

/// The document's examples, a request and its reply each.
fn examples() -> Vec<(Value, Value)> {
    let blocks = DOCUMENT.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let values: Vec<Value> = blocks
        .flat_map(|block| serde_json::Deserializer::from_str(block).into_iter::<Value>())
        .map(|value| value.expect("JSON"))
        .collect();
    values.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// A client sends the same SYN to 203.0.113.10:80 without end, and the real servers are reached by the same port.
fn port(place: &Place) -> String {
    let frame = Frame::new()
        .eth(MAC, [2, 0, 0, 0, 0, 1])
        .ipv4([203, 0, 113, 1], [203, 0, 113, 10])
        .tcp(40_000, 80, SYN)
        .build();
    let length = u32::try_from(frame.len()).expect("short");
    // libpcap's classic format: magic number, version 2.4, snap length, Ethernet; then one packet at time 0.
    let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1, 0, 0, length, length];
    let mut capture: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    capture.extend(frame);
    let file = place.path("syn.pcap");
    std::fs::write(&file, capture).expect("written");
    format!(
        "device = \"net_pcap0,rx_pcap={},infinite_rx=1\"\ntwin = false\n\
         [[routes]]\nto = \"10.0.0.0/8\"\nport = \"wan\"\n\
         [[neighbours]]\naddress = \"10.0.0.11\"\nport = \"wan\"\nmac = \"02:00:00:00:00:11\"",
        file.display()
    )
}

/// Whether a reply is as documented. Below a measured key, numbers need only be numbers, and so on.
fn agrees(documented: &Value, real: &Value, measured: bool) -> bool {
    match (documented, real) {
        (Value::Object(documented), Value::Object(real)) => {
            documented.len() == real.len()
                && documented.iter().all(|(key, value)| {
                    let measured = measured || MEASURED.contains(&key.as_str());
                    real.get(key).is_some_and(|real| agrees(value, real, measured))
                })
        }
        (Value::Array(documented), Value::Array(real)) => {
            documented.len() == real.len()
                && documented.iter().zip(real).all(|(documented, real)| agrees(documented, real, measured))
        }
        (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_)) if measured => true,
        (documented, real) => documented == real,
    }
}

/// The reply to `drops` as far as it is documented: the document shortens it.
fn shortened(mut reply: Value, documented: &Value) -> Value {
    if let (Some(reply), Some(documented)) =
        (reply["result"].as_object_mut(), documented["result"].as_object())
    {
        reply.retain(|reason, _| documented.contains_key(reason));
    }
    reply
}

#[test]
fn every_example_is_answered_as_documented() {
    let place = Place::new();
    let _daemon = place.start_with(&port(&place));
    let mut socket = Socket::connect(&place.path("control.sock"));
    let mut used = BTreeSet::new();
    for (request, documented) in examples() {
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        let ask = |socket: &mut Socket| match method.as_str() {
            "drops" => shortened(socket.ask(&request), &documented),
            _ => socket.ask(&request),
        };
        // The flow is there once the worker has met its SYN.
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut real = ask(&mut socket);
        while method == "connection.list" && real["result"]["connections"] == json!([]) {
            assert!(Instant::now() < deadline, "no flow");
            real = ask(&mut socket);
        }
        let measured = method == "drops";
        assert!(agrees(&documented, &real, measured), "{request}\ndocumented: {documented}\nreal: {real}");
        used.insert(method);
    }
    let missing: Vec<String> = socket.methods().difference(&used).cloned().collect();
    assert_eq!(missing, [""; 0], "methods without an example");
}

#[test]
fn every_code_and_every_field_of_status_is_described() {
    for code in (-32800..200).filter_map(ErrorCode::from_code) {
        let row = format!("| {} | {}", code.code(), code.errno_name().unwrap_or_default());
        assert!(DOCUMENT.contains(row.trim_end()), "{row}");
    }
    let fields = [
        serde_json::to_value(Status::default()),
        serde_json::to_value(LcoreStatus::default()),
        serde_json::to_value(PortStatus::default()),
        serde_json::to_value(TwinStatus::default()),
    ];
    let tables = DOCUMENT.split("## How it fares").nth(1).and_then(|rest| rest.split("## Several").next());
    let tables = tables.expect("the chapter on status");
    for fields in fields.into_iter().flatten() {
        for field in fields.as_object().expect("an object").keys() {
            let described = ["lcores", "ports", "twins"].contains(&field.as_str());
            assert!(described || tables.contains(&format!("`{field}`")), "{field}");
        }
    }
}
