//! drop_packet and drop_entry (reference 4.8), as the lcores carry them out.
mod common;

use std::net::Ipv4Addr;

use common::*;
use sluice_core::{DropReason, Jiffies, Protocol, ServiceConfig, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};

/// Opens connections with one SYN each: `+` for those that reach a real, `-` for those turned away.
fn attempts(lab: &mut Lab, cports: std::ops::Range<u16>) -> String {
    let attempt = |cport| match lab.client_sends(&request(cport, SYN)).0 {
        TO_REAL => '+',
        Verdict::Drop(DropReason::DropPacket) => '-',
        other => panic!("a SYN met {other:?}"),
    };
    cports.map(attempt).collect()
}

fn one() -> Lab {
    Lab::tcp("rr", [masq(1, 80)]).0
}

// drop_packet.

/// As the kernel does with am_droprate = 2.
#[test]
fn in_mode_3_the_first_attempt_is_dropped_and_then_every_nth() {
    for (rate, expected) in [(1, "------"), (2, "-+-+-+"), (3, "-++-++")] {
        let mut lab = one();
        lab.switch(|switches| (switches.drop_rate, switches.drop_at_once) = (rate, true));
        assert_eq!(attempts(&mut lab, 100..106), expected, "rate {rate}");
    }
}

#[test]
fn in_the_automatic_modes_the_nth_attempt_is_dropped() {
    for (rate, expected) in [(1, "------"), (2, "+-+-+-"), (3, "++-++-")] {
        let mut lab = one();
        lab.switch(|switches| switches.drop_rate = rate);
        assert_eq!(attempts(&mut lab, 100..106), expected, "rate {rate}");
    }
}

#[test]
fn each_drop_is_counted_and_leaves_nothing_behind() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80)]);
    lab.switch(|switches| (switches.drop_rate, switches.drop_at_once) = (2, true));
    attempts(&mut lab, 100..110);
    assert_eq!(lab.dropped(DropReason::DropPacket), 5);
    let id = lab.id(&key, 1);
    assert_eq!((lab.flows().len(), lab.real_stats(id).conns, lab.counts(id).total()), (5, 5, 5));
}

/// It is the attempts to start a flow that count.
#[test]
fn packets_of_known_flows_and_strangers_pass_uncounted() {
    let mut lab = one();
    lab.sends(99, &[SYN, ACK]);
    lab.switch(|switches| switches.drop_rate = 2);
    for _ in 0..5 {
        lab.sends(99, &[ACK]);
        assert_eq!(lab.real_sends(&reply(1, 80, 99, ACK)).0, TO_CLIENT);
        assert_eq!(lab.client_sends(&request(98, ACK)).0, Verdict::ToKernel, "it cannot start a flow");
        assert_eq!(
            lab.client_sends(&from_gateway(CLIENT).tcp(97, 81, SYN)).0,
            Verdict::ToKernel,
            "no service"
        );
    }
    assert_eq!(attempts(&mut lab, 100..104), "+-+-");
}

/// Clients on port 20 are never scheduled, but the kernel counts them before it looks at the port.
#[test]
fn a_client_on_port_20_is_an_attempt_too() {
    let mut lab = one();
    lab.switch(|switches| switches.drop_rate = 2);
    assert_eq!(lab.client_sends(&request(20, SYN)).0, Verdict::ToKernel);
    assert_eq!(lab.client_sends(&request(20, SYN)).0, Verdict::Drop(DropReason::DropPacket));
    assert_eq!(attempts(&mut lab, 100..102), "+-");
}

#[test]
fn another_change_does_not_start_the_count_anew() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80)]);
    lab.switch(|switches| switches.drop_rate = 4);
    assert_eq!(attempts(&mut lab, 100..103), "+++");
    lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!(attempts(&mut lab, 103..104), "-");
}

#[test]
fn switched_off_it_drops_nothing_and_on_again_it_starts_anew() {
    let mut lab = one();
    for cport in [100, 200] {
        lab.switch(|switches| (switches.drop_rate, switches.drop_at_once) = (5, true));
        assert_eq!(attempts(&mut lab, cport..cport + 2), "-+");
        lab.switch(|switches| switches.drop_rate = 0);
        assert_eq!(attempts(&mut lab, cport + 2..cport + 6), "++++");
    }
}

