//! The steps of a farm's run: batch 1, the exchange of the registration, batch 2.

use crate::backend::facts::AuthenticationProvider;
use crate::backend::step::{Action, PackageSource, Step};
use crate::plan::adfs::exchange::Exchange;
use crate::plan::adfs::traffic::{self, Traffic};
use crate::plan::adfs::{FILES, by_hand, farm};
use crate::plan::checks::{self, Member, Seen, Survey, acknowledgement};
use crate::plan::health;
use crate::plan::packages::{self, Origin};
use crate::tf::diagnostic::Diagnostics;

/// What to do when no server has the package.
pub const WAY_OUT: &str = "Pin the adapter at the version of its server group.";

/// All steps of the run.
pub fn all(exchange: &Exchange<'_>, survey: &Survey<'_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    let back = way_back(exchange);
    let [first, second] = [0, 1].map(|batch| hosts(exchange, survey, batch).collect());
    let traffic = Traffic::of(exchange, first, second, &back);
    let mut steps: Vec<Step> = back.iter().cloned().chain(trial(exchange, survey)).collect();
    // The way back may have put back already who stays.
    if !steps.iter().any(|step| matches!(step.action, Action::PutBack { .. })) {
        steps.extend(traffic.before_first());
    }
    for member in exchange.batch(survey, 0) {
        match member {
            Member::Unread(host) => steps.push(checks::adopt(host, &exchange.desired.pin)),
            Member::Seen(seen) => {
                steps.extend(traffic.before_host_of_first(seen.host));
                steps.extend(package(exchange, seen, diagnostics));
            }
            Member::Unreachable(_) | Member::Missing(_) => {}
        }
    }
    steps.extend(registration(exchange, survey));
    steps.extend(hosts(exchange, survey, 0).filter_map(|host| synchronization(exchange, host)));
    steps.extend(hosts(exchange, survey, 0).filter_map(|host| restart(exchange, host)));
    steps.extend(traffic.in_gap());
    if exchange.closes_gap() {
        steps.push(step(exchange.authority, enable(exchange.wanted)));
    }
    if is_guarded(exchange, survey) {
        steps.push(step(exchange.authority, Action::DisableGuard));
    }
    // Not before: nobody waits for a host to answer while users are not asked for the second factor.
    steps.extend(hosts(exchange, survey, 0).filter_map(|host| health_check(exchange, host)));
    steps.extend(traffic.after_gap());
    for member in exchange.batch(survey, 1) {
        match member {
            Member::Unread(host) => steps.push(checks::adopt(host, &exchange.desired.pin)),
            Member::Seen(seen) => {
                steps.extend(package(exchange, seen, diagnostics));
                steps.extend(synchronization(exchange, seen.host));
                steps.extend(restart(exchange, seen.host));
                steps.extend(health_check(exchange, seen.host));
                steps.extend(traffic.after_host_of_second(seen.host));
            }
            Member::Unreachable(_) | Member::Missing(_) => {}
        }
    }
    if steps.iter().any(|step| step.action.is_performed()) {
        steps.extend(proofs(exchange, survey));
    }
    steps.extend(exchange.left.first().map(|host| by_hand::start(host)));
    steps
}

/// An earlier run took the provider out of the policy and went no further. Installing takes its time, so the gap is
/// closed first; it opens again only for the exchange.
fn way_back(exchange: &Exchange<'_>) -> Vec<Step> {
    let Some(provider) = exchange.left_disabled() else { return Vec::new() };
    let providers = exchange.adfs.providers.as_deref().unwrap_or_default();
    let mut steps = traffic::for_provider(exchange.desired, exchange.farm, providers, &provider.name);
    steps.push(step(exchange.authority, enable(&provider.name)));
    steps
}

/// The names that the exchange takes out of the policy. What is put back into it first counts as being in it.
fn taken_out<'e>(exchange: &'e Exchange<'_>) -> impl Iterator<Item = &'e str> {
    exchange.disabled().chain(exchange.left_disabled().map(|old| old.name.as_str()))
}

/// Before anything is changed for a gap that could not be guarded. One that is open already is closed first.
fn trial(exchange: &Exchange<'_>, survey: &Survey<'_>) -> Option<Step> {
    let trial = || step(exchange.authority, Action::TryGuard { forward: exchange.wanted.to_owned() });
    (taken_out(exchange).next().is_some() && is_guarded(exchange, survey)).then(trial)
}

/// Whether users are not asked for the second factor while something else is done than to close the gap, and the operator
/// has not said that nobody has to guard it. An acknowledgement that has ended is an error elsewhere.
fn is_guarded(exchange: &Exchange<'_>, survey: &Survey<'_>) -> bool {
    let is_long = exchange.registers || hosts(exchange, survey, 0).any(|host| exchange.restarts(host));
    exchange.closes_gap()
        && is_long
        && !acknowledgement::is_stated(exchange.desired, acknowledgement::ADFS_GAP_UNGUARDED)
}

