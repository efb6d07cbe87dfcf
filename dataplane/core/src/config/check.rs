//! What the kernel would refuse, and what Sluice does not have yet.
use std::net::IpAddr;

use super::error::ConfigError;
use super::service::{Forward, RealConfig, SchedulerKind, ServiceConfig, ServiceKey};
use crate::sched::mh;

/// The service's scheduler, if the service can be had.
pub(super) fn check_service(config: &ServiceConfig) -> Result<SchedulerKind, ConfigError> {
    match config.key {
        ServiceKey::Fwmark { .. } => return Err(ConfigError::Unsupported("a firewall-mark service")),
        ServiceKey::Address { address: IpAddr::V6(_), .. } => {
            return Err(ConfigError::Unsupported("an IPv6 service"));
        }
        ServiceKey::Address { .. } => {}
    }
    if config.persistence.is_some() {
        return Err(ConfigError::Unsupported("persistence"));
    }
    if config.one_packet {
        return Err(ConfigError::Unsupported("one-packet scheduling"));
    }
    if config.engine.is_some() {
        return Err(ConfigError::Unsupported("a persistence engine"));
    }
    SchedulerKind::from_name(&config.scheduler)
        .ok_or_else(|| ConfigError::NoScheduler(config.scheduler.clone()))
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
    let IpAddr::V4(address) = config.address else {
        return Err(ConfigError::Unsupported("an IPv6 real server"));
    };
    if address.is_multicast() || address.is_broadcast() || address.is_unspecified() {
        return Err(ConfigError::NotUnicast(config.address));
    }
    if config.forward == Forward::Tunnel {
        return Err(ConfigError::Unsupported("tunnelling"));
    }
    Ok(())
}
