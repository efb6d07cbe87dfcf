//! Persistence as the reference words it (3.4, 4.1): a list of templates, whose timers fire one after the other.
use std::net::{Ipv4Addr, SocketAddrV4};

use sluice_core::{RealId, TemplateView};

use crate::common::VIP;
use crate::naive::ipv4;

/// Protocol, clients' network, and the service's port or 0.
pub(crate) type Key = (u8, Ipv4Addr, u16);

/// As a listing shows it: key, destination, real, state, seconds left, flows under it, packets.
pub(crate) type Row = (Key, SocketAddrV4, RealId, String, u64, u32, u32);

#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) id: u64,
    pub(crate) key: Key,
    pub(crate) destination: SocketAddrV4,
    pub(crate) real: RealId,
    pub(crate) timeout: u64,
    pub(crate) expires: u64,
    pub(crate) controls: u32,
    pub(crate) packets: u32,
    pub(crate) assured: bool,
    pub(crate) out_of_use: bool,
}

impl Template {
    pub(crate) fn row(&self, now: u64) -> Row {
        let state = if self.assured { "ASSURED" } else { "NONE" };
        let left = (self.expires - now) / 250;
        (self.key, self.destination, self.real, state.to_owned(), left, self.controls, self.packets)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Templates {
    pub(crate) list: Vec<Template>,
    next: u64,
}

impl Templates {
    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Template> {
        self.list.iter_mut().find(|template| template.id == id)
    }

    /// Makes one, whose timer does not run yet.
    pub(crate) fn add(&mut self, key: Key, destination: SocketAddrV4, real: RealId, timeout: u64) -> u64 {
        self.next += 1;
        self.list.push(Template {
            id: self.next,
            key,
            destination,
            real,
            timeout,
            expires: 0,
            controls: 0,
            packets: 0,
            assured: false,
            out_of_use: false,
        });
        self.next
    }

    /// The client's, if its real is `usable`; if not, it is out of use from now on.
    pub(crate) fn find(&mut self, key: Key, usable: impl Fn(RealId) -> bool) -> Option<u64> {
        let found = self.list.iter_mut().find(|template| !template.out_of_use && template.key == key)?;
        if usable(found.real) {
            return Some(found.id);
        }
        found.out_of_use = true;
        found.key.2 = 65_535;
        found.destination.set_port(65_535);
        None
    }

    /// When the next timer fires, and whose.
    pub(crate) fn next_timer(&self) -> Option<(u64, u64)> {
        self.list.iter().map(|template| (template.expires, template.id)).min()
    }

    /// A timer fires.
    pub(crate) fn fire(&mut self, id: u64) {
        let Some(template) = self.get(id) else { return };
        if template.controls == 0 {
            self.list.retain(|template| template.id != id);
        } else {
            template.timeout = 60 * 250;
            template.expires += template.timeout;
        }
    }

    /// A flow under it has ended at `now`.
    pub(crate) fn release(&mut self, id: u64, forced: bool, now: u64) {
        while self.get(id).is_some_and(|template| template.expires <= now) {
            self.fire(id);
        }
        let Some(template) = self.get(id) else { return };
        template.controls -= 1;
        if forced && template.controls == 0 && !template.assured {
            self.list.retain(|template| template.id != id);
        }
    }

    pub(crate) fn of_real(&self, real: RealId) -> u32 {
        self.list.iter().filter(|template| template.real == real).count() as u32
    }

    pub(crate) fn listing(&self, now: u64) -> Vec<Row> {
        let mut rows: Vec<Row> = self.list.iter().map(|template| template.row(now)).collect();
        rows.sort();
        rows
    }
}

/// The same of the core's own listing.
pub(crate) fn rows_of(templates: &[TemplateView]) -> Vec<Row> {
    let row = |view: &TemplateView| {
        assert_eq!(view.virtual_endpoint.ip(), VIP);
        let client = ipv4(view.client);
        assert_eq!(client.port(), 0);
        let key = (view.protocol, *client.ip(), view.virtual_endpoint.port());
        let left = u64::from(view.expires);
        (key, ipv4(view.destination), view.real, view.state.to_owned(), left, view.controls, view.in_packets)
    };
    let mut rows: Vec<Row> = templates.iter().map(row).collect();
    rows.sort();
    rows
}
