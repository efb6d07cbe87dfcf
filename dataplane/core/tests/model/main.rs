//! The core beside a naive model: any sequence of changes, packets and pauses, compared after each step.
//!
//! `PROPTEST_CASES` asks for another number of cases than [`CASES`].
#[path = "../common/mod.rs"]
mod common;
mod locality;
mod naive;
mod schedulers;
mod templates;

use std::net::{Ipv4Addr, SocketAddrV4};

use common::*;
use naive::{ENDPOINTS, Model, Packet, Real, SERVICES, Service, Tuple, listing_of};
use proptest::prelude::*;
use sluice_core::{
    ConfigError, DropReason, Forward, Jiffies, Persistence, Protocol, RealConfig, RealId, ServiceConfig,
    ServiceKey, Switches, Timeouts, Verdict,
};
use sluice_packet::build::Frame;
use sluice_packet::header::flags::{ACK, FIN, RST, SYN};
use templates::rows_of;

/// A slot of the timer wheel in jiffies. Time goes by whole slots, so that a flow ends just when it is due: no timeout
/// is a multiple of it.
const SLOT: u64 = 64;

/// How many sequences, as long as nobody asks for another number.
const CASES: u32 = 10_000;

/// All but mh, whose tables are compared elsewhere, and twos, which draws lots.
const SCHEDULERS: [&str; 12] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf"];

/// A real as an operation names it.
#[derive(Clone, Copy, Debug)]
struct Spec {
    n: u8,
    /// NAT with port 0, NAT with the service's port, direct routing.
    kind: u8,
    weight: u32,
    upper: u32,
    lower: u32,
}

impl Spec {
    fn config(&self, service: usize) -> RealConfig {
        let port = match (self.kind, SERVICES[service].1) {
            (0, _) => 0,
            // Of a service of all ports the real's own does not count.
            (_, 0) => 8080,
            (_, port) => port,
        };
        let forward = if self.kind == 2 { Forward::Route } else { Forward::Masq };
        let lower = self.lower.min(self.upper);
        RealConfig { forward, weight: self.weight, upper: self.upper, lower, ..masq(self.n, port) }
    }
}

/// A service as an operation names it.
#[derive(Clone, Copy, Debug)]
struct Wish {
    scheduler: &'static str,
    persistence: Option<Persistence>,
    one_packet: bool,
}

impl Wish {
    const fn plain(scheduler: &'static str) -> Self {
        Self { scheduler, persistence: None, one_packet: false }
    }

