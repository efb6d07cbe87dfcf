//! lblc and lblcr: a destination and the reals it is used to (reference 2.5), through frames.
mod common;

use common::*;
use sluice_core::{Jiffies, Lcore, LcoreConfig, LcoreStats, Protocol, RealConfig, ServiceKey, Verdict};
use sluice_packet::PacketBuf;
use sluice_packet::build::ArrayBuf;
use sluice_packet::header::flags::{ACK, RST};

const HALF_A_DAY: u32 = 43_200;

fn reals() -> [RealConfig; 3] {
    [1, 2, 3].map(|n| masq(n, 53))
}

/// Of UDP no connection is active, so no real is ever crowded.
fn udp(scheduler: &str) -> (Lab, ServiceKey) {
    Lab::udp(scheduler, reals())
}

fn query(lab: &mut Lab, cport: u16) -> u8 {
    lab.reaches(&from_gateway(CLIENT).udp(cport, 53))
}

fn edit(lab: &mut Lab, key: &ServiceKey, real: RealConfig) {
    lab.change(|director| director.edit_real(key, real)).unwrap();
}

#[test]
fn a_destination_stays_while_its_real_is_not_crowded() {
    for scheduler in ["lblc", "lblcr"] {
        let (mut lab, key) = udp(scheduler);
        assert!((1024..1124).all(|cport| query(&mut lab, cport) == 3), "{scheduler}");
        // Nor for a real that would be better.
        lab.change(|director| director.add_real(&key, masq(4, 53))).unwrap();
        assert_eq!(query(&mut lab, 2000), 3, "{scheduler}");
    }
}

#[test]
fn a_quiesced_real_loses_its_destination() {
    for scheduler in ["lblc", "lblcr"] {
        let (mut lab, key) = udp(scheduler);
        assert_eq!(query(&mut lab, 1024), 3);
        edit(&mut lab, &key, RealConfig { weight: 0, ..masq(3, 53) });
        assert_eq!(query(&mut lab, 1025), 2, "{scheduler}");
        edit(&mut lab, &key, RealConfig { weight: 9, ..masq(3, 53) });
        assert_eq!(query(&mut lab, 1026), if scheduler == "lblc" { 2 } else { 3 }, "{scheduler}");
    }
}

/// Only lblcr asks whether the real it knows is over its threshold.
#[test]
fn lblc_does_not_mind_an_overloaded_real() {
    for (scheduler, then) in [("lblc", 3), ("lblcr", 2)] {
        let (mut lab, key) = udp(scheduler);
        edit(&mut lab, &key, RealConfig { upper: 1, ..masq(3, 53) });
        assert_eq!(query(&mut lab, 1024), 3);
        assert_eq!(query(&mut lab, 1025), then, "{scheduler}");
    }
}

#[test]
fn a_real_that_comes_back_has_its_destination_again() {
    for scheduler in ["lblc", "lblcr"] {
        let (mut lab, key) = udp(scheduler);
        assert_eq!(query(&mut lab, 1024), 3);
        lab.change(|director| director.delete_real(&key, real(3).into(), 53)).unwrap();
        lab.change(|director| director.add_real(&key, masq(4, 53))).unwrap();
        lab.change(|director| director.add_real(&key, masq(3, 53))).unwrap();
        lab.change(|director| director.add_real(&key, masq(5, 53))).unwrap();
        assert_eq!(query(&mut lab, 1025), 3, "{scheduler}");
        lab.change(|director| director.delete_real(&key, real(3).into(), 53)).unwrap();
        assert_eq!(query(&mut lab, 1026), 5, "{scheduler}: gone, and of equals the newest");
    }
}

/// What is crowded is left only for a real with less than half of its weight. Of a set, equals go by their order: the
/// last added first.
#[test]
fn a_crowded_real_keeps_the_rest_while_no_other_has_air() {
    for (scheduler, expected) in [("lblc", "332211111111"), ("lblcr", "332211123123")] {
        let (mut lab, _) = Lab::tcp(scheduler, [1, 2, 3].map(|n| masq(n, 80)));
        assert_eq!(lab.open(1024..1036), expected, "{scheduler}");
    }
}

/// Half of its weight is not yet air, less is.
#[test]
fn a_crowded_real_is_left_when_another_falls_under_half_of_its_weight() {
    let (mut lab, _) = Lab::tcp("lblc", [1, 2].map(|n| RealConfig { weight: 4, ..masq(n, 80) }));
    assert_eq!(lab.open(1024..1034), "2222211111");
    for (closed, then) in [(1024, "1"), (1025, "1"), (1026, "1"), (1027, "2")] {
        lab.sends(closed, &[ACK, RST]);
        assert_eq!(lab.open([closed + 1000]), then, "after {closed}");
    }
}

/// What a 6.1 kernel chose for the same connections and changes.
#[test]
fn choices_as_a_kernel_was_seen_to_make_them() {
    for (scheduler, expected) in [
        ("lblc", "3333332222222111111111111111111111111111"),
        ("lblcr", "3333332222222111112312312321321232312312"),
    ] {
        let weights = [(1, 4), (2, 6), (3, 5)];
        let (mut lab, _) =
            Lab::tcp(scheduler, weights.map(|(n, weight)| RealConfig { weight, ..masq(n, 80) }));
        assert_eq!(lab.open(1024..1064), expected, "{scheduler}");
    }

    let weights = [(1, 2), (2, 1), (3, 3)];
    let (mut lab, _) = Lab::tcp("lblcr", weights.map(|(n, weight)| RealConfig { weight, ..masq(n, 80) }));
    assert_eq!(lab.open(1024..1040), "3333221113131233");

    let (mut lab, key) = Lab::tcp("lblcr", [1, 2, 3].map(|n| masq(n, 80)));
    assert_eq!(lab.open(1024..1030), "332211");
    edit(&mut lab, &key, RealConfig { weight: 0, ..masq(3, 80) });
    assert_eq!(lab.open(1030..1033), "121");
    lab.change(|director| director.delete_real(&key, real(2).into(), 80)).unwrap();
    assert_eq!(lab.open(1033..1036), "111");
    lab.change(|director| director.add_real(&key, masq(2, 80))).unwrap();
    assert_eq!(lab.open(1036..1040), "2222");
}

