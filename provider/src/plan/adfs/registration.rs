//! What is registered in a farm, and whether it is of the release that is installed.

use crate::backend::facts::{Adfs, AuthenticationProvider};
use crate::backend::step::{Action, Step};
use crate::plan::adfs::farm::Farm;
use crate::plan::adfs::{NEW_NAME, OLD_NAME, name_of};
use crate::plan::evidence::Evidence;
use crate::plan::version::Version;

/// What proves the version of the adapter on a host. Its assembly's version is not the product's, so only the uninstall
/// entry tells the version; the registered name and type have to be of the same generation.
pub fn evidence(farm: &Farm<'_>, host: &str) -> Option<Evidence> {
    let adfs = farm.adfs(host)?;
    let entry = adfs.adapter_product_version.as_deref();
    let installed = adfs.adapter_assembly.as_deref().and_then(assembly_version);
    let version = entry.and_then(|text| text.trim().parse::<Version>().ok());
    let lowest = version.clone().or_else(|| installed?.parse().ok())?;
    let entry = format!("uninstall entry {}", entry.unwrap_or("missing"));
    let Some(providers) = farm.registry().and_then(|adfs| adfs.providers.as_deref()) else {
        // Nobody can tell what is registered, so what is installed is the second piece.
        let agrees = version.is_some_and(|version| is_of(installed, &version));
        let detail =
            format!("{entry}, assembly {} (what is registered could not be read)", installed.unwrap_or("missing"));
        return Some(Evidence { lowest, agrees, detail });
    };
    let agrees = version.is_some_and(|version| current(providers, adfs, name_of(&version)).is_some());
    Some(Evidence { lowest, agrees, detail: format!("{entry}, {}", describe(providers)) })
}

/// The end-state facts of the host that registers which do not hold.
pub fn missing(adfs: &Adfs, wanted: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let (Some(providers), Some(policy)) = (&adfs.providers, &adfs.policy) else { return missing };
    let current = current(providers, adfs, wanted);
    for provider in providers.iter().filter(|provider| !is_named(provider, wanted)) {
        missing.push(format!("{} is still registered", provider.name));
    }
    if current.is_none() {
        missing.push(match providers.iter().find(|provider| is_named(provider, wanted)) {
            Some(provider) => {
                format!("{wanted} is registered with another type than is installed ({})", provider.type_name)
            }
            None => format!("{wanted} is not registered"),
        });
    }
    if !contains(policy, wanted) {
        let is_asked = providers.iter().any(|provider| contains(policy, &provider.name));
        let so = if is_asked { "" } else { ", so users are not asked for the second factor" };
        missing.push(format!("the global policy does not name {wanted}{so}"));
    }
    missing
}

/// The registered provider of a name when its type is of the assembly that is installed. Where AD FS does not show the
/// type, the name alone tells.
pub fn current<'p>(
    providers: &'p [AuthenticationProvider],
    adfs: &Adfs,
    wanted: &str,
) -> Option<&'p AuthenticationProvider> {
    let installed = adfs.adapter_assembly.as_deref().and_then(assembly_version);
    providers.iter().find(|provider| {
        is_named(provider, wanted)
            && (provider.type_name.is_empty() || assembly_version(&provider.type_name) == installed)
    })
}

/// The names that are registered once steps have been performed, in the vendor's spelling and in one order.
pub fn registered_after(adfs: &Adfs, steps: &[Step]) -> Option<Vec<String>> {
    let registered = adfs.providers.as_ref()?.iter().map(|provider| canonical(&provider.name)).collect();
    Some(sorted(steps.iter().fold(registered, |names, step| match &step.action {
        Action::UnregisterAdapter { provider_name } => without(names, provider_name),
        Action::RegisterAdapter { provider_name, .. } => with(names, provider_name),
        _ => names,
    })))
}

/// The names in the policy once steps have been performed, as [`registered_after`] gives those that are registered. AD FS
/// means nothing by their order.
pub fn policy_after(adfs: &Adfs, steps: &[Step]) -> Option<Vec<String>> {
    let policy = adfs.policy.as_ref()?.iter().map(|name| canonical(name)).collect();
    Some(sorted(steps.iter().fold(policy, |names, step| match &step.action {
        Action::DisableProvider { provider_name } => without(names, provider_name),
        Action::EnableProvider { provider_name } => with(names, provider_name),
        _ => names,
    })))
}

/// Whether the package of a version has been installed whole on a host.
pub fn has_package(adfs: &Adfs, version: &Version) -> bool {
    let entry = adfs.adapter_product_version.as_deref().and_then(|text| text.trim().parse::<Version>().ok());
    entry.as_ref() == Some(version) && is_of(adfs.adapter_assembly.as_deref().and_then(assembly_version), version)
}

/// Whether a provider has a name, in any casing.
pub fn is_named(provider: &AuthenticationProvider, name: &str) -> bool {
    provider.name.eq_ignore_ascii_case(name)
}

/// Whether names hold one, in any casing.
pub fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The version in an assembly's full name or in a provider's type name.
fn assembly_version(full_name: &str) -> Option<&str> {
    full_name.split(',').find_map(|part| part.trim().strip_prefix("Version="))
}

/// Whether an assembly may be of a product's version: nothing more than the major version is known to agree.
fn is_of(assembly: Option<&str>, version: &Version) -> bool {
    assembly.and_then(|text| text.split('.').next()?.parse().ok()) == Some(version.major())
}

/// The vendor's spelling of a name; AD FS takes any casing.
fn canonical(name: &str) -> String {
    [OLD_NAME, NEW_NAME].into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name).to_owned()
}

fn with(names: Vec<String>, name: &str) -> Vec<String> {
    let mut names = without(names, name);
    names.push(canonical(name));
    names
}

fn without(mut names: Vec<String>, name: &str) -> Vec<String> {
    names.retain(|known| !known.eq_ignore_ascii_case(name));
    names
}

/// Those of others first, so that an exchange shows as a change of one name.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    let is_ours = |name: &str| [OLD_NAME, NEW_NAME].contains(&name);
    names.sort_by(|left, right| (is_ours(left), left).cmp(&(is_ours(right), right)));
    names
}

fn describe(providers: &[AuthenticationProvider]) -> String {
    if providers.is_empty() {
        return "nothing registered".to_owned();
    }
    let names = providers.iter().map(|provider| match assembly_version(&provider.type_name) {
        Some(version) => format!("{} of assembly {version}", provider.name),
        None => provider.name.clone(),
    });
    format!("registered {}", names.collect::<Vec<_>>().join(" and "))
}
