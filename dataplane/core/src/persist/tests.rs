//! The table itself: its shards, its walk, and what several lcores do at once.
use std::sync::Arc;

use super::template::Template;
use super::*;
use crate::config::Forward;
use crate::family::{Family, V4};
use crate::flow::{FlowKey, Key4};

fn key(client: u32) -> TemplateKey<'static> {
    TemplateKey { tuple: Key4::new(6, client, 0, 1, 80), call_id: b"" }
}

fn new(client: u32, real: u32) -> NewTemplate<'static> {
    let forward = Forward::Masq;
    NewTemplate { key: key(client), real: RealId(real), address: real, port: 80, forward, timeout: 1000 }
}

fn table(capacity: usize) -> Templates {
    Templates::new(capacity, [3, 5], Arc::new(RealTable::new(4)))
}

fn add(templates: &Templates, client: u32, real: u32, now: Jiffies) -> Held {
    match templates.add(&new(client, real), Bound::Flow, now, |_| true) {
        Added::Held { held, .. } => held,
        Added::Full => panic!("full"),
    }
}

fn persistent(templates: &Templates) -> u32 {
    (0..4).map(|real| templates.reals.get(RealId(real)).unwrap().persistent()).sum()
}

#[test]
fn room_is_as_asked_for_or_a_little_more() {
    for (asked, shards) in [(0, 1), (1, 1), (1000, 1), (2048, 2), (5000, 4), (100_000, 64), (1 << 20, 64)] {
        let templates = table(asked);
        assert_eq!(templates.shards.len(), shards);
        assert!((asked..=asked + shards).contains(&templates.capacity()), "{asked}");
    }
    let none = table(0);
    assert!(matches!(none.add(&new(1, 1), Bound::Flow, Jiffies(0), |_| true), Added::Full));
    let mut walk = Walk::new(0, 1, Jiffies(0));
    none.expire(&mut walk, Jiffies(9), 64);
}

/// Of two lcores that both found nothing the first one's choice stands, and both are counted under it.
#[test]
fn the_faster_lcores_choice_stands() {
    let templates = table(4096);
    assert!(templates.hold(key(7), Bound::Flow, Jiffies(0), |_| true).is_none());
    let (first, second) = (add(&templates, 7, 1, Jiffies(0)), add(&templates, 7, 2, Jiffies(0)));
    assert_eq!((first.real, second.real, first.id), (RealId(1), RealId(1), second.id));
    assert_eq!((templates.used(), persistent(&templates)), (1, 1));
}

/// Lcores at once over few clients: each client has one template, and all that was bound is let go.
#[test]
fn lcores_share_templates() {
    let templates = Arc::new(table(4096));
    let barrier = Arc::new(std::sync::Barrier::new(4));
    let lcores: Vec<_> = (0..4)
        .map(|lcore| {
            let (templates, barrier) = (Arc::clone(&templates), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                for round in 0..2000 {
                    let client = round % 50;
                    let held = templates.hold(key(client), Bound::Flow, Jiffies(round), |_| true);
                    let held = held.unwrap_or_else(|| add(&templates, client, lcore, Jiffies(round)));
                    templates.assure(held.id);
                    if round % 3 != 0 {
                        templates.release(held.id, End::Expired, Jiffies(round));
                    }
                }
            })
        })
        .collect();
    lcores.into_iter().for_each(|lcore| lcore.join().unwrap());
    assert_eq!((templates.used(), persistent(&templates)), (50, 50));
    let mut page = Vec::with_capacity(100);
    assert_eq!(templates.page(Jiffies(2000), 0, u32::MAX, &mut page), None);
    assert_eq!(page.iter().map(|view| view.controls).sum::<u32>(), 4 * 667);
}

/// What is left of a freed template means nothing to the one in its cell.
#[test]
fn a_stale_id_touches_nothing() {
    let templates = table(1);
    let old = add(&templates, 1, 1, Jiffies(0));
    let Added::Held { held, evicted: true } = templates.add(&new(2, 2), Bound::Flow, Jiffies(0), |_| true)
    else {
        panic!("no room was made");
    };
    assert_eq!(held.id.at, old.id.at);
    templates.assure(old.id);
    templates.release(old.id, End::Forced, Jiffies(0));
    let mut page = Vec::with_capacity(1);
    templates.page(Jiffies(0), 0, u32::MAX, &mut page);
    assert_eq!((page[0].controls, page[0].state, page[0].real), (1, "NONE", RealId(2)));
}

