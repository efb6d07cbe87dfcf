//! Broken frames have a counter each, and no bytes whatever hurt the pipeline.
mod common;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use sluice_core::{DropReason, Ingress, Protocol, Verdict};
use sluice_packet::PacketBuf;
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::{ACK, SYN};

fn ipv6() -> Frame {
    Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv6([1; 16], [2; 16])
}

fn cut(frame: &Frame, len: usize) -> Vec<u8> {
    frame.build()[..len].to_vec()
}

fn with_byte(frame: &Frame, at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = frame.build();
    bytes[at] = byte;
    bytes
}

fn broken_frames() -> Vec<(DropReason, Vec<u8>)> {
    use DropReason::*;
    let tcp = request(40_000, SYN).payload(&[7; 50]);
    let tcp6 = ipv6().tcp(1, 2, SYN).payload(&[7; 50]);
    let many_extensions = (0..9).fold(ipv6(), |frame, _| frame.extension(60, &[0; 6])).udp(1, 2);
    vec![
        (EthernetTruncated, vec![]),
        (EthernetTruncated, cut(&tcp, 13)),
        (EthernetTruncated, cut(&request(1, SYN).vlan(5), 17)),
        (Ipv4Truncated, cut(&tcp, 14)),
        (Ipv4Truncated, cut(&tcp, 33)),
        (Ipv4Truncated, cut(&request(1, SYN).options(&[1; 8]), 41)),
        (Ipv4Version, with_byte(&tcp, 14, 0x65)),
        (Ipv4HeaderLength, with_byte(&tcp, 14, 0x44)),
        (Ipv4TotalLength, cut(&tcp, 14 + 40 + 49)),
        (Ipv4Checksum, request(1, SYN).wrong_ip_checksum().build()),
        (Ipv4Checksum, with_byte(&tcp, 22, 63)),
        (Ipv6Truncated, cut(&tcp6, 53)),
        (Ipv6Version, with_byte(&tcp6, 14, 0x45)),
        (Ipv6PayloadLength, cut(&tcp6, 14 + 40 + 69)),
        (Ipv6Extension, many_extensions.build()),
        (Ipv6Extension, with_byte(&ipv6().extension(60, &[0; 6]).protocol(59), 55, 200)),
        (TransportTruncated, from_gateway(CLIENT).protocol(6).payload(&[0; 19]).build()),
        (TransportTruncated, from_gateway(CLIENT).protocol(17).payload(&[0; 7]).build()),
        (TransportTruncated, ipv6().protocol(17).payload(&[0; 7]).build()),
        (NotOurs, request(1, SYN).eth([2, 0, 0, 0, 0, 0x77], GATEWAY_MAC).build()),
    ]
}

#[test]
fn each_kind_has_its_counter() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    for (reason, frame) in broken_frames() {
        let before = lab.dropped(reason);
        let (verdict, bytes) = lab.send(&ingress(OUTSIDE), &frame);
        assert_eq!((verdict, &bytes), (Verdict::Drop(reason), &frame));
        assert_eq!(lab.dropped(reason), before + 1, "{}", reason.name());
    }
    let counted: u64 = DropReason::ALL.iter().map(|&reason| lab.dropped(reason)).sum();
    assert_eq!(counted, broken_frames().len() as u64);
    assert_eq!((lab.flows(), lab.stats.to_kernel.get()), (vec![], 0));
}

/// Every reason that classification can give is one of those above.
#[test]
fn no_kind_is_left_out() {
    let last_of_classification = DropReason::NotOurs as usize;
    for &reason in &DropReason::ALL[..=last_of_classification] {
        assert!(broken_frames().iter().any(|(seen, _)| *seen == reason), "{}", reason.name());
    }
}

/// The device vouches for the header checksum: it is not summed again.
#[test]
fn the_devices_word_on_the_checksum_counts() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80)]);
    let frame = request(40_000, SYN).wrong_ip_checksum().build();
    let mut burst = [ArrayBuf::new(&frame).vouched(), ArrayBuf::new(&frame)];
    let mut verdicts = [Verdict::ToKernel; 32];
    lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
    assert_eq!(verdicts[..2], [TO_REAL, Verdict::Drop(DropReason::Ipv4Checksum)]);
}

