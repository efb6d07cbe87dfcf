//! Clients that misbehave: each gets a clear error or is closed, and nobody else notices.

mod bed;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bed::{Bed, Client, Options, request, service};
use serde_json::{Value, json};
use sluiced::control::ServeLimits;

#[test]
fn malformed_requests_are_answered_and_the_connection_goes_on() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let cases = [
        ("{\"jsonrpc\":\"2.0\",", -32700, "not JSON"),
        ("\u{0}\u{1}", -32700, "not JSON"),
        ("[]", -32600, "batch"),
        ("7", -32600, "object"),
        ("{\"id\":1,\"method\":\"status\"}", -32600, "jsonrpc"),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"service.add\",\"params\":{\"ident\":1}}",
            -32602,
            "ident",
        ),
    ];
    for (line, code, word) in cases {
        let reply = client.ask(line);
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert!(reply["error"]["code"] == json!(code) && message.contains(word), "{line}: {reply}");
    }
    assert_eq!(client.call("service.add", json!({"id": service()})), json!({}));
}

#[test]
fn an_unknown_method_is_answered_with_the_nearest() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let near = client.refused("service.lst", json!({}));
    assert_eq!(
        near,
        ("-32601".to_owned(), "no method `service.lst`, did you mean `service.list`?".to_owned())
    );
    let (_, far) = client.refused("make_coffee", json!({}));
    assert!(far.starts_with("no method `make_coffee`; there are: version, service.add, "), "{far}");
}

#[test]
fn a_line_over_the_limit_is_refused_and_the_others_are_served() {
    let bed = Bed::new(Options::default());
    let mut big = bed.client();
    let mut writer = big.writer.try_clone().expect("cloned");
    // 16 MiB and some: the daemon reads on until it is over the limit, then tells why.
    let sender = std::thread::spawn(move || {
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..18 {
            if writer.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    let reply = big.receive();
    sender.join().expect("sent");
    assert_eq!(reply["error"]["data"]["errno"], json!("EMSGSIZE"));
    assert_eq!(reply["error"]["message"], json!("a line of more than 16777216 bytes: send it in parts"));
    assert_eq!(big.receive(), Value::Null, "closed");
    assert_eq!(bed.client().call("service.list", json!({})), json!([]));
}

#[test]
fn a_client_that_never_reads_is_closed_and_the_others_are_served() {
    let limits = ServeLimits { write_stall: Duration::from_millis(300), ..ServeLimits::default() };
    let bed = Bed::new(Options { limits, ..Options::default() });
    let mut deaf = bed.client();
    deaf.writer.set_write_timeout(Some(Duration::from_secs(10))).expect("timeout set");
    let line = format!("{}\n", request("drops", json!({})));
    let lines = line.repeat(200);
    let start = Instant::now();
    // Requests until the daemon has closed the connection; it takes no more of them once it cannot answer.
    while deaf.writer.write_all(lines.as_bytes()).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(9), "not closed");
    }
    assert!(start.elapsed() >= limits.write_stall);
    let start = Instant::now();
    bed.client().call("status", json!({}));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn one_client_too_many_is_told_so() {
    let limits = ServeLimits { clients: 3, ..ServeLimits::default() };
    let bed = Bed::new(Options { limits, ..Options::default() });
    let mut clients: Vec<Client> = (0..3).map(|_| bed.client()).collect();
    for client in &mut clients {
        client.call("version", json!({}));
    }
    let mut fourth = bed.client();
    assert_eq!(
        fourth.receive()["error"]["message"],
        json!("3 clients are connected already: close one and try again")
    );
    assert_eq!(fourth.receive(), Value::Null);
    clients.pop();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut again = bed.client();
        again.send(&request("version", json!({})).to_string());
        if again.receive().get("result").is_some() {
            break;
        }
        assert!(Instant::now() < deadline, "the place stays taken");
    }
}

#[test]
fn half_a_request_harms_nobody() {
    let bed = Bed::new(Options::default());
    let mut half = bed.client();
    half.writer.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth").expect("written");
    bed.client().call("version", json!({}));
    half.writer.write_all(b"od\":\"version\"}\n").expect("written");
    assert_eq!(half.receive()["result"]["ipvs"], json!("1.2.1"));
    half.writer.shutdown(std::net::Shutdown::Write).expect("shut");
    let mut rest = Vec::new();
    half.writer.read_to_end(&mut rest).expect("closed in order");
    assert_eq!(rest, b"");
}
