//! What the operator should know of a change that was accepted all the same.

use std::net::IpAddr;

use sluice_api::ServiceId;
use sluice_core::Fib;

/// Says so where nobody answers ARP for a virtual address. `twins` are the names of the ports' twins; without any,
/// addresses are not the daemon's business.
pub(super) fn unheld_address(id: &ServiceId, fib: &Fib, twins: &[String]) -> Option<String> {
    let ServiceId::Address { address: IpAddr::V4(address), .. } = *id else { return None };
    let twin = twins.first()?;
    if fib.is_local(address) {
        return None;
    }
    Some(format!(
        "no twin holds {address}, so nobody answers ARP for it: ip addr add {address}/32 dev {twin}"
    ))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sluice_api::Protocol;

    use super::*;

    #[test]
    fn the_line_to_type_is_given() {
        let vip = Ipv4Addr::new(10, 0, 0, 1);
        let id = ServiceId::Address { protocol: Protocol::Tcp, address: vip.into(), port: 80 };
        let twins = ["sl-wan".to_owned(), "sl-lan".to_owned()];
        let mut fib = Fib::default();
        assert_eq!(
            unheld_address(&id, &fib, &twins).as_deref(),
            Some("no twin holds 10.0.0.1, so nobody answers ARP for it: ip addr add 10.0.0.1/32 dev sl-wan")
        );
        assert_eq!(unheld_address(&id, &fib, &[]), None);
        fib.set_locals([vip]);
        assert_eq!(unheld_address(&id, &fib, &twins), None);
    }
}
