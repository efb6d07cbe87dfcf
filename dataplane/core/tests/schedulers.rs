//! The kernel's selection sequences (reference A.4, 2.1, 2.2), through frames. Reals are numbered as they are added.
mod common;

use common::*;
use sluice_core::{Overhead, RealConfig, ServiceKey};
use sluice_packet::header::flags::{ACK, RST, SYN};

/// A TCP service whose reals 1, 2, ... have these weights; every connection opened on it stays.
struct Bench {
    lab: Lab,
    key: ServiceKey,
    next_port: u16,
}

impl Bench {
    fn new(scheduler: &str, weights: &[u32]) -> Self {
        let reals = weights.iter().zip(1..).map(|(&weight, n)| RealConfig { weight, ..masq(n, 80) });
        let (lab, key) = Lab::tcp(scheduler, reals);
        Self { lab, key, next_port: 1024 }
    }

    /// The next choices.
    fn next(&mut self, count: u16) -> String {
        let first = self.next_port;
        self.next_port += count;
        self.lab.open(first..first + count)
    }

    fn add(&mut self, real: RealConfig) {
        self.lab.change(|director| director.add_real(&self.key, real)).unwrap();
    }

    fn edit(&mut self, real: RealConfig) {
        self.lab.change(|director| director.edit_real(&self.key, real)).unwrap();
    }

    /// Ends a connection that only a SYN has opened: inactive, and gone after 10 s.
    fn close(&mut self, cport: u16) {
        for flags in [ACK, RST] {
            assert_eq!(self.lab.client_sends(&request(cport, flags)).0, TO_REAL);
        }
    }

    fn delete(&mut self, n: u8) {
        self.lab.change(|director| director.delete_real(&self.key, real(n).into(), 80)).unwrap();
    }
}

fn weighted(n: u8, weight: u32) -> RealConfig {
    RealConfig { weight, ..masq(n, 80) }
}

fn limited(n: u8, upper: u32, lower: u32) -> RealConfig {
    RealConfig { upper, lower, ..masq(n, 80) }
}

#[test]
fn sequences() {
    for (scheduler, weights, expected) in [
        ("rr", &[1, 1, 1][..], "3213213"),
        ("rr", &[1, 0, 1], "3131313"),
        ("rr", &[0, 0], "--"),
        ("rr", &[], "-"),
        ("wrr", &[4, 3, 2], "321121321321121321"),
        ("wrr", &[2, 1, 1], "32113211"),
        ("wrr", &[6, 4, 2], "321121321121"),
        ("wrr", &[5, 5, 5], "321321"),
        ("wrr", &[3, 0, 1], "31113111"),
        ("wrr", &[0, 0], "--"),
        ("wrr", &[], "-"),
        ("lc", &[1, 1, 1], "321321"),
        ("lc", &[9, 1, 5], "321321"),
        ("lc", &[9, 0, 5], "313131"),
        ("lc", &[0], "-"),
        ("wlc", &[5, 1, 1], "321111132"),
        ("wlc", &[0, 2], "222"),
        ("wlc", &[2_147_483_647, 1], "2111"),
        ("wlc", &[], "-"),
        ("sed", &[3, 1], "112111211"),
        ("sed", &[0, 1], "222"),
        ("sed", &[], "-"),
        ("nq", &[3, 1], "211111211"),
        ("nq", &[1, 3], "212222212"),
        ("nq", &[1, 0], "111"),
        ("nq", &[0], "-"),
        ("fo", &[1, 3, 3], "3333"),
        ("fo", &[2, 1, 0], "1111"),
        ("fo", &[0], "-"),
        ("ovf", &[1, 3, 2], "222233311--"),
        ("ovf", &[1, 0], "11-"),
        ("lblc", &[1, 1, 1], "33221"),
        ("lblcr", &[1, 1, 1], "33221"),
        ("lblc", &[0], "-"),
        ("lblcr", &[], "-"),
        ("twos", &[0, 7, 0], "2222"),
        ("twos", &[0], "-"),
        ("twos", &[], "-"),
        ("none", &[1, 1], "--"),
    ] {
        let mut bench = Bench::new(scheduler, weights);
        assert_eq!(bench.next(expected.len() as u16), expected, "{scheduler} {weights:?}");
    }
}

