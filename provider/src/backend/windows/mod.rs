//! Windows hosts, reached by scripts over WinRM.
//!
//! [`WindowsBackend`] turns each action into runs of named scripts; [`runner`] is the seam below which a script travels
//! ([`script`] says how, [`sessions`] over what). Nothing above this module knows of scripts and their JSON.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::address::HostAddress;
use crate::backend::balancer::Balancers;
use crate::backend::error::{Cause, HostError};
use crate::backend::facts::HostFacts;
use crate::backend::release::Releases;
use crate::backend::step::{Action, Step};
use crate::backend::windows::clock::{Clock, SystemClock};
use crate::backend::windows::connection::Connections;
use crate::backend::windows::download::Downloads;
use crate::backend::windows::gap::Gap;
use crate::backend::windows::leases::Leases;
use crate::backend::windows::observations::Observations;
use crate::backend::windows::runner::{Call, Runner};
use crate::backend::windows::scripts::GET_HOST_FACTS;
use crate::backend::windows::sessions::Sessions;
use crate::backend::windows::work::Work;
use crate::backend::{Backend, Report};

pub mod adfs;
pub mod attempts;
pub mod balancer;
pub mod clock;
pub mod connection;
pub mod download;
pub mod endpoint;
pub mod files;
pub mod gap;
pub mod get;
pub mod guard;
pub mod health;
pub mod hosts;
pub mod installers;
pub mod leases;
pub mod leftovers;
pub mod observations;
pub mod packages;
pub mod pattern;
pub mod poll;
pub mod powershell;
pub mod proxies;
pub mod put;
pub mod refusals;
pub mod renewal;
pub mod runner;
pub mod script;
pub mod scripts;
pub mod sessions;
pub mod time_limit;
pub mod verify;
pub mod web;
pub mod web_client;
pub mod work;
pub mod worker;

/// The hosts that the provider's connections lead to.
pub struct WindowsBackend {
    runner: Arc<dyn Runner>,
    releases: Arc<Releases>,
    balancers: Arc<Balancers>,
    clock: Arc<dyn Clock>,
    observations: Observations,
    gap: Gap,
    downloads: Downloads,
    leases: Leases,
    /// What limits which hosts are reached.
    connections: Arc<Connections>,
}

impl WindowsBackend {
    /// Hosts by connections. Nothing is connected yet.
    pub fn new(connections: Arc<Connections>, releases: Arc<Releases>) -> Self {
        let sessions = Arc::new(Sessions::new(connections.clone()));
        let backend = Self::over(sessions, releases, Arc::new(SystemClock::default()));
        backend.limited_by(connections)
    }

    /// Hosts by any runner of scripts, at any clock.
    pub fn over(runner: Arc<dyn Runner>, releases: Arc<Releases>, clock: Arc<dyn Clock>) -> Self {
        Self {
            leases: Leases::new(runner.clone(), clock.clone(), "an unnamed run".to_owned()),
            runner,
            releases,
            balancers: Arc::default(),
            observations: Observations::new(clock.clone()),
            clock,
            gap: Gap::default(),
            downloads: Downloads::default(),
            connections: Arc::default(),
        }
    }

    /// With the limits of these connections.
    #[must_use]
    pub fn limited_by(mut self, connections: Arc<Connections>) -> Self {
        self.downloads = self.downloads.limited_by(connections.clone());
        self.connections = connections;
        self
    }

    /// With balancers.
    #[must_use]
    pub fn with_balancers(mut self, balancers: Arc<Balancers>) -> Self {
        self.balancers = balancers;
        self
    }

    /// As the run of this owner, as people on other machines read it.
    #[must_use]
    pub fn run_by(mut self, owner: String) -> Self {
        self.leases = self.leases.of(owner);
        self
    }

    /// What stands against reaching a host, whatever for, as a full sentence.
    pub fn check_allowed(&self, host: &str) -> Result<(), String> {
        self.connections.check_allowed(host)
    }

    /// Runs a script and decodes its result.
    pub async fn call<T: DeserializeOwned>(&self, host: &HostAddress, call: Call) -> Result<T, Cause> {
        runner::call(self.runner.as_ref(), host, call).await
    }

    /// What runs scripts, for tasks that outlive the step's own future.
    pub fn runner(&self) -> Arc<dyn Runner> {
        Arc::clone(&self.runner)
    }

    /// The leases of this run.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// What the operator states about releases.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// The balancers that the operator declares.
    pub fn balancers(&self) -> &Balancers {
        &self.balancers
    }

    /// The clock of waits and answers.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The same clock, for tasks that outlive the step's own future.
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The gaps in the policies of AD FS farms.
    pub fn gap(&self) -> &Gap {
        &self.gap
    }

    /// What this machine has fetched for hosts.
    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// What was last read of a host, however old.
    pub async fn last_known(&self, host: &str) -> Option<HostFacts> {
        self.observations.last_known(host).await
    }

    fn note_change(&self, step: &Step) {
        if changes_farm(&step.action) {
            self.observations.changed_everywhere();
        } else if !only_looks(&step.action) {
            self.observations.changed(&step.host);
        }
    }

    async fn read(&self, host: &HostAddress) -> Result<HostFacts, HostError> {
        let facts = self.call(host, Call::new(GET_HOST_FACTS, json!({}))).await;
        facts.map_err(|cause| HostError { host: host.name().to_owned(), operation: "read the host".to_owned(), cause })
    }
}

#[async_trait]
impl Backend for WindowsBackend {
    #[tracing::instrument(skip_all, fields(host = host.name(), fresh))]
    async fn observe(&self, host: &HostAddress, fresh: bool) -> Result<HostFacts, HostError> {
        self.observations.observe(host.name(), fresh, || self.read(host)).await
    }

