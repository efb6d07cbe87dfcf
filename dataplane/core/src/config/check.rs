//! What the kernel would refuse, and what Sluice does not have yet.
use std::net::IpAddr;

use super::encapsulation::TunnelKind;
use super::error::ConfigError;
use super::service::{Engine, Forward, RealConfig, SchedulerKind, ServiceConfig, ServiceKey};
use crate::sched::mh;

/// The longest persistence in seconds: ipvsadm's 31 days.
const PERSISTENCE_MAX: u32 = 2_678_400;

/// The service's scheduler, if the service can be had.
pub(super) fn check_service(config: &ServiceConfig) -> Result<SchedulerKind, ConfigError> {
    match config.key {
        ServiceKey::Fwmark { mark: 0, .. } => return Err(ConfigError::Invalid("the mark may not be 0")),
        ServiceKey::Fwmark { ipv6: true, .. } | ServiceKey::Address { address: IpAddr::V6(_), .. } => {
            return Err(ConfigError::Unsupported("an IPv6 service"));
        }
        ServiceKey::Address { .. } | ServiceKey::Fwmark { .. } => {}
    }
    if let Some(persistence) = config.persistence
        && !(1..=PERSISTENCE_MAX).contains(&persistence.timeout)
    {
        return Err(ConfigError::Range("the persistence timeout (1 to 2678400 seconds)"));
    }
    let scheduler = SchedulerKind::from_name(&config.scheduler)
        .ok_or_else(|| ConfigError::NoScheduler(config.scheduler.clone()))?;
    match &config.engine {
        Some(name) if Engine::from_name(name).is_none() => Err(ConfigError::NoEngine(name.clone())),
        _ => Ok(scheduler),
    }
}

/// Whether the scheduler can have so many reals.
pub(super) fn check_number(scheduler: SchedulerKind, reals: usize) -> Result<(), ConfigError> {
    if scheduler == SchedulerKind::Mh && reals > mh::SLOTS {
        return Err(ConfigError::Invalid("mh takes no more than 4093 real servers"));
    }
    Ok(())
}

/// Whether the real can be one of the service's.
pub(super) fn check_real(config: &RealConfig) -> Result<(), ConfigError> {
    const MAX: u32 = i32::MAX as u32;
    if config.weight > MAX {
        return Err(ConfigError::Range("the weight"));
    }
    if config.upper > MAX {
        return Err(ConfigError::Invalid("the upper threshold is over 2147483647"));
    }
    if config.lower > config.upper {
        return Err(ConfigError::Range("the lower threshold (it may not be over the upper one)"));
    }
    if config.forward == Forward::Bypass {
        return Err(ConfigError::Invalid("no real server is a bypass"));
    }
    let IpAddr::V4(address) = config.address else {
        return Err(ConfigError::Unsupported("an IPv6 real server"));
    };
    if address.is_multicast() || address.is_broadcast() || address.is_unspecified() {
        return Err(ConfigError::NotUnicast(config.address));
    }
    if config.forward == Forward::Tunnel
        && config.encapsulation.kind == TunnelKind::Gue
        && config.encapsulation.port == 0
    {
        return Err(ConfigError::Invalid("a tunnel of type gue needs a port"));
    }
    Ok(())
}
