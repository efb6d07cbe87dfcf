//! Between the control socket's types and the core's.

use sluice_api as api;
use sluice_api::{ErrorCode, RpcError};
use sluice_core as core;

use crate::counters::{Rates, Shown};

/// What the core has no word for is refused here, in the same terms as its own refusals.
pub(crate) type Refused = RpcError;

pub(crate) fn core_protocol(protocol: api::Protocol) -> core::Protocol {
    match protocol {
        api::Protocol::Tcp => core::Protocol::Tcp,
        api::Protocol::Udp => core::Protocol::Udp,
        api::Protocol::Sctp => core::Protocol::Sctp,
    }
}

pub(crate) fn protocol(protocol: core::Protocol) -> api::Protocol {
    match protocol {
        core::Protocol::Tcp => api::Protocol::Tcp,
        core::Protocol::Udp => api::Protocol::Udp,
        core::Protocol::Sctp => api::Protocol::Sctp,
    }
}

pub(crate) fn service_key(id: &api::ServiceId) -> core::ServiceKey {
    match *id {
        api::ServiceId::Address { protocol, address, port } => {
            core::ServiceKey::Address { protocol: core_protocol(protocol), address, port }
        }
        api::ServiceId::Mark { fwmark, family } => {
            core::ServiceKey::Fwmark { mark: fwmark, ipv6: family == api::Family::Ipv6 }
        }
    }
}

pub(crate) fn service_id(key: &core::ServiceKey) -> api::ServiceId {
    match *key {
        core::ServiceKey::Address { protocol, address, port } => {
            api::ServiceId::Address { protocol: self::protocol(protocol), address, port }
        }
        core::ServiceKey::Fwmark { mark, ipv6 } => {
            let family = if ipv6 { api::Family::Ipv6 } else { api::Family::Ipv4 };
            api::ServiceId::Mark { fwmark: mark, family }
        }
    }
}

pub(crate) fn service_config(spec: api::ServiceSpec) -> Result<core::ServiceConfig, Refused> {
    let persistence = match spec.persistent {
        Some(wanted) => Some(core::Persistence {
            timeout: wanted.timeout,
            netmask: netmask(spec.id.family(), wanted.netmask)?,
        }),
        None => None,
    };
    Ok(core::ServiceConfig {
        key: service_key(&spec.id),
        scheduler: spec.scheduler,
        flags: spec.flags.iter().fold(0, |bits, flag| bits | flag_bit(*flag)),
        persistence,
        one_packet: spec.one_packet,
        engine: spec.pe,
    })
}

/// A mask of the service's family, the full one where there is none.
fn netmask(family: api::Family, mask: Option<api::Netmask>) -> Result<u32, Refused> {
    match (family, mask) {
        (api::Family::Ipv4, None) => Ok(u32::MAX),
        (api::Family::Ipv4, Some(api::Netmask::V4(mask))) => Ok(mask.to_bits()),
        (api::Family::Ipv6, None) => Ok(128),
        (api::Family::Ipv6, Some(api::Netmask::V6(length @ 1..=128))) => Ok(u32::from(length)),
        (api::Family::Ipv4, Some(api::Netmask::V6(_))) => {
            Err(RpcError::new(ErrorCode::Invalid, "netmask: an IPv4 service takes a dotted mask"))
        }
        (api::Family::Ipv6, Some(_)) => {
            Err(RpcError::new(ErrorCode::Invalid, "netmask: an IPv6 service takes a prefix length, 1 to 128"))
        }
    }
}

fn flag_bit(flag: api::SchedFlag) -> u8 {
    match flag {
        api::SchedFlag::Flag1 => 1,
        api::SchedFlag::Flag2 => 2,
        api::SchedFlag::Flag3 => 4,
    }
}

pub(crate) fn service_spec(config: &core::ServiceConfig) -> api::ServiceSpec {
    let id = service_id(&config.key);
    let flags = [api::SchedFlag::Flag1, api::SchedFlag::Flag2, api::SchedFlag::Flag3];
    let netmask = |bits: u32| match id.family() {
        api::Family::Ipv4 => api::Netmask::V4(bits.into()),
        api::Family::Ipv6 => api::Netmask::V6(u8::try_from(bits).unwrap_or(128)),
    };
    api::ServiceSpec {
        id,
        scheduler: config.scheduler.clone(),
        flags: flags.into_iter().filter(|flag| config.flags & flag_bit(*flag) != 0).collect(),
        persistent: config.persistence.map(|persistence| api::Persistence {
            timeout: persistence.timeout,
            netmask: Some(netmask(persistence.netmask)).filter(|mask| !mask.is_full()),
        }),
        one_packet: config.one_packet,
        pe: config.engine.clone(),
    }
}

pub(crate) fn real_config(spec: &api::RealSpec) -> Result<core::RealConfig, Refused> {
    let forward = match spec.forward {
        api::Forward::Masq => core::Forward::Masq,
        api::Forward::Route => core::Forward::Route,
        api::Forward::Tunnel => core::Forward::Tunnel,
        api::Forward::Local | api::Forward::Bypass => {
            let message =
                "forward `local` and `bypass` are found out, never asked for: use masq, route or tunnel";
            return Err(RpcError::new(ErrorCode::Invalid, message));
        }
    };
    Ok(core::RealConfig {
        address: spec.id.address,
        port: spec.id.port,
        forward,
        weight: spec.weight,
        upper: spec.upper_threshold,
        lower: spec.lower_threshold,
        encapsulation: spec.tunnel.map(encapsulation).unwrap_or_default(),
    })
}

