//! The SIP engine (`--pe sip`, reference 4.2): calls keep their real by Call-ID, and reals may call clients.
mod common;

use std::net::{Ipv4Addr, SocketAddr};

use common::wire::seen;
use common::*;
use proptest::prelude::*;
use sluice_core::{
    ConfigError, DropReason, Ingress, Protocol, RealConfig, RealStats, ServiceConfig, ServiceKey, Verdict,
};
use sluice_packet::build::{ArrayBuf, Frame};
use sluice_packet::header::flags::SYN;

const PORT: u16 = 5060;

/// UDP port 5060 with the engine; clients of one /`length` count as one.
fn sip(length: u32) -> ServiceConfig {
    let config = persistent(service(Protocol::Udp, PORT, "rr"), 300, length);
    ServiceConfig { engine: Some("sip".to_owned()), ..config }
}

fn one_packet(config: ServiceConfig) -> ServiceConfig {
    ServiceConfig { one_packet: true, ..config }
}

fn lab(config: ServiceConfig, reals: impl IntoIterator<Item = RealConfig>) -> (Lab, ServiceKey) {
    let mut lab = Lab::new();
    let key = lab.add(config, reals);
    (lab, key)
}

fn three() -> Vec<RealConfig> {
    (1..=3).map(|n| masq(n, PORT)).collect()
}

fn message(call_id: &str) -> Vec<u8> {
    format!("INVITE sip:b SIP/2.0\r\nVia: x\r\nCall-ID: {call_id}\r\n\r\n").into_bytes()
}

fn from(client: u8, cport: u16, call_id: &str) -> Frame {
    from_gateway(Ipv4Addr::new(203, 0, 113, client)).udp(cport, PORT).payload(&message(call_id))
}

/// From real `n`'s SIP port to the client's.
fn to_client(n: u8, cport: u16, call_id: &str) -> Frame {
    from_link(n).ipv4(real(n), CLIENT).udp(PORT, cport).payload(&message(call_id))
}

fn vip() -> SocketAddr {
    SocketAddr::from((VIP, PORT))
}

/// Call-IDs and reals of all templates.
fn calls(lab: &Lab) -> Vec<(String, u8)> {
    let templates = lab.templates();
    let mut calls: Vec<_> = templates
        .iter()
        .map(|one| {
            let id = std::str::from_utf8(one.call_id.as_bytes()).unwrap().to_owned();
            (id, last_byte(one.destination.ip()))
        })
        .collect();
    calls.sort();
    calls
}

// Calls from clients.

#[test]
fn a_call_keeps_its_real_whatever_the_client_port() {
    for config in [sip(32), one_packet(sip(32))] {
        let (mut lab, key) = lab(config, three());
        for (cport, call, n) in
            [(1000, "a@x", 3), (1001, "b@x", 2), (1002, "a@x", 3), (1003, "c@x", 1), (1004, "b@x", 2)]
        {
            assert_eq!(lab.reaches(&from(7, cport, call)), n, "{call}");
        }
        assert_eq!(calls(&lab), [("a@x".to_owned(), 3), ("b@x".to_owned(), 2), ("c@x".to_owned(), 1)]);
        assert_eq!([1, 2, 3].map(|n| lab.persistent(lab.id(&key, n))), [1, 1, 1]);
        lab.wait_seconds(1000);
        assert_eq!((lab.templates(), lab.flows()), (vec![], vec![]));
        assert_eq!([1, 2, 3].map(|n| lab.persistent(lab.id(&key, n))), [0, 0, 0]);
    }
}

