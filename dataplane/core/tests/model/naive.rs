//! The load balancer as the reference words it, naively: lists and maps, one flow after the other.
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use sluice_core::{
    DropReason, FlowView, Forward, Persistence, RealId, RealStats, Switches, Timeouts, Verdict,
};

use crate::common::tcp_table::{Event, Seen, Table};
use crate::common::{TO_CLIENT, TO_REAL, VIP, real};
use crate::schedulers::{Asked, Scheduler};
use crate::templates::{Row, Templates};

/// The services there may be, by number: protocol and port.
pub(crate) const SERVICES: [(u8, u16); 4] = [(6, 80), (6, 81), (17, 53), (6, 0)];

/// Where packets go, by number: the first are the services' own.
pub(crate) const ENDPOINTS: [(u8, u16); 4] = [(6, 80), (6, 81), (17, 53), (6, 82)];

/// A real of a service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Real {
    pub(crate) id: RealId,
    pub(crate) n: u8,
    /// Its configured port: the service's, or 0.
    pub(crate) port: u16,
    pub(crate) forward: Forward,
    pub(crate) weight: u32,
    /// Another with each addition and edit.
    pub(crate) edition: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) uid: u64,
    pub(crate) persistence: Option<Persistence>,
    pub(crate) one_packet: bool,
    pub(crate) scheduler: &'static str,
    /// Another each time that a scheduler of another name takes over.
    pub(crate) binding: u64,
    /// Newest first.
    pub(crate) reals: Vec<Real>,
}

/// What the operator has asked for, or what the lcore has taken over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) services: [Option<Service>; 4],
    pub(crate) switches: Switches,
    pub(crate) timeouts: Timeouts,
}

impl Config {
    fn real(&self, id: RealId) -> Option<&Real> {
        self.services.iter().flatten().flat_map(|service| &service.reals).find(|real| real.id == id)
    }

    /// The service that takes the packets to an endpoint: its own, or TCP's of port 0 (reference 1).
    fn service_of(&self, endpoint: usize) -> Option<usize> {
        let (protocol, port) = ENDPOINTS[endpoint];
        let is_it = |number: &usize| SERVICES[*number] == (protocol, port);
        let candidates = (0..SERVICES.len()).filter(|number| self.services[*number].is_some());
        let port_0 = candidates.clone().find(|number| SERVICES[*number] == (protocol, 0));
        candidates.into_iter().find(is_it).or(port_0)
    }
}

/// A real's connections and its thresholds (reference 3.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) active: u32,
    pub(crate) total: u32,
    pub(crate) overloaded: bool,
    upper: u32,
    lower: u32,
}

impl Counts {
    fn low(&self) -> u32 {
        if self.lower == 0 { self.upper - self.upper / 4 } else { self.lower }
    }

    pub(crate) fn set_thresholds(&mut self, upper: u32, lower: u32) {
        if (self.upper, self.lower) == (upper, lower) {
            return;
        }
        (self.upper, self.lower) = (upper, lower);
        if upper == 0 || self.total < self.low() {
            self.overloaded = false;
        } else if self.total >= upper {
            self.overloaded = true;
        }
    }

    fn bind(&mut self) {
        self.total += 1;
        if self.upper != 0 && self.total >= self.upper {
            self.overloaded = true;
        }
    }

    fn unbind(&mut self, active: bool) {
        self.active -= u32::from(active);
        self.total -= 1;
        if self.total < self.low() {
            self.overloaded = false;
        }
    }
}

/// Endpoint, client and client port: what tells flows apart.
pub(crate) type Tuple = (usize, SocketAddrV4);

#[derive(Clone, Debug)]
struct Flow {
    real: RealId,
    destination: SocketAddrV4,
    masq: bool,
    state: String,
    replied: bool,
    expires: u64,
    in_packets: u32,
    /// The template it is under.
    template: Option<u64>,
}