/// A frame in several pieces: what lies in the first is enough.
#[test]
fn a_chained_frame_goes_its_way() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80)]);
    let frame = request(40_000, SYN).payload(&[7; 1000]).build();
    let mut burst = [ArrayBuf::new(&frame[..54]).chained(1000), ArrayBuf::new(&frame[..40]).chained(1014)];
    let mut verdicts = [Verdict::ToKernel; 32];
    lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
    assert_eq!(verdicts[..2], [TO_REAL, Verdict::Drop(DropReason::TransportTruncated)]);
    assert_eq!(lab.real_stats(lab.id(&key, 1)).in_bytes, 1040);
}

/// All packets of a burst are decided, in order of arrival; what is beyond 32 is left alone.
#[test]
fn bursts_of_every_size() {
    for size in 0..=40 {
        let (mut lab, _) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
        let frame = |n: usize| request(40_000 + n as u16, SYN).build();
        let mut burst: Vec<_> = (0..size).map(|n| ArrayBuf::new(&frame(n))).collect();
        let mut verdicts = [Verdict::Steer { lcore: 99 }; 32];
        lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
        let decided = size.min(32);
        assert!(verdicts[..decided].iter().all(|&verdict| verdict == TO_REAL));
        assert!(verdicts[decided..].iter().all(|&verdict| verdict == Verdict::Steer { lcore: 99 }));
        for (n, packet) in burst.iter().enumerate() {
            match n < decided {
                true => assert_eq!(packet.data()[33], 2 - (n % 2) as u8, "rr in order of arrival"),
                false => assert_eq!(packet.data(), frame(n)),
            }
        }
        assert_eq!((lab.stats.packets.get(), lab.flows().len()), (decided as u64, decided));
    }
}

/// Several packets of one connection in one burst: each sees what those before it have done.
#[test]
fn packets_of_a_burst_see_each_other() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    let steps = [SYN, ACK, 4 | ACK, SYN, ACK];
    let mut burst = steps.map(|flags| ArrayBuf::new(&request(40_000, flags).build()));
    let mut verdicts = [Verdict::ToKernel; 32];
    lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
    assert_eq!(verdicts[..5], [TO_REAL; 5]);
    assert_eq!(burst.map(|packet| packet.data()[33]), [2, 2, 2, 1, 1], "the second SYN replaces the flow");
    assert_eq!(lab.state(), ("ESTABLISHED", 900));
}

/// A frame that the pipeline has a way for, to be damaged.
fn sound_frame() -> impl Strategy<Value = Vec<u8>> {
    let frames = [
        request(40_000, SYN).payload(&[1; 30]),
        request(40_000, ACK).options(&[1; 12]),
        reply(1, 80, 40_000, SYN | ACK),
        from_gateway(CLIENT).udp(5000, 53).payload(&[2; 20]),
        from_gateway(CLIENT).udp(5000, 53).no_udp_checksum().payload(&[2; 21]),
        from_link(1).ipv4(VIP, CLIENT).tcp(81, 40_000, ACK),
        from_gateway(CLIENT).sctp(40_000, 9899, 1).payload(&[0; 16]),
        from_gateway(CLIENT).sctp(40_000, 9899, 10).payload(&[0, 0, 0, 0, 6, 0, 0, 4]),
        from_link(1).ipv4(real(1), CLIENT).sctp(2905, 40_000, 2).payload(&[0; 16]),
        from_gateway(CLIENT).udp(500, 500).payload(&[2; 20]),
        from_gateway(CLIENT).protocol(50).payload(&[3; 20]),
        from_link(1).ipv4(real(1), CLIENT).protocol(51).payload(&[3; 20]),
        from_gateway(CLIENT).icmp_error(3, 4, 1400, &request(40_000, ACK).packet()),
        Frame::new().eth(OUTSIDE_MAC, GATEWAY_MAC).ipv4(GATEWAY, VIP).icmp_error(
            3,
            4,
            1400,
            &Frame::new().ipv4(VIP, CLIENT).options(&[1; 8]).tcp(80, 40_000, ACK).packet(),
        ),
        from_link(1).ipv4(real(9), CLIENT).icmp_error(
            11,
            0,
            0,
            &Frame::new().ipv4(CLIENT, real(1)).tcp(40_000, 80, ACK).packet(),
        ),
        request(40_000, SYN).fragment(0, true),
        request(40_000, SYN).vlan(3),
        ipv6().extension(0, &[0; 6]).tcp(1, 80, SYN),
        Frame::new().eth([0xff; 6], GATEWAY_MAC).ethertype(0x0806).payload(&[0; 28]),
    ];
    prop::sample::select(frames.map(|frame| frame.build()).to_vec())
}

