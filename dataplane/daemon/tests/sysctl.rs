//! Switches over the real socket: list, set, refusals, and what a restart makes of them.

mod bed;

use std::sync::Arc;

use bed::{Bed, Client, Options};
use serde_json::{Value, json};
use sluice_api::SysctlEntry;
use sluice_core::{Director, Jiffies, LcoreStats, Limits, RealTable, Switches, Templates};
use sluiced::config::parse;
use sluiced::control::{ControlPlane, PlaneConfig, WorkerView};
use sluiced::publish::publication;
use sluiced::switches::{ALL, Effect, Settings};

/// What the daemon has read from a file with these lines under `[vs]`.
fn file(vs: &str) -> Settings {
    let text =
        format!("[lcores]\nworkers = [1]\n[vs]\n{vs}\n[[ports]]\nname = \"wan\"\ndevice = \"net_null0\"\n");
    parse("f", &text).expect("accepted").vs.0
}

fn with_file(vs: &str) -> Options {
    Options { settings: file(vs), ..Options::default() }
}

fn list(client: &mut Client) -> Vec<SysctlEntry> {
    serde_json::from_value(client.call("sysctl.list", json!({}))).expect("entries")
}

/// Value and source.
fn state(client: &mut Client, name: &str) -> (Value, Value) {
    let entry = client.call("sysctl.list", json!({"names": [name]}))[0].clone();
    (entry["value"].clone(), entry["source"].clone())
}

#[test]
fn all_are_listed_with_value_default_and_meaning() {
    let bed = Bed::new(with_file("sloppy_tcp = 1\nsync_threshold = \"4 70\""));
    let mut client = bed.client();
    let entries = list(&mut client);
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ALL.iter().map(|switch| switch.name).collect::<Vec<_>>());
    for entry in entries {
        let changed = ["sloppy_tcp", "sync_threshold"].contains(&entry.name.as_str());
        assert_eq!(entry.value != entry.default, changed, "{entry:?}");
        assert!(!entry.meaning.is_empty() && !entry.accepts.is_empty(), "{entry:?}");
    }
    assert_eq!(state(&mut client, "sync_threshold"), (json!("4 70"), json!("file")));
    let order = client.call("sysctl.list", json!({"names": ["sloppy_tcp", "am_droprate"]}));
    assert_eq!((&order[0]["name"], &order[1]["name"]), (&json!("sloppy_tcp"), &json!("am_droprate")));
}

#[test]
fn several_are_set_at_once_or_none() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let values = json!({"conn_reuse_mode": 3, "est_cpulist": 2, "sync_threshold": "7 0", "drop_packet": 3});
    let applied = client.call("sysctl.set", json!({"values": values}));
    let warnings = applied["warnings"].as_array().expect("what has no effect is told");
    assert_eq!(warnings.len(), 2, "{applied}");
    assert!(
        warnings[1]
            .as_str()
            .is_some_and(|text| text.starts_with("sync_threshold is kept, but has no effect here: "))
    );
    for (name, value) in
        [("conn_reuse_mode", json!(3)), ("est_cpulist", json!("2")), ("drop_packet", json!(3))]
    {
        assert_eq!(state(&mut client, name), (value, json!("set")));
    }
    let before = list(&mut client);
    let values = json!({"am_droprate": 5, "conn_reuse_mode": 4});
    let refusal = client.refused("sysctl.set", json!({"values": values}));
    assert_eq!(refusal, ("EINVAL".to_owned(), "conn_reuse_mode = 4: must be 0 to 3".to_owned()));
    assert_eq!(list(&mut client), before);
}

#[test]
fn refusals_say_what_would_do() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    let cases = [
        (json!({"conn_reuse": 1}), "ENOENT", "no switch `conn_reuse`, did you mean `conn_reuse_mode`?"),
        (json!({"tcp_tw_recycle": 1}), "ENOENT", "no switch `tcp_tw_recycle`: `sluicectl sysctl` lists them"),
        (json!({"sloppy_tcp": "on"}), "EINVAL", "sloppy_tcp = on: must be 0 or 1"),
        (json!({"timeout_tcp": 0}), "EINVAL", "timeout_tcp = 0: must be 1 to 8589934"),
        (json!({"secure_tcp": -1}), "EINVAL", "secure_tcp = -1: must be 0 to 3"),
    ];
    for (values, errno, message) in cases {
        let refusal = client.refused("sysctl.set", json!({"values": values}));
        assert_eq!(refusal, (errno.to_owned(), message.to_owned()));
    }
    assert_eq!(client.refused("sysctl.list", json!({"names": ["x"]})).0, "ENOENT");
}