#[test]
fn rr_follows_changes() {
    let mut bench = Bench::new("rr", &[1, 1]);
    assert_eq!(bench.next(3), "212");
    bench.add(weighted(3, 1));
    assert_eq!(bench.next(4), "1321");
    bench.delete(2);
    assert_eq!(bench.next(4), "3131");
    bench.edit(weighted(1, 0));
    assert_eq!(bench.next(3), "333");
}

/// The real last used is deleted: its place is its predecessor's, or the head.
#[test]
fn rr_steps_back_from_a_deleted_real() {
    let mut bench = Bench::new("rr", &[1, 1, 1, 1]);
    assert_eq!(bench.next(3), "432");
    bench.delete(2);
    assert_eq!(bench.next(3), "143");
    let mut bench = Bench::new("rr", &[1, 1, 1]);
    assert_eq!(bench.next(1), "3");
    bench.delete(3);
    assert_eq!(bench.next(3), "212");
}

#[test]
fn rr_passes_over_reals_at_their_threshold() {
    for (upper, lower, expected) in [(2, 0, "21212222"), (4, 2, "212121212222")] {
        let mut bench = Bench::new("rr", &[1, 1]);
        bench.edit(limited(1, upper, lower));
        assert_eq!(bench.next(expected.len() as u16), expected, "-x {upper} -y {lower}");
    }
}

#[test]
fn thresholds_are_evaluated_anew_at_every_edit() {
    let mut bench = Bench::new("rr", &[1, 1]);
    bench.edit(limited(1, 2, 0));
    assert_eq!(bench.next(6), "212122");
    bench.edit(limited(1, 3, 0));
    assert_eq!(bench.next(6), "122222");
    bench.edit(limited(1, 0, 0));
    assert_eq!(bench.next(4), "1212");
    bench.edit(limited(1, 2, 0));
    assert_eq!(bench.next(4), "2222");
    bench.edit(limited(1, 100, 1));
    assert_eq!(bench.next(4), "2222", "between the marks it stays overloaded");
}

#[test]
fn a_real_recovers_under_its_lower_threshold() {
    let mut bench = Bench::new("rr", &[1, 1]);
    bench.edit(limited(1, 4, 2));
    // Client ports 1025, 1027, 1029 and 1031 are real 1's.
    assert_eq!(bench.next(10), "2121212122");
    for (cport, then) in [(1025, "22"), (1027, "22"), (1029, "12")] {
        bench.close(cport);
        bench.lab.wait_seconds(10);
        assert_eq!(bench.next(2), then, "after {cport} has ended");
    }
}

#[test]
fn wrr_follows_changes() {
    let mut bench = Bench::new("wrr", &[3, 1]);
    assert_eq!(bench.next(6), "211121");
    bench.edit(weighted(2, 3));
    assert_eq!(bench.next(6), "212121");
    // Every change starts at the head; the threshold of the round stays where it may.
    bench.add(weighted(3, 1));
    assert_eq!(bench.next(7), "3212121");
    bench.delete(2);
    assert_eq!(bench.next(8), "13111311");
}

#[test]
fn wrr_passes_over_reals_at_their_threshold() {
    let mut bench = Bench::new("wrr", &[2, 1]);
    bench.edit(RealConfig { weight: 2, ..limited(1, 2, 0) });
    assert_eq!(bench.next(6), "211222");
    bench.edit(RealConfig { weight: 1, ..limited(2, 4, 0) });
    assert_eq!(bench.next(2), "--");
}

/// A scheduler bound to a service that has reals already starts its round from the highest weight.
#[test]
fn wrr_bound_to_a_service_with_reals() {
    let mut bench = Bench::new("rr", &[4, 3, 2]);
    let config = service(sluice_core::Protocol::Tcp, 80, "wrr");
    bench.lab.change(|director| director.edit_service(config)).unwrap();
    assert_eq!(bench.next(9), "121321321");
}

#[test]
fn an_edit_to_the_same_scheduler_keeps_its_place() {
    let mut bench = Bench::new("rr", &[1, 1, 1]);
    assert_eq!(bench.next(1), "3");
    let same = service(sluice_core::Protocol::Tcp, 80, "rr");
    bench.lab.change(|director| director.edit_service(same)).unwrap();
    assert_eq!(bench.next(2), "21");
    for name in ["lc", "rr"] {
        let other = service(sluice_core::Protocol::Tcp, 80, name);
        bench.lab.change(|director| director.edit_service(other)).unwrap();
    }
    assert_eq!(bench.next(3), "321", "another scheduler in between starts at the head");
}