/// A frame, how many more pieces' bytes it claims, and whether the device vouches for it.
fn any_frame() -> impl Strategy<Value = (Vec<u8>, usize, bool)> {
    let noise = prop::collection::vec(any::<u8>(), 0..120);
    let damage = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    let damaged = (sound_frame(), damage, prop::option::weighted(0.3, any::<Index>())).prop_map(
        |(mut bytes, damage, end)| {
            for (at, byte) in damage {
                *at.get_mut(&mut bytes) = byte;
            }
            bytes.truncate(end.map_or(bytes.len(), |end| end.index(bytes.len())));
            bytes
        },
    );
    let bytes = prop_oneof![1 => noise, 6 => damaged];
    (bytes, prop_oneof![4 => Just(0), 1 => 0usize..3000], any::<bool>())
}

fn labs() -> Lab {
    let (mut lab, _) = Lab::tcp("wrr", [masq(1, 80), masq(2, 8080)]);
    lab.add(service(Protocol::Tcp, 81, "lc"), [route(1, 81)]);
    lab.add(service(Protocol::Udp, 53, "rr"), [masq(1, 0), route(2, 53), masq(77, 53)]);
    lab.add(service(Protocol::Sctp, 9899, "rr"), [masq(1, 2905), route(2, 9899)]);
    lab.add(service(Protocol::Udp, 500, "rr"), [masq(1, 500), route(2, 500)]);
    lab.switch(|switches| switches.schedule_icmp = true);
    lab
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No panic, no frame that grows or shrinks, a verdict for each, and every one counted.
    #[test]
    fn no_bytes_hurt(
        bursts in prop::collection::vec((prop::collection::vec(any_frame(), 0..40), 0u8..8), 1..8),
    ) {
        let mut lab = labs();
        for (frames, way) in bursts {
            let port = u16::from(way & 1);
            let ingress = Ingress { from_kernel: way & 2 != 0, steered: way & 4 != 0, ..ingress(port) };
            let mut burst: Vec<ArrayBuf> = frames
                .iter()
                .map(|(bytes, chained, vouched)| {
                    let packet = ArrayBuf::new(bytes).chained(*chained);
                    if *vouched { packet.vouched() } else { packet }
                })
                .collect();
            let dropped = || DropReason::ALL.iter().map(|&reason| lab.stats.dropped(reason)).sum::<u64>();
            let before = (lab.stats.packets.get(), lab.stats.to_kernel.get(), dropped());
            let undecided = Verdict::Transmit { port: u16::MAX };
            let mut verdicts = [undecided; 32];
            lab.lcore.process_burst(lab.now, &ingress, &mut burst, &mut verdicts);

            let decided = &verdicts[..burst.len().min(32)];
            for (packet, (bytes, ..)) in burst.iter().zip(&frames) {
                prop_assert_eq!(packet.data().len(), bytes.len());
            }
            let drops = decided.iter().filter(|verdict| matches!(verdict, Verdict::Drop(_))).count();
            let to_kernel = decided.iter().filter(|verdict| **verdict == Verdict::ToKernel).count();
            prop_assert!(!decided.contains(&undecided));
            prop_assert_eq!(lab.stats.packets.get() - before.0, decided.len() as u64);
            prop_assert_eq!(lab.stats.to_kernel.get() - before.1, to_kernel as u64);
            prop_assert_eq!(
                DropReason::ALL.iter().map(|&reason| lab.stats.dropped(reason)).sum::<u64>() - before.2,
                drops as u64
            );
            lab.wait(1000);
        }
    }
}