/// What is not there yet is refused, and its default accepted: a sysctl.conf that states the defaults goes through.
#[test]
fn every_switch_takes_its_default_and_pretends_nothing() {
    let bed = Bed::new(Options::default());
    let mut client = bed.client();
    for entry in list(&mut client) {
        let applied = client.call("sysctl.set", json!({"values": {&entry.name: entry.default}}));
        assert_eq!(applied, json!({}), "{}", entry.name);
    }
    for switch in ALL {
        if let Effect::NotYet(what) = switch.effect {
            let other = if switch.default == "0" { 1 } else { 7 };
            let (errno, message) = client.refused("sysctl.set", json!({"values": {switch.name: other}}));
            assert_eq!(errno, "EOPNOTSUPP");
            assert_eq!(
                message,
                format!(
                    "{} = {other}: {what}: not supported yet, so only the default can be had",
                    switch.name
                )
            );
        }
    }
}

#[test]
fn the_latest_word_counts_over_a_restart() {
    let bed = Bed::new(with_file("conn_reuse_mode = 2\ntimeout_udp = 60"));
    let mut client = bed.client();
    client.call("sysctl.set", json!({"values": {"conn_reuse_mode": 0, "expire_nodest_conn": 1}}));
    client.call("timeout.set", json!({"tcp": 77, "tcp_fin": 0, "udp": 0}));
    let saved = bed.end();
    assert_eq!(saved.sysctl.len(), 3);
    let again = |vs| Bed::new(Options { restored: Some(saved.clone()), ..with_file(vs) });
    // The same file: what was set is there again.
    let bed = again("conn_reuse_mode = 2\ntimeout_udp = 60");
    let mut client = bed.client();
    assert_eq!(state(&mut client, "conn_reuse_mode"), (json!(0), json!("set")));
    assert_eq!(state(&mut client, "expire_nodest_conn"), (json!(1), json!("set")));
    assert_eq!(client.call("timeout.get", json!({})), json!({"tcp": 77, "tcp_fin": 120, "udp": 60}));
    assert_eq!(bed.end(), saved);
    // Edited since: the file's word is the later one, for what was edited.
    let bed = again("conn_reuse_mode = 3\ntimeout_tcp = 600");
    let mut client = bed.client();
    assert_eq!(state(&mut client, "conn_reuse_mode"), (json!(3), json!("file")));
    assert_eq!(state(&mut client, "expire_nodest_conn"), (json!(1), json!("set")));
    assert_eq!(client.call("timeout.get", json!({})), json!({"tcp": 600, "tcp_fin": 120, "udp": 300}));
}

/// A control plane over two workers of 32,768 flows each: 1024 pages, so that amemthresh counts up to 128.
fn plane() -> (ControlPlane, [Arc<LcoreStats>; 2]) {
    let reals = Arc::new(RealTable::new(1));
    let director = Director::new(Limits { services: 1 }, Arc::clone(&reals));
    let (publisher, _) = publication(&director.snapshot(), 0);
    let stats = [(); 2].map(|()| Arc::new(LcoreStats::new(1)));
    let workers = stats.iter().map(|stats| WorkerView::new(0, 1 << 15, Arc::clone(stats), Arc::default()));
    let plane = ControlPlane::new(PlaneConfig {
        director,
        templates: Arc::new(Templates::new(0, [1, 2], Arc::clone(&reals))),
        time: Box::new(|| Jiffies(0)),
        settings: file("drop_packet = 1\ndrop_entry = 1\namemthresh = 100"),
        reals,
        publisher,
        workers: workers.collect(),
        ports: Vec::new(),
        port_names: Vec::new(),
        twins: Vec::new(),
        twin_names: Vec::new(),
        slow_drops: Arc::default(),
    });
    (plane, stats)
}

#[test]
fn automatic_defences_follow_the_room_of_the_fullest_worker_each_second() {
    let (mut plane, stats) = plane();
    let full = 1 << 15;
    for (free_pages, rate, entries) in [(100, 0, false), (75, 4, true), (0, 1, true), (500, 0, false)] {
        stats[1].flows.set(full - free_pages * 32);
        plane.every_second(Jiffies(0));
        let Switches { drop_rate, drop_at_once, drop_entry, .. } = plane.snapshot().switches;
        assert_eq!((drop_rate, drop_at_once, drop_entry), (rate, false, entries), "{free_pages} pages");
        assert_eq!(plane.saved_state().sysctl.len(), 0, "nobody has set anything");
    }
    let version = plane.snapshot().version;
    plane.every_second(Jiffies(0));
    assert_eq!(plane.snapshot().version, version, "lcores are told of changes only");
}
