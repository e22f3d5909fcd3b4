//! Closing a gap that an earlier run left open, in a farm that may not go on yet.

use crate::backend::facts::{Adfs, AuthenticationProvider};
use crate::backend::step::{Action, PackageSource, Step};
use crate::plan::Desired;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::adfs::{name_of, registration, traffic};
use crate::plan::checks::acknowledgement;
use crate::plan::packages;

/// The steps by the way of the phase; none while users are asked for the second factor. Whatever is registered goes back
/// into the policy. Where nothing is registered any more only the way forward is left: what the run to the pin has
/// installed is registered.
pub fn steps(desired: &Desired, batches: &[Vec<String>], farm: &Farm<'_>) -> Vec<Step> {
    let Some((authority, adfs)) = farm.reachable_authority() else { return Vec::new() };
    let (Some(providers), Some(policy)) = (&adfs.providers, &adfs.policy) else { return Vec::new() };
    if providers.iter().any(|provider| registration::contains(policy, &provider.name)) {
        return Vec::new();
    }
    let step = |action| Step { host: authority.to_owned(), action };
    let is_loadable =
        |provider: &&AuthenticationProvider| registration::current(providers, adfs, &provider.name).is_some();
    match providers.iter().find(is_loadable).or(providers.first()) {
        Some(provider) => {
            let mut steps = traffic::for_provider(desired, farm, providers, &provider.name);
            steps.push(step(Action::EnableProvider { provider_name: provider.name.clone() }));
            steps
        }
        None => forward(desired, batches, farm, (authority, adfs)),
    }
}

/// Only where a run to the pin has installed it: what was never registered has no configuration to register with.
fn forward(desired: &Desired, batches: &[Vec<String>], farm: &Farm<'_>, (authority, adfs): (&str, &Adfs)) -> Vec<Step> {
    let facts = farm.facts(authority).filter(|_| registration::has_package(adfs, &desired.pin));
    let Some(facts) = facts else { return Vec::new() };
    let staged = || PackageSource::Staged { version: desired.pin.to_string() };
    let source = packages::origin(desired, authority, facts).map_or_else(staged, |origin| origin.source(desired));
    let name = || name_of(&desired.pin).to_owned();
    let on = |host: &str, action| Step { host: host.to_owned(), action };
    let is_guarded = !acknowledgement::is_stated(desired, acknowledgement::ADFS_GAP_UNGUARDED);
    let guard = Action::EnableGuard { back: Vec::new(), forward: name(), source: Some(source.clone()) };
    let first = batches.first().map(Vec::as_slice).unwrap_or_default();
    // One that does not run cannot synchronise, and only a person may start it.
    let seen = || {
        let hosts = first.iter().filter_map(|host| Some((host, farm.adfs(host)?)));
        hosts.filter(|(_, adfs)| farm::is_running(adfs))
    };
    let restarted: Vec<String> = seen().map(|(host, _)| host.clone()).collect();
    let is_other = |host: &&String| !restarted.contains(host);
    let running = farm.seen().filter(|(_, adfs)| farm::is_running(adfs)).map(|(host, _)| host.to_owned());
    let serving: Vec<String> = running.filter(|host| is_other(&host)).collect();
    // What is registered only now no other host has loaded, be it one that nobody sees.
    let others: Vec<String> = desired.hosts.iter().filter(is_other).cloned().collect();
    let mut steps = traffic::exchange_places(desired, &serving, &restarted);
    steps.push(on(authority, Action::MergeAdapterConfiguration { source: source.clone() }));
    steps.extend(is_guarded.then(|| on(authority, guard)));
    steps.push(on(authority, Action::RegisterAdapter { provider_name: name(), source }));
    steps.extend(
        seen().filter(|(_, adfs)| farm::is_secondary(adfs)).map(|(host, _)| on(host, Action::AwaitSynchronization)),
    );
    steps.extend(seen().map(|(host, _)| on(host, Action::RestartAdfs)));
    steps.extend(traffic::exchange_places(desired, &restarted, &others));
    steps.push(on(authority, Action::EnableProvider { provider_name: name() }));
    steps.extend(is_guarded.then(|| on(authority, Action::DisableGuard)));
    steps
}
