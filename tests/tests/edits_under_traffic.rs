//! A thousand edits while traffic runs: no packet lost, no flow moved.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sluice_tests::echo::Echo;
use sluice_tests::{CLIENT, Context, Ctl, Farm, Result, VIP, ensure, farm::HTTP, http, real_address};

const ROUNDS: usize = 125;
const CONNECTIONS: u64 = 8;
const UDP: u16 = 7;

/// One round of eight changes: each word of configuration is added, edited and deleted.
fn round(ctl: &Ctl, n: usize) -> Result<()> {
    let (one, weight) = (real_address(1), 1 + n % 9);
    let changes = format!(
        "-a -t {VIP}:80 -r 10.2.0.99:80 -m -w 0\n\
         -e -t {VIP}:80 -r {one}:80 -m -w {weight}\n\
         -E -t {VIP}:80 -s {}\n\
         -d -t {VIP}:80 -r 10.2.0.99:80\n\
         -A -t {VIP}:{port} -s wrr\n\
         -a -t {VIP}:{port} -r {one}:80 -m\n\
         -E -t {VIP}:{port} -s lc\n\
         -D -t {VIP}:{port}\n",
        ["wlc", "wrr", "rr", "lc"][n % 4],
        port = 1000 + n,
    );
    for line in changes.lines() {
        ctl.run(line).with_context(|| format!("round {n}"))?;
    }
    Ok(())
}

/// Datagrams one after the other, each waiting for its echo, so that only a lost packet makes one fail.
fn talk_udp(farm: &Farm, done: &AtomicBool, echoed: &AtomicU64) -> Result<()> {
    let socket = farm.lab.client.inside(|| UdpSocket::bind((CLIENT, 0)).context("cannot bind"))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut server = None;
    let mut buffer = [0; 64];
    for n in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let sent = format!("{n}");
        socket.send_to(sent.as_bytes(), (VIP, UDP))?;
        let length = socket.recv(&mut buffer).with_context(|| format!("datagram {n} was lost"))?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        let (name, back) = text.split_once(' ').context("an answer without a name")?;
        ensure!(back == sent, "datagram {n} was answered with `{text}`");
        ensure!(server.get_or_insert_with(|| name.to_owned()) == name, "the UDP flow moved to {name}");
        echoed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn no_packet_is_lost_and_no_flow_moves() -> Result<()> {
    let farm = Farm::start()?;
    let _servers: Vec<_> = (1..)
        .zip(&farm.lab.reals)
        .map(|(n, real)| {
            Echo::start(real, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, UDP), &format!("real{n}"))
        })
        .collect::<Result<_>>()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    farm.serve("-u", UDP, "rr", "-m")?;

    let (done, echoed) = (AtomicBool::new(false), AtomicU64::new(0));
    let (tally, edits, udp) = std::thread::scope(|scope| {
        let http = scope.spawn(|| {
            http::spread(&farm.lab.client, CONNECTIONS, |tally, _| {
                http::keep_asking(tally, HTTP, |_| !done.load(Ordering::Relaxed));
            })
        });
        let udp = scope.spawn(|| talk_udp(&farm, &done, &echoed));
        let edits = (0..ROUNDS).try_for_each(|n| round(&farm.sluiced.ctl, n));
        done.store(true, Ordering::Relaxed);
        (http.join().expect("the HTTP client panicked"), edits, udp.join().expect("the UDP client panicked"))
    });
    let tally = tally?;
    edits.with_context(|| farm.state())?;
    udp.with_context(|| farm.state())?;
    ensure!(tally.failures == 0 && tally.moved == 0, "{tally:?}\n{}", farm.state());
    ensure!(tally.answered() > 1_000 && echoed.into_inner() > 500, "hardly any traffic ran: {tally:?}");
    ensure!(tally.answers.len() == 2, "not both reals had connections: {tally:?}");
    let drops = farm.sluiced.ctl.drops()?;
    ensure!(drops.is_empty(), "dropped: {drops:?}");
    farm.sluiced.stop()
}
