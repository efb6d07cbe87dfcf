//! Persistent services: what keeps a client with its real, for how long, and what ends it (reference 3.4, 4.1).
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use sluice_core::{
    ConfigError, DropReason, Jiffies, Persistence, Protocol, RealConfig, ServiceConfig, ServiceKey, Verdict,
};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};

/// TCP port 80, kept for 300 s, with these reals, the first added first.
fn web(reals: impl IntoIterator<Item = RealConfig>) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), reals);
    (lab, key)
}

fn three() -> (Lab, ServiceKey) {
    web((1..=3).map(|n| masq(n, 8080)))
}

fn syn(client: u8, cport: u16) -> Frame {
    from_gateway(Ipv4Addr::new(203, 0, 113, client)).tcp(cport, 80, SYN)
}

fn endpoint(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::from((address, port))
}

fn edit(lab: &mut Lab, key: &ServiceKey, real: RealConfig) {
    lab.change(|director| director.edit_real(key, real)).unwrap();
}

fn delete(lab: &mut Lab, key: &ServiceKey, n: u8) {
    lab.change(|director| director.delete_real(key, real(n).into(), 8080)).unwrap();
}

// Who keeps what.

#[test]
fn a_client_keeps_its_real_and_another_gets_the_next() {
    let (mut lab, key) = three();
    for (client, n) in [(7, 3), (8, 2), (9, 1), (10, 3)] {
        for cport in [40_000, 40_001, 40_002] {
            assert_eq!(lab.reaches(&syn(client, cport)), n, "client {client}");
        }
    }
    assert_eq!([1, 2, 3].map(|n| lab.persistent(lab.id(&key, n))), [1, 1, 2]);
    assert_eq!(
        [1, 2, 3].map(|n| lab.real_stats(lab.id(&key, n)).conns),
        [3, 3, 6],
        "templates are no connections"
    );
    assert_eq!(lab.connections(lab.id(&key, 3)), (6, 0));
}

#[test]
fn a_template_shows_network_service_and_real() {
    let (mut lab, key) = three();
    lab.reaches(&syn(7, 40_000));
    let template = lab.template();
    assert_eq!(template.protocol, 6);
    assert_eq!(template.client, endpoint(CLIENT, 0));
    assert_eq!(template.virtual_endpoint, endpoint(VIP, 80));
    assert_eq!(template.destination, endpoint(real(3), 8080));
    assert_eq!((template.real, template.state, template.expires), (lab.id(&key, 3), "NONE", 300));
    assert_eq!((template.controls, template.in_packets), (1, 0));
    let (_, bytes) = lab.client_sends(&syn(7, 40_001));
    assert_eq!(seen(&bytes).destination, endpoint(real(3), 8080), "the real's port stands for the service's");
}

/// `-M 255.255.255.0`: the clients of a /24 count as one; 0.0.0.0: all do; any bits may count.
#[test]
fn a_netmask_makes_many_clients_one() {
    let mut lab = Lab::new();
    let config = persistent(service(Protocol::Tcp, 80, "rr"), 300, 24);
    let key = lab.add(config, [masq(1, 80), masq(2, 80)]);
    assert_eq!([7, 8, 200].map(|client| lab.reaches(&syn(client, 40_000))), [2, 2, 2]);
    let elsewhere = from_gateway(Ipv4Addr::new(203, 0, 112, 7)).tcp(40_000, 80, SYN);
    assert_eq!(lab.reaches(&elsewhere), 1);
    let clients: Vec<_> = lab.templates().iter().map(|template| template.client.ip()).collect();
    assert_eq!(clients, [Ipv4Addr::new(203, 0, 112, 0), Ipv4Addr::new(203, 0, 113, 0)]);

    lab.change(|director| director.edit_service(persistent(service(Protocol::Tcp, 80, "rr"), 300, 0)))
        .unwrap();
    let all = [1, 2, 3].map(|n| lab.reaches(&from_gateway(Ipv4Addr::new(n, n, n, n)).tcp(40_000, 80, SYN)));
    assert!(all == [1; 3] || all == [2; 3], "{all:?}");

    let odd = Persistence { timeout: 300, netmask: 0x0000_0001 };
    let config = ServiceConfig { persistence: Some(odd), ..service(Protocol::Tcp, 80, "rr") };
    lab.change(|director| director.edit_service(config)).unwrap();
    let chosen = [4, 6, 5, 8, 7].map(|client| lab.reaches(&syn(client, 41_000)));
    assert_eq!((chosen[0], chosen[1], chosen[3]), (chosen[0], chosen[0], chosen[0]), "even");
    assert_eq!((chosen[2], chosen[4]), (3 - chosen[0], 3 - chosen[0]), "odd");
    assert_eq!(lab.director.service(&key).unwrap().config.persistence, Some(odd));
}

