//! The provider's own configuration: connections, releases, balancers and policies, decoded without touching the network.
//!
//! Decoding and validation read nothing but the value and the environment; the [`Backend`] that is made from them opens
//! a session when a host is first asked.

use std::fmt;
use std::sync::Arc;

use crate::address::HostAddress;
use crate::backend::Backend;
use crate::backend::balancer::Balancers;
use crate::backend::release::{Component, Releases};
use crate::backend::windows::WindowsBackend;
use crate::backend::windows::connection::Connections;
use crate::config::environment::{Environment, ProcessEnvironment};
use crate::plan::version::Version;
use crate::plan::{Installable, Policy};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::validation;
use crate::tf::value::Value;

pub mod balancers;
pub mod checks;
pub mod client_certificate;
pub mod connections;
pub mod credentials;
pub mod duration;
pub mod environment;
pub mod kerberos;
pub mod owner;
pub mod proxies;
pub mod releases;
pub mod table;

/// A decoded provider configuration, with everything a resource needs to reach its hosts.
pub struct ProviderConfig {
    backend: Arc<dyn Backend>,
    connections: Option<Arc<Connections>>,
    releases: Arc<Releases>,
    balancers: Arc<Balancers>,
    on_unreachable: Reaction,
    on_ahead: Reaction,
}

/// What a finding does to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Error,
    Warn,
}

/// The provider's attribute table.
pub fn schema() -> &'static Schema {
    static SCHEMA: std::sync::LazyLock<Schema> = std::sync::LazyLock::new(table::schema);
    &SCHEMA
}

/// Checks that need more than one attribute; never reaches the network, never fails because something is unknown.
pub fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    connections::validate(config.attribute("connections"), diagnostics);
    releases::validate(config.attribute("releases"), diagnostics);
    balancers::validate(config.attribute("balancers"), diagnostics);
}

/// Decodes a configuration. `None` without errors means: not yet known, operations that need hosts must wait for apply.
pub fn configure(config: &Value, diagnostics: &mut Diagnostics) -> Option<ProviderConfig> {
    configure_with(config, &ProcessEnvironment, diagnostics)
}

/// As [`configure`], with the environment given.
pub fn configure_with(
    config: &Value,
    environment: &dyn Environment,
    diagnostics: &mut Diagnostics,
) -> Option<ProviderConfig> {
    if config.is_unknown() {
        return None;
    }
    warn_of_retirement(config.attribute("acknowledge_retirement"), diagnostics);
    connections::warn(config.attribute("connections"), diagnostics);
    let mut found = Diagnostics::default();
    // Again: what was unknown in validation is known now, and must not be replaced by a default in silence.
    validation::validate(schema(), config, &mut found);
    validate(config, &mut found);
    let connections = connections::decode(config, environment, &mut found);
    let balancers = Arc::new(balancers::decode(config.attribute("balancers"), environment, &mut found));
    let failed = found.has_errors();
    diagnostics.append(found);
    if failed {
        return None;
    }
    let connections = Arc::new(connections);
    let releases = Arc::new(releases::decode(config.attribute("releases")));
    let backend = WindowsBackend::new(connections.clone(), releases.clone()).with_balancers(balancers.clone());
    let backend = backend.run_by(owner::describe(environment));
    Some(ProviderConfig {
        backend: Arc::new(backend),
        connections: Some(connections),
        releases,
        balancers,
        on_unreachable: reaction(config.attribute("on_unreachable"), Reaction::Error),
        on_ahead: reaction(config.attribute("on_ahead"), Reaction::Warn),
    })
}

