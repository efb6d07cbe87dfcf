//! The verbs of the control socket, carried out on the control plane.

use std::rc::Rc;

use sluice_api::request::{OptionalService, PageRequest, RealChange, RealRef};
use sluice_api::{
    Applied, ErrorCode, RealEntry, Reply, Request, RpcError, ServiceEntry, ServiceId, ServiceSpec, Version,
};
use sluice_core::{Real, Service};

use super::convert::{self, refusal};
use super::plane::{ControlPlane, Shared};
use super::{flows, purge, status, warnings};
use crate::counters;

/// The version of IPVS whose behaviour is offered.
const IPVS_VERSION: &str = "1.2.1";
/// Turns of the runtime within which the mirror takes what the kernel has told already.
const MIRROR_TURNS: usize = 4;
/// The verbs, for naming the nearest to an unknown one.
const VERBS: &[&str] = &[
    "version",
    "service.add",
    "service.edit",
    "service.delete",
    "service.list",
    "real.add",
    "real.edit",
    "real.delete",
    "flush",
    "zero",
    "connection.list",
    "purge",
    "mark.add",
    "mark.delete",
    "mark.list",
    "mark.replace",
    "timeout.get",
    "timeout.set",
    "sync.start",
    "sync.stop",
    "sync.list",
    "sysctl.list",
    "sysctl.set",
    "stats",
    "status",
    "drops",
];

/// Carries out one request. Changes are not yet published when this returns.
pub(super) async fn carry_out(shared: &Rc<Shared>, request: Request) -> Result<Reply, RpcError> {
    if let Request::ConnectionList(PageRequest { cursor, limit }) = request {
        return flows::list(shared, cursor.unwrap_or(0), limit).await.map(Reply::Connections);
    }
    if let Request::Purge(wanted) = request {
        return purge::purge(shared, &wanted).await.map(Reply::Purged);
    }
    if matches!(request, Request::ServiceAdd(_)) {
        // The address may have been given to the twin an instant ago: let the mirror see it before it is missed.
        for _ in 0..MIRROR_TURNS {
            tokio::task::yield_now().await;
        }
    }
    let modifies = !request.is_read();
    let outcome = shared.plane.borrow_mut().carry_out(request);
    if modifies && outcome.is_ok() {
        shared.note_change();
    }
    outcome
}

/// Adds the nearest verb to the refusal of an unknown one.
pub(super) fn explain(mut error: RpcError) -> RpcError {
    if error.kind() == Some(ErrorCode::MethodNotFound) {
        let method = error.message.split('`').nth(1).unwrap_or_default().to_owned();
        error.message = match crate::config::nearest(&method, VERBS) {
            Some(near) => format!("no method `{method}`, did you mean `{near}`?"),
            None => format!("no method `{method}`; there are: {}", VERBS.join(", ")),
        };
    }
    error
}

type Outcome = Result<Reply, RpcError>;

fn applied() -> Outcome {
    Ok(Reply::Applied(Applied::default()))
}

impl ControlPlane {
    fn carry_out(&mut self, request: Request) -> Outcome {
        match request {
            Request::Version => Ok(Reply::Version(self.version())),
            Request::ServiceAdd(spec) => self.add_service(spec),
            Request::ServiceEdit(spec) => self.edit_service(spec),
            Request::ServiceDelete(which) => self.delete_service(&which.service),
            Request::ServiceList(which) => self.list_services(which),
            Request::RealAdd(change) => self.add_real(&change),
            Request::RealEdit(change) => self.edit_real(&change),
            Request::RealDelete(which) => self.delete_real(&which),
            Request::Flush => self.flush(),
            Request::Zero(which) => self.zero(which),
            Request::MarkAdd(spec) => self.add_mark(&spec),
            Request::MarkDelete(which) => self.delete_mark(which.id),
            Request::MarkList => Ok(Reply::Marks(self.list_marks())),
            Request::MarkReplace(list) => self.replace_marks(&list.rules),
            Request::TimeoutGet => Ok(Reply::Timeouts(convert::timeouts(self.director.timeouts()))),
            Request::TimeoutSet(wanted) => self.set_timeouts(wanted),
            Request::SysctlList(which) => self.settings.entries(which.names.as_deref()).map(Reply::Sysctls),
            Request::SysctlSet(wanted) => self.set_sysctls(&wanted),
            Request::Stats => Ok(Reply::Totals(self.totals())),
            Request::SyncList => Ok(Reply::SyncDaemons(Vec::new())),
            Request::SyncStart(_) => {
                Err(RpcError::new(ErrorCode::NotSupported, "the sync daemon is not supported yet"))
            }
            Request::SyncStop(_) => Err(RpcError::new(ErrorCode::NoSuchService, "no sync daemon runs")),
            Request::Status => Ok(Reply::Status(Box::new(self.status()))),
            Request::Drops => Ok(Reply::Drops(counters::drops(self.accounts.lcores(), &self.slow_drops))),
            Request::ConnectionList(_) | Request::Purge(_) => {
                Err(RpcError::new(ErrorCode::Internal, "this is answered by the lcores"))
            }
        }
    }

    pub(super) fn version(&self) -> Version {
        Version {
            daemon: env!("CARGO_PKG_VERSION").to_owned(),
            ipvs: IPVS_VERSION.to_owned(),
            connection_table_size: self.workers.iter().map(|worker| worker.capacity).sum(),
        }
    }

