//! The control plane's services, reals, mark rules and switches, to and from the state that survives a restart.

use sluice_api::RpcError;
use sluice_api::request::RealChange;

use super::convert;
use super::plane::ControlPlane;
use crate::state::{SavedService, SavedState, VERSION};

impl ControlPlane {
    /// What is to survive.
    #[must_use]
    pub fn saved_state(&self) -> SavedState {
        let mut services: Vec<SavedService> = self
            .director
            .services()
            .map(|service| SavedService {
                service: convert::service_spec(&service.config),
                // The director has the newest first; adding them in this order gives its order again.
                reals: service.reals.iter().rev().map(|real| convert::real_spec(&real.config)).collect(),
            })
            .collect();
        services.sort_by_key(|saved| saved.service.id);
        SavedState {
            version: VERSION,
            sysctl: self.settings.kept(),
            services,
            marks: self.mark_specs().collect(),
        }
    }

    /// Sets up what has survived; to be called once, before anything else is configured.
    ///
    /// # Errors
    /// The first service, real or mark rule that is refused, such as one over a limit that was lowered.
    pub fn restore(&mut self, state: SavedState) -> Result<(), RpcError> {
        for told in self.settings.restore(state.sysctl) {
            tracing::warn!("{told}: left as the configuration file has it");
        }
        self.follow_settings();
        self.replace_marks(&state.marks).map_err(|mut error| {
            error.message = format!("saved mark rules: {}", error.message);
            error
        })?;
        for saved in state.services {
            let service = saved.service.id;
            self.add_service(saved.service)?;
            for real in saved.reals {
                self.add_real(&RealChange { service, real })?;
            }
        }
        Ok(())
    }
}