/// In a second, by any steps and any share of the lcores, all that has ended is freed; and nothing else.
#[test]
fn the_walk_takes_a_second() {
    for (lcores, step, budget) in
        [(1, 250, usize::MAX), (1, 1, 64), (3, 7, 200), (5, 250, usize::MAX), (100, 50, 300)]
    {
        let templates = table(10_000);
        let start = Jiffies(u32::MAX - 500);
        let mut walks: Vec<_> =
            (0..lcores).map(|lcore| Walk::new(lcore, lcores, start.after(1000))).collect();
        for client in 0..8000 {
            let held = add(&templates, client, client % 4, start.after(client % 2 * 1000));
            templates.release(held.id, End::Expired, start);
        }
        let due = start.after(1000);
        let mut now = due;
        while now.since(due) < 250 {
            now = now.after(step);
            walks.iter_mut().for_each(|walk| templates.expire(walk, now, budget));
        }
        assert_eq!((templates.used(), persistent(&templates)), (4000, 4000), "{lcores} lcores, step {step}");
    }
}

/// A page may end anywhere; what is there is shown once.
#[test]
fn pages_cover_the_table() {
    let templates = table(5000);
    for client in 0..3000 {
        add(&templates, client, 1, Jiffies(0));
    }
    for (cells, room) in [(u32::MAX, 7), (100, 1000), (1, 1), (1777, 64)] {
        let (mut clients, mut next) = (Vec::new(), Some(0));
        while let Some(from) = next {
            let mut page = Vec::with_capacity(room);
            next = templates.page(Jiffies(0), from, cells, &mut page);
            clients.extend(page.iter().filter_map(|view| V4::address(view.client.ip())));
        }
        clients.sort_unstable();
        assert_eq!(clients, (0..3000).collect::<Vec<u32>>(), "{cells} cells, {room} a page");
    }
    assert_eq!(templates.page(Jiffies(0), u32::MAX, 1, &mut Vec::new()), None);
}

/// Sixty seconds from its end on, again and again, whenever somebody looks (reference 3.4).
#[test]
fn deferred_ends_are_a_minute_apart() {
    let start = Jiffies(u32::MAX - 20_000);
    for late in [0, 1, 14_999, 15_000, 15_001, 100_000] {
        let mut template = Template::new(&new(1, 1), 0);
        template.restart(Bound::Flow, start);
        let now = start.after(1000 + late);
        assert!(template.settle(now));
        let left = template.view(b"", now).unwrap().expires;
        assert_eq!(left, (15_000 - late % 15_000) / 250, "{late} late");
        template.controls = 0;
        assert!(template.settle(now.after(15_000 - late % 15_000 - 1)));
        assert!(!template.settle(now.after(15_000 - late % 15_000)));
    }
}

/// Templates of one client that differ in their Call-IDs alone come and go apart, also where their lists are long.
#[test]
fn call_ids_tell_templates_apart() {
    let templates = table(512);
    let name = |n: u32| format!("{n}@sip").into_bytes();
    let of = |n: u32, then: &mut dyn FnMut(TemplateKey<'_>)| {
        let call_id = name(n);
        then(TemplateKey { tuple: key(7).tuple, call_id: &call_id });
    };
    let mut ids = Vec::new();
    for n in 0..500 {
        of(n, &mut |key| {
            let new = NewTemplate { key, ..new(7, n % 4) };
            let Added::Held { held, .. } = templates.add(&new, Bound::Flow, Jiffies(0), |_| true) else {
                panic!("full");
            };
            ids.push(held.id);
        });
    }
    for n in (0..500).filter(|n| n % 3 == 0) {
        templates.release(ids[n as usize], End::Forced, Jiffies(0));
    }
    assert_eq!(templates.used(), 500 - 167, "never answered");
    for n in 0..500 {
        of(n, &mut |key| {
            let held = templates.hold(key, Bound::Flow, Jiffies(0), |_| true);
            assert_eq!(held.map(|held| held.real), (n % 3 != 0).then_some(RealId(n % 4)), "{n}");
        });
    }
    assert!(templates.hold(key(7), Bound::Flow, Jiffies(0), |_| true).is_none(), "the client without a call");
}
