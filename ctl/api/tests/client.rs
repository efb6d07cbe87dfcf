//! The client against a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use sluice_api::{Applied, Client, ClientError, ErrorCode, Request, Timeouts};

/// A socket at which one connection is handed to `serve`.
fn listen(serve: impl FnOnce(UnixStream) + Send + 'static) -> (tempfile::TempDir, PathBuf, JoinHandle<()>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (dir, path, server)
}

/// Answers each line by the next of `replies`.
fn scripted(replies: &'static [&'static str]) -> (tempfile::TempDir, Client, JoinHandle<()>) {
    let (dir, path, server) = listen(move |stream| {
        let mut out = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines();
        for reply in replies {
            lines.next().unwrap().unwrap();
            writeln!(out, "{reply}").unwrap();
        }
    });
    (dir, Client::connect(&path).unwrap(), server)
}

#[test]
fn calls_one_after_the_other() {
    let (_dir, mut client, server) = scripted(&[
        r#"{"jsonrpc":"2.0","id":1,"result":{"tcp":1,"tcp_fin":2,"udp":3}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":17,"message":"there already","data":{"errno":"EEXIST"}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":{"warnings":["w"]}}"#,
    ]);
    let timeouts: Timeouts = client.call(&Request::TimeoutGet).unwrap();
    assert_eq!(timeouts, Timeouts { tcp: 1, tcp_fin: 2, udp: 3 });
    let Err(ClientError::Refused(refusal)) = client.call::<Applied>(&Request::Flush) else { panic!() };
    assert_eq!((refusal.kind(), refusal.to_string().as_str()), (Some(ErrorCode::Exists), "there already"));
    let applied: Applied = client.call(&Request::Flush).unwrap();
    assert_eq!(applied.warnings, ["w"]);
    server.join().unwrap();
}

#[test]
fn a_batch_may_be_answered_out_of_order() {
    let (_dir, mut client, server) = scripted(&[
        r#"[{"jsonrpc":"2.0","id":2,"error":{"code":3,"message":"gone"}},{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}"#,
    ]);
    let outcomes = client.batch::<Applied>(&[Request::Flush, Request::Flush]).unwrap();
    assert_eq!(outcomes[0], Ok(Applied::default()));
    assert_eq!(outcomes[1].as_ref().unwrap_err().message, "gone");
    let whole = client.batch::<Applied>(&[Request::Flush]).unwrap_err();
    assert_eq!(whole.to_string(), "no batches");
    assert!(client.batch::<Applied>(&[]).unwrap().is_empty());
    server.join().unwrap();
}

#[test]
fn replies_that_do_not_fit_are_not_taken_for_answers() {
    for reply in [
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":[7]}"#,
        "nonsense",
    ] {
        let (_dir, mut client, server) = scripted(Box::leak(Box::new([reply])));
        let got = client.call::<Applied>(&Request::Flush);
        assert!(matches!(got, Err(ClientError::Reply(_))), "{reply}: {got:?}");
        server.join().unwrap();
    }
    for reply in [
        r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":3,"result":{}}]"#,
    ] {
        let (_dir, mut client, server) = scripted(Box::leak(Box::new([reply])));
        let got = client.batch::<Applied>(&[Request::Flush, Request::Flush]);
        assert!(matches!(got, Err(ClientError::Reply(_))), "{reply}: {got:?}");
        server.join().unwrap();
    }
}

#[test]
fn a_daemon_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.sock");
    let text = Client::connect(&path).unwrap_err().to_string();
    assert!(text.starts_with(&format!("sluiced is not running at {}: start it", path.display())), "{text}");
    // A socket left behind by a daemon that died.
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(Client::connect(&path), Err(ClientError::NotRunning { .. })));
}

#[test]
fn a_daemon_that_does_not_answer() {
    let (_dir, path, server) = listen(|mut stream| {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    });
    let mut client = Client::connect(&path).unwrap();
    client.set_timeout(Duration::from_millis(50)).unwrap();
    let error = client.call::<Applied>(&Request::Flush).unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().ends_with("within 0.05 s"), "{error}");
    drop(client);
    server.join().unwrap();
}

#[test]
fn a_daemon_that_hangs_up() {
    let (_dir, path, server) = listen(|stream| {
        let mut line = String::new();
        let mut stream = BufReader::new(stream);
        stream.read_line(&mut line).unwrap();
        stream.get_mut().write_all(b"{\"jsonrpc\":").unwrap();
    });
    let mut client = Client::connect(&path).unwrap();
    let error = client.call::<Applied>(&Request::Flush).unwrap_err();
    assert!(matches!(error, ClientError::Closed { .. }), "{error:?}");
    server.join().unwrap();
}