/// TCP and UDP of one port are two services, whose clients keep reals of their own.
#[test]
fn templates_are_a_protocols_own() {
    let (mut lab, _) = three();
    lab.add(persistent(service(Protocol::Udp, 80, "rr"), 300, 32), [masq(5, 80)]);
    assert_eq!(lab.reaches(&syn(7, 40_000)), 3);
    assert_eq!(lab.reaches(&from_gateway(CLIENT).udp(40_000, 80)), 5);
    assert_eq!(lab.templates().iter().map(|template| template.protocol).collect::<Vec<_>>(), [6, 17]);
}

/// Weight 0 and thresholds turn new clients away, not those that a template knows.
#[test]
fn known_clients_pass_weight_0_and_overload() {
    let (mut lab, key) = web([masq(1, 8080), RealConfig { upper: 1, ..masq(2, 8080) }]);
    assert_eq!(lab.reaches(&syn(7, 40_000)), 2);
    assert!(lab.counts(lab.id(&key, 2)).overloaded());
    assert_eq!(lab.reaches(&syn(7, 40_001)), 2, "overloaded");
    assert_eq!(lab.reaches(&syn(8, 40_000)), 1, "another is turned away");
    edit(&mut lab, &key, RealConfig { weight: 0, ..masq(2, 8080) });
    assert_eq!(lab.reaches(&syn(7, 40_002)), 2, "quiesced");
    assert_eq!(lab.reaches(&syn(9, 40_000)), 1);
}

#[test]
fn without_a_real_a_new_client_is_dropped_and_leaves_no_template() {
    let (mut lab, key) = web([RealConfig { weight: 0, ..masq(1, 8080) }]);
    assert_eq!(lab.client_sends(&syn(7, 40_000)).0, Verdict::Drop(DropReason::NoReal));
    assert_eq!((lab.templates(), lab.persistent(lab.id(&key, 1))), (vec![], 0));
}

/// A template names the real, not its method: an edit holds for the client's next connection.
#[test]
fn the_reals_method_is_that_of_now() {
    let (mut lab, key) = web([masq(1, 80)]);
    lab.reaches(&syn(7, 40_000));
    edit(&mut lab, &key, route(1, 80));
    let (verdict, bytes) = lab.client_sends(&syn(7, 40_001));
    assert_eq!((verdict, seen(&bytes).destination.ip()), (TO_REAL, VIP.into()));
}

// What ends it.

#[test]
fn expire_quiescent_template_frees_clients_of_a_quiesced_real() {
    let (mut lab, key) = three();
    lab.switch(|switches| switches.expire_quiescent_template = true);
    assert_eq!(lab.reaches(&syn(7, 40_000)), 3);
    edit(&mut lab, &key, RealConfig { weight: 0, ..masq(3, 8080) });
    assert_eq!(lab.reaches(&from_gateway(CLIENT).tcp(40_000, 80, ACK)), 3, "its flows go on");
    assert_eq!(lab.reaches(&syn(7, 40_001)), 2, "its next connection does not");
    edit(&mut lab, &key, masq(3, 8080));
    assert_eq!(lab.reaches(&syn(7, 40_002)), 2, "and it stays there");
}

