//! What users of other balancers complain of, and what happens here instead.
mod common;

use common::wire::seen;
use common::*;
use sluice_core::{DropReason, Jiffies, Protocol, RealConfig, ServiceConfig};
use sluice_packet::header::flags::{ACK, FIN, PSH, SYN};

fn quiesced(config: RealConfig) -> RealConfig {
    RealConfig { weight: 0, ..config }
}

/// Taken out by weight 0, a real keeps its connections; removed, its flows wait for it, and go on where it comes back.
#[test]
fn removing_a_real_cuts_its_live_connections() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    lab.sends(40_000, &[SYN, ACK]);
    lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
    for _ in 0..3 {
        assert_eq!(lab.reaches(&request(40_000, ACK | PSH).payload(b"on")), 2);
        assert_eq!(lab.real_sends(&reply(2, 80, 40_000, ACK)).0, TO_CLIENT);
    }
    lab.change(|director| director.delete_real(&key, real(2).into(), 80)).unwrap();
    assert_eq!(lab.state(), ("ESTABLISHED", 900), "the flow stays");
    assert_eq!(lab.real_sends(&reply(2, 80, 40_000, ACK)).0, TO_CLIENT, "its replies still pass");
    lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2);
    assert_eq!(lab.real_sends(&reply(2, 80, 40_000, ACK)).0, TO_CLIENT);
}

/// Which connections hold it up is told one by one; they go with their timeouts, and new ones come to others.
#[test]
fn a_drained_real_never_empties() {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    for cport in 40_000..40_006 {
        lab.sends(cport, &[SYN, ACK]);
    }
    let id = lab.id(&key, 2);
    lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
    let left = |lab: &Lab| -> Vec<u16> {
        let mut ports: Vec<u16> =
            lab.flows().iter().filter(|flow| flow.real == id).map(|flow| flow.client.port()).collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!(left(&lab), [40_000, 40_002, 40_004]);
    assert_eq!(lab.connections(id), (3, 0));
    lab.sends(40_000, &[FIN]);
    assert_eq!(lab.connections(id), (2, 1));
    lab.wait_seconds(61);
    assert_eq!((left(&lab), lab.connections(id)), (vec![40_002, 40_004], (2, 0)));
    assert_eq!(lab.open(40_010..40_013), "111", "it gets nothing new");
    lab.wait_seconds(900);
    assert_eq!((left(&lab), lab.connections(id)), (vec![], (0, 0)));
}

/// A controller that comes back states what it wants: its rules put the weight right, and the flows do not notice.
#[test]
fn the_weight_is_stuck_at_0_after_a_controller_restart() {
    let (mut lab, key) = Lab::tcp("wrr", [masq(1, 80), RealConfig { weight: 3, ..masq(2, 80) }]);
    lab.sends(40_000, &[SYN, ACK]);
    // It drained the real, and died.
    lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
    // ipvsadm-restore: -C, -A, -a.
    lab.director.flush();
    lab.add(service(Protocol::Tcp, 80, "wrr"), [masq(1, 80), RealConfig { weight: 3, ..masq(2, 80) }]);
    let reals = &lab.director.service(&key).unwrap().reals;
    assert_eq!(reals.iter().map(|real| real.config.weight).collect::<Vec<_>>(), [3, 1]);
    let reached = lab.open(40_001..40_009);
    assert_eq!(reached.matches('2').count(), 6, "{reached}");
    assert_eq!(lab.reaches(&request(40_000, ACK)), 2, "the flow from before");
}

/// What a client's port was used for last does not bind it to a real that drains or is gone.
#[test]
fn a_reused_client_port_meets_a_draining_or_dead_real() {
    // Closed: every mode but 0 schedules the port anew.
    for (mode, expected) in [(0, 2), (1, 1), (2, 1)] {
        let (mut lab, key) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
        lab.switch(|switches| switches.conn_reuse_mode = mode);
        lab.sends(40_000, &[SYN, FIN]);
        lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
        assert_eq!(lab.reaches(&request(40_000, SYN)), expected, "mode {mode}");
    }
    // Not closed, for the client was killed: with expire_nodest_conn in any mode.
    for mode in 0..=3 {
        let (mut lab, key) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
        lab.switch(|switches| (switches.conn_reuse_mode, switches.expire_nodest_conn) = (mode, true));
        lab.sends(40_000, &[SYN, ACK]);
        lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
        assert_eq!(lab.reaches(&request(40_000, SYN)), 1, "draining, mode {mode}");
        lab.change(|director| director.edit_real(&key, masq(2, 80))).unwrap();
        assert_eq!(lab.open([40_001]), "2");
        lab.change(|director| director.delete_real(&key, real(2).into(), 80)).unwrap();
        assert_eq!(lab.reaches(&request(40_001, SYN)), 1, "dead, mode {mode}");
    }
}

/// The kernel with conntrack drops that SYN, and the client tries again a second later.
#[test]
fn reuse_of_a_client_port_drops_the_first_syn() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    for round in 0..20 {
        let (verdict, bytes) = lab.client_sends(&request(40_000, SYN));
        assert_eq!(verdict, TO_REAL, "round {round}");
        let n = bytes[5];
        assert_eq!(lab.real_sends(&reply(n, 80, 40_000, SYN | ACK)).0, TO_CLIENT, "answered at once");
        lab.sends(40_000, &[ACK, FIN | ACK]);
        lab.real_sends(&reply(n, 80, 40_000, FIN | ACK));
        assert_eq!(lab.flow().state, "TIME_WAIT");
    }
    assert_eq!(lab.stats.flows_made.get(), 20);
}