#[test]
fn datagrams_are_attempts_too() {
    let (mut lab, _) = Lab::udp("rr", [masq(1, 53)]);
    lab.switch(|switches| (switches.drop_rate, switches.drop_at_once) = (2, true));
    let verdicts: Vec<Verdict> =
        (100..104).map(|cport| lab.client_sends(&from_gateway(CLIENT).udp(cport, 53)).0).collect();
    let dropped = Verdict::Drop(DropReason::DropPacket);
    assert_eq!(verdicts, [dropped, TO_REAL, dropped, TO_REAL]);
}

// drop_entry.

/// A table of 64 flows, of which two slots are visited each second: all in 32 seconds.
fn small() -> (Lab, ServiceKey) {
    let mut lab = Lab::with_flows(64);
    let key = lab.add(service(Protocol::Tcp, 80, "rr"), [masq(1, 80)]);
    (lab, key)
}

/// Lets the lcore visit every slot once.
fn sweep(lab: &mut Lab) {
    lab.switch(|switches| switches.drop_entry = true);
    for _ in 0..32 {
        lab.wait(Jiffies::HZ);
    }
    lab.switch(|switches| switches.drop_entry = false);
}

#[test]
fn half_open_flows_end_and_closing_ones_do_not() {
    let (mut lab, key) = small();
    lab.sends(100, &[SYN]);
    lab.sends(101, &[SYN, ACK, FIN]);
    lab.sends(102, &[SYN, FIN]);
    lab.sends(103, &[SYN, ACK]);
    sweep(&mut lab);
    let mut left: Vec<_> = lab.flows().iter().map(|flow| (flow.client.port(), flow.state)).collect();
    left.sort_unstable();
    assert_eq!(left, [(101, "CLOSE_WAIT"), (102, "TIME_WAIT"), (103, "ESTABLISHED")]);
    assert_eq!((lab.stats.dropped_entries.get(), lab.stats.flows_expired.get()), (1, 0));
    assert_eq!(lab.connections(lab.id(&key, 1)), (1, 2));
}

/// Under secure_tcp SYNACK is half open too; of SCTP an association that was only asked for is.
#[test]
fn half_open_flows_of_other_tables_end() {
    let (mut lab, _) = small();
    lab.add(service(Protocol::Tcp, 81, "rr"), [route(1, 81)]);
    lab.switch(|switches| switches.secure_tcp = true);
    assert_eq!(lab.client_sends(&from_gateway(CLIENT).tcp(100, 81, SYN)).0, TO_REAL);
    assert_eq!(lab.flow().state, "SYNACK");
    lab.add(service(Protocol::Sctp, 82, "rr"), [masq(1, 82)]);
    // INIT1, INIT, C-REPLIED, ESTABLISHED, CLOSED.
    for (cport, chunks) in
        [(101, &[1][..]), (102, &[1, 1]), (103, &[1, 3, 10]), (104, &[1, 11]), (105, &[1, 6])]
    {
        for &chunk in chunks {
            assert_eq!(lab.client_sends(&from_gateway(CLIENT).sctp(cport, 82, chunk)).0, TO_REAL);
        }
        let (from_real, chunk) = match cport {
            103 => (true, 2),
            104 => (true, 11),
            _ => (false, 0),
        };
        if from_real {
            let reply = from_link(1).ipv4(real(1), CLIENT).sctp(82, cport, chunk);
            assert_eq!(lab.real_sends(&reply).0, TO_CLIENT);
        }
    }
    sweep(&mut lab);
    let mut left: Vec<_> = lab.flows().iter().map(|flow| (flow.client.port(), flow.state)).collect();
    left.sort_unstable();
    assert_eq!(left, [(103, "C-SENT"), (104, "ESTABLISHED"), (105, "CLOSED")]);
    assert_eq!(lab.stats.dropped_entries.get(), 3);
}