    fn config(&self, number: usize) -> ServiceConfig {
        let (protocol, port) = SERVICES[number];
        let protocol = if protocol == 6 { Protocol::Tcp } else { Protocol::Udp };
        let (persistence, one_packet) = (self.persistence, self.one_packet);
        ServiceConfig { persistence, one_packet, ..service(protocol, port, self.scheduler) }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    AddService(usize, Wish),
    EditService(usize, Wish),
    DeleteService(usize),
    Flush,
    AddReal(usize, Spec),
    EditReal(usize, Spec),
    DeleteReal(usize, Spec),
    Switch(Switches),
    SetTimeouts(Timeouts),
    Load,
    Request(Sent),
    /// From a real, or in the name of the service.
    Reply(Sent, Option<u8>),
    /// Slots of the wheel.
    Wait(u64),
    CollectTrash,
}

/// A packet as an operation names it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    tuple: Tuple,
    flags: u8,
    payload: usize,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let service = || 0..SERVICES.len();
    let persistence = (
        prop::sample::select(vec![1u32, 30, 100, 400, 3600]),
        prop::sample::select(vec![u32::MAX, 0xffff_ff00, 1]),
    )
        .prop_map(|(timeout, netmask)| Persistence { timeout, netmask });
    let persistence = prop::option::of(persistence).boxed();
    let wish = || {
        (prop::sample::select(SCHEDULERS.to_vec()), persistence.clone(), any::<[bool; 2]>()).prop_map(
            |(scheduler, persistence, [one, packet])| Wish {
                scheduler,
                persistence,
                one_packet: one && packet,
            },
        )
    };
    let spec = || {
        (
            1u8..=3,
            0u8..3,
            prop_oneof![1 => Just(0), 4 => 1u32..=4],
            prop_oneof![3 => Just(0), 1 => 1u32..=4],
            0u32..3,
        )
            .prop_map(|(n, kind, weight, upper, lower)| Spec { n, kind, weight, upper, lower })
    };
    let flags = prop::sample::select(vec![SYN, SYN, ACK, ACK, SYN | ACK, FIN | ACK, RST, 0]).boxed();
    let sent = || {
        (0..ENDPOINTS.len(), 1u8..=2, 1000u16..1002, flags.clone(), 0usize..3).prop_map(
            |(endpoint, client, cport, flags, payload)| {
                let client = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, client), cport);
                Sent { tuple: (endpoint, client), flags, payload }
            },
        )
    };
    let rate = || prop_oneof![3 => Just(0), 1 => 1u32..=4];
    let switches = (0u8..4, any::<[bool; 6]>(), rate()).prop_map(
        |(
            conn_reuse_mode,
            [expire_nodest_conn, sloppy_tcp, drop_at_once, drop_entry, secure_tcp, quiescent],
            drop_rate,
        )| Switches {
            conn_reuse_mode,
            expire_nodest_conn,
            expire_quiescent_template: quiescent,
            sloppy_tcp,
            drop_rate,
            drop_at_once,
            drop_entry,
            secure_tcp,
            ..Switches::default()
        },
    );
    let seconds = || prop::sample::select(vec![0u32, 5, 30, 900, 3600]);
    let timeouts =
        (seconds(), seconds(), seconds()).prop_map(|(tcp, tcp_fin, udp)| Timeouts { tcp, tcp_fin, udp });
    // A moment, or about as long as the usual timeouts.
    let slots =
        prop_oneof![3 => 1u64..8, 1 => prop::sample::select(vec![39u64, 40, 235, 469, 1172, 3516, 15_000])];
    let operation = prop_oneof![
        3 => (service(), wish()).prop_map(|(s, wish)| Operation::AddService(s, wish)),
        1 => (service(), wish()).prop_map(|(s, wish)| Operation::EditService(s, wish)),
        1 => service().prop_map(Operation::DeleteService),
        1 => prop_oneof![1 => Just(Operation::Flush), 4 => Just(Operation::Load)],
        8 => (service(), spec()).prop_map(|(s, spec)| Operation::AddReal(s, spec)),
        4 => (service(), spec()).prop_map(|(s, spec)| Operation::EditReal(s, spec)),
        3 => (service(), spec()).prop_map(|(s, spec)| Operation::DeleteReal(s, spec)),
        1 => switches.prop_map(Operation::Switch),
        1 => timeouts.prop_map(Operation::SetTimeouts),
        6 => Just(Operation::Load),
        24 => sent().prop_map(Operation::Request),
        12 => (sent(), prop::option::of(1u8..=3)).prop_map(|(sent, n)| Operation::Reply(sent, n)),
        6 => slots.prop_map(Operation::Wait),
        2 => Just(Operation::CollectTrash),
    ];
    (prop_oneof![1 => Just(vec![]), 3 => Just(furnished())], prop::collection::vec(operation, 1..160))
        .prop_map(|(first, then)| [first, then].concat())
}

/// What `-p 100` asks for.
const KEPT: Persistence = Persistence { timeout: 100, netmask: u32::MAX };

/// Something to talk to from the start, so that most sequences have flows.
fn furnished() -> Vec<Operation> {
    let spec = |n, kind| Spec { n, kind, weight: u32::from(n), upper: 0, lower: 0 };
    vec![
        Operation::AddService(0, Wish::plain("rr")),
        Operation::AddReal(0, spec(1, 1)),
        Operation::AddReal(0, spec(2, 2)),
        Operation::AddService(2, Wish::plain("wrr")),
        Operation::AddReal(2, spec(1, 0)),
        Operation::AddReal(2, spec(3, 2)),
        Operation::AddService(3, Wish { persistence: Some(KEPT), ..Wish::plain("rr") }),
        Operation::AddReal(3, spec(1, 1)),
        Operation::AddReal(3, spec(2, 1)),
        Operation::Load,
    ]
}