/// A resolver that asks from one port for ever.
#[test]
fn datagrams_vanish_after_their_real_is_removed() {
    let (mut lab, key) = Lab::udp("rr", [masq(1, 53), masq(2, 53)]);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    let query = from_gateway(CLIENT).udp(5353, 53);
    for _ in 0..3 {
        assert_eq!(lab.reaches(&query), 2);
    }
    lab.change(|director| director.delete_real(&key, real(2).into(), 53)).unwrap();
    for _ in 0..3 {
        assert_eq!(lab.reaches(&query), 1);
    }
    assert_eq!(lab.stats.flows_made.get(), 2);
}

/// The very packet that finds the real gone goes to another; none is spent on finding out.
#[test]
fn the_packet_that_finds_the_dead_real_is_lost() {
    let (mut lab, key) = Lab::udp("rr", [masq(1, 53), masq(2, 53)]);
    lab.switch(|switches| switches.expire_nodest_conn = true);
    lab.add(service(Protocol::Tcp, 80, "rr"), [masq(1, 80), masq(2, 80)]);
    assert_eq!(lab.reaches(&from_gateway(CLIENT).udp(5353, 53)), 2);
    assert_eq!(lab.open([40_000]), "2");
    lab.change(|director| director.delete_real(&key, real(2).into(), 53)).unwrap();
    lab.change(|director| director.delete_real(&service(Protocol::Tcp, 80, "").key, real(2).into(), 80))
        .unwrap();
    let (verdict, bytes) = lab.client_sends(&from_gateway(CLIENT).udp(5353, 53).payload(b"query"));
    assert_eq!((verdict, seen(&bytes).destination.ip()), (TO_REAL, real(1).into()));
    assert_eq!(lab.reaches(&request(40_000, SYN)), 1);
    let dropped: u64 = DropReason::ALL.iter().map(|reason| lab.dropped(*reason)).sum();
    assert_eq!(dropped, 0);
}

