//! SCTP services through frames: what starts a flow, what ends one, and the CRC32c under address translation.
mod common;

use common::*;
use proptest::prelude::*;
use sluice_core::{DropReason, Protocol, ServiceKey, Verdict};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};

const INIT: u8 = 1;
const ABORT: u8 = 6;
const COOKIE_ECHO: u8 = 10;
const COOKIE_ACK: u8 = 11;

/// Bytes of the Ethernet and the IPv4 header.
const L4: usize = 34;

/// Port 9899, scheduled rr.
fn lab(reals: impl IntoIterator<Item = sluice_core::RealConfig>) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(service(Protocol::Sctp, 9899, "rr"), reals);
    (lab, key)
}

fn request(cport: u16, chunk: u8) -> Frame {
    from_gateway(CLIENT).sctp(cport, 9899, chunk).verification_tag(0x0102_0304).payload(b"sixteen bytes...")
}

fn reply(n: u8, port: u16, cport: u16, chunk: u8) -> Frame {
    from_link(n).ipv4(real(n), CLIENT).sctp(port, cport, chunk).payload(b"twelve bytes")
}

/// CRC32c as RFC 9260 appendix A has it, one bit at a time, with the field taken as 0; least significant byte first.
fn crc(packet: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for (at, byte) in packet.iter().enumerate() {
        let byte = if (8..12).contains(&at) { 0 } else { *byte };
        for bit in 0..8 {
            let out = (crc ^ u32::from(byte >> bit)) & 1;
            crc = (crc >> 1) ^ (0x82f6_3b78 * out);
        }
    }
    (!crc).to_le_bytes()
}

/// Ports, and whether the CRC32c is right; the IPv4 header has to be sound.
fn seen(frame: &[u8]) -> (u16, u16, bool) {
    let sum: u32 = frame[14..L4].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "IPv4 header checksum");
    let end = 14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let packet = &frame[L4..end];
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    (port(0), port(2), packet[8..12] == crc(packet))
}

fn addresses(frame: &[u8]) -> ([u8; 4], [u8; 4]) {
    (frame[26..30].try_into().unwrap(), frame[30..34].try_into().unwrap())
}

#[test]
fn nat_both_ways_with_another_port() {
    let (mut lab, key) = lab([masq(1, 2905)]);
    let sent = request(40_000, INIT).build();
    let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &sent);
    assert_eq!((verdict, seen(&bytes)), (TO_REAL, (40_000, 2905, true)));
    assert_eq!(addresses(&bytes), (CLIENT.octets(), real(1).octets()));
    assert_eq!(bytes[22], sent[22] - 1, "one hop");
    assert_eq!(bytes[L4 + 4..L4 + 8], sent[L4 + 4..L4 + 8], "the verification tag is not touched");
    assert_eq!(bytes[L4 + 12..], sent[L4 + 12..], "nor are the chunks");

    let (verdict, bytes) = lab.real_sends(&reply(1, 2905, 40_000, 2));
    assert_eq!((verdict, seen(&bytes)), (TO_CLIENT, (9899, 40_000, true)));
    assert_eq!(addresses(&bytes), (VIP.octets(), CLIENT.octets()));
    let stats = lab.real_stats(lab.id(&key, 1));
    assert_eq!((stats.conns, stats.in_packets, stats.out_packets), (1, 1, 1));
    assert_eq!((stats.in_bytes, stats.out_bytes), (20 + 12 + 20, 20 + 12 + 16));
}

/// Reference 5.2: the kernel computes the checksum where the port changes, so that a wrong one becomes right there and
/// stays wrong elsewhere.
#[test]
fn a_wrong_checksum() {
    for (port, is_right) in [(2905, true), (9899, false)] {
        let (mut lab, _) = lab([masq(1, port)]);
        let sent = request(40_000, INIT).wrong_transport_checksum();
        let (verdict, bytes) = lab.client_sends(&sent);
        assert_eq!((verdict, seen(&bytes)), (TO_REAL, (40_000, port, is_right)));
        assert_eq!(bytes[L4 + 8..L4 + 12] == sent.build()[L4 + 8..L4 + 12], !is_right);
    }
}

