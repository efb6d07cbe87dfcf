//! UDP through NAT: every datagram comes back from the VIP, and a flow stays with its real server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use sluice_tests::echo::Echo;
use sluice_tests::{CLIENT, Context, Farm, Result, VIP, ensure};

const PORT: u16 = 7;
const FLOWS: usize = 8;
const ROUNDS: usize = 200;

#[test]
fn every_datagram_comes_back() -> Result<()> {
    let farm = Farm::start()?;
    let servers: Vec<_> = (1..)
        .zip(&farm.lab.reals)
        .map(|(n, real)| {
            Echo::start(real, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT), &format!("real{n}"))
        })
        .collect::<Result<_>>()?;
    farm.serve("-u", PORT, "rr", "-m")?;

    let sockets: Vec<UdpSocket> = farm
        .lab
        .client
        .inside(|| (0..FLOWS).map(|_| UdpSocket::bind((CLIENT, 0)).context("cannot bind")).collect())?;
    let mut servers_of = BTreeMap::new();
    for round in 0..ROUNDS {
        for (flow, socket) in sockets.iter().enumerate() {
            // Lengths of all sorts, odd ones too, up to the MTU; a checksum over an odd length is a case of its own.
            let sent = format!("{flow} {round} {}", "x".repeat((round * 37) % 1400));
            let answer = ask(socket, &sent)
                .with_context(|| format!("flow {flow}, round {round}\n{}", farm.state()))?;
            let (server, echoed) = answer.split_once(' ').context("an answer without a name")?;
            ensure!(echoed == sent, "sent `{sent}`, came back `{echoed}`");
            let first = servers_of.entry(flow).or_insert_with(|| server.to_owned());
            ensure!(first == server, "flow {flow} moved from {first} to {server}");
        }
    }

    for n in [1, 2] {
        let shared = servers_of.values().filter(|server| **server == format!("real{n}")).count();
        ensure!(shared == FLOWS / 2, "rr gave real{n} {shared} flows of {FLOWS}");
        let real = farm.sluiced.ctl.real(n)?;
        let datagrams = servers[n - 1].answered();
        ensure!(
            real.stats.in_packets == datagrams && real.stats.out_packets == datagrams,
            "{datagrams}: {real:?}"
        );
        ensure!((real.active, real.inactive) == (0, 4), "UDP flows count as inactive: {real:?}");
    }
    farm.sluiced.stop()
}

fn ask(socket: &UdpSocket, text: &str) -> Result<String> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.send_to(text.as_bytes(), (VIP, PORT))?;
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).context("no answer")?;
    ensure!(from == (VIP, PORT).into(), "the answer comes from {from}");
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
