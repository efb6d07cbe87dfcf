//! New connections of persistent services: the client's template names the real (reference 4.1).
use std::net::IpAddr;

use super::Lcore;
use super::burst::Packet;
use super::call_out::call_id;
use super::miss::describe;
use crate::config::{Engine, FTP, Persistence, Real, Service};
use crate::drop::DropReason;
use crate::family::V4;
use crate::flow::{FlowId, NewFlow, flags};
use crate::persist::{Added, Bound, End, Held, NewTemplate, TemplateKey, template_key};
use crate::real::RealId;
use crate::stats::line;
use crate::time::Jiffies;

impl Lcore {
    /// Sends the connection to the real of the client's template, whatever its weight and load; without a template, to
    /// the scheduler's choice, which the client keeps. `None` where there is no real.
    pub(super) fn choose_persistent(
        &mut self,
        packet: &Packet<'_>,
        slot: u32,
        persistence: Persistence,
        one_packet: bool,
    ) -> Result<Option<NewFlow<V4>>, DropReason> {
        let Some(service) = self.snapshot.service(slot) else { return Ok(None) };
        let port = service.config.key.port();
        let is_port = packet.parsed.dport == port;
        let key = TemplateKey {
            tuple: template_key(&service.config, persistence.netmask, packet.parsed),
            call_id: match service.engine {
                Some(Engine::Sip) => call_id(packet).ok_or(DropReason::SipNoCallId)?,
                None => &[],
            },
        };
        let bound = if one_packet { Bound::Packet } else { Bound::Flow };
        let held = self.templates.hold(key, bound, packet.now, |real| self.keeps(real));
        let held = match held {
            Some(held) => held,
            None => {
                let Some(at) = self.pick(packet, slot) else { return Ok(None) };
                let real = self.snapshot.service(slot).and_then(|service| service.reals.get(at));
                let timeout = Jiffies::ticks(persistence.timeout);
                let Some(new) = real.and_then(|real| template(key, real, is_port && port != FTP, timeout))
                else {
                    return Ok(None);
                };
                self.add_template(&new, bound, packet.now, |real| self.keeps(real))?
            }
        };
        let template = (bound == Bound::Flow).then_some(held.id);
        let new = self.real(held.real).and_then(|real| describe(packet, real, is_port, template));
        if let (None, Some(template)) = (&new, template) {
            self.templates.release(template, End::Expired, packet.now);
        }
        Ok(new)
    }

    pub(super) fn add_template(
        &self,
        new: &NewTemplate<'_>,
        bound: Bound,
        now: Jiffies,
        usable: impl Fn(RealId) -> bool,
    ) -> Result<Held, DropReason> {
        match self.templates.add(new, bound, now, usable) {
            Added::Held { held, evicted } => {
                self.stats.evicted_templates.add(u64::from(evicted));
                Ok(held)
            }
            Added::Full => Err(DropReason::TemplateTableFull),
        }
    }

    /// Whether a template that names the real still holds.
    pub(super) fn keeps(&self, real: RealId) -> bool {
        let flags = self.stats.real(real).map_or(0, |line| line.flags());
        let quiesced = flags & line::WEIGHTED == 0;
        flags & line::AVAILABLE != 0 && !(quiesced && self.snapshot.switches.expire_quiescent_template)
    }

    /// An available real. It may be another service's: FTP's and port 0's of one address share templates.
    fn real(&self, id: RealId) -> Option<&Real> {
        self.service_and_real(id).map(|(_, real)| real)
    }

    /// The same, and its service.
    pub(super) fn service_and_real(&self, id: RealId) -> Option<(&Service, &Real)> {
        let (slot, at) = self.stats.real(id)?.place()?;
        let service = self.snapshot.service(u32::try_from(slot).ok()?)?;
        Some((service, service.reals.get(at).filter(|real| real.id == id)?))
    }

    /// Tells the flow's template, once, that the client is answered.
    #[cold]
    pub(super) fn assure(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.flags &= !flags::UNASSURED;
        if let Some(template) = flow.wheel.template {
            self.templates.assure(template);
        }
    }
}

/// A template for `real`; it shows the real's port where it stands for one port of the service.
pub(super) fn template<'a>(
    key: TemplateKey<'a>,
    real: &Real,
    shows_port: bool,
    timeout: u32,
) -> Option<NewTemplate<'a>> {
    let IpAddr::V4(address) = real.config.address else { return None };
    let port = if shows_port { real.config.port } else { 0 };
    let (address, forward) = (address.to_bits(), real.config.forward);
    Some(NewTemplate { key, real: real.id, address, port, forward, timeout })
}