impl ProviderConfig {
    /// A configuration over any backend, as tests use it: every host has a connection, no release is declared,
    /// reactions are the default ones.
    pub fn over(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            connections: None,
            releases: Arc::default(),
            balancers: Arc::default(),
            on_unreachable: Reaction::Error,
            on_ahead: Reaction::Warn,
        }
    }

    /// With other releases.
    pub fn with_releases(mut self, releases: Releases) -> Self {
        self.releases = Arc::new(releases);
        self
    }

    /// With other balancers, as plans see them.
    pub fn with_balancers(mut self, balancers: Balancers) -> Self {
        self.balancers = Arc::new(balancers);
        self
    }

    /// With another reaction to hosts that cannot be reached.
    pub fn with_on_unreachable(mut self, reaction: Reaction) -> Self {
        self.on_unreachable = reaction;
        self
    }

    /// With another reaction to hosts that are ahead of their pin.
    pub fn with_on_ahead(mut self, reaction: Reaction) -> Self {
        self.on_ahead = reaction;
        self
    }

    /// With connections that are checked.
    pub fn with_connections(mut self, connections: Connections) -> Self {
        self.connections = Some(Arc::new(connections));
        self
    }

    /// The hosts.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// The hosts, for work that outlives the borrow.
    pub fn shared_backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }

    /// Ends what is open on the hosts; the process is about to end.
    pub async fn close(&self) {
        self.backend.close().await;
    }

    /// What the operator states about releases.
    pub fn releases(&self) -> &Releases {
        &self.releases
    }

    /// The balancers that the operator declares.
    pub fn balancers(&self) -> &Balancers {
        &self.balancers
    }

    /// What stands against reaching a host, as a full sentence: no connection, two equal ones, the allow-list, missing
    /// credentials. Never an error because settings are not known yet.
    pub fn check_connection(&self, host: &HostAddress) -> Result<(), String> {
        self.connections.as_ref().map_or(Ok(()), |connections| connections.check(host))
    }

    /// What `AZUREMFA_ALLOWED_HOSTS` has against reaching a host, whatever for, as a full sentence.
    pub fn check_allowed(&self, host: &str) -> Result<(), String> {
        self.connections.as_ref().map_or(Ok(()), |connections| connections.check_allowed(host))
    }

    /// Whether a host cannot be reached yet, because its settings are not known before apply.
    pub fn is_deferred(&self, host: &str) -> bool {
        self.connections.as_ref().is_some_and(|connections| connections.is_deferred(host))
    }

    /// What a host that cannot be reached does to a read.
    pub fn on_unreachable(&self) -> Reaction {
        self.on_unreachable
    }

    /// What a host ahead of its pin does to a plan.
    pub fn on_ahead(&self) -> Reaction {
        self.on_ahead
    }

    /// What the settings say about a plan to a version.
    pub fn policy(&self, pin: &Version) -> Policy {
        Policy { ahead_is_error: self.on_ahead == Reaction::Error, installable: self.installable(pin) }
    }

    /// Which components of a version can be installed. What is not known yet counts as stated: apply knows it.
    pub fn installable(&self, pin: &Version) -> Installable {
        let may = |component| self.releases.may_install(pin.as_str(), component);
        Installable {
            release: self.releases.may_have(pin.as_str()),
            server_setup: may(Component::ServerSetup),
            web_service_sdk: may(Component::WebServiceSdk),
            user_portal: may(Component::UserPortal),
            mobile_app_web_service: may(Component::MobileAppWebService),
            adfs_adapter: may(Component::AdfsAdapter),
        }
    }
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderConfig")
            .field("connections", &self.connections)
            .field("on_unreachable", &self.on_unreachable)
            .field("on_ahead", &self.on_ahead)
            .finish_non_exhaustive()
    }
}

fn reaction(value: &Value, default: Reaction) -> Reaction {
    match value.as_str() {
        Some("error") => Reaction::Error,
        Some("warn") => Reaction::Warn,
        _ => default,
    }
}

/// Once per run; an acknowledgement that is not known yet may still come.
fn warn_of_retirement(acknowledged: &Value, diagnostics: &mut Diagnostics) {
    if acknowledged.as_bool() != Some(true) && !acknowledged.is_unknown() {
        diagnostics.warning(
            "Azure Multi-Factor Authentication Server is retired",
            "Microsoft retired the product on 2024-09-30: since then it no longer serves authentication requests, \
             whatever its version. Plan the migration to Microsoft Entra multifactor authentication. Set \
             acknowledge_retirement = true in the provider's configuration to silence this warning.",
        );
    }
}

#[cfg(test)]
mod tests;
