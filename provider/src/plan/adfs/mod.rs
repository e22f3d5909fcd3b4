//! The AD FS adapter of a farm: installed batch by batch, registered once, with a gap in between that is kept short.

use crate::backend::facts::HostFacts;
use crate::plan::adfs::exchange::Exchange;
use crate::plan::adfs::farm::Farm;
use crate::plan::checks::{self, Survey, turn};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, Status, View, Views};

pub mod by_hand;
pub mod closing;
pub mod exchange;
pub mod farm;
pub mod findings;
pub mod recovery;
pub mod registration;
pub mod shape;
pub mod standing;
pub mod steps;
pub mod traffic;

#[cfg(test)]
mod tests;

/// The service of AD FS.
pub const SERVICE: &str = "adfssrv";

/// The provider's name up to 6.x.
pub const OLD_NAME: &str = "WindowsAzureMultiFactorAuthentication";

/// The provider's name since 7.0. `AzureMfaAuthentication` is another thing: AD FS's own adapter for the cloud service.
pub const NEW_NAME: &str = "AzureMfaServerAuthentication";

/// The files that a registration takes besides what the package installs.
pub const FILES: [&str; 4] = [
    "MultiFactorAuthenticationAdfsAdapterSetup64.msi",
    "Register-MultiFactorAuthenticationAdfsAdapter.ps1",
    "Unregister-MultiFactorAuthenticationAdfsAdapter.ps1",
    "MultiFactorAuthenticationAdfsAdapter.config",
];

/// The name under which a version registers.
pub fn name_of(version: &Version) -> &'static str {
    if version.major() >= 7 { NEW_NAME } else { OLD_NAME }
}

/// Decides what a run does with a farm. `batches` are the hosts in one or two batches.
pub fn decide(desired: &Desired, batches: &[Vec<String>], views: &Views, policy: &Policy) -> Decision {
    let gaps = gaps(&desired.hosts, views, &desired.pin);
    let evidence = |host: &str| evidence(&desired.hosts, views, host);
    let mut survey = checks::survey(SetKind::AdfsAdapter, desired, views, policy, evidence, &gaps);
    let farm = Farm::of(&desired.hosts, views);
    let mut found = std::mem::take(&mut survey.diagnostics);
    findings::check_farm(desired, batches, &farm, &survey, &mut found);
    survey.diagnostics = found;
    if !survey.has_work() {
        findings::tell_of_rules(desired, &farm, &mut survey.diagnostics);
        let survey = turn::foretell(survey, |turn| decide(turn, batches, views, policy));
        return rest(desired, batches, &farm, survey);
    }
    let Some(exchange) = Exchange::of(desired, batches, &farm, &survey) else {
        let closing = closing::steps(desired, batches, &farm);
        return by_hand::decide(desired, closing, &farm, survey);
    };
    if let Some(step) = by_hand::before(&exchange, &survey) {
        let closing = closing::steps(desired, batches, &farm);
        return by_hand::end(desired, &farm, survey, closing.into_iter().chain([step]).collect());
    }
    let mut found = std::mem::take(&mut survey.diagnostics);
    let steps = steps::all(&exchange, &survey, &mut found);
    findings::check_run(&exchange, &survey, &steps, policy, &mut found);
    survey.diagnostics = found;
    let finished: Vec<&str> =
        survey.work().map(|seen| seen.host).filter(|host| !exchange.left.contains(host)).collect();
    survey.run(steps, &finished)
}

/// What proves the version of the adapter on a host: its uninstall entry, and what is registered in the farm.
pub fn evidence(hosts: &[String], views: &Views, host: &str) -> Option<Evidence> {
    registration::evidence(&Farm::of(hosts, views), host)
}

/// The end-state facts of hosts at the pin that do not hold.
pub fn gaps(hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
    let farm = Farm::of(hosts, views);
    let at_pin = |host: &str| registration::evidence(&farm, host).is_some_and(|evidence| evidence.lowest == *pin);
    let mut gaps = Vec::new();
    for (host, adfs) in farm.seen().filter(|(host, _)| at_pin(host)) {
        gaps.extend(farm::unstarted(adfs).into_iter().map(|what| Gap::new(host, what)));
        if farm.authority().is_some_and(|(authority, _)| authority == host) {
            gaps.extend(registration::missing(adfs, name_of(pin)).into_iter().map(|what| Gap::new(host, what)));
        }
    }
    gaps
}

/// What a host's facts are, when it was seen.
pub fn facts<'a>(views: &'a Views, host: &str) -> Option<&'a HostFacts> {
    match views.get(host)? {
        View::Seen(facts) => Some(facts),
        View::Unreachable { .. } => None,
    }
}

/// A run that does nothing, but for closing a gap that an earlier one left open: users must not wait for another set.
/// Where not even that is proposed, the plan says that the gap is there.
fn rest(desired: &Desired, batches: &[Vec<String>], farm: &Farm<'_>, survey: Survey<'_>) -> Decision {
    let mut decision = survey.rest();
    let closing = closing::steps(desired, batches, farm);
    if decision.status == Status::Waiting && !decision.diagnostics.has_errors() {
        findings::check_traffic(desired, farm, &closing, &mut decision.diagnostics);
        decision.steps.splice(0..0, closing);
    } else if !closing.is_empty() {
        findings::warn_of_gap(desired, &closing, &mut decision.diagnostics);
    }
    decision
}