/// The old template only waits for its end, and shows port 65535.
#[test]
fn a_template_out_of_use_keeps_its_timer_and_is_found_no_more() {
    let (mut lab, key) = three();
    lab.reaches(&syn(7, 40_000));
    let id = lab.id(&key, 3);
    delete(&mut lab, &key, 3);
    lab.wait_seconds(10);
    assert_eq!(lab.reaches(&syn(7, 40_001)), 2);
    let shown: Vec<_> = lab.templates().iter().map(|one| (one.virtual_endpoint, one.destination)).collect();
    assert_eq!(
        shown,
        [(endpoint(VIP, 80), endpoint(real(2), 8080)), (endpoint(VIP, 65_535), endpoint(real(3), 65_535))]
    );
    assert_eq!(lab.templates()[1].expires, 289);
    assert_eq!((lab.persistent(id), lab.persistent(lab.id(&key, 2))), (1, 1));
    // Back again: the real is there, the template is not.
    lab.change(|director| director.add_real(&key, masq(3, 8080))).unwrap();
    assert_eq!(lab.reaches(&syn(7, 40_002)), 2);
    lab.wait_seconds(291);
    assert_eq!((lab.persistent(id), lab.templates().len()), (0, 1));
}

/// A real that comes back before its clients notice has them again.
#[test]
fn a_removed_real_comes_back_with_its_templates() {
    let (mut lab, key) = three();
    lab.reaches(&syn(7, 40_000));
    delete(&mut lab, &key, 3);
    lab.change(|director| director.add_real(&key, masq(3, 8080))).unwrap();
    assert_eq!(lab.reaches(&syn(7, 40_001)), 3);
    assert_eq!(lab.persistent(lab.id(&key, 3)), 1);
}

/// Its slot is no other real's as long as a template names it.
#[test]
fn a_template_keeps_a_removed_reals_slot() {
    let (mut lab, key) = three();
    lab.sends_close(&syn(7, 40_000));
    delete(&mut lab, &key, 3);
    lab.wait_seconds(200);
    assert_eq!(lab.flows(), []);
    for _ in 0..2 {
        assert_eq!(lab.director.collect_trash(lab.now), [], "the template is there");
        lab.wait_seconds(45);
    }
    lab.wait_seconds(20);
    assert_eq!(lab.templates(), []);
    lab.director.collect_trash(lab.now);
    lab.wait_seconds(121);
    assert_eq!(lab.director.collect_trash(lab.now).len(), 1);
}

trait Closes {
    fn sends_close(&mut self, syn: &Frame);
}

impl Closes for Lab {
    /// A connection that is answered and over at once: ten seconds later it is gone.
    fn sends_close(&mut self, syn: &Frame) {
        self.reaches(syn);
        let bytes = syn.build();
        let cport = u16::from_be_bytes([bytes[34], bytes[35]]);
        for flags in [ACK, RST] {
            assert_eq!(self.client_sends(&request(cport, flags)).0, TO_REAL);
        }
    }
}

// Its timer.

/// New connections restart it, packets of those that are there do not.
#[test]
fn only_a_new_connection_restarts_the_timer() {
    let (mut lab, _) = three();
    lab.sends_close(&syn(7, 40_000));
    lab.wait_seconds(100);
    assert_eq!(lab.template().expires, 199);
    lab.reaches(&syn(7, 40_001));
    assert_eq!(lab.template().expires, 300);
    lab.wait_seconds(50);
    for flags in [ACK, SYN, FIN | ACK] {
        assert_eq!(lab.client_sends(&request(40_001, flags)).0, TO_REAL);
        assert_eq!(lab.real_sends(&reply(3, 8080, 40_001, ACK)).0, TO_CLIENT);
    }
    assert_eq!(lab.template().expires, 249);
}

#[test]
fn a_template_ends_after_its_timeout() {
    let (mut lab, key) = three();
    let id = lab.id(&key, 3);
    lab.sends_close(&syn(7, 40_000));
    lab.wait_seconds(299);
    assert_eq!((lab.template().expires, lab.persistent(id)), (0, 1));
    assert_eq!(lab.reaches(&syn(7, 40_001)), 3, "to the last moment");
    lab.client_sends(&request(40_001, RST));
    lab.wait_seconds(300);
    assert_eq!((lab.templates(), lab.persistent(id)), (vec![], 0));
    assert_eq!(lab.reaches(&syn(7, 40_002)), 2, "a new client now");
}

