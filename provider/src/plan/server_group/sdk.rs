//! The Web Service SDK of a server: found, declared, and brought along right after it.

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::backend::step::{Action, PackageSource, Step};
use crate::plan::checks::Survey;
use crate::plan::server_group::{DeclaredSdk, Group, backup, step};
use crate::plan::version::Version;
use crate::plan::{Desired, component};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// The SDKs on a host.
pub fn all(facts: &HostFacts) -> impl Iterator<Item = &WebComponent> {
    component::all(facts, WebKind::WebServiceSdk)
}

/// The end-state facts of an SDK that do not hold at a pin.
pub fn gaps(component: &WebComponent, pin: &Version) -> Vec<String> {
    let mut gaps = Vec::new();
    let name = &component.virtual_directory;
    match component::evidence(component) {
        None => gaps.push(format!("no version of the Web Service SDK in {name} was found")),
        Some(evidence) if evidence.lowest < *pin => {
            gaps.push(format!("the Web Service SDK in {name} runs {} ({})", evidence.lowest, evidence.detail));
        }
        Some(evidence) if !evidence.agrees => {
            gaps.push(format!("the evidence for the Web Service SDK in {name} disagrees ({})", evidence.detail));
        }
        Some(_) => {}
    }
    if component::is_on_old_runtime(component, pin) {
        gaps.push(format!(
            "application pool {} of the Web Service SDK is on CLR v2.0 instead of v4.0",
            component.application_pool
        ));
    }
    if !component.web_config_exists {
        gaps.push(format!("the Web Service SDK in {name} has no web.config"));
    }
    gaps
}

/// Whether the SDK's package has to run.
pub fn needs_package(component: &WebComponent, pin: &Version) -> bool {
    component::evidence(component).is_none_or(|evidence| evidence.lowest < *pin || !evidence.agrees)
}

/// Whether the package of the pin has certainly not replaced anything of the SDK yet.
pub fn is_untouched(component: &WebComponent, pin: &Version) -> bool {
    component::evidence(component).is_some_and(|evidence| evidence.lowest < *pin && evidence.agrees)
}

/// The steps that bring an SDK to the pin, from the install folder of its own server.
pub fn steps(desired: &Desired, host: &str, component: &WebComponent) -> Vec<Step> {
    let mut steps = Vec::new();
    let package = needs_package(component, &desired.pin);
    if package {
        steps.push(step(
            host,
            Action::RunWebPackage {
                component: WebKind::WebServiceSdk,
                version: desired.pin.to_string(),
                source: PackageSource::InstallFolder,
                place: component::place(component),
            },
        ));
    }
    if package || !component.web_config_exists {
        steps.push(step(
            host,
            Action::MergeWebConfig {
                component: WebKind::WebServiceSdk,
                path: component.physical_path.clone(),
                backup: backup(desired, &component::backup_name(component)),
            },
        ));
    }
    if component::is_on_old_runtime(component, &desired.pin) {
        let application_pool = component.application_pool.clone();
        steps.push(step(host, Action::SetApplicationPool { application_pool }));
    }
    steps
}

/// Checks that what is found is what is declared.
pub fn check(desired: &Desired, group: &Group, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
    let mut found = false;
    for seen in survey.seen() {
        let names: Vec<&str> = all(seen.facts).map(|sdk| sdk.virtual_directory.as_str()).collect();
        found |= !names.is_empty();
        match (&group.sdk, names.as_slice()) {
            (_, []) | (DeclaredSdk::Unknown, _) => {}
            (DeclaredSdk::None, [name, ..]) => diagnostics.error_at(
                Path::of("web_service_sdk"),
                format!("{}: an undeclared Web Service SDK on {}", desired.name, seen.host),
                format!(
                    "The Web Service SDK is installed on {} in the virtual directory {name}, and has to be upgraded right \
                     after its server. Add this line: web_service_sdk = {{ virtual_directory = \"{name}\" }}",
                    seen.host
                ),
            ),
            (DeclaredSdk::At(declared), names) => {
                for name in names.iter().filter(|name| !component::is_same_directory(name, declared)) {
                    diagnostics.error_at(
                        Path::of("web_service_sdk").attribute("virtual_directory"),
                        format!("{}: the Web Service SDK on {} is elsewhere", desired.name, seen.host),
                        format!(
                            "It was found in the virtual directory {name}, and {declared} is declared. The upgrade keeps \
                             the directory. Write: web_service_sdk = {{ virtual_directory = \"{name}\" }}"
                        ),
                    );
                }
            }
            (DeclaredSdk::Anywhere, [_]) => {}
            (DeclaredSdk::Anywhere, names) => diagnostics.error_at(
                Path::of("web_service_sdk").attribute("virtual_directory"),
                format!("{}: several Web Service SDKs on {}", desired.name, seen.host),
                format!(
                    "Virtual directories {} all hold one. Say which is meant: web_service_sdk = {{ virtual_directory = \
                     \"{}\" }}, and remove the others by hand.",
                    names.join(" and "),
                    names[0]
                ),
            ),
        }
    }
    let is_declared = matches!(group.sdk, DeclaredSdk::Anywhere | DeclaredSdk::At(_));
    if !found && is_declared && survey.seen().count() == desired.hosts.len() {
        diagnostics.error_at(
            Path::of("web_service_sdk"),
            format!("{}: no Web Service SDK on any host", desired.name),
            "It is declared, and was found on none of the hosts. Remove web_service_sdk; the provider never installs one \
             anew.",
        );
    }
}