fn package(exchange: &Exchange<'_>, seen: &Seen<'_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    if !exchange.installs.contains(&seen.host) {
        return Vec::new();
    }
    let desired = exchange.desired;
    let Some(origin) = packages::origin(desired, seen.host, seen.facts) else {
        packages::refuse(desired, WAY_OUT, diagnostics);
        return Vec::new();
    };
    let install = Action::RunAdapterPackage { version: desired.pin.to_string(), source: origin.source(desired) };
    origin.bring(desired, seen.host, &FILES).into_iter().chain([step(seen.host, install)]).collect()
}

/// The exchange on the host that registers. What is registered is exported before it is taken away.
fn registration(exchange: &Exchange<'_>, survey: &Survey<'_>) -> Vec<Step> {
    let origin = origin(exchange);
    let source = source(exchange, origin.as_ref());
    let name = |old: &AuthenticationProvider| old.name.clone();
    let mut actions = Vec::new();
    if !exchange.registers && !exchange.stale.is_empty() && exchange.enables() {
        actions.push(enable(exchange.wanted));
    }
    if exchange.registers {
        // Where the package has run before, what belongs to it may be gone from the staging folder.
        let is_installed = !exchange.installs.contains(&exchange.authority);
        let brought = origin.as_ref().filter(|_| is_installed);
        let brought = brought.and_then(|origin| origin.bring(exchange.desired, exchange.authority, &FILES));
        actions.extend(brought.map(|step| step.action));
        let old = exchange.stale.first();
        actions.extend(old.map(|old| Action::ExportAdapterConfiguration { provider_name: name(old) }));
        actions.push(Action::MergeAdapterConfiguration { source: source.clone() });
    }
    let disabled: Vec<String> = taken_out(exchange).map(str::to_owned).collect();
    if is_guarded(exchange, survey) {
        let source = exchange.registers.then(|| source.clone());
        actions.push(Action::EnableGuard { back: disabled.clone(), forward: exchange.wanted.to_owned(), source });
    }
    actions.extend(disabled.into_iter().map(|provider_name| Action::DisableProvider { provider_name }));
    actions.extend(exchange.stale.iter().map(|old| Action::UnregisterAdapter { provider_name: name(old) }));
    if exchange.registers {
        actions.push(Action::RegisterAdapter { provider_name: exchange.wanted.to_owned(), source });
    }
    actions.into_iter().map(|action| step(exchange.authority, action)).collect()
}

fn origin(exchange: &Exchange<'_>) -> Option<Origin> {
    packages::origin(exchange.desired, exchange.authority, exchange.farm.facts(exchange.authority)?)
}

/// Where the files of the registration are. No server may have them any more when the package has run before: what was
/// brought then is still there.
fn source(exchange: &Exchange<'_>, origin: Option<&Origin>) -> PackageSource {
    let staged = || PackageSource::Staged { version: exchange.desired.pin.to_string() };
    origin.map_or_else(staged, |origin| origin.source(exchange.desired))
}

/// A secondary knows of a change only once it has synchronised, and loads at its restart what it knows. Also when the
/// change was made by an earlier run: how long ago is not known.
fn synchronization(exchange: &Exchange<'_>, host: &str) -> Option<Step> {
    // One that does not run cannot tell, and asks the primary when it starts.
    let adfs = exchange.farm.adfs(host).filter(|adfs| farm::is_running(adfs) && farm::is_secondary(adfs));
    adfs.filter(|_| exchange.restarts(host)).map(|_| step(host, Action::AwaitSynchronization))
}

fn restart(exchange: &Exchange<'_>, host: &str) -> Option<Step> {
    exchange.restarts(host).then(|| step(host, Action::RestartAdfs))
}

/// Of every host whose AD FS is restarted, or was by a run that broke off before its check.
fn health_check(exchange: &Exchange<'_>, host: &str) -> Option<Step> {
    let is_checked =
        exchange.restarts(host) || (exchange.desired.awaits_health(host) && !exchange.left.contains(&host));
    health::step(exchange.desired, host).filter(|_| is_checked)
}

fn enable(name: &str) -> Action {
    Action::EnableProvider { provider_name: name.to_owned() }
}

/// Every host that can be seen is proven, then the exported configuration goes: it holds a password.
fn proofs(exchange: &Exchange<'_>, survey: &Survey<'_>) -> Vec<Step> {
    let version = exchange.desired.pin.to_string();
    let proven = survey.seen().map(|seen| seen.host).filter(|host| !exchange.left.contains(host));
    let mut steps: Vec<Step> =
        proven.map(|host| step(host, Action::VerifyAdapter { version: version.clone() })).collect();
    if !exchange.left.contains(&exchange.authority) {
        steps.push(step(exchange.authority, Action::RemoveExport));
    }
    steps
}

/// The hosts of a batch that were seen.
fn hosts<'m, 'a>(exchange: &'m Exchange<'a>, survey: &'m Survey<'a>, batch: usize) -> impl Iterator<Item = &'a str> {
    exchange.batch(survey, batch).filter_map(|member| match member {
        Member::Seen(seen) => Some(seen.host),
        _ => None,
    })
}

fn step(host: &str, action: Action) -> Step {
    Step { host: host.to_owned(), action }
}