/// With expire_quiescent_template the client's next connection goes elsewhere, and stays there; those it has go on.
#[test]
fn a_template_feeds_a_quiescent_real_for_hours() {
    for (expire, expected) in [(false, 2), (true, 1)] {
        let mut lab = Lab::new();
        let config = persistent(service(Protocol::Tcp, 80, "rr"), 7200, 32);
        let key = lab.add(config, [masq(1, 80), masq(2, 80)]);
        lab.switch(|switches| switches.expire_quiescent_template = expire);
        lab.sends(40_000, &[SYN, ACK]);
        lab.change(|director| director.edit_real(&key, quiesced(masq(2, 80)))).unwrap();
        for cport in 40_001..40_010 {
            lab.wait(Jiffies::ticks(600));
            assert_eq!(lab.reaches(&request(40_000, ACK)), 2, "the connection it has");
            assert_eq!(lab.reaches(&request(cport, SYN)), expected);
        }
    }
}

/// The kernel's rule, exactly: a template with its time over is kept while there are connections, closed ones in TIME_WAIT
/// among them, and looked at again each minute; never longer. The client's last new connection is what counts.
#[test]
fn the_persistence_timeout_is_stretched_by_time_wait() {
    let close = |lab: &mut Lab, cport| {
        lab.sends(cport, &[SYN, ACK, FIN | ACK]);
        assert_eq!(lab.real_sends(&reply(2, 80, cport, FIN | ACK)).0, TO_CLIENT);
    };
    // Seconds of persistence, and when it has ended: after TIME_WAIT's 120 s by full minutes, or as asked for.
    for (timeout, ends) in [(30, 150), (50, 170), (100, 160), (121, 121), (300, 300)] {
        let mut lab = Lab::new();
        lab.add(persistent(service(Protocol::Tcp, 80, "rr"), timeout, 32), [masq(1, 80), masq(2, 80)]);
        close(&mut lab, 40_000);
        let made = lab.now;
        while !lab.templates().is_empty() {
            lab.wait(1);
            assert!(lab.now.since(made) <= 300 * 250, "{timeout} s never end");
        }
        assert_eq!(lab.now.since(made), ends * 250, "-p {timeout}");
    }
}

/// Each service has its own, with its own flags, and changes it without the others.
#[test]
fn the_scheduler_is_the_same_for_all_services() {
    let mut lab = Lab::new();
    let reals = |port| [masq(1, port), masq(2, port), quiesced(masq(3, port))];
    let in_turn = lab.add(service(Protocol::Tcp, 80, "rr"), reals(80));
    lab.add(ServiceConfig { flags: 0b11, ..service(Protocol::Tcp, 81, "mh") }, reals(81));
    lab.add(service(Protocol::Udp, 53, "sh"), reals(53));
    let tcp = |cport, port| from_gateway(CLIENT).tcp(cport, port, SYN);
    let in_turn_choices: Vec<u8> = (1..=4).map(|cport| lab.reaches(&tcp(cport, 80))).collect();
    assert_eq!(in_turn_choices, [2, 1, 2, 1]);
    // mh-port spreads one client over its ports, and mh-fallback finds a real for each.
    let by_port: Vec<u8> = (1..=40).map(|cport| lab.reaches(&tcp(1000 + cport, 81))).collect();
    assert!(by_port.contains(&1) && by_port.contains(&2), "{by_port:?}");
    // sh without sh-port: one client, one real.
    let of_client: Vec<_> = (1..10)
        .map(|cport| {
            let (verdict, bytes) = lab.client_sends(&from_gateway(CLIENT).udp(cport, 53));
            (verdict, bytes[5])
        })
        .collect();
    assert!(of_client.iter().all(|choice| choice == &of_client[0]), "{of_client:?}");
    lab.change(|director| director.edit_service(service(Protocol::Tcp, 80, "fo"))).unwrap();
    assert_eq!(lab.director.service(&in_turn).unwrap().config.scheduler, "fo");
    assert_eq!(lab.reaches(&tcp(50, 80)), lab.reaches(&tcp(51, 80)));
    let again: Vec<u8> = (1..=40).map(|cport| lab.reaches(&tcp(1000 + cport, 81))).collect();
    assert_eq!(again, by_port, "flows of the other service");
}