    /// Adds a service; the restored state comes this way too.
    pub(crate) fn add_service(&mut self, spec: ServiceSpec) -> Outcome {
        let id = spec.id;
        let config = convert::service_config(spec)?;
        let key = config.key;
        self.director.add_service(config).map_err(|error| refusal(&error, &id))?;
        if let Ok(service) = self.director.service(&key) {
            self.accounts.add_service(service.uid);
        }
        let fib = self.director.snapshot();
        let warning = warnings::unheld_address(&id, &fib.fib, &self.twin_names);
        Ok(Reply::Applied(Applied { warnings: warning.into_iter().collect(), id: None }))
    }

    fn edit_service(&mut self, spec: ServiceSpec) -> Outcome {
        let id = spec.id;
        let config = convert::service_config(spec)?;
        self.director.edit_service(config).map_err(|error| refusal(&error, &id))?;
        applied()
    }

    fn delete_service(&mut self, id: &ServiceId) -> Outcome {
        let key = convert::service_key(id);
        let uid = self.director.service(&key).map_err(|error| refusal(&error, id))?.uid;
        self.director.delete_service(&key).map_err(|error| refusal(&error, id))?;
        self.accounts.delete_service(uid);
        applied()
    }

    fn flush(&mut self) -> Outcome {
        for service in self.director.services() {
            self.accounts.delete_service(service.uid);
        }
        self.director.flush();
        applied()
    }

    /// Adds a real; the restored state comes this way too.
    pub(crate) fn add_real(&mut self, change: &RealChange) -> Outcome {
        let config = convert::real_config(&change.real)?;
        let added = self
            .director
            .add_real(&convert::service_key(&change.service), config)
            .map_err(|error| refusal(&error, &about(&change.service, &change.real.id)))?;
        self.accounts.add_real(added);
        applied()
    }

    fn edit_real(&mut self, change: &RealChange) -> Outcome {
        let config = convert::real_config(&change.real)?;
        self.director
            .edit_real(&convert::service_key(&change.service), config)
            .map_err(|error| refusal(&error, &about(&change.service, &change.real.id)))?;
        applied()
    }

    fn delete_real(&mut self, which: &RealRef) -> Outcome {
        let key = convert::service_key(&which.service);
        let refuse = |error| refusal(&error, &about(&which.service, &which.real));
        let uid = self.director.service(&key).map_err(refuse)?.uid;
        let gone = self.director.delete_real(&key, which.real.address, which.real.port).map_err(refuse)?;
        self.accounts.delete_real(uid, gone);
        applied()
    }

    fn zero(&mut self, which: OptionalService) -> Outcome {
        match which.service {
            Some(id) => {
                let service = self
                    .director
                    .service(&convert::service_key(&id))
                    .map_err(|error| refusal(&error, &id))?;
                self.accounts.zero(service);
            }
            None => {
                self.accounts.zero_all(self.director.services());
                self.mark_accounts.zero(self.accounts.lcores());
            }
        }
        applied()
    }

    fn list_services(&self, which: OptionalService) -> Outcome {
        let entries = match which.service {
            Some(id) => {
                let service = self
                    .director
                    .service(&convert::service_key(&id))
                    .map_err(|error| refusal(&error, &id))?;
                vec![self.entry(service)]
            }
            None => self.service_entries(),
        };
        Ok(Reply::Services(entries))
    }

    pub(super) fn service_entries(&self) -> Vec<ServiceEntry> {
        self.director.services().map(|service| self.entry(service)).collect()
    }

    fn entry(&self, service: &Service) -> ServiceEntry {
        let shown = self.accounts.service(service);
        ServiceEntry {
            spec: convert::service_spec(&service.config),
            stats: convert::stats(&shown),
            rates: convert::rates(shown.rates),
            reals: service.reals.iter().map(|real| self.real_entry(real)).collect(),
        }
    }

    fn real_entry(&self, real: &Real) -> RealEntry {
        let counts = self.reals.get(real.id);
        let shown = self.accounts.real(real.id);
        RealEntry {
            spec: convert::real_spec(&real.config),
            active: counts.map_or(0, |counts| counts.active()),
            inactive: counts.map_or(0, |counts| counts.inactive()),
            persistent: counts.map_or(0, |counts| counts.persistent()),
            stats: convert::stats(&shown),
            rates: convert::rates(shown.rates),
        }
    }

    pub(super) fn totals(&self) -> sluice_api::Totals {
        let shown = self.accounts.total();
        sluice_api::Totals { stats: convert::stats(&shown), rates: convert::rates(shown.rates) }
    }

    pub(super) fn status(&self) -> sluice_api::Status {
        let (mut services, mut reals) = (0, 0);
        for service in self.director.services() {
            services += 1;
            reals += u64::try_from(service.reals.len()).unwrap_or(0);
        }
        let uptime_s = self.started.elapsed().as_secs();
        sluice_api::Status {
            uptime_s,
            services,
            reals,
            ..status::status(&self.workers, &self.templates, &self.ports, &self.twins)
        }
    }
}

fn about(service: &ServiceId, real: &sluice_api::RealId) -> String {
    format!("{real} of {service}")
}