/// Exactly then, whether or not the table has been walked over since.
#[test]
fn the_end_comes_to_the_jiffy() {
    for (ticks, kept) in [(Jiffies::ticks(300) - 1, true), (Jiffies::ticks(300), false)] {
        let (mut lab, key) = three();
        lab.sends_close(&syn(7, 40_000));
        let made = lab.now;
        lab.wait_seconds(20);
        lab.now = made.after(ticks);
        assert_eq!(lab.templates().len(), usize::from(kept));
        assert_eq!(lab.reaches(&syn(7, 40_001)) == 3, kept);
        assert_eq!(lab.persistent(lab.id(&key, 3)), u32::from(kept), "freed when it is met");
    }
}

/// With connections under it, the timer starts anew with 60 s, and stays at that: the kernel's rule, however long the
/// persistence asked for is. A connection in TIME_WAIT thus lengthens a template's life by a minute at a time.
#[test]
fn a_template_with_connections_falls_to_cycles_of_60_seconds() {
    let (mut lab, key) = three();
    lab.reaches(&syn(7, 40_000));
    lab.client_sends(&request(40_000, ACK));
    lab.wait_seconds(301);
    assert_eq!(lab.template().expires, 58, "300 s are over, the connection is not");
    lab.wait_seconds(90);
    assert_eq!(lab.template().expires, 28);
    // TIME_WAIT, which lasts for two minutes.
    lab.client_sends(&request(40_000, FIN | ACK));
    lab.real_sends(&reply(3, 8080, 40_000, FIN | ACK));
    assert_eq!(lab.flow().state, "TIME_WAIT");
    lab.wait_seconds(119);
    assert_eq!(lab.template().expires, 28, "still there for its sake");
    lab.wait_seconds(1);
    assert_eq!(lab.flows(), []);
    assert_eq!((lab.template().expires, lab.template().controls), (27, 0));
    assert_eq!(lab.reaches(&syn(7, 40_001)), 3);
    assert_eq!(lab.template().expires, 60, "not 300 any more");
    lab.sends(40_001, &[ACK, RST]);
    lab.wait_seconds(60);
    assert_eq!((lab.templates(), lab.persistent(lab.id(&key, 3))), (vec![], 0));
}

// Its state.

#[test]
fn an_established_connection_assures_it() {
    let (mut lab, _) = three();
    lab.reaches(&syn(7, 40_000));
    lab.real_sends(&reply(3, 8080, 40_000, SYN | ACK));
    assert_eq!(lab.template().state, "NONE");
    lab.client_sends(&request(40_000, ACK));
    assert_eq!(lab.template().state, "ASSURED");
    lab.client_sends(&request(40_000, RST));
    lab.reaches(&syn(7, 40_001));
    assert_eq!(lab.template().state, "ASSURED", "for good");
}

/// Of direct routing replies may pass, in the name of the service.
#[test]
fn a_udp_reply_assures_it() {
    for forward in [masq as fn(u8, u16) -> RealConfig, route] {
        let mut lab = Lab::new();
        lab.add(persistent(service(Protocol::Udp, 53, "rr"), 300, 32), [forward(1, 53)]);
        for _ in 0..3 {
            lab.reaches(&from_gateway(CLIENT).udp(40_000, 53));
        }
        assert_eq!(lab.template().state, "NONE");
        let is_route = forward(1, 53).forward == sluice_core::Forward::Route;
        let (from, verdict) = if is_route { (VIP, Verdict::ToKernel) } else { (real(1), TO_CLIENT) };
        for _ in 0..2 {
            assert_eq!(lab.real_sends(&from_link(1).ipv4(from, CLIENT).udp(53, 40_000)).0, verdict);
            assert_eq!(lab.template().state, "ASSURED");
        }
        assert_eq!(lab.flow().expires, 300);
    }
}

