//! Which hosts of a farm can serve what its policy names, and where they stand in the traffic after a run that broke off.

use crate::backend::facts::{Adfs, AuthenticationProvider};
use crate::plan::Views;
use crate::plan::adfs::farm::{self, Farm};
use crate::plan::adfs::{name_of, registration};
use crate::plan::traffic::Out;
use crate::plan::version::Version;

/// Whether AD FS on a host has loaded a registered provider. Only a restart after its package was installed loads it.
pub fn has_loaded(providers: &[AuthenticationProvider], adfs: &Adfs, name: &str) -> bool {
    let current = of_package(providers, adfs);
    farm::unstarted(adfs).is_none() && current.is_some_and(|provider| registration::is_named(provider, name))
}

/// The registered provider that belongs to the package on a host.
fn of_package<'a>(providers: &'a [AuthenticationProvider], adfs: &Adfs) -> Option<&'a AuthenticationProvider> {
    let version = adfs.adapter_product_version.as_deref()?.trim().parse::<Version>().ok()?;
    registration::current(providers, adfs, name_of(&version))
}

/// The registered providers that the policy names: users are asked by one of these, or not at all.
pub fn asking(registry: &Adfs) -> Vec<&str> {
    let (providers, policy) = (registry.providers.iter().flatten(), registry.policy.as_deref().unwrap_or_default());
    let names = providers.map(|provider| provider.name.as_str());
    names.filter(|name| registration::contains(policy, name)).collect()
}

/// Whether a host can serve users as the policy of its farm is now. Where nobody is asked for the second factor, every
/// AD FS that runs can.
pub fn serves(registry: &Adfs, adfs: &Adfs) -> bool {
    let asking = asking(registry);
    let providers = registry.providers.as_deref().unwrap_or_default();
    farm::is_running(adfs) && (asking.is_empty() || asking.iter().any(|name| has_loaded(providers, adfs, name)))
}

/// Whether AD FS on a host runs on with what it had loaded before the package of another release was installed, and that is
/// what is registered.
fn holds_earlier(registry: &Adfs, adfs: &Adfs) -> bool {
    let providers = registry.providers.as_deref().unwrap_or_default();
    let is_asked =
        of_package(providers, adfs).is_some_and(|provider| asking(registry).contains(&provider.name.as_str()));
    farm::is_running(adfs) && adfs.restarted_since_install == Some(false) && !is_asked
}

/// Whether a host can serve users as the policy of its farm is now, as far as that can be told from what is installed and
/// what AD FS has been running since before.
pub fn may_serve(registry: &Adfs, adfs: &Adfs) -> bool {
    serves(registry, adfs) || holds_earlier(registry, adfs)
}

/// What a person has to know of the traffic after a run that broke off: hosts in it that cannot serve what the policy
/// names, and who could in their place. None when everybody in it can.
pub fn report(hosts: &[String], views: &Views, out: &Out) -> Option<String> {
    let farm = Farm::of(hosts, views);
    let registry = farm.registry()?;
    let (able, unable): (Vec<_>, Vec<_>) = farm.seen().partition(|(_, adfs)| may_serve(registry, adfs));
    let name = asking(registry).join(" and ");
    let is_out = |host: &str| out.contains_key(host);
    let pick = |hosts: &[(&str, &Adfs)], out: bool| -> Vec<String> {
        hosts.iter().filter(|(host, _)| is_out(host) == out).map(|(host, _)| (*host).to_owned()).collect()
    };
    let failing = pick(&unable, false);
    if failing.is_empty() || name.is_empty() {
        return None;
    }
    let (serving, spare) = (pick(&able, false), pick(&able, true));
    let failing = failing.join(", ");
    let found = format!(
        "In the traffic and unable to serve: {failing}. AD FS there has not loaded {name}, so sign-ins that need the second \
         factor fail on it."
    );
    let what = match (serving.is_empty(), spare.is_empty()) {
        (true, true) => "No host of the farm can serve them: apply again at once, which loads it.".to_owned(),
        (true, false) => format!(
            "Out of the traffic and able to serve: {}. Put that back into the balancer first, then take {failing} out, at \
             once. The next plan does it where it has work on the farm; while the farm waits, it is yours to do.",
            spare.join(", ")
        ),
        (false, _) => format!("{} can serve. Take {failing} out of the balancer, at once.", serving.join(", ")),
    };
    Some(format!("{found} {what}"))
}
