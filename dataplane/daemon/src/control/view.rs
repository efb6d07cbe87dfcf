//! All that is shown of the daemon at one time, for those who ask for everything.

use std::collections::BTreeMap;

use sluice_api::{ServiceEntry, Status, Totals, Version};

use super::plane::ControlPlane;
use crate::counters;

/// What the listings say, all taken at once; may leave the control thread.
#[derive(Clone, Debug)]
pub struct View {
    /// What is running.
    pub version: Version,
    /// Everything together.
    pub totals: Totals,
    /// The services, by id.
    pub services: Vec<ServiceEntry>,
    /// Lcores, ports, tables.
    pub status: Status,
    /// Dropped packets by reason.
    pub drops: BTreeMap<String, u64>,
}

impl ControlPlane {
    /// What there is to show now.
    #[must_use]
    pub fn view(&self) -> View {
        let mut services = self.service_entries();
        services.sort_by_key(|service| service.spec.id);
        View {
            version: self.version(),
            totals: self.totals(),
            services,
            status: self.status(),
            drops: counters::drops(self.accounts.lcores(), &self.slow_drops),
        }
    }
}