/// A flow's packets follow it, whatever call they are of; by the packet each call goes its own way from one port.
#[test]
fn one_port_may_carry_many_calls_by_the_packet() {
    let (mut flows, _) = lab(sip(32), three());
    assert_eq!(["a", "b", "a"].map(|call| flows.reaches(&from(7, 1000, call))), [3, 3, 3]);
    assert_eq!(calls(&flows), [("a".to_owned(), 3)]);
    let (mut packets, _) = lab(one_packet(sip(32)), three());
    assert_eq!(
        ["a", "b", "c", "a", "c", "b"].map(|call| packets.reaches(&from(7, 1000, call))),
        [3, 2, 1, 3, 1, 2]
    );
    assert_eq!(packets.templates().iter().map(|one| one.in_packets).sum::<u32>(), 6);
}

/// The Call-ID comes on top of what a template goes by: another client's is another's, unless all count as one.
#[test]
fn clients_share_a_call_only_where_they_count_as_one() {
    let (mut apart, _) = lab(sip(32), three());
    assert_eq!([7, 8, 7].map(|client| apart.reaches(&from(client, 1000, "a@x"))), [3, 2, 3]);
    let (mut together, _) = lab(sip(0), three());
    assert_eq!([7, 8, 9].map(|client| together.reaches(&from(client, 1000, "a@x"))), [3, 3, 3]);
    assert_eq!(together.reaches(&from(7, 1001, "b@x")), 2);
}

#[test]
fn a_listing_shows_the_call() {
    let (mut lab, _) = lab(sip(32), three());
    lab.reaches(&from(7, 1000, "zzz@2"));
    let template = lab.template();
    assert_eq!((template.protocol, template.virtual_endpoint, template.state), (17, vip(), "NONE"));
    assert_eq!(
        (template.client, template.call_id.as_bytes()),
        (SocketAddr::from((CLIENT, 0)), &b"zzz@2"[..])
    );
    assert_eq!((format!("{:?}", template.call_id), template.controls), ("\"zzz@2\"".to_owned(), 1));
    assert_eq!(lab.real_sends(&to_client(3, 1000, "zzz@2")).0, TO_CLIENT);
    assert_eq!(lab.template().state, "ASSURED");
}

/// Long Call-IDs that differ in one byte only, the first or the last.
#[test]
fn every_byte_of_255_counts() {
    let long = |first: char, last: char| format!("{first}{}{last}", "x".repeat(253));
    let (mut lab, _) = lab(sip(32), three());
    let ids = [long('a', 'a'), long('a', 'b'), long('b', 'a')];
    for (cport, id) in (1000..).zip(&ids) {
        lab.reaches(&from(7, cport, id));
    }
    assert_eq!(calls(&lab), [(ids[0].clone(), 3), (ids[1].clone(), 2), (ids[2].clone(), 1)]);
    let (verdict, _) = lab.client_sends(&from(7, 2000, &"x".repeat(256)));
    assert_eq!(verdict, Verdict::Drop(DropReason::SipNoCallId));
}

#[test]
fn what_has_no_call_id_is_dropped() {
    let (mut lab, key) = lab(sip(32), three());
    for payload in
        [&b""[..], b"x", b"INVITE sip:b SIP/2.0\r\nCall-ID: x", b"\r\nCall-ID: x, y\r\n", b"Call-ID: x\r\n"]
    {
        let frame = from_gateway(CLIENT).udp(1000, PORT).payload(payload);
        assert_eq!(lab.client_sends(&frame), (Verdict::Drop(DropReason::SipNoCallId), frame.build()));
    }
    assert_eq!((lab.flows(), lab.templates(), lab.dropped(DropReason::SipNoCallId)), (vec![], vec![], 5));
    assert_eq!(lab.real_stats(lab.id(&key, 1)), RealStats::default());
}