/// Two changes may reach an lcore as one.
#[test]
fn wrr_sees_a_real_that_was_replaced_between_two_loads() {
    let mut bench = Bench::new("wrr", &[1, 1]);
    assert_eq!(bench.next(2), "21");
    bench.lab.director.delete_real(&bench.key, real(1).into(), 80).unwrap();
    bench.lab.director.add_real(&bench.key, weighted(1, 3)).unwrap();
    bench.lab.load();
    let eight = bench.next(8);
    assert_eq!(eight.matches('1').count(), 6, "three of four go to real 1: {eight}");
}

/// 257 for an active connection, 1 for another: 256 closed ones still weigh less than one that is open.
#[test]
fn wlc_weighs_an_active_connection_257() {
    for scheduler in ["lc", "wlc"] {
        let mut bench = Bench::new(scheduler, &[1]);
        assert_eq!(bench.next(256), "1".repeat(256));
        for cport in 1024..1280 {
            bench.close(cport);
        }
        assert_eq!(bench.lab.connections(bench.lab.id(&bench.key, 1)), (0, 256));
        bench.add(weighted(2, 1));
        assert_eq!(bench.next(2), "21", "{scheduler}");
    }
}

/// Reference A.4: 256 inactive connections against an active one. Kernels since 6.12.104 count the active one twice; older
/// ones see equals, of which the newest wins.
#[test]
fn classic_overhead_counts_an_active_connection_once() {
    for (overhead, expected) in [(Overhead::Current, "1"), (Overhead::Classic, "2")] {
        for scheduler in ["lc", "wlc", "lblc", "lblcr"] {
            let mut lab = Lab::with_overhead(overhead);
            let key = lab.add(service(sluice_core::Protocol::Tcp, 80, scheduler), [weighted(1, 1)]);
            let mut bench = Bench { lab, key, next_port: 1024 };
            assert_eq!(bench.next(256), "1".repeat(256));
            (1024..1280).for_each(|cport| bench.close(cport));
            bench.add(weighted(2, 1));
            // Through another scheduler lblc and lblcr forget what they know.
            for (name, then) in [("fo", "2"), (scheduler, expected)] {
                let config = service(sluice_core::Protocol::Tcp, 80, name);
                bench.lab.change(|director| director.edit_service(config)).unwrap();
                assert_eq!(bench.next(1), then, "{scheduler}, {overhead:?}");
            }
        }
    }
}

#[test]
fn lc_follows_what_opens_and_closes() {
    let mut bench = Bench::new("lc", &[1, 1]);
    assert_eq!(bench.next(4), "2121");
    for cport in [1025, 1027] {
        bench.close(cport);
    }
    assert_eq!(bench.next(4), "1121", "two active on 2, none on 1, and of equals the closed ones weigh");
}

/// Of UDP no connection is active, and each weighs 1.
#[test]
fn wlc_shares_out_udp() {
    let (mut lab, key) = Lab::udp("wlc", [weighted(1, 2), weighted(2, 1)]);
    let chosen: String =
        (1024..1033).map(|cport| lab.reaches(&from_gateway(CLIENT).udp(cport, 53)).to_string()).collect();
    assert_eq!(chosen, "211211211");
    assert_eq!(lab.connections(lab.id(&key, 1)), (0, 6));
}

#[test]
fn a_service_that_comes_back_starts_anew() {
    let mut bench = Bench::new("rr", &[1, 1, 1]);
    assert_eq!(bench.next(2), "32");
    bench.lab.change(|director| director.delete_service(&bench.key)).unwrap();
    let reals = [1, 2, 3].map(|n| weighted(n, 1));
    bench.lab.add(service(sluice_core::Protocol::Tcp, 80, "rr"), reals);
    assert_eq!(bench.next(3), "321");
}

/// Services do not share a place in their lists.
#[test]
fn services_go_around_by_themselves() {
    let mut bench = Bench::new("rr", &[1, 1]);
    bench.lab.add(service(sluice_core::Protocol::Tcp, 81, "rr"), [1, 2].map(|n| weighted(n, 1)));
    let other = |cport| from_gateway(CLIENT).tcp(cport, 81, SYN);
    assert_eq!(bench.next(1), "2");
    assert_eq!(bench.lab.reaches(&other(5000)), 2);
    assert_eq!(bench.next(1), "1");
    assert_eq!(bench.lab.reaches(&other(5001)), 1);
}