/// Of SCTP an association that is set up does.
#[test]
fn an_sctp_association_assures_it() {
    let mut lab = Lab::new();
    lab.add(persistent(service(Protocol::Sctp, 9899, "rr"), 300, 32), [masq(1, 9899), masq(2, 9899)]);
    let request = |chunk| from_gateway(CLIENT).sctp(40_000, 9899, chunk).payload(b"four");
    let reply = |chunk| from_link(2).ipv4(real(2), CLIENT).sctp(9899, 40_000, chunk).payload(b"four");
    // INIT, INIT ACK, COOKIE ECHO, COOKIE ACK.
    assert_eq!(lab.reaches(&request(1)), 2);
    assert_eq!(lab.real_sends(&reply(2)).0, TO_CLIENT);
    assert_eq!(lab.reaches(&request(10)), 2);
    assert_eq!((lab.template().state, lab.flow().state), ("NONE", "C-REPLIED"));
    assert_eq!(lab.real_sends(&reply(11)).0, TO_CLIENT);
    assert_eq!((lab.template().state, lab.flow().state), ("ASSURED", "ESTABLISHED"));
    assert_eq!(lab.template().protocol, 132);
}

/// A flow under a template stays with its real, so a SYN has no need to replace it.
#[test]
fn a_syn_follows_a_closed_flow_that_has_a_template() {
    for mode in 0..=3 {
        let (mut lab, _) = three();
        lab.switch(|switches| switches.conn_reuse_mode = mode);
        lab.sends_close(&syn(7, 40_000));
        assert_eq!(lab.flow().state, "CLOSE");
        assert_eq!(lab.reaches(&syn(7, 40_000)), 3);
        assert_eq!((lab.flow().state, lab.stats.flows_made.get()), ("SYN_RECV", 1), "mode {mode}");
    }
}

/// With expire_nodest_conn a SYN leaves the flow, and meets the template.
#[test]
fn a_rescheduled_flow_lets_go_of_its_template() {
    let (mut lab, key) = three();
    lab.switch(|switches| switches.expire_nodest_conn = true);
    lab.reaches(&syn(7, 40_000));
    edit(&mut lab, &key, RealConfig { weight: 0, ..masq(3, 8080) });
    assert_eq!(lab.reaches(&syn(7, 40_000)), 3, "the template still holds");
    assert_eq!((lab.template().controls, lab.stats.flows_made.get()), (1, 2));
    lab.switch(|switches| switches.expire_quiescent_template = true);
    assert_eq!(lab.reaches(&syn(7, 40_000)), 2);
    let controls: Vec<_> = lab.templates().iter().map(|template| template.controls).collect();
    assert_eq!(controls, [1, 0]);
}

// What is forced.

/// The last flow under a template is ended because its real is gone: a template that nobody answered goes with it.
#[test]
fn an_unanswered_template_goes_with_its_last_flow_if_that_is_forced() {
    for (answered, left) in [(false, 0), (true, 1)] {
        let (mut lab, key) = three();
        lab.switch(|switches| switches.expire_nodest_conn = true);
        lab.reaches(&syn(7, 40_000));
        lab.reaches(&syn(7, 40_001));
        if answered {
            lab.client_sends(&request(40_000, ACK));
        }
        delete(&mut lab, &key, 3);
        lab.wait_seconds(1);
        assert_eq!((lab.flows().len(), lab.templates().len()), (0, left), "answered: {answered}");
    }
}

/// A flow whose own time came leaves the template be.
#[test]
fn an_unanswered_template_outlives_a_flow_that_ends_by_itself() {
    let (mut lab, _) = three();
    lab.reaches(&syn(7, 40_000));
    lab.wait_seconds(61);
    assert_eq!((lab.flows().len(), lab.template().controls), (0, 0));
}

/// A flood in a full flow table costs its own flows, and the templates that hang on them.
#[test]
fn evicted_flows_take_their_unanswered_templates_along() {
    let mut lab = Lab::with_tables(8, 64);
    let key = lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), [masq(1, 8080)]);
    lab.reaches(&syn(200, 40_000));
    lab.client_sends(&from_gateway(Ipv4Addr::new(203, 0, 113, 200)).tcp(40_000, 80, ACK));
    for client in 0..100 {
        lab.reaches(&syn(client, 1024));
    }
    assert_eq!((lab.flows().len(), lab.templates().len()), (8, 8));
    assert_eq!(lab.persistent(lab.id(&key, 1)), 8);
    assert_eq!(lab.stats.evicted_templates.get(), 0, "there was room");
}