/// Ethernet padding is no part of the message, nor is what lies beyond the first segment read.
#[test]
fn only_the_datagram_is_read() {
    let (mut lab, _) = lab(sip(32), three());
    let cut = b"BYE sip:b SIP/2.0\r\nCall-ID: a";
    let padding = [&from_gateway(CLIENT).udp(1000, PORT).payload(cut).build()[..], b"\r\n\r\n"].concat();
    assert_eq!(lab.send(&ingress(OUTSIDE), &padding).0, Verdict::Drop(DropReason::SipNoCallId));

    let frame = from(7, 1000, "a").build();
    for (kept, verdict) in [(frame.len() - 3, TO_REAL), (60, Verdict::Drop(DropReason::SipNoCallId))] {
        let mut burst = [ArrayBuf::new(&frame[..kept]).chained(frame.len() - kept)];
        let mut verdicts = [Verdict::ToKernel; 32];
        lab.lcore.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
        assert_eq!(verdicts[0], verdict, "{kept} bytes in the first segment");
        lab.wait_seconds(301);
    }
}

/// It is UDP's: of other services it makes nothing but drops, as the kernel does.
#[test]
fn tcp_has_no_call_id() {
    let config = ServiceConfig { key: service(Protocol::Tcp, 80, "rr").key, ..sip(32) };
    let (mut tcp, _) = lab(config, [masq(1, 80)]);
    assert_eq!(tcp.client_sends(&request(1000, SYN)).0, Verdict::Drop(DropReason::SipNoCallId));
}

/// An ICMP error that quotes such a message carries no Call-ID of its own.
#[test]
fn an_icmp_error_has_no_call_id() {
    let (mut lab, _) = lab(sip(32), three());
    lab.switch(|switches| switches.schedule_icmp = true);
    let about = Frame::new().ipv4(VIP, CLIENT).udp(PORT, 1000).payload(&message("a"));
    let error = from_gateway(GATEWAY).icmp_error(3, 4, 1400, &about.packet());
    assert_eq!(lab.client_sends(&error).0, Verdict::Drop(DropReason::SipNoCallId));
    assert_eq!((lab.flows(), lab.templates()), (vec![], vec![]));
}

/// Without `-p` there are no templates to tell apart, and no packet has to have a Call-ID.
#[test]
fn without_persistence_it_does_not_matter() {
    let config = ServiceConfig { persistence: None, ..sip(32) };
    let (mut lab, _) = lab(config, three());
    assert_eq!(lab.reaches(&from_gateway(CLIENT).udp(1000, PORT)), 3);
    assert_eq!(lab.reaches(&from(7, 1001, "a")), 2);
    assert_eq!(lab.templates(), []);
}

/// Services of all ports and of marks go by the Call-ID too.
#[test]
fn calls_of_all_ports_and_of_a_mark() {
    let all = ServiceConfig { key: service(Protocol::Udp, 0, "rr").key, ..sip(32) };
    let (mut lab, _) = lab(all, three());
    let to = |port: u16, call| from_gateway(CLIENT).udp(1000, port).payload(&message(call));
    assert_eq!(
        [(5060, "a"), (5062, "b"), (5070, "a"), (5080, "b")].map(|(port, call)| lab.reaches(&to(port, call))),
        [3, 2, 3, 2]
    );

    let mut lab = Lab::new();
    lab.add(ServiceConfig { key: marked(9, "rr").key, ..sip(32) }, (1..=2).map(|n| masq(n, 0)));
    lab.change(|director| {
        let rule = sluice_core::MarkRule::any(1, 9);
        director.add_mark(sluice_core::NewMark { id: None, rule }).unwrap();
    });
    let calls = [(5060, "a"), (5062, "b"), (5070, "a")].map(|(port, call)| lab.reaches(&to(port, call)));
    assert_eq!(calls, [2, 1, 2]);
    assert_eq!(lab.client_sends(&request(1000, SYN)).0, Verdict::Drop(DropReason::SipNoCallId));
}

#[test]
fn a_template_out_of_use_leaves_its_call_to_another() {
    let (mut lab, key) = lab(sip(32), three());
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 3);
    assert_eq!(lab.reaches(&from(7, 1001, "b")), 2);
    lab.change(|director| director.delete_real(&key, real(3).into(), PORT)).unwrap();
    assert_eq!(lab.reaches(&from(7, 1002, "a")), 1);
    assert_eq!(lab.reaches(&from(7, 1003, "b")), 2);
    let shown: Vec<_> = lab.templates().iter().map(|one| one.destination.port()).collect();
    assert_eq!(shown, [PORT, PORT, 65_535], "as the old one's");
}

