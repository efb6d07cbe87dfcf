//! `--pe sip` end to end: calls stay with their real by Call-ID, and real servers call the client in the service's name.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use sluice_tests::echo::Echo;
use sluice_tests::{CLIENT, Context, Farm, Result, VIP, ensure, real_address};

const PORT: u16 = 5060;

fn message(call: &str) -> String {
    format!("OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP c\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\n\r\n")
}

/// A socket inside the client, which waits for answers.
fn socket(farm: &Farm) -> Result<UdpSocket> {
    let socket = farm.lab.client.inside(|| UdpSocket::bind((CLIENT, 0)).context("cannot bind"))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(socket)
}

/// The name of the real that answers; it must answer in the service's name.
fn answered_by(socket: &UdpSocket) -> Result<String> {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).context("no answer")?;
    ensure!(from == (VIP, PORT).into(), "from {from}");
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    text.split_once(' ').map(|(name, _)| name.to_owned()).context("an answer without a name")
}

fn asks(socket: &UdpSocket, call: &str) -> Result<String> {
    socket.send_to(message(call).as_bytes(), (VIP, PORT))?;
    answered_by(socket)
}

#[test]
fn calls_keep_their_real_and_reals_call_back() -> Result<()> {
    let farm = Farm::start()?;
    let servers = || {
        let start = |(n, real)| {
            Echo::start(real, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT), &format!("real{n}"))
        };
        (1..).zip(&farm.lab.reals).map(start).collect::<Result<Vec<_>>>()
    };
    let running = servers()?;
    let ctl = &farm.sluiced.ctl;
    ctl.run(&format!("-A -u {VIP}:{PORT} -s rr -p 60 --pe sip"))?;
    for n in [1, 2] {
        ctl.run(&format!("-a -u {VIP}:{PORT} -r {}:{PORT} -m", real_address(n)))?;
    }
    ensure!(
        ctl.run("-Ln")?.contains(&format!("UDP  {VIP}:{PORT} rr persistent 60 pe sip\n")),
        "{}",
        farm.state()
    );
    ensure!(ctl.run("-Sn")?.starts_with(&format!("-A -u {VIP}:{PORT} -s rr -p 60 --pe sip\n")));
    let refused = ctl.answer(&format!("-A -u {VIP}:5061 -p 60 --pe http"))?;
    ensure!(refused.code == 255 && refused.stderr.contains("no persistence engine `http`"), "{refused:?}");

    let first = asks(&socket(&farm)?, "one@lab").with_context(|| farm.state())?;
    let second = asks(&socket(&farm)?, "two@lab")?;
    ensure!(first != second, "{first} for both calls");
    for _ in 0..4 {
        ensure!(asks(&socket(&farm)?, "one@lab")? == first && asks(&socket(&farm)?, "two@lab")? == second);
    }
    let listed = ctl.run("-Lnc --persistent-conn")?;
    for (call, real) in [("one@lab", &first), ("two@lab", &second)] {
        let n = if real == "real1" { 1 } else { 2 };
        let row = format!(
            "{CLIENT}:0         {VIP}:{PORT}    {}:{PORT}   sip                {call}\n",
            real_address(n)
        );
        ensure!(listed.contains(&row), "{row}{listed}");
    }

    // By the packet: replies have no flow, and leave in the service's name all the same.
    ctl.run(&format!("-E -u {VIP}:{PORT} -s rr -p 60 -o --pe sip"))?;
    let one = socket(&farm)?;
    for _ in 0..4 {
        ensure!(asks(&one, "one@lab")? == first && asks(&one, "two@lab")? == second, "{}", farm.state());
    }

    // A real calls from its own SIP port; the client's answer reaches it.
    ctl.run(&format!("-E -u {VIP}:{PORT} -s rr -p 60 --pe sip"))?;
    drop(running);
    let caller =
        farm.lab.real(2).inside(|| UdpSocket::bind((real_address(2), PORT)).context("cannot bind"))?;
    caller.set_read_timeout(Some(Duration::from_secs(10)))?;
    let called = socket(&farm)?;
    for _ in 0..3 {
        caller.send_to(format!("real2 {}", message("back@lab")).as_bytes(), called.local_addr()?)?;
        ensure!(answered_by(&called)? == "real2");
        called.send_to(message("back@lab").as_bytes(), (VIP, PORT))?;
        let mut buffer = [0; 2048];
        let (_, from) = caller.recv_from(&mut buffer).with_context(|| farm.state())?;
        ensure!(from == called.local_addr()?, "from {from}");
    }

    // No Call-ID, no way in.
    called.send_to(b"hello", (VIP, PORT))?;
    let other = socket(&farm)?;
    other.send_to(b"hello", (VIP, PORT))?;
    let counted = |text: &str| text.lines().any(|line| line.split_whitespace().eq(["sip_no_call_id", "1"]));
    sluice_tests::until("the drop being counted", Duration::from_secs(10), || {
        Ok(counted(&ctl.run("drops")?).then_some(()))
    })
    .with_context(|| farm.state())?;
    farm.sluiced.stop()
}
