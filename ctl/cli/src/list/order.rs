//! The order of listings: by unsigned value, where ipvsadm compares signed differences and goes astray.

use sluice_api::ServiceEntry;

/// Services by id (addresses before marks), real servers by address and port.
pub(crate) fn sort(services: &mut [ServiceEntry]) {
    services.sort_by_key(|service| service.spec.id);
    for service in services {
        service.reals.sort_by_key(|real| real.spec.id);
    }
}