// Calls from reals.

/// Its packet leaves in the service's name, and the answer comes back to it.
#[test]
fn a_real_calls_a_client() {
    let (mut lab, key) = lab(sip(32), three());
    let (verdict, bytes) = lab.real_sends(&to_client(2, 1000, "out@2"));
    let out = seen(&bytes);
    assert_eq!((verdict, out.source, out.destination), (TO_CLIENT, vip(), SocketAddr::from((CLIENT, 1000))));
    assert_eq!((out.ttl, out.to, out.checksum_is_right()), (63, GATEWAY_MAC, true));
    let flow = lab.flow();
    assert_eq!((flow.client, flow.virtual_endpoint), (SocketAddr::from((CLIENT, 1000)), vip()));
    assert_eq!((flow.destination, flow.expires), (SocketAddr::from((real(2), PORT)), 300));
    let template = lab.template();
    assert_eq!(
        (template.call_id.as_bytes(), template.controls, template.state),
        (&b"out@2"[..], 1, "ASSURED")
    );
    assert_eq!(template.destination, SocketAddr::from((real(2), PORT)));
    let id = lab.id(&key, 2);
    let stats = lab.real_stats(id);
    assert_eq!((stats.conns, stats.in_packets, stats.out_packets), (1, 0, 1));
    assert_eq!((lab.connections(id), lab.stats.flows_made.get()), ((0, 1), 1));
    assert_eq!(lab.reaches(&from(7, 1000, "out@2")), 2, "the answer");
    assert_eq!(lab.reaches(&from(7, 1001, "out@2")), 2, "the call, from another port");
    lab.wait_seconds(700);
    assert_eq!((lab.flows(), lab.templates(), lab.connections(id)), (vec![], vec![], (0, 0)));
}

/// With `-o` that is how replies leave: no flow is kept, and the template is the call's.
#[test]
fn replies_of_one_packet_services_leave_in_the_services_name() {
    let (mut lab, key) = lab(one_packet(sip(32)), three());
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 3);
    for conns in 2..5 {
        let (verdict, bytes) = lab.real_sends(&to_client(3, 1000, "a"));
        assert_eq!((verdict, seen(&bytes).source), (TO_CLIENT, vip()));
        let template = lab.template();
        assert_eq!((template.in_packets, template.controls, template.state), (1, 0, "ASSURED"));
        assert_eq!((lab.flows(), lab.real_stats(lab.id(&key, 3)).conns), (vec![], conns));
    }
}

/// The call is with that real from now on, whoever had it before.
#[test]
fn a_call_of_another_real_goes_over_to_it() {
    let (mut lab, key) = lab(sip(32), three());
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 3);
    assert_eq!(lab.real_sends(&to_client(2, 1000, "a")).0, TO_CLIENT);
    let shown: Vec<_> = lab.templates().iter().map(|one| one.destination).collect();
    assert_eq!(shown, [SocketAddr::from((real(2), PORT)), SocketAddr::from((real(3), 65_535))]);
    assert_eq!(lab.flow().destination, SocketAddr::from((real(2), PORT)), "one client port, one real");
    assert_eq!([2, 3].map(|n| lab.connections(lab.id(&key, n))), [(0, 1), (0, 0)]);
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 2);
    assert_eq!(lab.reaches(&from(7, 1001, "a")), 2);
}

#[test]
fn without_a_call_id_a_real_calls_nobody_unless_there_is_no_persistence() {
    let (mut kept, _) = lab(sip(32), three());
    let mute = from_link(2).ipv4(real(2), CLIENT).udp(PORT, 1000);
    assert_eq!(kept.real_sends(&mute), (Verdict::ToKernel, mute.build()));
    assert_eq!((kept.flows(), kept.templates(), kept.dropped(DropReason::SipNoCallId)), (vec![], vec![], 0));
    let (mut free, _) = lab(ServiceConfig { persistence: None, ..sip(32) }, three());
    assert_eq!(free.real_sends(&mute).0, TO_CLIENT);
    assert_eq!((free.flows().len(), free.templates()), (1, vec![]));
}