    #[tracing::instrument(skip_all, fields(host = step.host))]
    async fn perform(&self, step: &Step, at: &HostAddress, stop: &CancellationToken) -> Result<Report, HostError> {
        let work = Work { backend: self, host: &step.host, at, operation: step.action.to_string(), stop };
        if stop.is_cancelled() {
            return Err(work.failure(Cause::Stopped));
        }
        tracing::info!(step = work.operation, "step begins");
        // Before, because a caller may ask while the step runs; after, because the step has then changed something.
        self.note_change(step);
        let outcome = dispatch(&work, &step.action).await;
        self.note_change(step);
        match &outcome {
            Ok(report) => tracing::info!(step = work.operation, already = report.already, "step ends"),
            Err(error) => tracing::error!(step = work.operation, cause = %error.cause, "step failed"),
        }
        outcome
    }

    async fn lease(&self, host: &HostAddress, set: &str, stop: &CancellationToken) -> Result<(), HostError> {
        self.leases.take(host, set, stop).await.map_err(|cause| lease_error(host, cause))
    }

    fn lost_lease(&self, host: &HostAddress) -> Option<HostError> {
        self.leases.lost(host).map(|cause| lease_error(host, cause))
    }

    async fn give_back(&self, host: &HostAddress, set: &str) {
        self.leases.give_back(host, set).await;
    }

    async fn close(&self) {
        self.leases.end().await;
        self.runner.close().await;
        self.downloads.clear();
    }
}

fn lease_error(host: &HostAddress, cause: Cause) -> HostError {
    HostError { host: host.name().to_owned(), operation: "take its lease".to_owned(), cause }
}

async fn dispatch(work: &Work<'_>, action: &Action) -> Result<Report, HostError> {
    match action {
        Action::TrafficNotManaged => Ok(Report::default()),
        Action::TakeOut { balancer, in_gap, .. } => balancer::take_out(work, balancer, *in_gap).await,
        Action::AwaitConnections { balancer, .. } => balancer::await_connections(work, balancer).await,
        Action::PutBack { balancer, in_gap } => balancer::put_back(work, balancer, *in_gap).await,
        Action::BackUp { source, backup, fresh, .. } => files::back_up(work, source, backup, *fresh).await,
        Action::CloseBackup { backup_id } => files::close_backup(work, backup_id).await,
        Action::FetchServerSetup { version } => files::fetch_server_setup(work, version).await,
        Action::BringFiles { version, from, files } => files::bring(work, version, from, files).await,
        Action::RunServerSetup { version } => packages::server_setup(work, version).await,
        Action::RunWebPackage { component, version, source, place } => {
            packages::web(work, *component, version, source, place).await
        }
        Action::RunAdapterPackage { version, source } => packages::adapter(work, version, source).await,
        Action::MergeWebConfig { path, backup, .. } | Action::RestoreCohostedWebConfig { path, backup, .. } => {
            web::merge_config(work, path, backup).await
        }
        Action::CompareTheme { path, backup } => web::compare_theme(work, path, backup).await,
        Action::SetApplicationPool { application_pool } => web::set_application_pool(work, application_pool).await,
        Action::ExportAdapterConfiguration { provider_name } => adfs::export(work, provider_name).await,
        Action::MergeAdapterConfiguration { source } => adfs::merge(work, source).await,
        Action::TryGuard { forward } => guard::test(work, forward).await,
        Action::EnableGuard { back, forward, source } => guard::enable(work, back, forward, source.as_ref()).await,
        Action::DisableGuard => guard::disable(work).await,
        Action::DisableProvider { provider_name } => adfs::disable(work, provider_name).await,
        Action::UnregisterAdapter { provider_name } => adfs::unregister(work, provider_name).await,
        Action::RegisterAdapter { provider_name, source } => adfs::register(work, provider_name, source).await,
        Action::AwaitSynchronization => adfs::await_synchronization(work).await,
        Action::RestartAdfs => adfs::restart(work).await,
        Action::EnableProvider { provider_name } => adfs::enable(work, provider_name).await,
        Action::RemoveExport => adfs::remove_export(work).await,
        Action::VerifyServer { version, sdk } => verify::server(work, version, *sdk).await,
        Action::VerifyWeb { component, version, virtual_directory } => {
            verify::web(work, *component, version, virtual_directory).await
        }
        Action::VerifyAdapter { version } => verify::adapter(work, version).await,
        Action::AwaitHealth { check } => health::wait(work, check).await,
        Action::Adopt { .. } | Action::ByHand { .. } | Action::Wait { .. } => {
            Err(work.failure(Cause::Unproven("a run ends before such a step and never performs it".to_owned())))
        }
    }
}

/// Whether a step leaves the host as it is, so that what a proof has read serves the caller as well.
fn only_looks(action: &Action) -> bool {
    matches!(
        action,
        Action::TrafficNotManaged
            | Action::TakeOut { .. }
            | Action::AwaitConnections { .. }
            | Action::PutBack { .. }
            | Action::CompareTheme { .. }
            | Action::VerifyServer { .. }
            | Action::VerifyWeb { .. }
            | Action::VerifyAdapter { .. }
            | Action::AwaitHealth { .. }
    )
}

/// Whether other hosts see the change as well.
fn changes_farm(action: &Action) -> bool {
    matches!(
        action,
        Action::DisableProvider { .. }
            | Action::EnableProvider { .. }
            | Action::UnregisterAdapter { .. }
            | Action::RegisterAdapter { .. }
    )
}

#[cfg(test)]
mod tests;
