//! Whether the process may do what its configuration needs.

use crate::config::Config;

/// Bits of the capability sets (linux/capability.h).
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
/// Devices that touch neither hardware nor the kernel's interfaces.
const UNPRIVILEGED: &[&str] = &["net_null", "net_ring", "net_pcap"];

/// Says what is missing, before half of a start is done.
///
/// # Errors
/// One line that says what to do.
pub(crate) fn check(config: &Config) -> Result<(), String> {
    let needed = config.ports.iter().find_map(|port| {
        if port.twin_name().is_some() {
            return Some(format!("port {} has a kernel twin", port.name));
        }
        let plain = UNPRIVILEGED.iter().any(|driver| port.device.starts_with(driver));
        (!plain).then(|| format!("port {} drives {}", port.name, port.device))
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    match needed {
        Some(why) if !holds(&status, &[CAP_NET_ADMIN, CAP_NET_RAW]) => Err(format!(
            "not permitted: {why}, which needs root or CAP_NET_ADMIN and CAP_NET_RAW: start it with sudo or by systemd"
        )),
        _ => Ok(()),
    }
}

/// Whether the effective set of /proc/self/status has all of `capabilities`.
fn holds(status: &str, capabilities: &[u32]) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    capabilities.iter().all(|capability| bits & (1 << capability) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_capabilities_are_needed() {
        assert!(holds("Name:\tx\nCapEff:\t0000000000003000\n", &[CAP_NET_ADMIN, CAP_NET_RAW]));
        assert!(!holds("CapEff:\t0000000000002000\n", &[CAP_NET_ADMIN, CAP_NET_RAW]));
        assert!(!holds("", &[CAP_NET_ADMIN]));
    }
}
