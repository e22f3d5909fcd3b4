//! What stands against a group's run although versions and roles are clear: the release's files, co-hosted components,
//! shared application pools.

use crate::backend::facts::{WebComponent, WebKind};
use crate::plan::checks::{Seen, Survey, prerequisites};
use crate::plan::packages;
use crate::plan::server_group::{Plan, sdk};
use crate::plan::{Desired, Policy, component, pools};
use crate::tf::diagnostic::Diagnostics;

/// Checks what a run is about to use.
pub fn check(desired: &Desired, survey: &Survey<'_>, plan: &Plan<'_>, policy: &Policy, diagnostics: &mut Diagnostics) {
    check_release(desired, survey, plan, policy, diagnostics);
    check_lone_packages(desired, survey, plan, diagnostics);
    for seen in survey.seen().filter(|seen| plan.work(seen.host).is_some()) {
        check_pools(desired, seen, diagnostics);
        if plan.work(seen.host).is_some_and(|work| work.server) {
            warn_of_cohosted(desired, seen, diagnostics);
        }
    }
}

/// The web components on a host that are upgraded by resources of their own.
pub fn cohosted<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = &'s WebComponent> {
    seen.facts.web.iter().filter(|component| component.component != WebKind::WebServiceSdk)
}

fn check_release(
    desired: &Desired,
    survey: &Survey<'_>,
    plan: &Plan<'_>,
    policy: &Policy,
    diagnostics: &mut Diagnostics,
) {
    let pin = &desired.pin;
    let server = plan.worked.iter().any(|work| work.server);
    let package = survey
        .seen()
        .filter(|seen| plan.work(seen.host).is_some())
        .any(|seen| sdk::all(seen.facts).any(|component| sdk::needs_package(component, pin)));
    let mut lines = Vec::new();
    if server && !policy.installable.server_setup {
        lines.push(
            "server_setup = { source = \"https://…/MultiFactorAuthenticationServerSetup.exe\", sha256 = \"…\", arguments = \
             [\"…\"] }",
        );
    }
    if package && !policy.installable.web_service_sdk {
        lines.push("web_service_sdk = { arguments = [\"TARGETVDIR={virtual_directory}\", …] }");
    }
    if lines.is_empty() {
        return;
    }
    let what = "What is run on the hosts, and with which arguments it runs silently,";
    packages::refuse_unstated(desired, policy, what, &lines.join("; "), diagnostics);
}

/// Where the server already runs the pin only its SDK's package runs, and that brings no Visual C++.
fn check_lone_packages(desired: &Desired, survey: &Survey<'_>, plan: &Plan<'_>, diagnostics: &mut Diagnostics) {
    let is_lone = |seen: &&Seen<'_>| {
        plan.work(seen.host).is_some_and(|work| !work.server)
            && sdk::all(seen.facts).any(|sdk| sdk::needs_package(sdk, &desired.pin))
    };
    let missing: Vec<String> = survey
        .seen()
        .filter(is_lone)
        .flat_map(|seen| {
            let missing = prerequisites::missing_visual_c(seen.facts, &desired.pin);
            missing.into_iter().map(|missing| format!("{} lacks {missing}", seen.host))
        })
        .collect();
    if !missing.is_empty() {
        diagnostics.error(
            format!("{}: prerequisites are missing", desired.name),
            format!(
                "{}. {} needs them there, and the server setup, which would bring them, has run before. Install what is \
                 missing, then plan again.",
                missing.join("; "),
                WebKind::WebServiceSdk.package()
            ),
        );
    }
}

/// A pool that moves to CLR v4.0 with the SDK takes along whatever else lives in it.
fn check_pools(desired: &Desired, seen: &Seen<'_>, diagnostics: &mut Diagnostics) {
    for sdk in sdk::all(seen.facts).filter(|sdk| component::is_on_old_runtime(sdk, &desired.pin)) {
        pools::check(desired, seen.host, seen.facts, sdk, diagnostics);
    }
}

fn warn_of_cohosted(desired: &Desired, seen: &Seen<'_>, diagnostics: &mut Diagnostics) {
    for component in cohosted(seen) {
        diagnostics.warning(
            format!("{}: a {} lives on {}", desired.name, component.component.title(), seen.host),
            format!(
                "The server setup may replace its web.config. Its folder {} is backed up before, and its web.config checked \
                 after. It is upgraded by its own resource, later.",
                component.physical_path
            ),
        );
    }
}
