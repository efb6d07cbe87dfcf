//! The verbs of mark rules, and their translation between the control socket's types and the core's.

use std::ops::RangeInclusive;

use sluice_api::{Applied, ErrorCode, MarkEntry, MarkSpec, PortRange, Prefix, Reply, RpcError};
use sluice_core::{ConfigError, MarkRule, NewMark, ServiceKey};

use super::convert;
use super::plane::ControlPlane;

type Outcome = Result<Reply, RpcError>;

impl ControlPlane {
    pub(super) fn add_mark(&mut self, spec: &MarkSpec) -> Outcome {
        let added = self.director.add_mark(self.new_mark(spec)?).map_err(|error| refusal(&error))?;
        self.follow_marks();
        Ok(Reply::Applied(Applied { id: Some(added.id), ..Applied::default() }))
    }

    pub(super) fn delete_mark(&mut self, id: u32) -> Outcome {
        self.director.delete_mark(id).map_err(|error| refusal(&error))?;
        self.follow_marks();
        Ok(Reply::Applied(Applied::default()))
    }

    /// Replaces all; the restored state comes this way too.
    pub(super) fn replace_marks(&mut self, specs: &[MarkSpec]) -> Outcome {
        let rules = (1..).zip(specs).map(|(place, spec)| {
            self.new_mark(spec)
                .and_then(|new| new.rule.check().map(|()| new).map_err(|error| refusal(&error)))
                .map_err(|mut error| {
                    error.message = format!("rule {place} of {}: {}", specs.len(), error.message);
                    error
                })
        });
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        self.director.replace_marks(rules).map_err(|error| refusal(&error))?;
        self.follow_marks();
        Ok(Reply::Applied(Applied::default()))
    }

    pub(super) fn list_marks(&self) -> Vec<MarkEntry> {
        let lcores = self.accounts.lcores();
        let entries = self.director.marks().iter().zip(self.mark_specs());
        entries
            .map(|(entry, spec)| MarkEntry {
                hits: self.mark_accounts.hits(entry.slot, lcores),
                service: self.has_service(&entry.rule),
                spec,
            })
            .collect()
    }

    /// The rules in the order in which they are asked.
    pub(super) fn mark_specs(&self) -> impl Iterator<Item = MarkSpec> {
        self.director.marks().iter().map(|entry| self.mark_spec(entry.id, &entry.rule))
    }

    fn has_service(&self, rule: &MarkRule) -> bool {
        let of = |ipv6| ServiceKey::Fwmark { mark: rule.mark, ipv6 };
        [false, true].into_iter().any(|ipv6| self.director.service(&of(ipv6)).is_ok())
    }

    fn follow_marks(&mut self) {
        self.mark_accounts.follow(self.director.marks(), self.accounts.lcores());
    }

    fn new_mark(&self, spec: &MarkSpec) -> Result<NewMark, RpcError> {
        let port = spec.port.as_deref().map(|name| self.port_index(name)).transpose()?;
        let rule = MarkRule {
            priority: spec.priority,
            port,
            vlan: spec.vlan,
            protocol: spec.protocol.map(convert::core_protocol),
            source: spec.source.map(core_prefix),
            destination: spec.destination.map(core_prefix),
            source_ports: spec.source_ports.map(core_range),
            destination_ports: spec.destination_ports.map(core_range),
            mark: spec.mark,
        };
        Ok(NewMark { id: spec.id, rule })
    }

    fn port_index(&self, name: &str) -> Result<u16, RpcError> {
        let found = self.port_names.iter().position(|port| port == name);
        found.and_then(|index| u16::try_from(index).ok()).ok_or_else(|| {
            let message = format!("no port `{name}`; there are: {}", self.port_names.join(", "));
            RpcError::new(ErrorCode::NoDevice, message)
        })
    }

    fn mark_spec(&self, id: u32, rule: &MarkRule) -> MarkSpec {
        let name = |port: u16| self.port_names.get(usize::from(port)).cloned();
        let prefix = |prefix: sluice_core::Prefix| Prefix { address: prefix.address, length: prefix.length };
        let range = |ports: &RangeInclusive<u16>| PortRange { first: *ports.start(), last: *ports.end() };
        MarkSpec {
            id: Some(id),
            priority: rule.priority,
            port: rule.port.and_then(name),
            vlan: rule.vlan,
            protocol: rule.protocol.map(convert::protocol),
            source: rule.source.map(prefix),
            destination: rule.destination.map(prefix),
            source_ports: rule.source_ports.as_ref().map(range),
            destination_ports: rule.destination_ports.as_ref().map(range),
            mark: rule.mark,
        }
    }
}

fn core_prefix(prefix: Prefix) -> sluice_core::Prefix {
    sluice_core::Prefix { address: prefix.address, length: prefix.length }
}

fn core_range(ports: PortRange) -> RangeInclusive<u16> {
    ports.first..=ports.last
}

/// The core's own words name what they are about.
fn refusal(error: &ConfigError) -> RpcError {
    RpcError::new(convert::error_code(error), error.to_string())
}