/// A packet: whose, its flags, its IP bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) tuple: Tuple,
    pub(crate) flags: u8,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) wanted: Config,
    loaded: Config,
    schedulers: [Option<Scheduler>; 4],
    pub(crate) counts: BTreeMap<RealId, Counts>,
    pub(crate) stats: BTreeMap<RealId, RealStats>,
    flows: BTreeMap<Tuple, Flow>,
    pub(crate) templates: Templates,
    pub(crate) drops: BTreeMap<DropReason, u64>,
    /// Jiffies since the start.
    pub(crate) now: u64,
    sweep: bool,
    /// What drop_packet counts down: at 0 and 1 an attempt to start a flow is dropped.
    attempts: u32,
    pub(crate) dropped_entries: u64,
    usual: Table,
    secure: Table,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            wanted: Config::default(),
            loaded: Config::default(),
            schedulers: Default::default(),
            counts: BTreeMap::new(),
            stats: BTreeMap::new(),
            flows: BTreeMap::new(),
            templates: Templates::default(),
            drops: BTreeMap::new(),
            now: 0,
            sweep: false,
            attempts: 0,
            dropped_entries: 0,
            usual: Table::read(),
            secure: Table::secure(),
        }
    }

    /// The lcore takes over what was asked for.
    pub(crate) fn load(&mut self) {
        let old = std::mem::replace(&mut self.loaded, self.wanted.clone());
        self.sweep |= self.loaded.switches.expire_nodest_conn;
        let (before, after) = (old.switches, self.loaded.switches);
        match after.drop_at_once {
            true if before.drop_rate == 0 => self.attempts = 0,
            false if before.drop_rate != after.drop_rate => self.attempts = after.drop_rate,
            _ if before.drop_rate == 0 => self.attempts = 0,
            _ => {}
        }
        for ((held, before), after) in
            self.schedulers.iter_mut().zip(&old.services).zip(&self.loaded.services)
        {
            let Some(after) = after else {
                *held = None;
                continue;
            };
            let same = before.as_ref().filter(|before| before.uid == after.uid);
            match (held.as_mut(), same) {
                // lblc and lblcr remember on the control side, where a scheduler in between is seen.
                (Some(Scheduler::Local(..)), Some(before)) if before.binding == after.binding => {}
                (Some(scheduler), Some(before))
                    if scheduler.name() == after.scheduler && !matches!(scheduler, Scheduler::Local(..)) =>
                {
                    scheduler.follow(&before.reals, &after.reals);
                }
                (_, Some(_)) => *held = Some(Scheduler::bind(after.scheduler, &after.reals)),
                (_, None) => {
                    held.insert(Scheduler::bind(after.scheduler, &[])).follow(&[], &after.reals);
                }
            }
        }
    }

    /// Time passes and flows end.
    pub(crate) fn wait(&mut self, jiffies: u64) {
        self.now += jiffies;
        if std::mem::take(&mut self.sweep) {
            let is_orphan = |flow: &Flow| self.loaded.real(flow.real).is_none();
            let orphans: Vec<Tuple> =
                self.flows.iter().filter(|(_, flow)| is_orphan(flow)).map(|(&t, _)| t).collect();
            for tuple in orphans {
                self.end(tuple, true, self.now);
            }
        }
        loop {
            let flow = self.flows.iter().map(|(&tuple, flow)| (flow.expires, tuple)).min();
            let flow = flow.filter(|(time, _)| *time <= self.now);
            let timer = self.templates.next_timer().filter(|(time, _)| *time <= self.now);
            match (timer, flow) {
                (Some((time, id)), flow) if flow.is_none_or(|(ends, _)| time <= ends) => {
                    self.templates.fire(id);
                }
                (_, Some((time, tuple))) => self.end(tuple, false, time),
                (_, None) => return,
            }
        }
    }

    /// A client's packet: the verdict, and the destination it leaves with.
    pub(crate) fn request(&mut self, packet: Packet) -> (Verdict, Option<SocketAddrV4>) {
        if let Some(flow) = self.flows.get(&packet.tuple) {
            let switches = self.loaded.switches;
            let real = self.loaded.real(flow.real);
            let is_syn = ENDPOINTS[packet.tuple.0].0 == 6 && packet.flags & 2 != 0;
            let quiesced = real.is_some_and(|real| real.weight == 0);
            let reused = flow.template.is_none() && self.may_be_reused(flow);
            let renew = is_syn && ((switches.expire_nodest_conn && quiesced) || reused);
            let gone = real.is_none();
            if gone && !renew && !switches.expire_nodest_conn {
                return (self.drop(DropReason::RealGone), None);
            }
            if !gone && !renew {
                return self.follow(packet);
            }
            self.end(packet.tuple, false, self.now);
        }
        self.schedule(packet)
    }

    fn may_be_reused(&self, flow: &Flow) -> bool {
        let mode = self.loaded.switches.conn_reuse_mode;
        match flow.state.as_str() {
            "TIME_WAIT" | "CLOSE" => mode != 0,
            "FIN_WAIT" => mode & 2 != 0 && !flow.masq && !flow.replied,
            _ => false,
        }
    }

    fn schedule(&mut self, packet: Packet) -> (Verdict, Option<SocketAddrV4>) {
        let (endpoint, client) = packet.tuple;
        let Some(number) = self.loaded.service_of(endpoint) else { return (Verdict::ToKernel, None) };
        let Some(service) = self.loaded.services[number].clone() else { return (Verdict::ToKernel, None) };
        let (protocol, port) = ENDPOINTS[endpoint];
        let sloppy = self.loaded.switches.sloppy_tcp;
        let starts = packet.flags & 4 == 0 && (packet.flags & 2 != 0 || sloppy);
        if protocol == 6 && !starts {
            return (Verdict::ToKernel, None);
        }
        let rate = self.loaded.switches.drop_rate;
        if rate > 0 {
            let dropped = self.attempts <= 1;
            self.attempts = if dropped { rate } else { self.attempts - 1 };
            if dropped {
                return (self.drop(DropReason::DropPacket), None);
            }
        }
        let one_packet = service.one_packet && protocol == 17;
        let chosen = match service.persistence {
            Some(persistence) => {
                self.choose_persistent(number, &service, endpoint, *client.ip(), persistence, one_packet)
            }
            None if SERVICES[number].1 != port => None,
            None => self.pick(number, &service, *client.ip()).map(|real| (real, None)),
        };
        let Some((chosen, template)) = chosen else { return (self.drop(DropReason::NoReal), None) };
        // Ports match whatever the real's is: it is the service's or 0, or does not count.
        let destination = SocketAddrV4::new(real(chosen.n), port);
        if one_packet {
            let stats = self.stats.entry(chosen.id).or_default();
            stats.conns += 1;
            stats.in_packets += 1;
            stats.in_bytes += packet.bytes;
            let vip = SocketAddrV4::new(VIP, port);
            return (TO_REAL, Some(if chosen.forward == Forward::Masq { destination } else { vip }));
        }
        let flow = Flow {
            real: chosen.id,
            destination,
            masq: chosen.forward == Forward::Masq,
            state: "NONE".to_owned(),
            replied: false,
            expires: self.now + 3 * 250,
            in_packets: 0,
            template,
        };
        self.counts.get_mut(&chosen.id).unwrap().bind();
        self.stats.entry(chosen.id).or_default().conns += 1;
        self.flows.insert(packet.tuple, flow);
        self.follow(packet)
    }

    fn pick(&mut self, number: usize, service: &Service, client: Ipv4Addr) -> Option<Real> {
        let asked = Asked { reals: &service.reals, counts: &self.counts };
        let at = self.schedulers[number].as_mut().unwrap().pick(asked, client, self.now)?;
        Some(service.reals[at].clone())
    }

    /// The real of the client's template, and the template if a flow is to be under it (reference 4.1).
    fn choose_persistent(
        &mut self,
        number: usize,
        service: &Service,
        endpoint: usize,
        client: Ipv4Addr,
        persistence: Persistence,
        one_packet: bool,
    ) -> Option<(Real, Option<u64>)> {
        let ((protocol, port), is_port) = (ENDPOINTS[endpoint], SERVICES[number].1 == ENDPOINTS[endpoint].1);
        let network = Ipv4Addr::from_bits(client.to_bits() & persistence.netmask);
        let key = (protocol, network, if is_port { port } else { 0 });
        let quiescent = self.loaded.switches.expire_quiescent_template;
        let loaded = &self.loaded;
        let usable = |id| loaded.real(id).is_some_and(|real| real.weight > 0 || !quiescent);
        let id = match self.templates.find(key, usable) {
            Some(id) => id,
            None => {
                let chosen = self.pick(number, service, client)?;
                let shown = SocketAddrV4::new(real(chosen.n), if is_port { chosen.port } else { 0 });
                self.templates.add(key, shown, chosen.id, u64::from(persistence.timeout) * 250)
            }
        };
        let template = self.templates.get(id).unwrap();
        template.expires = self.now + template.timeout;
        template.controls += u32::from(!one_packet);
        template.packets += u32::from(one_packet);
        let real = self.loaded.real(template.real).unwrap().clone();
        Some((real, (!one_packet).then_some(id)))
    }

    /// A packet of the client that follows its flow.
    fn follow(&mut self, packet: Packet) -> (Verdict, Option<SocketAddrV4>) {
        let flow = self.flows.get_mut(&packet.tuple).unwrap();
        flow.in_packets += 1;
        let seen = if flow.masq || flow.replied { Seen::Input } else { Seen::InputOnly };
        let vip = SocketAddrV4::new(VIP, ENDPOINTS[packet.tuple.0].1);
        let destination = if flow.masq { flow.destination } else { vip };
        let stats = self.stats.entry(flow.real).or_default();
        stats.in_packets += 1;
        stats.in_bytes += packet.bytes;
        self.advance(packet, seen);
        (TO_REAL, Some(destination))
    }

    /// A packet towards a client, from real `n` itself or (`None`) in the name of the service.
    pub(crate) fn reply(&mut self, packet: Packet, n: Option<u8>) -> Verdict {
        let Some(flow) = self.flows.get_mut(&packet.tuple) else { return Verdict::ToKernel };
        let is_its = n.map_or(!flow.masq, |n| flow.masq && *flow.destination.ip() == real(n));
        if !is_its {
            return Verdict::ToKernel;
        }
        flow.replied = true;
        let id = flow.real;
        if self.loaded.real(id).is_some() {
            let stats = self.stats.entry(id).or_default();
            stats.out_packets += 1;
            stats.out_bytes += packet.bytes;
        }
        self.advance(packet, Seen::Output);
        if n.is_some() { TO_CLIENT } else { Verdict::ToKernel }
    }

    /// The lcore says what flows it has left. What else there was, drop_entry has ended: no more than two slots' worth of
    /// the table of 64, and none that the rules keep (reference 4.8).
    pub(crate) fn lose(&mut self, left: &[Tuple]) -> Result<(), String> {
        let lost: Vec<Tuple> = self.flows.keys().filter(|tuple| !left.contains(tuple)).copied().collect();
        if lost.len() > if self.loaded.switches.drop_entry { 2 } else { 0 } {
            return Err(format!("too many at once: {lost:?}"));
        }
        for tuple in lost {
            if !self.may_go(&self.flows[&tuple]) {
                return Err(format!("{tuple:?}: {:?}", self.flows[&tuple]));
            }
            self.end(tuple, true, self.now);
            self.dropped_entries += 1;
        }
        Ok(())
    }

    /// The same of templates, which share counters and table size with the flows: `left` is what the lcore lists.
    pub(crate) fn lose_templates(&mut self, mut left: Vec<Row>) -> Result<(), String> {
        let mut lost = Vec::new();
        for template in &self.templates.list {
            match left.iter().position(|row| *row == template.row(self.now)) {
                Some(at) => drop(left.swap_remove(at)),
                None => lost.push(template.clone()),
            }
        }
        if !left.is_empty() || lost.len() > if self.loaded.switches.drop_entry { 2 } else { 0 } {
            return Err(format!("lost {lost:?}, gained {left:?}"));
        }
        for template in lost {
            let has_it = |service: &&Service| service.reals.iter().any(|real| real.id == template.real);
            let service = self.loaded.services.iter().flatten().find(has_it);
            let idle = template.timeout + self.now - template.expires >= 60 * 250;
            let goes = match service.is_some_and(|service| service.one_packet) {
                true => idle && (1..=8).contains(&template.packets),
                false => !template.assured,
            };
            if template.controls > 0 || !goes {
                return Err(format!("{template:?}"));
            }
            self.templates.list.retain(|one| one.id != template.id);
            self.dropped_entries += 1;
        }
        Ok(())
    }

    fn may_go(&self, flow: &Flow) -> bool {
        let timeouts = self.loaded.timeouts;
        let timeout = match flow.state.as_str() {
            "SYN_RECV" | "SYNACK" => return true,
            "ESTABLISHED" => timeouts.tcp,
            "UDP" => timeouts.udp,
            _ => return false,
        };
        let idle = (u64::from(timeout) * 250 + self.now).checked_sub(flow.expires);
        idle.is_some_and(|idle| idle >= 60 * 250) && (1..=8).contains(&flow.in_packets)
    }

    /// State, timer, and what counts as active.
    fn advance(&mut self, packet: Packet, seen: Seen) {
        let flow = self.flows.get_mut(&packet.tuple).unwrap();
        let timeouts = self.loaded.timeouts;
        let assured = flow.template.and_then(|id| self.templates.get(id));
        if ENDPOINTS[packet.tuple.0].0 == 17 {
            flow.state = "UDP".to_owned();
            flow.expires = self.now + u64::from(timeouts.udp) * 250;
            if let Some(template) = assured {
                template.assured |= seen == Seen::Output;
            }
            return;
        }
        let table = if self.loaded.switches.secure_tcp { &self.secure } else { &self.usual };
        let was_active = table.row(&flow.state).active;
        flow.state = table.next(&flow.state, seen, Event::of(packet.flags)).to_owned();
        if let Some(template) = assured {
            template.assured |= flow.state == "ESTABLISHED";
        }
        let row = table.row(&flow.state);
        let seconds = match flow.state.as_str() {
            "ESTABLISHED" => timeouts.tcp,
            "FIN_WAIT" => timeouts.tcp_fin,
            _ => row.timeout,
        };
        flow.expires = self.now + u64::from(seconds) * 250;
        let counts = self.counts.get_mut(&flow.real).unwrap();
        counts.active = counts.active + u32::from(row.active) - u32::from(was_active);
    }

    fn end(&mut self, tuple: Tuple, forced: bool, at: u64) {
        let flow = self.flows.remove(&tuple).unwrap();
        let active = flow.state != "UDP" && self.usual.row(&flow.state).active;
        self.counts.get_mut(&flow.real).unwrap().unbind(active);
        if let Some(template) = flow.template {
            self.templates.release(template, forced, at);
        }
    }

    fn drop(&mut self, reason: DropReason) -> Verdict {
        *self.drops.entry(reason).or_default() += 1;
        Verdict::Drop(reason)
    }

    /// All flows as a listing shows them, in the order of their tuples: client, virtual endpoint, destination, real,
    /// state and seconds left.
    pub(crate) fn listing(&self) -> Vec<(Tuple, SocketAddrV4, RealId, String, u64)> {
        let view = |(&tuple, flow): (&Tuple, &Flow)| {
            (tuple, flow.destination, flow.real, flow.state.clone(), (flow.expires - self.now) / 250)
        };
        self.flows.iter().map(view).collect()
    }
}

/// An endpoint of this model's, which knows IPv4 alone.
pub(crate) fn ipv4(endpoint: SocketAddr) -> SocketAddrV4 {
    let SocketAddr::V4(endpoint) = endpoint else { panic!("{endpoint} is none of ours") };
    endpoint
}

/// The same of the lcore's own listing.
pub(crate) fn listing_of(flows: &[FlowView]) -> Vec<(Tuple, SocketAddrV4, RealId, String, u64)> {
    let view = |flow: &FlowView| {
        let endpoint = (flow.protocol, flow.virtual_endpoint.port());
        let number = ENDPOINTS.iter().position(|&one| one == endpoint).unwrap();
        assert_eq!(flow.virtual_endpoint.ip(), VIP);
        (
            (number, ipv4(flow.client)),
            ipv4(flow.destination),
            flow.real,
            flow.state.to_owned(),
            u64::from(flow.expires),
        )
    };
    let mut listing: Vec<_> = flows.iter().map(view).collect();
    listing.sort();
    listing
}
