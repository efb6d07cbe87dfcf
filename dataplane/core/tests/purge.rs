//! Ending the flows and templates of reals on request, within bounds.
mod common;

use std::net::Ipv4Addr;

use common::*;
use sluice_core::{ConfigError, Protocol, RealConfig, RealId, ServiceKey, Verdict};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, SYN};

/// All visits that it takes, each of so many slots and ends: flows ended, and visits.
fn purge(lab: &mut Lab, bounds: (u32, u32), reals: &[RealId]) -> (u32, usize) {
    let (mut next, mut ended, mut visits) = (Some(0), 0, 0);
    while let Some(from) = next {
        let count;
        (count, next) = lab.lcore.purge(lab.now, from, bounds, reals);
        assert!(count <= bounds.1 && next.is_none_or(|next| next - from <= bounds.0));
        ended += count;
        visits += 1;
    }
    (ended, visits)
}

fn of(lab: &Lab, key: &ServiceKey, n: Option<(u8, u16)>) -> Result<Vec<RealId>, ConfigError> {
    lab.director.reals_of(key, n.map(|(n, port)| (real(n).into(), port)))
}

/// Two reals with ten connections each: all open, half of them answered.
fn twenty() -> (Lab, ServiceKey) {
    let (mut lab, key) = Lab::tcp("rr", [masq(1, 8080), masq(2, 8080)]);
    for cport in 100..120 {
        lab.sends(cport, &[SYN]);
        if cport % 4 < 2 {
            lab.sends(cport, &[ACK]);
        }
    }
    (lab, key)
}

#[test]
fn a_reals_flows_end_and_no_others() {
    for bounds in [(256, 32), (1, 1), (3, 2), (1000, 1)] {
        let (mut lab, key) = twenty();
        let ids = of(&lab, &key, Some((2, 8080))).unwrap();
        assert_eq!(ids, [lab.id(&key, 2)]);
        let (ended, visits) = purge(&mut lab, bounds, &ids);
        assert!(ended == 10 && visits >= 10 / bounds.1 as usize, "{bounds:?}: {ended} in {visits}");
        assert!(lab.flows().iter().all(|flow| flow.destination.ip() == real(1)));
        assert_eq!([1, 2].map(|n| lab.connections(lab.id(&key, n))), [(10, 0), (0, 0)]);
        assert_eq!(purge(&mut lab, bounds, &ids).0, 0, "once is enough");
    }
}

/// What comes of them then is nobody's; the client may begin anew, and gets a real that is there.
#[test]
fn their_packets_are_the_kernels() {
    let (mut lab, key) = twenty();
    lab.change(|director| director.edit_real(&key, RealConfig { weight: 0, ..masq(2, 8080) })).unwrap();
    let cport = lab.flows().iter().find(|flow| flow.destination.ip() == real(2)).unwrap().client.port();
    let ids = [lab.id(&key, 2)];
    assert_eq!(purge(&mut lab, (256, 32), &ids).0, 10);
    assert_eq!(lab.client_sends(&request(cport, ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.real_sends(&reply(2, 8080, cport, ACK)).0, Verdict::ToKernel);
    assert_eq!(lab.reaches(&request(cport, SYN)), 1);
}

/// Also while they drop packets as those of a real that is gone; the slot is free two minutes later.
#[test]
fn removed_reals_and_services_are_known_as_long_as_they_have_flows() {
    let (mut lab, key) = twenty();
    let id = lab.id(&key, 2);
    lab.change(|director| director.delete_real(&key, real(2).into(), 8080)).unwrap();
    assert_eq!(of(&lab, &key, Some((2, 8080))), Ok(vec![id]));
    lab.change(|director| director.delete_service(&key)).unwrap();
    let ids = of(&lab, &key, None).unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(purge(&mut lab, (256, 32), &ids).0, 20);
    lab.director.collect_trash(lab.now);
    lab.wait_seconds(121);
    assert_eq!(lab.director.collect_trash(lab.now).len(), 2);
    assert_eq!(of(&lab, &key, None), Err(ConfigError::NoService));
}

#[test]
fn what_is_not_there_is_refused() {
    let (lab, key) = twenty();
    assert_eq!(of(&lab, &key, Some((3, 8080))), Err(ConfigError::NoReal));
    assert_eq!(of(&lab, &key, Some((2, 80))), Err(ConfigError::NoReal));
    let other = service(Protocol::Udp, 80, "rr").key;
    assert_eq!(of(&lab, &other, None), Err(ConfigError::NoService));
    assert_eq!(of(&lab, &key, None).map(|ids| ids.len()), Ok(2));
}

fn syn(client: u16) -> Frame {
    from_gateway(Ipv4Addr::from_bits(0xcb00_7100 + u32::from(client))).tcp(1000, 80, SYN)
}

/// Templates go; what is under them goes on, and ends later as if it had none.
#[test]
fn templates_end_apart_from_flows() {
    let mut lab = Lab::with_tables(1024, 512);
    let config = persistent(service(Protocol::Tcp, 80, "rr"), 300, 32);
    let key = lab.add(config, [masq(1, 80), masq(2, 80)]);
    for client in 0..200 {
        lab.reaches(&syn(client));
    }
    let ids = [lab.id(&key, 1)];
    let (mut next, mut gone) = (Some(0), 0);
    while let Some(from) = next {
        let count;
        (count, next) = lab.templates.purge(from, 100, &ids);
        gone += count;
    }
    assert_eq!((gone, lab.templates().len(), lab.flows().len()), (100, 100, 200));
    assert_eq!([1, 2].map(|n| lab.persistent(lab.id(&key, n))), [0, 100]);
    assert!(lab.templates().iter().all(|template| template.destination.ip() == real(2)));
    lab.wait_seconds(1000);
    assert_eq!((lab.flows(), lab.templates()), (vec![], vec![]));
}

/// A client that was never answered keeps no template when its last flow is purged, as in the kernel.
#[test]
fn unanswered_clients_lose_their_templates_with_their_flows() {
    let mut lab = Lab::new();
    let config = persistent(service(Protocol::Tcp, 80, "rr"), 300, 32);
    let key = lab.add(config, [masq(1, 80)]);
    lab.reaches(&syn(1));
    lab.reaches(&syn(2));
    lab.reaches(&from_gateway(Ipv4Addr::from_bits(0xcb00_7102)).tcp(1000, 80, ACK));
    let ids = [lab.id(&key, 1)];
    assert_eq!(purge(&mut lab, (256, 32), &ids).0, 2);
    assert_eq!(lab.template().state, "ASSURED");
}