pub(crate) fn real_spec(config: &core::RealConfig) -> api::RealSpec {
    api::RealSpec {
        id: api::RealId { address: config.address, port: config.port },
        forward: forward(config.forward),
        weight: config.weight,
        upper_threshold: config.upper,
        lower_threshold: config.lower,
        tunnel: (config.forward == core::Forward::Tunnel).then(|| tunnel(config.encapsulation)),
    }
}

fn encapsulation(tunnel: api::Tunnel) -> core::Encapsulation {
    core::Encapsulation {
        kind: match tunnel.kind {
            api::TunnelKind::Ipip => core::TunnelKind::Ipip,
            api::TunnelKind::Gue => core::TunnelKind::Gue,
            api::TunnelKind::Gre => core::TunnelKind::Gre,
        },
        port: tunnel.port,
        checksum: match tunnel.checksum {
            api::Checksum::None => core::TunnelChecksum::None,
            api::Checksum::Csum => core::TunnelChecksum::Full,
            api::Checksum::Remcsum => core::TunnelChecksum::Remote,
        },
    }
}

fn tunnel(encapsulation: core::Encapsulation) -> api::Tunnel {
    api::Tunnel {
        kind: match encapsulation.kind {
            core::TunnelKind::Ipip => api::TunnelKind::Ipip,
            core::TunnelKind::Gue => api::TunnelKind::Gue,
            core::TunnelKind::Gre => api::TunnelKind::Gre,
        },
        port: encapsulation.port,
        checksum: match encapsulation.checksum {
            core::TunnelChecksum::None => api::Checksum::None,
            core::TunnelChecksum::Full => api::Checksum::Csum,
            core::TunnelChecksum::Remote => api::Checksum::Remcsum,
        },
    }
}

pub(crate) fn forward(forward: core::Forward) -> api::Forward {
    match forward {
        core::Forward::Masq => api::Forward::Masq,
        core::Forward::Route => api::Forward::Route,
        core::Forward::Tunnel => api::Forward::Tunnel,
        core::Forward::Bypass => api::Forward::Bypass,
    }
}

pub(crate) fn stats(shown: &Shown) -> api::Stats {
    let stats = shown.stats;
    api::Stats {
        conns: stats.conns,
        in_packets: stats.in_packets,
        out_packets: stats.out_packets,
        in_bytes: stats.in_bytes,
        out_bytes: stats.out_bytes,
    }
}

pub(crate) fn rates(rates: Rates) -> api::Rates {
    api::Rates {
        cps: rates.conns,
        in_pps: rates.in_packets,
        out_pps: rates.out_packets,
        in_bps: rates.in_bytes,
        out_bps: rates.out_bytes,
    }
}

fn conn_protocol(protocol: u8) -> api::ConnProtocol {
    match protocol {
        6 => api::ConnProtocol::Tcp,
        17 => api::ConnProtocol::Udp,
        132 => api::ConnProtocol::Sctp,
        _ => api::ConnProtocol::Ip,
    }
}

pub(crate) fn template(template: &core::TemplateView) -> api::Connection {
    let call_id = Some(template.call_id.as_bytes()).filter(|bytes| !bytes.is_empty());
    let call_id = call_id.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    api::Connection {
        protocol: conn_protocol(template.protocol),
        client: template.client,
        virtual_: template.virtual_endpoint,
        destination: template.destination,
        state: template.state.to_owned(),
        expires_s: template.expires,
        forward: forward(template.forward),
        template: true,
        pe_name: call_id.clone().map(|_| core::Engine::Sip.name().to_owned()),
        pe_data: call_id,
    }
}

pub(crate) fn connection(flow: &core::FlowView) -> api::Connection {
    api::Connection {
        protocol: conn_protocol(flow.protocol),
        client: flow.client,
        virtual_: flow.virtual_endpoint,
        destination: flow.destination,
        state: flow.state.to_owned(),
        expires_s: flow.expires,
        forward: forward(flow.forward),
        template: false,
        pe_name: None,
        pe_data: None,
    }
}

pub(crate) fn timeouts(timeouts: core::Timeouts) -> api::Timeouts {
    api::Timeouts { tcp: timeouts.tcp, tcp_fin: timeouts.tcp_fin, udp: timeouts.udp }
}

pub(crate) fn core_timeouts(timeouts: api::Timeouts) -> core::Timeouts {
    core::Timeouts { tcp: timeouts.tcp, tcp_fin: timeouts.tcp_fin, udp: timeouts.udp }
}

/// The core's refusal, with the name of what it is about.
pub(crate) fn refusal(error: &core::ConfigError, about: &dyn std::fmt::Display) -> Refused {
    RpcError::new(error_code(error), format!("{error}: {about}"))
}

/// The errno of a refusal.
pub(crate) fn error_code(error: &core::ConfigError) -> ErrorCode {
    use core::ConfigError as E;
    match error {
        E::ServiceExists | E::RealExists | E::MarkExists(_) => ErrorCode::Exists,
        E::NoService => ErrorCode::NoSuchService,
        E::NoReal | E::NoMark(_) | E::NoScheduler(_) | E::NoEngine(_) => ErrorCode::NoSuchEntry,
        E::Range(_) => ErrorCode::Range,
        E::NotUnicast(_) | E::Invalid(_) => ErrorCode::Invalid,
        E::Full { .. } => ErrorCode::NoMemory,
        E::Unsupported(_) => ErrorCode::NotSupported,
        _ => ErrorCode::Internal,
    }
}
