//! A fwmark service in front of addresses that are nobody's here: iptables' marks, ipvsadm's lines, real web servers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use nix::sys::signal::Signal;
use sluice_tests::echo::Echo;
use sluice_tests::{
    CLIENT, Context, DIRECTOR, Farm, Result, Sluiced, ensure, http, real_address, wait::SOON,
};

/// Where the client wants to go: beyond the director.
const SITES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 80), Ipv4Addr::new(198, 51, 100, 81)];
const UDP: u16 = 7;

const SAVED: &str = "\
-A -f 7 -s rr
-a -f 7 -r 10.2.0.11:0 -m -w 1
-a -f 7 -r 10.2.0.12:0 -m -w 1
";

const LISTED: &str = "\
FWM  7 rr
  -> 10.2.0.11:0                  Masq    1      0          0         
  -> 10.2.0.12:0                  Masq    1      0          0         
";

const RULES: &str = "\
--id 1 --priority 10 -i wan -p tcp -d 192.0.2.80 --dport 80 --mark 7
--id 2 --priority 10 -i wan -p tcp -d 198.51.100.0/24 --dport 80 --mark 7
--id 3 --priority 20 -p udp -d 192.0.2.0/24 --mark 7
";

/// Requests to both sites, which both reals answer.
fn served(farm: &Farm) -> Result<()> {
    for site in SITES {
        let tally = http::fresh(&farm.lab.client, (site, 80), 20, 2)?;
        ensure!(tally.failures == 0 && tally.answers.len() == 2, "{site}: {tally:?}\n{}", farm.state());
    }
    Ok(())
}

/// The names of the servers that answer datagrams to the first site.
fn echoes(farm: &Farm) -> Result<BTreeSet<String>> {
    farm.lab.client.inside(|| {
        (0..4)
            .map(|_| {
                let socket = UdpSocket::bind((CLIENT, 0)).context("cannot bind")?;
                socket.set_read_timeout(Some(Duration::from_secs(5)))?;
                socket.connect((SITES[0], UDP))?;
                socket.send(b"x")?;
                let mut buffer = [0; 64];
                let length = socket.recv(&mut buffer).context("no echo")?;
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                text.split_once(' ').map(|(name, _)| name.to_owned()).context("an answer without a name")
            })
            .collect()
    })
}

#[test]
fn marked_packets_reach_the_reals_whatever_their_destination() -> Result<()> {
    let mut farm = Farm::start()?;
    let _servers: Vec<_> = (1..)
        .zip(&farm.lab.reals)
        .map(|(n, real)| {
            Echo::start(real, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, UDP), &format!("real{n}"))
        })
        .collect::<Result<_>>()?;
    for site in SITES {
        farm.lab.client.ip(&format!("route add {site} via {DIRECTOR}"))?;
    }
    let ctl = &farm.sluiced.ctl;
    ctl.run("-A -f 7 -s rr")?;
    for n in [1, 2] {
        ctl.run(&format!("-a -f 7 -r {}:0 -m", real_address(n)))?;
    }
    let answer = ctl.answer_to("mark replace -", RULES)?;
    ensure!(answer.code == 0 && answer.stdout == "3 rules\n", "{answer:?}");

    let listed = ctl.run("-Ln")?;
    let (_, table) = listed.split_once("ActiveConn InActConn\n").context("no heading")?;
    ensure!(table == LISTED, "{listed}");
    ensure!(ctl.run("-Sn")? == SAVED, "{}", ctl.run("-Sn")?);
    ensure!(ctl.run("mark list --save")? == RULES, "{}", ctl.run("mark list --save")?);

    served(&farm)?;
    ensure!(echoes(&farm)?.len() == 2, "{}", farm.state());
    let service = farm.sluiced.ctl.service()?;
    ensure!(service.stats.conns == 44, "{service:?}");
    let hits = farm.sluiced.ctl.run("mark list")?;
    let hits: Vec<_> = hits.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    ensure!(hits == ["20", "20", "4"], "{hits:?}");

    farm.sluiced.process().stop(Signal::SIGKILL, SOON)?;
    farm.sluiced = Sluiced::start(&farm.lab)?;
    let ctl = &farm.sluiced.ctl;
    ensure!(ctl.run("mark list --save")? == RULES && ctl.run("-Sn")? == SAVED, "{}", farm.state());
    served(&farm)?;

    let ctl = &farm.sluiced.ctl;
    ctl.run("-Z -f 7")?;
    ensure!(ctl.service()?.stats.conns == 0, "{}", farm.state());
    ctl.run("-E -f 7 -s wlc")?;
    ensure!(ctl.run("-Ln")?.contains("FWM  7 wlc\n"), "{}", farm.state());
    let refused = ctl.answer("-A -f 7 -6")?;
    ensure!(refused.stderr == "an IPv6 service is not supported yet: fwmark 7 ipv6\n", "{refused:?}");
    ctl.run("-D -f 7")?;
    ensure!(ctl.run("mark list")?.contains(" none "), "{}", ctl.run("mark list")?);
    farm.sluiced.stop()
}