fn key(number: usize) -> ServiceKey {
    Wish::plain("rr").config(number).key
}

/// A removed real: what it was of, and since when it is seen to be idle.
#[derive(Debug)]
struct Removed {
    service: usize,
    uid: u64,
    real: Real,
    idle_since: Option<u64>,
}

/// The core, the model, and what only this test keeps: uids, editions, removed reals.
struct Pair {
    lab: Lab,
    model: Model,
    removed: Vec<Removed>,
    /// Tells services, and editions of reals, apart.
    next: u64,
}

impl Pair {
    fn new() -> Self {
        let mut lab = Lab::with_tables(64, 64);
        // To the start of a slot.
        lab.wait(SLOT as u32 - lab.now.0 % SLOT as u32);
        Self { lab, model: Model::new(), removed: Vec::new(), next: 0 }
    }

    fn unique(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::AddService(number, wish) => self.add_service(*number, *wish)?,
            Operation::EditService(number, wish) => self.edit_service(*number, *wish)?,
            Operation::DeleteService(number) => self.delete_service(*number)?,
            Operation::Flush => {
                self.lab.director.flush();
                (0..SERVICES.len()).for_each(|number| self.remove_service(number));
            }
            Operation::AddReal(number, spec) => self.add_real(*number, spec)?,
            Operation::EditReal(number, spec) => self.edit_real(*number, spec)?,
            Operation::DeleteReal(number, spec) => self.delete_real(*number, spec)?,
            Operation::Switch(switches) => {
                self.lab.director.set_switches(*switches);
                self.model.wanted.switches = *switches;
            }
            Operation::SetTimeouts(timeouts) => {
                self.lab.director.set_timeouts(*timeouts).unwrap();
                let held = &mut self.model.wanted.timeouts;
                for (held, new) in [
                    (&mut held.tcp, timeouts.tcp),
                    (&mut held.tcp_fin, timeouts.tcp_fin),
                    (&mut held.udp, timeouts.udp),
                ] {
                    *held = if new == 0 { *held } else { new };
                }
            }
            Operation::Load => self.load(),
            Operation::Request(sent) => self.request(*sent)?,
            Operation::Reply(sent, n) => self.reply(*sent, *n)?,
            Operation::Wait(slots) => {
                self.lab.wait((slots * SLOT) as u32);
                self.model.wait(slots * SLOT);
                let left: Vec<Tuple> = listing_of(&self.lab.flows()).into_iter().map(|flow| flow.0).collect();
                self.model.lose(&left).map_err(TestCaseError::fail)?;
                self.model.lose_templates(rows_of(&self.lab.templates())).map_err(TestCaseError::fail)?;
                prop_assert_eq!(self.lab.stats.dropped_entries.get(), self.model.dropped_entries);
            }
            Operation::CollectTrash => self.collect_trash()?,
        }
        Ok(())
    }

    fn load(&mut self) {
        self.lab.load();
        self.model.load();
    }

    fn add_service(&mut self, number: usize, wish: Wish) -> Result<(), TestCaseError> {
        let outcome = self.lab.director.add_service(wish.config(number));
        if self.model.wanted.services[number].is_some() {
            prop_assert_eq!(outcome, Err(ConfigError::ServiceExists));
            return Ok(());
        }
        prop_assert_eq!(outcome, Ok(()));
        let uid = self.unique();
        let Wish { scheduler, persistence, one_packet } = wish;
        let (binding, reals) = (uid, vec![]);
        self.model.wanted.services[number] =
            Some(Service { uid, persistence, one_packet, scheduler, binding, reals });
        Ok(())
    }

    fn edit_service(&mut self, number: usize, wish: Wish) -> Result<(), TestCaseError> {
        let outcome = self.lab.director.edit_service(wish.config(number));
        let binding = self.unique();
        match &mut self.model.wanted.services[number] {
            None => prop_assert_eq!(outcome, Err(ConfigError::NoService)),
            Some(service) => {
                prop_assert_eq!(outcome, Ok(()));
                (service.persistence, service.one_packet) = (wish.persistence, wish.one_packet);
                if service.scheduler != wish.scheduler {
                    (service.scheduler, service.binding) = (wish.scheduler, binding);
                }
            }
        }
        Ok(())
    }

    fn delete_service(&mut self, number: usize) -> Result<(), TestCaseError> {
        let outcome = self.lab.director.delete_service(&key(number));
        prop_assert_eq!(outcome.is_ok(), self.model.wanted.services[number].is_some());
        self.remove_service(number);
        Ok(())
    }

    fn remove_service(&mut self, service: usize) {
        let Some(Service { uid, reals, .. }) = self.model.wanted.services[service].take() else { return };
        self.removed.extend(reals.into_iter().map(|real| Removed { service, uid, real, idle_since: None }));
    }

    fn add_real(&mut self, number: usize, spec: &Spec) -> Result<(), TestCaseError> {
        let config = spec.config(number);
        let edition = self.unique();
        let outcome = self.lab.director.add_real(&key(number), config.clone());
        let Some(service) = &mut self.model.wanted.services[number] else {
            prop_assert_eq!(outcome, Err(ConfigError::NoService));
            return Ok(());
        };
        if service.reals.iter().any(|real| (real.n, real.port) == (spec.n, config.port)) {
            prop_assert_eq!(outcome, Err(ConfigError::RealExists));
            return Ok(());
        }
        let added = outcome.unwrap();
        let is_it = |old: &Removed| (old.service, old.real.n, old.real.port) == (number, spec.n, config.port);
        match self.removed.iter().position(is_it) {
            Some(at) => {
                let old = self.removed.remove(at);
                prop_assert_eq!((added.id, added.fresh), (old.real.id, old.uid != service.uid));
            }
            None => {
                prop_assert!(added.fresh);
                prop_assert!(self.removed.iter().all(|old| old.real.id != added.id), "a slot in use");
            }
        }
        let RealConfig { port, forward, weight, upper, lower, .. } = config;
        service.reals.insert(0, Real { id: added.id, n: spec.n, port, forward, weight, edition });
        self.model.counts.entry(added.id).or_default().set_thresholds(upper, lower);
        Ok(())
    }

    fn edit_real(&mut self, number: usize, spec: &Spec) -> Result<(), TestCaseError> {
        let config = spec.config(number);
        let edition = self.unique();
        let outcome = self.lab.director.edit_real(&key(number), config.clone());
        let Some(service) = &mut self.model.wanted.services[number] else {
            prop_assert_eq!(outcome, Err(ConfigError::NoService));
            return Ok(());
        };
        let is_it = |real: &&mut Real| (real.n, real.port) == (spec.n, config.port);
        let Some(real) = service.reals.iter_mut().find(is_it) else {
            prop_assert_eq!(outcome, Err(ConfigError::NoReal));
            return Ok(());
        };
        prop_assert_eq!(outcome, Ok(real.id));
        (real.forward, real.weight, real.edition) = (config.forward, config.weight, edition);
        self.model.counts.get_mut(&real.id).unwrap().set_thresholds(config.upper, config.lower);
        Ok(())
    }

    fn delete_real(&mut self, number: usize, spec: &Spec) -> Result<(), TestCaseError> {
        let config = spec.config(number);
        let outcome = self.lab.director.delete_real(&key(number), config.address, config.port);
        let Some(service) = &mut self.model.wanted.services[number] else {
            prop_assert_eq!(outcome, Err(ConfigError::NoService));
            return Ok(());
        };
        let is_it = |real: &Real| (real.n, real.port) == (spec.n, config.port);
        let Some(at) = service.reals.iter().position(is_it) else {
            prop_assert_eq!(outcome, Err(ConfigError::NoReal));
            return Ok(());
        };
        let real = service.reals.remove(at);
        prop_assert_eq!(outcome, Ok(real.id));
        self.removed.push(Removed { service: number, uid: service.uid, real, idle_since: None });
        Ok(())
    }

    /// The daemon collects what every lcore has let go of.
    fn collect_trash(&mut self) -> Result<(), TestCaseError> {
        self.load();
        // A flush removes services in no particular order.
        let mut freed = self.lab.director.collect_trash(self.lab.now);
        freed.sort();
        let (now, counts, templates) = (self.model.now, &self.model.counts, &self.model.templates);
        let mut expected: Vec<RealId> = Vec::new();
        self.removed.retain_mut(|old| {
            if counts[&old.real.id].total > 0 || templates.of_real(old.real.id) > 0 {
                old.idle_since = None;
                return true;
            }
            let idle = now - *old.idle_since.get_or_insert(now) >= u64::from(Jiffies::ticks(120));
            if idle {
                expected.push(old.real.id);
            }
            !idle
        });
        expected.sort();
        prop_assert_eq!(freed, expected);
        Ok(())
    }

    /// The packet as the model sees it, and as a frame from a client or (with its source) towards one.
    fn packet(sent: Sent, reply_from: Option<Ipv4Addr>) -> (Packet, Frame) {
        let Sent { tuple: (number, client), flags, payload } = sent;
        let (protocol, port) = ENDPOINTS[number];
        let (ends, sport, dport) = match reply_from {
            None => (from_gateway(*client.ip()), client.port(), port),
            Some(source) => (from_link(1).ipv4(source, *client.ip()), port, client.port()),
        };
        let frame = if protocol == 6 { ends.tcp(sport, dport, flags) } else { ends.udp(sport, dport) };
        let bytes = if protocol == 6 { 40 } else { 28 } + payload as u64;
        (Packet { tuple: sent.tuple, flags, bytes }, frame.payload(&vec![0; payload]))
    }

    fn request(&mut self, sent: Sent) -> Result<(), TestCaseError> {
        let (packet, frame) = Self::packet(sent, None);
        let (verdict, bytes) = self.lab.client_sends(&frame);
        let (expected, destination) = self.model.request(packet);
        prop_assert_eq!(verdict, expected);
        match destination {
            Some(destination) => prop_assert_eq!(wire::seen(&bytes).destination, destination.into()),
            None => prop_assert_eq!(bytes, frame.build()),
        }
        Ok(())
    }

    fn reply(&mut self, sent: Sent, n: Option<u8>) -> Result<(), TestCaseError> {
        let (packet, frame) = Self::packet(sent, Some(n.map_or(VIP, real)));
        let (verdict, bytes) = self.lab.real_sends(&frame);
        let expected = self.model.reply(packet, n);
        prop_assert_eq!(verdict, expected);
        if verdict == Verdict::ToKernel {
            prop_assert_eq!(bytes, frame.build());
        } else {
            let vip = SocketAddrV4::new(VIP, ENDPOINTS[sent.tuple.0].1);
            let seen = wire::seen(&bytes);
            prop_assert_eq!((seen.source, seen.destination), (vip.into(), sent.tuple.1.into()));
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(listing_of(&self.lab.flows()), self.model.listing());
        prop_assert_eq!(rows_of(&self.lab.templates()), self.model.templates.listing(self.model.now));
        for (&id, counts) in &self.model.counts {
            let held = self.lab.counts(id);
            prop_assert_eq!((held.active(), held.total()), (counts.active, counts.total), "{:?}", id);
            prop_assert_eq!(held.overloaded(), counts.overloaded, "{:?}", id);
            prop_assert_eq!(held.persistent(), self.model.templates.of_real(id), "{:?}", id);
            let stats = self.model.stats.get(&id).copied().unwrap_or_default();
            prop_assert_eq!(self.lab.real_stats(id), stats, "{:?}", id);
        }
        for &reason in DropReason::ALL {
            let expected = self.model.drops.get(&reason).copied().unwrap_or(0);
            prop_assert_eq!(self.lab.dropped(reason), expected, "{}", reason.name());
        }
        Ok(())
    }
}

fn cases() -> ProptestConfig {
    let asked = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        asked
    } else {
        ProptestConfig { cases: CASES, ..asked }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn behaves_as_the_model(operations in operations()) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation)?;
            pair.compare()?;
        }
    }
}