/// Of the established flows of i packets that have been idle for a minute, every i-th ends, the first included; flows of
/// more than eight packets stay.
#[test]
fn every_ith_idle_flow_of_i_packets_ends() {
    for (packets, dropped) in [(1, 6), (2, 3), (3, 2), (4, 2), (6, 1), (8, 1), (9, 0), (40, 0)] {
        let (mut lab, _) = small();
        lab.switch(|switches| switches.sloppy_tcp = true);
        for cport in 100..106 {
            lab.sends(cport, &vec![ACK; packets]);
        }
        lab.wait_seconds(60);
        sweep(&mut lab);
        assert_eq!(lab.stats.dropped_entries.get(), dropped, "{packets} packets");
        assert_eq!(lab.flows().len() as u64, 6 - dropped, "{packets} packets");
    }
}

#[test]
fn a_flow_that_saw_a_packet_within_the_minute_stays() {
    for (idle, dropped) in [(20, 0), (70, 1)] {
        let (mut lab, _) = small();
        lab.sends(100, &[SYN, ACK]);
        lab.wait(Jiffies::ticks(idle));
        // It lies in the first slot: one second is enough.
        lab.switch(|switches| switches.drop_entry = true);
        lab.wait(1);
        assert_eq!(lab.stats.dropped_entries.get(), dropped, "idle for {idle} s");
    }
}

#[test]
fn datagram_flows_are_tested_as_established_ones() {
    let mut lab = Lab::with_flows(64);
    lab.add(service(Protocol::Udp, 53, "rr"), [masq(1, 53)]);
    for cport in 100..104 {
        for _ in 0..2 {
            assert_eq!(lab.client_sends(&from_gateway(CLIENT).udp(cport, 53)).0, TO_REAL);
        }
    }
    lab.wait_seconds(60);
    sweep(&mut lab);
    assert_eq!((lab.flows().len(), lab.stats.dropped_entries.get()), (2, 2));
}

/// A thirty-second part of the table each second, and never more than the loop's budget at a time.
#[test]
fn the_work_is_bounded_by_the_second_and_by_the_loop() {
    let mut lab = Lab::with_flows(1024);
    lab.add(service(Protocol::Tcp, 80, "rr"), [masq(1, 80)]);
    for cport in 1000..2024 {
        lab.sends(cport, &[SYN]);
    }
    lab.switch(|switches| switches.drop_entry = true);
    let mut seen = Vec::new();
    for _ in 0..5 {
        lab.lcore.expire(lab.now, 10);
        seen.push(lab.stats.dropped_entries.get());
    }
    assert_eq!(seen, [10, 20, 30, 32, 32]);
    lab.tick(Jiffies::HZ - 1);
    lab.lcore.expire(lab.now, 1000);
    assert_eq!(lab.stats.dropped_entries.get(), 32);
    lab.tick(1);
    lab.lcore.expire(lab.now, 1000);
    assert_eq!(lab.stats.dropped_entries.get(), 64);
}