/// Only masqueraded reals of a service whose port the client can know, by their own port and over UDP.
#[test]
fn who_may_not_call() {
    let stranger = |lab: &mut Lab, frame: Frame| {
        assert_eq!(lab.real_sends(&frame), (Verdict::ToKernel, frame.build()));
        assert_eq!((lab.flows(), lab.templates()), (vec![], vec![]));
    };
    let (mut direct, _) = lab(sip(32), [route(2, PORT)]);
    stranger(&mut direct, to_client(2, 1000, "a"));
    let (mut other, key) = lab(sip(32), [masq(2, 5070)]);
    stranger(&mut other, to_client(2, 1000, "a"));
    other.change(|director| director.add_real(&key, masq(2, PORT))).unwrap();
    stranger(&mut other, from_link(2).ipv4(real(2), CLIENT).tcp(PORT, 1000, SYN));
    stranger(&mut other, to_client(3, 1000, "a"));
    let (mut all, _) =
        lab(ServiceConfig { key: service(Protocol::Udp, 0, "rr").key, ..sip(32) }, [masq(2, PORT)]);
    stranger(&mut all, to_client(2, 1000, "a"));
    let (mut plain, _) = lab(persistent(service(Protocol::Udp, PORT, "rr"), 300, 32), [masq(2, PORT)]);
    stranger(&mut plain, to_client(2, 1000, "a"));
}

/// What the service is now decides: engine, real and service may go.
#[test]
fn calls_end_with_engine_real_and_service() {
    let calls = |lab: &mut Lab, cport| lab.real_sends(&to_client(2, cport, "a")).0 == TO_CLIENT;
    let (mut lab, key) = lab(persistent(service(Protocol::Udp, PORT, "rr"), 300, 32), three());
    assert!(!calls(&mut lab, 1000));
    lab.change(|director| director.edit_service(sip(32))).unwrap();
    assert!(calls(&mut lab, 1000));
    lab.change(|director| director.edit_real(&key, RealConfig { weight: 0, ..masq(2, PORT) })).unwrap();
    assert!(calls(&mut lab, 1001), "quiesced, not gone");
    lab.switch(|switches| switches.expire_quiescent_template = true);
    assert!(calls(&mut lab, 1002), "by a template of its own each time");
    lab.change(|director| director.delete_real(&key, real(2).into(), PORT)).unwrap();
    assert!(!calls(&mut lab, 1003));
    lab.change(|director| director.add_real(&key, masq(2, PORT))).unwrap();
    assert!(calls(&mut lab, 1004));
    lab.change(|director| director.edit_service(persistent(service(Protocol::Udp, PORT, "rr"), 300, 32)))
        .unwrap();
    assert!(!calls(&mut lab, 1005));
    lab.change(|director| director.edit_service(sip(32))).unwrap();
    lab.change(sluice_core::Director::flush);
    assert!(!calls(&mut lab, 1006));
}

#[test]
fn what_cannot_leave_is_dropped_by_name() {
    let (mut lab, _) = lab(sip(32), three());
    let ttl = to_client(2, 1000, "a").ttl(1);
    assert_eq!(lab.real_sends(&ttl).0, Verdict::Drop(DropReason::TtlExpired));
    assert_eq!(lab.flows().len(), 1, "the flow is there by then");
    lab.rewire(|fib| fib.set_routes([]));
    for config in [sip(32), one_packet(sip(32))] {
        lab.change(|director| director.edit_service(config)).unwrap();
        assert_eq!(lab.real_sends(&to_client(2, 1001, "a")).0, Verdict::Drop(DropReason::NoRoute));
    }
}

