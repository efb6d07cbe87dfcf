//! Broken frames on the wire: each kind ends in its own drop counter, and the service goes on.

use std::collections::BTreeMap;

use etherparse::PacketBuilder;
use sluice_tests::inject::Injector;
use sluice_tests::{CLIENT, Context, Farm, Result, VIP, ensure, farm::HTTP, until, wait::SOON};

/// How often each frame is sent.
const TIMES: u64 = 3;
const ETHERNET: usize = 14;
/// Where the IP header starts.
const IP: usize = ETHERNET;

/// A sound SYN to the service from the client, in a frame to `mac`.
fn syn(mac: [u8; 6], ttl: u8) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], mac)
        .ipv4(CLIENT.octets(), VIP.octets(), ttl)
        .tcp(40_000, HTTP.1, 1, 1_000)
        .syn()
        .write(&mut frame, &[])?;
    Ok(frame)
}

/// A sound IPv6 datagram, in a frame to `mac`.
fn datagram6(mac: [u8; 6]) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let address = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], mac)
        .ipv6(address(1), address(2), 64)
        .udp(40_000, 53)
        .write(&mut frame, b"question")?;
    Ok(frame)
}

fn edited(frame: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame.to_vec();
    edit(&mut frame);
    frame
}

/// Writes the header checksum that the edited IPv4 header should have (RFC 1071), so that only one thing is wrong.
fn checksummed(mut frame: Vec<u8>) -> Vec<u8> {
    let length = usize::from(frame[IP] & 15) * 4;
    frame[IP + 10..IP + 12].fill(0);
    let words =
        frame[IP..IP + length].chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX);
    frame[IP + 10..IP + 12].copy_from_slice(&checksum.to_be_bytes());
    frame
}

/// The broken frames, by the counter that each belongs to.
fn broken(mac: [u8; 6]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let (v4, v6) = (syn(mac, 64)?, datagram6(mac)?);
    let mut other_mac = mac;
    other_mac[5] ^= 0xff;
    // The kernel takes off the outer tag and DPDK puts it back: the inner one is what is cut off.
    let tags = [&mac[..], &[2, 0, 0, 0, 0, 9], &[0x81, 0, 0, 5, 0x81, 0, 0, 6]].concat();
    Ok(vec![
        ("ethernet_truncated", tags),
        ("ipv4_truncated", v4[..IP + 10].to_vec()),
        ("ipv4_version", edited(&v4, |frame| frame[IP] = 0x55)),
        ("ipv4_header_length", edited(&v4, |frame| frame[IP] = 0x44)),
        ("ipv4_total_length", checksummed(edited(&v4, |frame| frame[IP + 2] = 0xff))),
        ("ipv4_total_length", checksummed(edited(&v4, |frame| frame[IP + 3] = 19))),
        ("ipv4_checksum", edited(&v4, |frame| frame[IP + 10] ^= 0x40)),
        ("transport_truncated", checksummed(edited(&v4, |frame| frame[IP + 3] = 30))),
        ("ipv6_truncated", v6[..IP + 39].to_vec()),
        ("ipv6_version", edited(&v6, |frame| frame[IP] = 0x40)),
        ("ipv6_payload_length", edited(&v6, |frame| frame[IP + 4] = 0xff)),
        (
            "ipv6_extension",
            edited(&v6, |frame| {
                // A hop-by-hop header that claims 2,048 bytes.
                frame[IP + 6] = 0;
                frame[IP + 41] = 0xff;
            }),
        ),
        ("transport_truncated", edited(&v6, |frame| frame[IP + 5] = 4)),
        ("not_ours", syn(other_mac, 64)?),
        ("ttl_expired", syn(mac, 1)?),
    ])
}

fn mac_of_port(farm: &Farm) -> Result<[u8; 6]> {
    let text = farm.lab.director.run("cat /sys/class/net/wan/address")?;
    let bytes: Vec<u8> =
        text.trim().split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes.try_into().ok().context("the port has no MAC address")
}

#[test]
fn each_kind_has_its_counter() -> Result<()> {
    let farm = Farm::start()?;
    farm.serve("-t", HTTP.1, "rr", "-m")?;
    farm.warm_up()?;
    let ctl = &farm.sluiced.ctl;
    let wire = Injector::start(&farm.lab, &farm.lab.client, "eth0")?;
    let mut expected: BTreeMap<String, u64> = ctl.drops()?;
    for (reason, frame) in broken(mac_of_port(&farm)?)? {
        for _ in 0..TIMES {
            wire.send(&frame)?;
        }
        *expected.entry(reason.to_owned()).or_default() += TIMES;
        until(&format!("{reason} being counted"), SOON, || Ok((ctl.drops()? == expected).then_some(())))
            .with_context(|| format!("expected {expected:?}, counted {:?}", ctl.drops()))?;
    }
    // Nothing of it was balanced, except that a SYN opens its flow before its time to live is looked at.
    ensure!(ctl.service()?.stats.conns <= 1, "{}", farm.state());
    farm.warm_up()?;
    farm.sluiced.stop()
}
