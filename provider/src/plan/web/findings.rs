//! What stands against a run of a set of web components although versions are clear.

use std::collections::BTreeSet;

use crate::backend::facts::WebKind;
use crate::plan::checks::{Seen, Survey};
use crate::plan::token::SetKind;
use crate::plan::web::work::Work;
use crate::plan::web::{FIRST_WITHOUT_MOBILE_APP, WebSet};
use crate::plan::{Desired, Policy, component, packages, pools};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// Checks that every host has exactly one component of the kind, in the directory that is declared.
pub fn check_directories(desired: &Desired, set: &WebSet, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
    let title = set.kind.title();
    for seen in survey.seen() {
        let candidates = set.candidates(seen.facts);
        let names: Vec<&str> = candidates.iter().map(|found| found.virtual_directory.as_str()).collect();
        let Some(name) = names.first() else { continue };
        match &set.virtual_directory {
            Some(declared) if !component::is_same_directory(name, declared) => diagnostics.error_at(
                Path::of("virtual_directory"),
                format!("{}: the {title} on {} is elsewhere", desired.name, seen.host),
                format!(
                    "{declared} is declared, and on {} the {title} was found in {}. The upgrade keeps the directory. \
                     Write: virtual_directory = \"{name}\"",
                    seen.host,
                    names.join(" and ")
                ),
            ),
            None if names.len() > 1 => diagnostics.error_at(
                Path::of("virtual_directory"),
                format!("{}: several {title}s on {}", desired.name, seen.host),
                format!(
                    "Virtual directories {} on {} all hold one. Say which is meant: virtual_directory = \"{name}\"",
                    names.join(" and "),
                    seen.host
                ),
            ),
            Some(_) if names.len() > 1 => diagnostics.error_at(
                Path::of("virtual_directory"),
                format!("{}: {name} is on several sites of {}", desired.name, seen.host),
                format!(
                    "Sites {} on {} each hold a {title} in {name}, and a set has one per host. Remove by hand the one that \
                     is not used.",
                    candidates.iter().map(|found| found.site.as_str()).collect::<Vec<_>>().join(" and "),
                    seen.host
                ),
            ),
            _ => {}
        }
    }
    if set.virtual_directory.is_none() {
        check_same_everywhere(desired, set, survey, diagnostics);
    }
}

/// Says that no Mobile App Web Service is needed once its servers are at 8.0 or later; nothing is done about it.
pub fn tell_of_retirement(desired: &Desired, set: &WebSet, diagnostics: &mut Diagnostics) {
    if set.kind != WebKind::MobileAppWebService {
        return;
    }
    let groups = desired.after.iter().filter(|token| token.kind == SetKind::ServerGroup);
    for group in groups.filter(|group| group.pin.major() >= FIRST_WITHOUT_MOBILE_APP) {
        diagnostics.warning(
            format!("{}: the Mobile App Web Service is no longer needed", desired.name),
            format!(
                "Its server group {} is pinned at {}, and from 8.0 on MFA Server does without it: there is no package of \
                 that version. It stays as it is, at {}. When the group runs {} and nothing asks for it any more, uninstall \
                 it by hand and remove this resource.",
                group.name, group.pin, desired.pin, group.pin
            ),
        );
    }
}

/// Refuses a set whose package no server will ever have, also while it waits.
pub fn check_packages(desired: &Desired, set: &WebSet, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
    if desired.hold.is_some() {
        return;
    }
    for seen in survey.work().filter(|seen| seen.below || !seen.evidence.agrees) {
        packages::check(desired, seen.host, seen.facts, way_out(set.kind), diagnostics);
    }
}

/// What to do when no server has the package.
pub fn way_out(kind: WebKind) -> &'static str {
    match kind {
        WebKind::MobileAppWebService => {
            "Set version to what the web service runs now: from 8.0 on it is no longer needed, and stays as it is."
        }
        WebKind::UserPortal | WebKind::WebServiceSdk => "Pin it at the version of its server group.",
    }
}

/// Reports what shares the pool of a component that moves from .NET 2.0 to 4.5.
pub fn check_pool(desired: &Desired, work: &Work<'_>, diagnostics: &mut Diagnostics) {
    if component::is_on_old_runtime(work.component, &desired.pin) {
        pools::check(desired, work.host, work.facts, work.component, diagnostics);
    }
}

/// Checks that the operator has stated how the package runs.
pub fn check_release(desired: &Desired, set: &WebSet, policy: &Policy, diagnostics: &mut Diagnostics) {
    let (stated, attribute) = match set.kind {
        WebKind::MobileAppWebService => (policy.installable.mobile_app_web_service, "mobile_app_web_service"),
        WebKind::UserPortal | WebKind::WebServiceSdk => (policy.installable.user_portal, "user_portal"),
    };
    if stated {
        return;
    }
    let what = format!("With which arguments the {}'s package keeps its place and runs silently", set.kind.title());
    let add = format!(
        "{attribute} = {{ arguments = [\"TARGETVDIR={{virtual_directory}}\", \"TARGETSITE=/LM/W3SVC/{{site_id}}\", \
         \"TARGETAPPPOOL={{application_pool}}\"] }}"
    );
    packages::refuse_unstated(desired, policy, &what, &add, diagnostics);
}

/// One set has one directory: what stands behind one address is the same on all hosts.
fn check_same_everywhere(desired: &Desired, set: &WebSet, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
    let only = |seen: &Seen<'_>| match set.candidates(seen.facts).as_slice() {
        [only] => Some((seen.host.to_owned(), only.virtual_directory.clone())),
        _ => None,
    };
    let found: Vec<(String, String)> = survey.seen().filter_map(only).collect();
    let distinct: BTreeSet<String> =
        found.iter().map(|(_, name)| name.trim_matches('/').to_ascii_lowercase()).collect();
    if distinct.len() > 1 {
        let places: Vec<String> = found.iter().map(|(host, name)| format!("{name} on {host}")).collect();
        diagnostics.error_at(
            Path::of("virtual_directory"),
            format!("{}: its hosts have several virtual directories", desired.name),
            format!(
                "Found {}. A set has one. Declare one resource for each virtual directory, with the hosts that have it.",
                places.join(", ")
            ),
        );
    }
}