// A full table.

#[test]
fn templates_of_unanswered_clients_make_room() {
    let mut lab = Lab::with_tables(1024, 16);
    let key = lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), [masq(1, 8080), masq(2, 8080)]);
    let answered = Ipv4Addr::new(203, 0, 113, 200);
    let kept = lab.reaches(&from_gateway(answered).tcp(40_000, 80, SYN));
    lab.client_sends(&from_gateway(answered).tcp(40_000, 80, ACK));
    for client in 0..100 {
        lab.reaches(&syn(client, 1024));
    }
    assert_eq!((lab.templates().len(), lab.stats.evicted_templates.get()), (16, 85));
    assert_eq!(lab.persistent(lab.id(&key, 1)) + lab.persistent(lab.id(&key, 2)), 16);
    assert_eq!(lab.reaches(&from_gateway(answered).tcp(40_001, 80, SYN)), kept, "the answered one is spared");
    // The flows whose templates are gone go on, and end without them.
    assert_eq!(lab.reaches(&from_gateway(Ipv4Addr::new(203, 0, 113, 0)).tcp(1024, 80, ACK)), 1);
    lab.wait_seconds(1000);
    lab.wait_seconds(1000);
    assert_eq!((lab.flows(), lab.templates()), (vec![], vec![]));
    assert_eq!([1, 2].map(|n| lab.persistent(lab.id(&key, n))), [0, 0]);
    assert_eq!(lab.connections(lab.id(&key, 1)), (0, 0));
}

/// A client that could not be kept is turned away, by name: a connection at the wrong real would be the worse answer.
#[test]
fn a_table_full_of_answered_clients_drops_new_ones() {
    let mut lab = Lab::with_tables(64, 4);
    let key = lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), [masq(1, 8080)]);
    for client in 0..4 {
        lab.reaches(&syn(client, 1024));
        lab.client_sends(&from_gateway(Ipv4Addr::new(203, 0, 113, client)).tcp(1024, 80, ACK));
    }
    let full = Verdict::Drop(DropReason::TemplateTableFull);
    assert_eq!(lab.client_sends(&syn(4, 1024)).0, full);
    assert_eq!((lab.dropped(DropReason::TemplateTableFull), lab.flows().len()), (1, 4));
    assert_eq!(lab.connections(lab.id(&key, 1)).0 + lab.connections(lab.id(&key, 1)).1, 4);
    assert_eq!(lab.reaches(&syn(3, 1025)), 1, "known clients go on");
    delete(&mut lab, &key, 1);
    lab.change(|director| director.add_real(&key, masq(2, 8080))).unwrap();
    assert_eq!(lab.reaches(&syn(3, 1026)), 2, "a template out of use makes room");
}

/// Every cell comes back.
#[test]
fn cells_are_used_again() {
    let mut lab = Lab::with_tables(64, 16);
    let key = lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 30, 32), [masq(1, 8080)]);
    for round in 0..50u8 {
        for client in 0..16 {
            lab.reaches(&from_gateway(Ipv4Addr::new(203, 0, round, client)).tcp(1024, 80, SYN));
            lab.client_sends(&from_gateway(Ipv4Addr::new(203, 0, round, client)).tcp(1024, 80, RST | ACK));
        }
        assert_eq!(lab.persistent(lab.id(&key, 1)), 16, "round {round}");
        lab.wait_seconds(61);
        lab.wait_seconds(61);
        assert_eq!((lab.templates.used(), lab.persistent(lab.id(&key, 1))), (0, 0), "round {round}");
    }
    assert_eq!(lab.stats.evicted_templates.get(), 0);
}

