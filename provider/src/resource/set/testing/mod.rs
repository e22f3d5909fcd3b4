//! A stand-in for Terraform's core that is as strict as it is, and simulated hosts, for tests of resources.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::release::{Component, Package, Release, Releases, Stated};
use crate::config::{ProviderConfig, Reaction};
use crate::resource::set::changes;
use crate::resource::set::testing::backend::Estate;
use crate::resource::{ApplyRequest, Outcome, PlanRequest, Resource};
use crate::tf::diagnostic::{Diagnostics, Severity};
use crate::tf::validation;
use crate::tf::value::Value;

pub mod adapter;
pub mod backend;
pub mod balancers;
pub mod core;

/// One resource instance in one workspace.
pub struct Workspace<'a> {
    resource: &'a dyn Resource,
    pub provider: Arc<ProviderConfig>,
    pub state: Value,
    pub private: Vec<u8>,
    pub stop: CancellationToken,
}

/// A plan, as the core keeps it.
#[derive(Debug)]
pub struct Planned {
    pub prior: Value,
    pub config: Value,
    pub value: Value,
    pub private: Vec<u8>,
    pub diagnostics: Diagnostics,
}

impl<'a> Workspace<'a> {
    /// An empty workspace over simulated hosts, with every release declared.
    pub fn new(resource: &'a dyn Resource, estate: &Arc<Estate>) -> Self {
        let provider = ProviderConfig::over(estate.clone()).with_releases(releases());
        Self {
            resource,
            provider: Arc::new(provider),
            state: Value::Null,
            private: Vec::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Settings under which a host that does not answer is a warning.
    pub fn lenient(estate: &Arc<Estate>) -> Arc<ProviderConfig> {
        let provider = ProviderConfig::over(estate.clone()).with_releases(releases());
        Arc::new(provider.with_on_unreachable(Reaction::Warn))
    }

    /// Imports and reads.
    pub async fn import(&mut self, id: &str) -> Diagnostics {
        let outcome = self.resource.import(Some(self.provider.clone()), id).await;
        if outcome.diagnostics.has_errors() {
            return outcome.diagnostics;
        }
        (self.state, self.private) = (outcome.state, outcome.private);
        self.refresh().await
    }

    /// Reads.
    pub async fn refresh(&mut self) -> Diagnostics {
        let Outcome { state, private, diagnostics } =
            self.resource.read(Some(self.provider.clone()), self.state.clone(), &self.private).await;
        if !diagnostics.has_errors() {
            core::check_state(self.resource.schema(), &state);
            (self.state, self.private) = (state, private);
        }
        diagnostics
    }

    /// Plans twice, as the core does, and holds both against the core's rules.
    pub async fn plan(&self, config: &Value) -> Planned {
        let first = self.plan_once(config).await;
        let second = self.plan_once(config).await;
        assert_eq!(first.value, second.value, "two plans from the same inputs differ");
        assert_eq!(first.private, second.private, "the private state of two plans differs");
        if !first.diagnostics.has_errors() {
            core::check_planned(self.resource.schema(), &first.prior, config, &first.value);
        }
        first
    }

    async fn plan_once(&self, config: &Value) -> Planned {
        let proposed = core::proposed(&self.resource.schema().attributes, &self.state, config);
        let request = PlanRequest { prior: &self.state, proposed: &proposed, config, private: &self.private };
        let outcome = self.resource.plan(Some(self.provider.clone()), request).await;
        Planned {
            prior: self.state.clone(),
            config: config.clone(),
            value: outcome.state,
            private: outcome.private,
            diagnostics: outcome.diagnostics,
        }
    }

    /// Applies a plan, and holds the outcome against the core's rules. A plan that changes nothing is not applied.
    pub async fn apply(&mut self, planned: &Planned) -> Diagnostics {
        assert!(!planned.diagnostics.has_errors(), "{:?}", planned.diagnostics);
        if planned.value == planned.prior {
            return Diagnostics::default();
        }
        let request = ApplyRequest {
            prior: &planned.prior,
            planned: &planned.value,
            config: &planned.config,
            private: &planned.private,
        };
        let outcome = self.resource.apply(Some(self.provider.clone()), request, self.stop.clone()).await;
        if outcome.diagnostics.has_errors() {
            if !outcome.state.is_null() {
                core::check_state(self.resource.schema(), &outcome.state);
            }
        } else {
            core::check_applied(self.resource.schema(), &planned.value, &outcome.state);
        }
        (self.state, self.private) = (outcome.state, outcome.private);
        outcome.diagnostics
    }

    /// Plans and applies the end; the diagnostics are the plan's.
    pub async fn destroy(&mut self) -> (Diagnostics, Value) {
        let nothing = Value::Null;
        let request = PlanRequest { prior: &self.state, proposed: &nothing, config: &nothing, private: &self.private };
        let planned = self.resource.plan(Some(self.provider.clone()), request).await;
        let request =
            ApplyRequest { prior: &self.state, planned: &planned.state, config: &nothing, private: &planned.private };
        let applied = self.resource.apply(Some(self.provider.clone()), request, self.stop.clone()).await;
        (planned.diagnostics, applied.state)
    }

    /// Refreshes and plans.
    pub async fn refresh_and_plan(&mut self, config: &Value) -> Planned {
        let read = self.refresh().await;
        assert!(!read.has_errors(), "{read:?}");
        self.plan(config).await
    }

    /// An attribute of the state, as text.
    pub fn text(&self, name: &str) -> &str {
        self.state.attribute(name).as_str().unwrap_or("(none)")
    }

    /// The version of a host in state.
    pub fn version_of(&self, host: &str) -> &str {
        self.state.attribute("versions").attribute(host).as_str().unwrap_or("(none)")
    }
}

impl Planned {
    /// Whether the core would call it a change.
    pub fn changes(&self) -> bool {
        self.value != self.prior
    }

    /// What a person sees of the change: each attribute that differs.
    pub fn diff(&self) -> String {
        let entries = self.value.as_map().expect("a planned object");
        let changed = entries.iter().filter(|(name, value)| *value != self.prior.attribute(name));
        let line = |(name, value): (&String, &Value)| {
            format!("{name}: {} -> {}", changes::text(self.prior.attribute(name)), changes::text(value))
        };
        changed.map(line).collect::<Vec<_>>().join("\n").replace(".contoso.com", "")
    }

    /// The planned steps.
    pub fn steps(&self) -> Vec<String> {
        self.value
            .attribute("steps")
            .as_list()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}

/// Severity and summary of each diagnostic, without the domain.
pub fn summaries(diagnostics: &Diagnostics) -> String {
    let line = |severity, summary: &str| match severity {
        Severity::Error => format!("error: {summary}"),
        Severity::Warning => format!("warning: {summary}"),
    };
    let lines: Vec<String> = diagnostics.iter().map(|found| line(found.severity, &found.summary)).collect();
    lines.join("\n").replace(".contoso.com", "")
}

/// What validation finds, the checks of single attributes included.
pub fn validate(resource: &dyn Resource, config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    validation::validate(resource.schema(), config, &mut diagnostics);
    resource.validate(config, &mut diagnostics);
    diagnostics
}

/// A configuration: the attributes given, all others null.
pub fn config<'a>(resource: &dyn Resource, attributes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut value = Value::object(resource.schema().attributes.iter().map(|attribute| (attribute.name, Value::Null)));
    for (name, attribute) in attributes {
        value.set(name, attribute);
    }
    value
}

/// Releases with everything stated.
pub fn releases() -> Releases {
    let package = Package {
        source: Stated::Known("https://files.contoso.com/setup.exe".to_owned()),
        sha256: Stated::Known("0".repeat(64)),
        arguments: Stated::Known(vec!["/quiet".to_owned()]),
        ..Package::default()
    };
    let release = Release::new(Component::ALL.into_iter().map(|component| (component, package.clone())).collect());
    let versions = ["6.3.1.1", "7.0", "7.0.0.9", "8.0.1.1"];
    Releases::new(versions.into_iter().map(|version| (version.to_owned(), release.clone())).collect())
}