#[test]
fn direct_routing_changes_nothing_but_the_hop() {
    let (mut lab, _) = lab([route(1, 9899)]);
    let sent = request(40_000, INIT).build();
    let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &sent);
    assert_eq!((verdict, seen(&bytes)), (TO_REAL, (40_000, 9899, true)));
    assert_eq!(bytes[26..], sent[26..]);
    assert_eq!(bytes[..6], real_mac(1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever lies in further pieces of a frame: what arrives at the real is right if what was sent is.
    #[test]
    fn a_chained_packet_is_right_at_its_end(
        len in 0usize..1400,
        first in 12usize..1400,
        is_reply in any::<bool>(),
        is_wrong in any::<bool>(),
    ) {
        let (mut lab, _) = lab([masq(1, 2905)]);
        lab.client_sends(&request(40_000, INIT));
        let payload: Vec<u8> = (0..len).map(|n| (n * 31) as u8).collect();
        let frame = if is_reply { reply(1, 2905, 40_000, 0) } else { request(40_000, 0) }.payload(&payload);
        let frame = if is_wrong { frame.wrong_transport_checksum() } else { frame };
        let whole = frame.build();
        let cut = whole.len().min(L4 + first);
        let mut burst = [ArrayBuf::new(&whole[..cut]).chained(whole.len() - cut)];
        let mut verdicts = [Verdict::ToKernel; 32];
        let port = if is_reply { INSIDE } else { OUTSIDE };
        lab.lcore.process_burst(lab.now, &ingress(port), &mut burst, &mut verdicts);
        prop_assert_eq!(verdicts[0], if is_reply { TO_CLIENT } else { TO_REAL });
        let arrived = [burst[0].data(), &whole[cut..]].concat();
        let ports = if is_reply { (9899, 40_000) } else { (40_000, 2905) };
        // A wrong one in several pieces stays wrong: a receiver still sees that something happened on the way.
        let is_right = !is_wrong || cut == whole.len();
        prop_assert_eq!(seen(&arrived), (ports.0, ports.1, is_right));
    }
}

/// Reference 4.4, step 7.
#[test]
fn what_starts_a_flow() {
    for sloppy in [false, true] {
        for chunk in 0..=u8::MAX {
            let (mut lab, _) = lab([masq(1, 9899)]);
            lab.switch(|switches| switches.sloppy_sctp = sloppy);
            // SCTP does not go by the switch of TCP.
            lab.switch(|switches| switches.sloppy_tcp = !sloppy);
            let (verdict, _) = lab.client_sends(&request(40_000, chunk));
            let starts = chunk == INIT || (sloppy && chunk != ABORT);
            assert_eq!(verdict, if starts { TO_REAL } else { Verdict::ToKernel }, "chunk {chunk}");
            assert_eq!(lab.flows().len(), usize::from(starts));
        }
    }
}

/// Bundled behind a cookie, an ABORT starts nothing either.
#[test]
fn an_abort_behind_a_cookie_starts_nothing() {
    let (mut lab, _) = lab([masq(1, 9899)]);
    lab.switch(|switches| switches.sloppy_sctp = true);
    let chunks = [COOKIE_ECHO, 0, 0, 4, ABORT, 0, 0, 4];
    let packet = [&[0x9c, 0x40, 0x26, 0xab, 0, 0, 0, 0, 0, 0, 0, 0], &chunks[..]].concat();
    let (verdict, _) = lab.client_sends(&from_gateway(CLIENT).protocol(132).payload(&packet));
    assert_eq!((verdict, lab.flows()), (Verdict::ToKernel, vec![]));
}

/// The kernel never schedules clients of port 20, and what is no service's is its own.
#[test]
fn what_is_not_ours() {
    let (mut lab, _) = lab([masq(1, 9899)]);
    for frame in
        [request(20, INIT), from_gateway(CLIENT).sctp(40_000, 9900, INIT), request(40_000, INIT).vlan(7)]
    {
        assert_eq!(lab.client_sends(&frame).0, Verdict::ToKernel);
    }
    assert_eq!(lab.kernel_sends(OUTSIDE, &from_gateway(CLIENT).sctp(40_000, 9900, INIT)).0, TO_CLIENT);
    assert_eq!(lab.flows(), []);
}

/// TCP, UDP and SCTP services of one address and port are three.
#[test]
fn protocols_do_not_mix() {
    let (mut lab, _) = lab([masq(1, 9899)]);
    lab.add(service(Protocol::Tcp, 9899, "rr"), [masq(2, 9899)]);
    lab.add(service(Protocol::Udp, 9899, "rr"), [masq(3, 9899)]);
    assert_eq!(lab.reaches(&request(40_000, INIT)), 1);
    assert_eq!(lab.reaches(&from_gateway(CLIENT).tcp(40_000, 9899, 2)), 2);
    assert_eq!(lab.reaches(&from_gateway(CLIENT).udp(40_000, 9899)), 3);
    assert_eq!(lab.reaches(&request(40_000, 0)), 1);
    assert_eq!(lab.flows().len(), 3);
}

/// An IP packet of every length: without the common header it is broken; without a whole chunk it belongs to a flow that
/// is there, changes nothing of it, and starts none.
#[test]
fn every_length() {
    let whole = request(40_000, INIT).packet();
    for len in 0..whole.len() - 20 {
        let short = from_gateway(CLIENT).protocol(132).payload(&whole[20..20 + len]);
        let (mut lab, _) = lab([masq(1, 2905)]);
        lab.switch(|switches| switches.sloppy_sctp = true);
        let expected = match len {
            0..12 => Verdict::Drop(DropReason::TransportTruncated),
            12..16 => Verdict::Drop(DropReason::SctpNoChunk),
            _ => TO_REAL,
        };
        assert_eq!(lab.client_sends(&short).0, expected, "{len} bytes, no flow");
        assert_eq!(lab.flows().len(), usize::from(len >= 16));

        let (mut lab, _) = self::lab([masq(1, 2905)]);
        lab.client_sends(&request(40_000, INIT));
        lab.tick(250);
        let (verdict, bytes) = lab.client_sends(&short);
        match len {
            0..12 => {
                assert_eq!(verdict, expected);
                assert_eq!(lab.state(), ("INIT1", 3), "the timer runs on");
            }
            12..16 => {
                assert_eq!((verdict, seen(&bytes)), (TO_REAL, (40_000, 2905, true)));
                assert_eq!(lab.state(), ("INIT1", 4), "the timer starts anew");
            }
            _ => assert_eq!((verdict, lab.flow().state), (TO_REAL, "INIT")),
        }
    }
    // No service's: the kernel's, whatever it holds.
    let (mut lab, _) = lab([masq(1, 2905)]);
    let stranger = from_gateway(CLIENT).protocol(132).payload(&[0; 12]);
    assert_eq!(lab.client_sends(&stranger).0, Verdict::ToKernel);
}

/// A reply without a chunk does not count as one: the client still is the only side that was heard.
#[test]
fn a_reply_without_a_chunk_tells_nothing() {
    let (mut lab, _) = lab([route(1, 9899)]);
    lab.client_sends(&request(40_000, INIT));
    let empty = [0x26, 0xab, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, 0];
    lab.real_sends(&from_link(1).ipv4(VIP, CLIENT).protocol(132).payload(&empty));
    // INIT ACK of the client: C-ECHOED while only the client was heard, C-WAIT otherwise.
    lab.client_sends(&request(40_000, 2));
    assert_eq!(lab.flow().state, "C-ECHOED");
}

fn closed() -> (Lab, ServiceKey) {
    let (mut lab, key) = lab([masq(1, 9899), masq(2, 9899)]);
    assert_eq!(lab.reaches(&request(40_000, INIT)), 2);
    lab.client_sends(&request(40_000, ABORT));
    assert_eq!(lab.flow().state, "CLOSED");
    (lab, key)
}

/// Reference 4.4, step 5: an INIT ends a flow in CLOSED, in no other state, and not where reuse is off.
#[test]
fn an_init_replaces_a_closed_flow() {
    for mode in 0..4 {
        let (mut lab, _) = closed();
        lab.switch(|switches| switches.conn_reuse_mode = mode);
        assert_eq!(lab.reaches(&request(40_000, INIT)), if mode == 0 { 2 } else { 1 });
        assert_eq!(lab.flow().state, if mode == 0 { "INIT" } else { "INIT1" });
    }
    let (mut lab, _) = closed();
    assert_eq!(lab.reaches(&request(40_000, 0)), 2, "DATA does not");
    let (mut lab, _) = self::lab([masq(1, 9899), masq(2, 9899)]);
    for chunk in [INIT, INIT, COOKIE_ECHO, INIT] {
        assert_eq!(lab.reaches(&request(40_000, chunk)), 2);
    }
}

/// With expire_nodest_conn, an INIT leaves a real of weight 0, and any packet one that is gone.
#[test]
fn quiesced_and_removed_reals() {
    let (mut lab, key) = lab([masq(1, 9899), masq(2, 9899)]);
    assert_eq!(lab.reaches(&request(40_000, INIT)), 2);
    let quiesced = sluice_core::RealConfig { weight: 0, ..masq(2, 9899) };
    lab.change(|director| director.edit_real(&key, quiesced)).unwrap();
    assert_eq!(lab.reaches(&request(40_000, INIT)), 2);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    assert_eq!(lab.reaches(&request(40_000, 0)), 2);
    assert_eq!(lab.reaches(&request(40_000, INIT)), 1);

    lab.switch(|switches| switches.expire_nodest_conn = false);
    lab.change(|director| director.delete_real(&key, real(1).into(), 9899)).unwrap();
    assert_eq!(lab.client_sends(&request(40_000, INIT)).0, Verdict::Drop(DropReason::RealGone));
}

/// In a full table half-open and closing associations make room; established ones and their reals' counts stay.
#[test]
fn a_full_table() {
    let mut lab = Lab::with_flows(4);
    let key = lab.add(service(Protocol::Sctp, 9899, "rr"), [masq(1, 9899)]);
    let counters = |lab: &Lab| (lab.stats.evicted_half_open.get(), lab.stats.evicted_closing.get());
    for cport in 1..=4 {
        for (from_client, chunk) in [(true, INIT), (false, 2), (true, COOKIE_ECHO), (false, COOKIE_ACK)] {
            let done = (cport == 1 && chunk != INIT) || (cport == 2 && chunk == COOKIE_ACK);
            match from_client {
                _ if done => {}
                true => assert_eq!(lab.client_sends(&request(cport, chunk)).0, TO_REAL),
                false => assert_eq!(lab.real_sends(&reply(1, 9899, cport, chunk)).0, TO_CLIENT),
            }
        }
    }
    assert_eq!(lab.client_sends(&request(3, 7)).0, TO_REAL);
    let states: Vec<_> = lab.flows().iter().map(|flow| flow.state).collect();
    assert_eq!(states, ["INIT1", "C-REPLIED", "S-RECEIVED", "ESTABLISHED"]);
    // Each newcomer is brought to ESTABLISHED, so that the next looks further.
    for (cport, evicted) in [(5, (1, 0)), (6, (2, 0)), (7, (2, 1))] {
        assert_eq!(lab.client_sends(&request(cport, INIT)).0, TO_REAL);
        assert_eq!(lab.real_sends(&reply(1, 9899, cport, COOKIE_ACK)).0, TO_CLIENT);
        assert_eq!(counters(&lab), evicted);
    }
    let full = Verdict::Drop(DropReason::FlowTableFull);
    assert_eq!(lab.client_sends(&request(8, INIT)).0, full, "established flows are never ended");
    assert_eq!(lab.connections(lab.id(&key, 1)), (4, 0));
}

/// Of SCTP only ESTABLISHED counts as active: what ovf, nq and sed go by.
#[test]
fn schedulers_see_established_associations() {
    let mut lab = Lab::new();
    lab.add(service(Protocol::Sctp, 9899, "nq"), [masq(1, 9899), masq(2, 9899)]);
    assert_eq!(lab.reaches(&request(1, INIT)), 2);
    assert_eq!(lab.reaches(&request(2, INIT)), 2, "2 is idle still");
    assert_eq!(lab.real_sends(&reply(2, 9899, 1, COOKIE_ACK)).0, TO_CLIENT);
    assert_eq!(lab.reaches(&request(3, INIT)), 1);
}