#[test]
fn full_tables_turn_calls_away_by_name() {
    let mut lab = Lab::with_tables(1, 1);
    lab.add(sip(32), three());
    assert_eq!(lab.real_sends(&to_client(2, 1000, "a")).0, TO_CLIENT);
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 2);
    assert_eq!(lab.reaches(&from(7, 1000, "a")), 2);
    // The template is assured, the flow of two packets established.
    assert_eq!(lab.real_sends(&to_client(2, 1001, "b")).0, Verdict::Drop(DropReason::TemplateTableFull));
    assert_eq!(lab.real_sends(&to_client(2, 1001, "a")).0, Verdict::Drop(DropReason::FlowTableFull));
    assert_eq!((lab.flows().len(), lab.template().controls), (1, 1));
}

// Configuration.

#[test]
fn an_unknown_engine_is_refused() {
    let mut lab = Lab::new();
    let config = ServiceConfig { engine: Some("SIP".to_owned()), ..sip(32) };
    assert_eq!(lab.director.add_service(config.clone()), Err(ConfigError::NoEngine("SIP".to_owned())));
    lab.add(sip(32), []);
    assert_eq!(lab.director.edit_service(config), Err(ConfigError::NoEngine("SIP".to_owned())));
    let unscheduled = ServiceConfig { scheduler: "x".to_owned(), engine: Some("y".to_owned()), ..sip(32) };
    assert_eq!(lab.director.edit_service(unscheduled), Err(ConfigError::NoScheduler("x".to_owned())));
    let key = sip(32).key;
    assert_eq!(lab.director.service(&key).unwrap().config, sip(32));
}

/// Pieces of messages, and anything else.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "Call-ID",
            "call-id:",
            "i:",
            " ",
            "\t",
            "\r\n",
            "\n",
            "\r",
            "@",
            "x",
            "a@b",
            ":",
            "\r\nCall-ID: q\r\n"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
        Just(vec![b'z'; 300]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_iter().take(1000).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// Whatever clients and reals say, a packet leaves or is dropped by name, and all counts come back to nothing.
    #[test]
    fn any_payload_is_taken_or_dropped(sent in prop::collection::vec((any::<bool>(), 1u8..4, 0u16..4, payloads()), 1..30), by_packet in any::<bool>()) {
        use DropReason::{FlowTableFull, MtuExceeded, SipNoCallId, TemplateTableFull};
        let expected = [SipNoCallId, FlowTableFull, TemplateTableFull, MtuExceeded];
        let config = if by_packet { one_packet(sip(32)) } else { sip(32) };
        let mut lab = Lab::with_tables(4, 4);
        let key = lab.add(config, three());
        for (is_clients, n, cport, payload) in sent {
            let frame = match is_clients {
                true => from_gateway(CLIENT).udp(1000 + cport, PORT),
                false => from_link(n).ipv4(real(n), CLIENT).udp(PORT, 1000 + cport),
            };
            let frame = frame.payload(&payload);
            let at: Ingress = ingress(if is_clients { OUTSIDE } else { INSIDE });
            let (verdict, bytes) = lab.send(&at, &frame.build());
            match verdict {
                TO_REAL | TO_CLIENT => prop_assert!(seen(&bytes).checksum_is_right()),
                Verdict::ToKernel => prop_assert_eq!(bytes, frame.build()),
                Verdict::Drop(reason) => prop_assert!(expected.contains(&reason), "{}", reason.name()),
                other => prop_assert!(false, "{:?}", other),
            }
            lab.tick(10);
        }
        lab.wait_seconds(3000);
        lab.wait_seconds(1);
        prop_assert_eq!((lab.flows(), lab.templates()), (vec![], vec![]));
        for n in 1..=3 {
            let id = lab.id(&key, n);
            prop_assert_eq!((lab.connections(id), lab.persistent(id)), ((0, 0), 0));
        }
    }
}
