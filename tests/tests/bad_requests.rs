//! Clients of the control socket that misbehave: a clear error to each, and everyone else goes on.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_tests::{Context, Farm, Result, ensure, farm::HTTP, http};

/// A connection that speaks in lines, right ones or wrong ones.
struct Line(BufReader<UnixStream>);

impl Line {
    fn open(farm: &Farm) -> Result<Self> {
        let stream = UnixStream::connect(farm.sluiced.ctl.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        ensure!(self.0.read_line(&mut answer)? > 0, "no answer to {line}");
        serde_json::from_str(&answer).with_context(|| answer)
    }
}

fn code(answer: &Value) -> Option<i64> {
    answer["error"]["code"].as_i64()
}

/// The daemon answers others, and forwards.
fn goes_on(farm: &Farm) -> Result<()> {
    ensure!(farm.sluiced.ctl.services()?.len() == 1, "{}", farm.state());
    let tally = http::fresh(&farm.lab.client, HTTP, 20, 2)?;
    ensure!(tally.failures == 0, "{tally:?}");
    Ok(())
}

#[test]
fn everyone_else_goes_on() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    malformed(&farm)?;
    typed_into_socat(&farm)?;
    too_long(&farm)?;
    never_reading(&farm)?;
    many(&farm)?;
    farm.sluiced.stop()
}

fn malformed(farm: &Farm) -> Result<()> {
    let mut line = Line::open(farm)?;
    for text in ["{\"jsonrpc\":\"2.0\",", "]", "nonsense", "\u{1}"] {
        let answer = line.ask(text)?;
        ensure!(code(&answer) == Some(-32700) && answer["id"].is_null(), "{text}: {answer}");
    }
    for text in ["{}", "3", "[]", "{\"jsonrpc\":\"2.0\",\"id\":1}"] {
        let answer = line.ask(text)?;
        ensure!(code(&answer) == Some(-32600), "{text}: {answer}");
    }
    let answer = line.ask(r#"{"jsonrpc":"2.0","id":7,"method":"service.lst"}"#)?;
    ensure!(code(&answer) == Some(-32601) && answer["id"] == 7, "{answer}");
    ensure!(answer["error"]["message"].as_str().unwrap_or_default().contains("service.list"), "{answer}");
    let answer = line.ask(r#"{"jsonrpc":"2.0","id":8,"method":"service.add","params":{"prot":"tcp"}}"#)?;
    ensure!(code(&answer) == Some(-32602) && answer["id"] == 8, "{answer}");
    // The same connection still works.
    let answer = line.ask(r#"{"jsonrpc":"2.0","id":9,"method":"version"}"#)?;
    ensure!(answer["result"]["ipvs"] == "1.2.1", "{answer}");
    goes_on(farm)
}

fn typed_into_socat(farm: &Farm) -> Result<()> {
    use std::process::{Command, Stdio};
    let target = format!("UNIX-CONNECT:{}", farm.sluiced.ctl.socket().display());
    let mut socat = Command::new("socat")
        .args(["-t5", "-", &target])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "service.list"});
    socat.stdin.take().context("no input")?.write_all(format!("{request}\n").as_bytes())?;
    let output = socat.wait_with_output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(answer["result"][0]["spec"]["id"]["address"] == HTTP.0.to_string(), "{answer}");
    ensure!(answer["result"][0]["reals"].as_array().is_some_and(|reals| reals.len() == 2), "{answer}");
    Ok(())
}

/// Over 16 MiB on one line: refused, at the latest when the limit is reached.
fn too_long(farm: &Farm) -> Result<()> {
    let mut line = Line::open(farm)?;
    let mut sent = 0;
    let blanks = vec![b' '; 1 << 20];
    while sent <= 17 << 20 {
        // The daemon may hang up as soon as it has seen enough.
        if line.0.get_mut().write_all(&blanks).is_err() {
            break;
        }
        sent += blanks.len();
    }
    ensure!(sent >= 16 << 20, "hung up after {sent} bytes");
    let _ = line.0.get_mut().write_all(b"\n");
    let mut answer = Vec::new();
    // A reset may follow the answer, since more was sent than was read.
    let _ = line.0.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let first: Value =
        serde_json::from_str(text.lines().next().unwrap_or_default()).with_context(|| text.to_string())?;
    ensure!(code(&first).is_some() && first["id"].is_null(), "{first}");
    goes_on(farm)
}

/// Asks and asks, and never reads an answer.
fn never_reading(farm: &Farm) -> Result<()> {
    let mut stream = UnixStream::connect(farm.sluiced.ctl.socket())?;
    stream.set_nonblocking(true)?;
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"drops\"}\n".repeat(1_000);
    let mut sent = 0;
    for _ in 0..200 {
        match stream.write(&request) {
            Ok(length) => sent += length,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    ensure!(sent > request.len() / 2, "only {sent} bytes were taken");
    goes_on(farm)
}

/// Connections that say nothing, more than the daemon takes: the newest is turned away, and room comes back.
fn many(farm: &Farm) -> Result<()> {
    let idle: Vec<_> = (0..100).map(|_| UnixStream::connect(farm.sluiced.ctl.socket())).collect();
    ensure!(idle.iter().filter(|stream| stream.is_ok()).count() >= 32, "hardly anyone could connect");
    drop(idle);
    sluice_tests::until("room for a client again", sluice_tests::wait::SOON, || {
        Ok(farm.sluiced.ctl.answer("-Ln")?.code.eq(&0).then_some(()))
    })?;
    goes_on(farm)
}