#[test]
fn fo_and_ovf_go_by_the_weight_of_the_moment() {
    let mut bench = Bench::new("fo", &[1, 2]);
    assert_eq!(bench.next(2), "22");
    bench.edit(weighted(1, 3));
    assert_eq!(bench.next(2), "11");
    bench.edit(limited(2, 3, 0));
    bench.edit(weighted(1, 1));
    assert_eq!(bench.next(3), "211", "of equals the newer, up to its threshold");
}

/// Of UDP no connection is active: nothing overflows, and every real is idle.
#[test]
fn ovf_and_nq_see_only_active_connections() {
    for (scheduler, expected) in [("ovf", "1111111"), ("nq", "2222222"), ("sed", "1111111")] {
        let (mut lab, _) = Lab::udp(scheduler, [weighted(1, 2), weighted(2, 1)]);
        let chosen: String =
            (1024..1031).map(|cport| lab.reaches(&from_gateway(CLIENT).udp(cport, 53)).to_string()).collect();
        assert_eq!(chosen, expected, "{scheduler}");
    }
}

#[test]
fn ovf_takes_back_what_has_room_again() {
    let mut bench = Bench::new("ovf", &[1, 2]);
    assert_eq!(bench.next(5), "22211");
    assert_eq!(bench.next(1), "-");
    bench.close(1024);
    assert_eq!(bench.next(2), "2-");
}

/// By weight in the long run, and nearer to it than drawing lots would come.
#[test]
fn twos_keeps_loads_near_their_weights() {
    for (weights, share) in [([1, 1], 200), ([1, 3], 300)] {
        let mut bench = Bench::new("twos", &weights);
        let twos = bench.next(400).matches('2').count();
        assert!(twos.abs_diff(share) <= 12, "{weights:?}: {twos} of 400");
    }
}

/// Two draws: a loaded real is chosen only where both fall on it. That is once in four, but with the least of weights
/// once in nine: of the draws 0, 1 and 2 the first real has two.
#[test]
fn twos_chooses_the_lesser_of_two() {
    for (weight, expected) in [(100, 50..100), (1, 18..50)] {
        let mut bench = Bench::new("twos", &[weight]);
        bench.next(500);
        bench.add(weighted(2, weight));
        let loaded = bench.next(300).matches('1').count();
        assert!(expected.contains(&loaded), "{loaded} of 300");
    }
    let mut bench = Bench::new("twos", &[1, 1]);
    bench.edit(limited(2, 1, 0));
    assert!(bench.next(9).contains('2'));
    assert_eq!(bench.next(5), "11111", "an overloaded real is not drawn");
}

#[test]
fn every_scheduler_is_known_by_its_name() {
    for name in
        ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"]
    {
        let mut bench = Bench::new(name, &[1]);
        assert_eq!(bench.next(1), "1", "{name}");
        assert_eq!(bench.lab.director.service(&bench.key).unwrap().config.scheduler, name);
    }
    // The kernel compares names as they are.
    for name in ["", "None", "RR", "wlc "] {
        let refused = Lab::new().director.add_service(service(sluice_core::Protocol::Tcp, 81, name));
        assert_eq!(refused, Err(sluice_core::ConfigError::NoScheduler(name.to_owned())));
    }
    let unknown = service(sluice_core::Protocol::Tcp, 81, "wrrr");
    let refused = Lab::new().director.add_service(unknown);
    assert_eq!(refused, Err(sluice_core::ConfigError::NoScheduler("wrrr".to_owned())));
}

/// A service goes from any scheduler to any other, with its reals and its flags.
#[test]
fn every_scheduler_takes_over_from_every_other() {
    let all = sluice_core::SchedulerKind::ALL;
    for from in all {
        for to in all {
            let mut bench = Bench::new(from.name(), &[1, 1]);
            let config = service(sluice_core::Protocol::Tcp, 80, to.name());
            bench.lab.change(|director| director.edit_service(config)).unwrap();
            let (chosen, way) = (bench.next(3), format!("{} to {}", from.name(), to.name()));
            if to == sluice_core::SchedulerKind::None {
                assert_eq!(chosen, "---", "{way}");
                continue;
            }
            assert!(!chosen.contains('-'), "{way}");
            bench.delete(1);
            assert!(!bench.next(1).contains('1'), "{way}");
        }
    }
}
