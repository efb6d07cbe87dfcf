//! Switches in force: `sysctl.set`, `timeout.set`, and the defences of every second.

use sluice_api::{Applied, Reply, RpcError, SysctlValues, Timeouts};
use sluice_core::{Director, Snapshot};

use super::convert::{self, refusal};
use super::plane::ControlPlane;
use crate::switches::{Defences, Room, Settings};

/// Brings the switches into force on a director whose lcores have no flows yet.
pub(crate) fn set_up(director: &mut Director, settings: &mut Settings) {
    follow(director, settings, std::iter::empty());
}

/// Brings the switches into force; whether that changed anything.
fn follow(director: &mut Director, settings: &mut Settings, rooms: impl Iterator<Item = Room>) -> bool {
    let defences = Defences::judge(settings, rooms);
    let switches = settings.switches(&defences);
    let timeouts = settings.timeouts();
    let Snapshot { switches: old_switches, timeouts: old_timeouts, .. } = *director.snapshot();
    if (switches, timeouts) == (old_switches, old_timeouts) {
        return false;
    }
    director.set_switches(switches);
    // The table of switches has no timeout that the core would refuse, and none of 0.
    if let Err(error) = director.set_timeouts(timeouts) {
        tracing::error!(%error, "timeouts");
    }
    true
}

impl ControlPlane {
    /// Brings the switches into force, with the defences by the room that the lcores have now; whether that changed
    /// anything.
    pub(super) fn follow_settings(&mut self) -> bool {
        let rooms = self
            .workers
            .iter()
            .map(|worker| Room { capacity: worker.capacity, used: worker.stats.flows.get() });
        let changed = follow(&mut self.director, &mut self.settings, rooms);
        self.accounts.estimate(self.settings.number("run_estimation") != 0, self.director.services());
        changed
    }

    pub(super) fn set_sysctls(&mut self, wanted: &SysctlValues) -> Result<Reply, RpcError> {
        let warnings = self.settings.set(&wanted.values)?;
        self.follow_settings();
        Ok(Reply::Applied(Applied { warnings, id: None }))
    }

    pub(super) fn set_timeouts(&mut self, wanted: Timeouts) -> Result<Reply, RpcError> {
        let wanted = convert::core_timeouts(wanted);
        self.director.set_timeouts(wanted).map_err(|error| refusal(&error, &"timeouts"))?;
        self.settings.set_timeouts(wanted);
        Ok(Reply::Applied(Applied::default()))
    }
}
