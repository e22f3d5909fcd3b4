//! Decisions: from what was observed and what is desired to the steps of a run, as pure functions.
//!
//! Only the executor is async. What a reviewer reads in `steps` is the very value that apply performs.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::facts::HostFacts;
use crate::backend::health::HealthCheck;
use crate::backend::step::{Action, Step};
use crate::plan::token::Token;
use crate::plan::traffic::{Drain, Out};
use crate::plan::version::Version;
use crate::tf::diagnostic::Diagnostics;

pub mod adfs;
pub mod checks;
pub mod component;
pub mod evidence;
#[cfg(test)]
pub mod fixtures;
pub mod health;
pub mod names;
pub mod packages;
pub mod pools;
pub mod safe_point;
pub mod server_group;
pub mod token;
pub mod traffic;
pub mod version;
pub mod web;

/// What is known of one host of a set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What the last read found.
    Seen(Box<HostFacts>),
    /// The last read could not reach it; with `on_unreachable = "warn"` the set goes on without it.
    Unreachable { reason: String },
}

/// What was seen of a set's hosts. A host that is missing here has never been read.
pub type Views = BTreeMap<String, View>;

/// What all four kinds of sets have in common of what is desired.
#[derive(Debug, Clone)]
pub struct Desired {
    pub name: String,
    pub pin: Version,
    /// The pin as last applied; none when never applied or unknown.
    pub last_pin: Option<Version>,
    /// In the order of the rollout (AD FS: batches one after the other).
    pub hosts: Vec<String>,
    /// The versions in state: all that is known of a host that the last read did not reach.
    pub last_versions: BTreeMap<String, Version>,
    pub after: Vec<Token>,
    pub allow_major_upgrade: bool,
    /// A reason not to propose anything.
    pub hold: Option<String>,
    pub acknowledged: Vec<Acknowledgement>,
    /// What a host has to pass after it was changed.
    pub health_check: Option<HealthCheck>,
    /// Hosts that earlier runs have changed and that have not passed since.
    pub to_pass: BTreeSet<String>,
    /// The balancer that hosts are taken out of while they are changed.
    pub drain: Option<Drain>,
    /// Hosts that earlier runs have taken out of balancers and not put back.
    pub out: Out,
    /// Only the findings of the decision count and none of it is carried out, so that the first errors do not end it.
    pub rehearsal: bool,
}

impl Desired {
    /// Whether a host that needs nothing else has still to pass its health check.
    pub fn awaits_health(&self, host: &str) -> bool {
        self.health_check.is_some() && self.to_pass.contains(host)
    }

    /// Whether a host that needs nothing else has still to be put back into a balancer.
    pub fn awaits_traffic(&self, host: &str) -> bool {
        self.drain.is_some() && self.out.contains_key(host)
    }
}

/// A named finding that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    pub check: String,
    pub reason: String,
    /// As the user wrote it, RFC 3339.
    pub until: Option<String>,
    /// Whether `until` has passed. Only the caller has a clock, and this may change diagnostics only.
    pub ended: bool,
}

/// What the provider's settings say about what a plan may do. Never a secret.
#[derive(Debug, Clone)]
pub struct Policy {
    pub ahead_is_error: bool,
    /// Which components of the pinned release can be installed: the operator's arguments are stated.
    pub installable: Installable,
}

/// What the release of the pin has declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Installable {
    pub release: bool,
    pub server_setup: bool,
    pub web_service_sdk: bool,
    pub user_portal: bool,
    pub mobile_app_web_service: bool,
    pub adfs_adapter: bool,
}

impl Installable {
    /// A release that declares everything.
    pub const EVERYTHING: Self = Self {
        release: true,
        server_setup: true,
        web_service_sdk: true,
        user_portal: true,
        mobile_app_web_service: true,
        adfs_adapter: true,
    };
}

/// What a planner decides.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What this run does, in order. Ends with `ByHand` or `Wait` when something lies between it and the pin.
    pub steps: Vec<Step>,
    /// Version of each host after this run; none where it is not known (an unreachable host).
    pub versions: BTreeMap<String, Option<Version>>,
    /// The hosts that this run brings to the pin, whole.
    pub finished: BTreeSet<String>,
    /// Whether every end-state fact holds after this run, as far as hosts that could not be reached let one say.
    pub whole: bool,
    /// Whether every host runs the pin, whole, after this run.
    pub reaches_pin: bool,
    pub status: Status,
    /// What is left to do after this run, in words that complete "then …"; none when nothing is.
    pub then: Option<String>,
    pub diagnostics: Diagnostics,
}

impl Decision {
    /// With what is left to do afterwards.
    #[must_use]
    pub fn then(mut self, what: impl Into<String>) -> Self {
        self.then = Some(what.into());
        self
    }

    /// Whether a host that was not read is adopted, and upgraded when below.
    pub fn adopts(&self, host: &str) -> bool {
        self.steps.iter().any(|step| step.host == host && matches!(step.action, Action::Adopt { .. }))
    }

    /// Whether something is performed that brings no host to the pin, in a run that waits for a person or another set.
    pub fn only_repairs(&self) -> bool {
        let is_other = |action: &Action| action.is_performed() && !matches!(action, Action::BackUp { .. });
        self.status == Status::Waiting
            && self.finished.is_empty()
            && !self.steps.iter().any(|step| matches!(step.action, Action::Adopt { .. }))
            && self.steps.iter().any(|step| is_other(&step.action))
    }

    /// What a person has to do before the next run, when this one ends with that.
    pub fn instruction(&self) -> Option<&str> {
        match &self.steps.last()?.action {
            Action::ByHand { instruction } => Some(instruction),
            _ => None,
        }
    }

    /// The steps as state and plan show them: numbered, each with its host.
    pub fn lines(&self) -> Vec<String> {
        self.steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1)).collect()
    }
}

/// `version_status`, in state and plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Current,
    Behind,
    Waiting,
    Held,
    Ahead,
    Incomplete,
}

impl Status {
    /// As users read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Ahead => "ahead",
            Self::Incomplete => "incomplete",
        }
    }
}