#[test]
fn an_ended_flow_is_seen_no_more() {
    let (mut lab, _) = small();
    lab.sends(100, &[SYN]);
    sweep(&mut lab);
    assert_eq!(lab.flows(), []);
    assert_eq!(lab.real_sends(&reply(1, 80, 100, SYN | ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.reaches(&request(100, SYN)), 1, "its client may try again");
}

// drop_entry and templates.

/// Room for 64 flows and 64 templates: two of each are visited each second.
fn persistent_lab(protocol: Protocol, one_packet: bool) -> (Lab, ServiceKey) {
    let mut lab = Lab::with_tables(64, 64);
    let config = persistent(service(protocol, 80, "rr"), 600, 32);
    let key = lab.add(ServiceConfig { one_packet, ..config }, [masq(1, 80)]);
    (lab, key)
}

fn from(client: u8) -> Frame {
    from_gateway(Ipv4Addr::new(203, 0, 113, client))
}

fn clients(lab: &Lab) -> Vec<u8> {
    lab.templates().iter().map(|template| last_byte(template.client.ip())).collect()
}

/// Answered or not is all that counts; one with connections under it stays.
#[test]
fn templates_of_unanswered_clients_end_and_assured_ones_stay() {
    let (mut lab, key) = persistent_lab(Protocol::Tcp, false);
    let long = [&[SYN][..], &[ACK; 9]].concat();
    for (client, flags) in [(1, &[SYN, RST][..]), (2, &[SYN, ACK, RST]), (3, &[SYN, FIN]), (4, &long)] {
        for &flags in flags {
            assert_eq!(lab.client_sends(&from(client).tcp(100, 80, flags)).0, TO_REAL);
        }
    }
    lab.wait_seconds(70);
    assert_eq!((lab.flows().len(), lab.templates().len()), (2, 4), "TIME_WAIT and ESTABLISHED are left");
    sweep(&mut lab);
    assert_eq!(clients(&lab), [2, 3, 4]);
    assert_eq!((lab.stats.dropped_entries.get(), lab.persistent(lab.id(&key, 1))), (1, 3));
}

/// What drop_entry ends takes its template along, if the client was never answered (reference 3.4).
#[test]
fn a_half_open_flow_takes_its_template_along() {
    let (mut lab, key) = persistent_lab(Protocol::Tcp, false);
    assert_eq!(lab.client_sends(&from(1).tcp(100, 80, SYN)).0, TO_REAL);
    sweep(&mut lab);
    assert_eq!((lab.flows(), lab.templates(), lab.persistent(lab.id(&key, 1))), (vec![], vec![], 0));
    assert_eq!(lab.reaches(&from(1).tcp(100, 80, SYN)), 1);
}

/// Of a service that is scheduled by the packet, templates are tested as flows are: every i-th idle one of i packets.
#[test]
fn templates_of_one_packet_services_are_tested() {
    for (packets, dropped) in [(1, 6), (2, 3), (3, 2), (8, 1), (9, 0)] {
        let (mut lab, _) = persistent_lab(Protocol::Udp, true);
        for client in 1..=6 {
            for _ in 0..packets {
                assert_eq!(lab.client_sends(&from(client).udp(100, 80)).0, TO_REAL);
            }
        }
        lab.wait(Jiffies::ticks(25));
        sweep(&mut lab);
        assert_eq!(lab.stats.dropped_entries.get(), 0, "used within the minute");
        lab.wait(Jiffies::ticks(3));
        sweep(&mut lab);
        assert_eq!((lab.stats.dropped_entries.get(), lab.templates().len()), (dropped, 6 - dropped as usize));
    }
}

/// The service counts as it is now: once the flag is gone, never answered is reason enough.
#[test]
fn a_template_is_judged_by_its_service_of_now() {
    let (mut lab, _) = persistent_lab(Protocol::Udp, true);
    assert_eq!(lab.client_sends(&from(1).udp(100, 80)).0, TO_REAL);
    sweep(&mut lab);
    assert_eq!(clients(&lab), [1]);
    let config = persistent(service(Protocol::Udp, 80, "rr"), 600, 32);
    lab.change(|director| director.edit_service(config)).unwrap();
    sweep(&mut lab);
    assert_eq!(clients(&lab), []);
}

#[test]
fn the_work_on_templates_is_bounded_too() {
    let mut lab = Lab::with_tables(1024, 1024);
    let config = persistent(service(Protocol::Udp, 80, "rr"), 600, 32);
    lab.add(config, [masq(1, 80)]);
    for n in 0..1024u32 {
        let client = std::net::Ipv4Addr::from_bits(0xcb00_0000 + n);
        assert_eq!(lab.client_sends(&from_gateway(client).udp(100, 80)).0, TO_REAL);
    }
    // Never answered, and no flow is left.
    lab.wait_seconds(300);
    assert_eq!((lab.flows().len(), lab.templates().len()), (0, 1024));
    lab.switch(|switches| switches.drop_entry = true);
    let mut seen = Vec::new();
    for _ in 0..5 {
        lab.lcore.expire(lab.now, 10);
        seen.push(lab.stats.dropped_entries.get());
    }
    assert_eq!(seen, [10, 20, 30, 32, 32]);
    lab.tick(Jiffies::HZ);
    lab.lcore.expire(lab.now, 1000);
    assert_eq!(lab.stats.dropped_entries.get(), 64);
}