/// The set of the destination is {1, 2, 3}, the last added first; the least loaded of it comes first.
#[test]
fn a_set_loses_its_most_loaded_real_after_a_day() {
    for (days_half, expected) in [(1, "12312"), (2, "12323")] {
        let (mut lab, key) = Lab::tcp("lblcr", [1, 2, 3].map(|n| masq(n, 80)));
        assert_eq!(lab.open(1024..1029), "33221");
        lab.wait_seconds(HALF_A_DAY);
        assert!(lab.flows().is_empty());
        // The entry is used, the set does not change.
        assert_eq!(lab.open([1024]), "1");
        for _ in 0..days_half - 1 {
            lab.wait_seconds(HALF_A_DAY);
        }
        lab.wait_seconds(100);
        assert_eq!(lab.connections(lab.id(&key, 1)), (0, 0));
        assert_eq!(lab.open(1024..1029), expected);
    }
}

/// Lets minutes pass, with the control side doing what it has to.
fn minutes(lab: &mut Lab, count: u32) {
    for _ in 0..count {
        lab.wait(Jiffies::ticks(60));
        lab.director.sweep_destinations(lab.now);
    }
}

/// At the sweep of every half hour, by the expiration of the service's scheduler.
#[test]
fn a_destination_not_used_for_long_is_forgotten() {
    for scheduler in ["lblc", "lblcr"] {
        for hours in [2, 24] {
            let (mut lab, key) = udp(scheduler);
            lab.switch(|switches| match scheduler {
                "lblc" => (switches.lblc_expiration, switches.lblcr_expiration) = (hours * 3600, 0),
                _ => (switches.lblc_expiration, switches.lblcr_expiration) = (0, hours * 3600),
            });
            minutes(&mut lab, 1);
            assert_eq!(query(&mut lab, 1024), 3);
            lab.change(|director| director.add_real(&key, masq(4, 53))).unwrap();
            minutes(&mut lab, hours * 60 - 1);
            assert_eq!(query(&mut lab, 1025), 3, "{scheduler}, {hours} h");
            minutes(&mut lab, hours * 60);
            assert_eq!(query(&mut lab, 1026), 3, "{scheduler}, {hours} h: not swept yet");
            minutes(&mut lab, hours * 60 + 30);
            assert_eq!(query(&mut lab, 1027), 4, "{scheduler}, {hours} h");
        }
    }
}

/// Another scheduler in between, or another service, and nothing is remembered.
#[test]
fn memory_ends_with_the_scheduler_and_the_service() {
    for scheduler in ["lblc", "lblcr"] {
        let (mut lab, key) = udp(scheduler);
        assert_eq!(query(&mut lab, 1024), 3);
        lab.change(|director| director.add_real(&key, masq(4, 53))).unwrap();
        let same = service(Protocol::Udp, 53, scheduler);
        lab.change(|director| director.edit_service(same.clone())).unwrap();
        assert_eq!(query(&mut lab, 1025), 3, "{scheduler}: an edit keeps it");
        // Both before the lcore looks.
        lab.director.edit_service(service(Protocol::Udp, 53, "rr")).unwrap();
        lab.director.edit_service(same).unwrap();
        lab.load();
        assert_eq!(query(&mut lab, 1026), 4, "{scheduler}");
    }
}

/// One memory for all lcores.
#[test]
fn lcores_remember_together() {
    for scheduler in ["lblc", "lblcr"] {
        let (mut lab, key) = udp(scheduler);
        assert_eq!(query(&mut lab, 1024), 3);
        lab.change(|director| director.add_real(&key, masq(4, 53))).unwrap();
        let config = LcoreConfig { id: 1, lcores: 1, flows: 64, seed: [1, 2], now: lab.now };
        let stats = std::sync::Arc::new(LcoreStats::new(64));
        let table = std::sync::Arc::clone(&lab.table);
        let mut other = Lcore::new(config, lab.director.snapshot(), table, stats, &|_, _| ());
        let mut burst = [ArrayBuf::new(&from_gateway(CLIENT).udp(5000, 53).build())];
        let mut verdicts = [Verdict::ToKernel; 32];
        other.process_burst(lab.now, &ingress(OUTSIDE), &mut burst, &mut verdicts);
        assert_eq!((verdicts[0], burst[0].data()[5]), (TO_REAL, 3), "{scheduler}");
    }
}

/// More reals than the set had room for when the service was made.
#[test]
fn a_set_grows_with_the_service() {
    let (mut lab, _) = Lab::tcp("lblcr", (1..10).map(|n| masq(n, 80)));
    assert_eq!(lab.open(1024..1042), "998877665544332211");
    lab.wait(Jiffies::ticks(100));
    // None was left out: the least of the set is the last added, and so on.
    assert_eq!(lab.open(1024..1033), "123456789");
}