/// The flow table is full of established flows: the template that was made first stays, as in the kernel.
#[test]
fn a_flow_that_finds_no_room_leaves_its_template_unbound() {
    let mut lab = Lab::with_tables(1, 16);
    lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), [masq(1, 8080)]);
    lab.reaches(&syn(7, 40_000));
    lab.client_sends(&request(40_000, ACK));
    assert_eq!(lab.client_sends(&syn(8, 40_000)).0, Verdict::Drop(DropReason::FlowTableFull));
    let controls: Vec<_> = lab.templates().iter().map(|template| template.controls).collect();
    assert_eq!(controls, [1, 0]);
}

// Edits of the service (reference 1.1).

#[test]
fn an_edit_replaces_persistence_and_leaves_templates_be() {
    let (mut lab, key) = three();
    lab.reaches(&syn(7, 40_000));
    lab.change(|director| director.edit_service(service(Protocol::Tcp, 80, "rr"))).unwrap();
    assert_eq!(lab.director.service(&key).unwrap().config.persistence, None);
    assert_eq!([40_001, 40_002, 40_003].map(|cport| lab.reaches(&syn(7, cport))), [2, 1, 3], "off");
    assert_eq!((lab.template().controls, lab.template().expires), (1, 300));
    let again = persistent(service(Protocol::Tcp, 80, "wlc"), 1000, 32);
    lab.change(|director| director.edit_service(again)).unwrap();
    assert_eq!(lab.reaches(&syn(7, 40_004)), 3, "on again: the template is found");
    assert_eq!(lab.template().expires, 300, "with its own timeout");
    lab.reaches(&syn(8, 40_000));
    assert_eq!(lab.templates()[1].expires, 1000, "new ones get the new one");
}

/// A flow that was there before is under no template, and ends without one.
#[test]
fn flows_from_before_are_not_under_a_template() {
    let (mut lab, _) = Lab::tcp("rr", [masq(1, 80), masq(2, 80)]);
    lab.sends(40_000, &[SYN, ACK]);
    lab.change(|director| director.edit_service(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32)))
        .unwrap();
    lab.sends(40_000, &[ACK, RST]);
    assert_eq!(lab.templates(), []);
    assert_eq!(lab.reaches(&syn(7, 40_000)), 1, "so a SYN may replace it");
    assert_eq!(lab.template().controls, 1);
}

/// A service that is deleted leaves its templates; made anew, with the same reals, it takes them up.
#[test]
fn templates_outlive_their_service() {
    let (mut lab, key) = three();
    lab.add(service(Protocol::Udp, 53, "rr"), [masq(1, 53)]);
    lab.reaches(&syn(7, 40_000));
    lab.change(|director| director.delete_service(&key)).unwrap();
    assert_eq!(lab.template().virtual_endpoint.port(), 80);
    lab.add(persistent(service(Protocol::Tcp, 80, "rr"), 300, 32), (1..=3).map(|n| masq(n, 8080)));
    assert_eq!(lab.reaches(&syn(7, 40_001)), 3);
}

// Bad input.

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let (mut lab, key) = three();
    let version = lab.director.snapshot().version;
    let good = persistent(service(Protocol::Tcp, 80, "rr"), 300, 32);
    let udp = service(Protocol::Udp, 80, "rr");
    for (timeout, fits) in [(0, false), (1, true), (2_678_400, true), (2_678_401, false), (u32::MAX, false)] {
        let config = persistent(good.clone(), timeout, 32);
        let mut director = lab.director.edit_service(config);
        assert_eq!(director.is_ok(), fits, "{timeout}");
        if !fits {
            let range = "the persistence timeout (1 to 2678400 seconds)";
            assert_eq!(director, Err(ConfigError::Range(range)));
        }
        director = lab.director.edit_service(good.clone());
        assert_eq!(director, Ok(()));
    }
    let engine = |name: &str| ServiceConfig { engine: Some(name.to_owned()), ..udp.clone() };
    assert_eq!(lab.director.add_service(engine("http")), Err(ConfigError::NoEngine("http".to_owned())));
    assert!(lab.director.service(&udp.key).is_err());
    assert_eq!(lab.director.service(&key).unwrap().config, good);
    assert!(lab.director.snapshot().version > version);
}
