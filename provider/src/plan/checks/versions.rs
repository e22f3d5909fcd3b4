//! Versions: downgrades, hosts ahead, major versions, PhoneFactor Agent, and components that are not there.

use crate::plan::checks::{Member, Seen, prerequisites};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::{Desired, Policy};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// Checks that hold whether or not there is work: what is installed, and that nothing is asked to go down.
pub fn check(kind: SetKind, desired: &Desired, policy: &Policy, members: &[Member<'_>], diagnostics: &mut Diagnostics) {
    for member in members {
        if let Member::Missing(host) = member {
            diagnostics.error(
                format!("{}: nothing to upgrade on {host}", desired.name),
                format!(
                    "{} is not installed on {host}. The provider upgrades what is there and never installs it anew. \
                     Install it by hand, or take {host} out of the set.",
                    kind.title()
                ),
            );
        }
    }
    let above: Vec<&Seen<'_>> = seen(members).filter(|seen| seen.evidence.lowest > desired.pin).collect();
    if above.is_empty() {
        return;
    }
    let found = list(&above);
    let pin = &desired.pin;
    // A host that state does not know has no last pin either.
    let is_new = |seen: &&Seen<'_>| !desired.last_versions.contains_key(seen.host);
    if desired.last_pin.as_ref().is_none_or(|last| pin < last) || above.iter().any(is_new) {
        let highest = above.iter().map(|seen| &seen.evidence.lowest).max().unwrap_or(pin);
        diagnostics.error_at(
            Path::of("version"),
            format!("{}: {pin} is lower than what runs", desired.name),
            format!(
                "{found}, and {pin} was asked for. There is no in-place downgrade: the vendor's way back is to uninstall, \
                 restore the data from before the upgrade and run the older setup, by hand. Set version to {highest}, or \
                 go back by hand first."
            ),
        );
    } else if policy.ahead_is_error {
        diagnostics.error_at(
            Path::of("version"),
            format!("{}: ahead of {pin}", desired.name),
            format!("{found}, although the pin is {pin}, and the provider's on_ahead is \"error\". Raise version."),
        );
    } else {
        diagnostics.warning(
            format!("{}: ahead of {pin}", desired.name),
            format!("{found}, although the pin is {pin}. Nothing is changed there. Raise version to manage what runs."),
        );
    }
}

/// Checks before work begins: PhoneFactor Agent, major versions, prerequisites.
pub fn check_start(kind: SetKind, desired: &Desired, members: &[Member<'_>], diagnostics: &mut Diagnostics) {
    let phonefactor: Vec<&Seen<'_>> = seen(members).filter(|seen| is_phonefactor(seen)).collect();
    if !phonefactor.is_empty() {
        refuse_phonefactor(desired, &phonefactor, diagnostics);
        return;
    }
    check_host(desired, members, diagnostics);
    let pin = &desired.pin;
    let missing: Vec<String> = seen(members)
        .filter(|seen| seen.needs_work)
        .flat_map(|seen| {
            let missing = prerequisites::missing(kind, seen.facts, pin);
            missing.into_iter().map(|missing| format!("{} lacks {missing}", seen.host))
        })
        .collect();
    let crossing: Vec<&Seen<'_>> =
        seen(members).filter(|seen| seen.below && seen.evidence.lowest.major() < pin.major()).collect();
    if !crossing.is_empty() && !desired.allow_major_upgrade {
        let prerequisites = if missing.is_empty() {
            "The prerequisites of the new version are there.".to_owned()
        } else {
            format!("Before that: {}.", missing.join("; "))
        };
        diagnostics.error_at(
            Path::of("version"),
            format!("{}: {pin} is another major version", desired.name),
            format!(
                "{}, and {pin} crosses a major version. Set allow_major_upgrade = true when that is meant. \
                 {prerequisites}",
                list(&crossing)
            ),
        );
    } else if !missing.is_empty() {
        diagnostics.error(
            format!("{}: prerequisites are missing", desired.name),
            format!("{}. Install what is missing, then plan again.", missing.join("; ")),
        );
    }
}

/// What holds for any work on a host.
fn check_host(desired: &Desired, members: &[Member<'_>], diagnostics: &mut Diagnostics) {
    for seen in seen(members).filter(|seen| seen.needs_work) {
        if !seen.facts.administrator {
            diagnostics.error(
                format!("{}: no administrator rights on {}", desired.name, seen.host),
                format!(
                    "The account that the provider uses on {} has no administrator rights in its session. Give it those \
                     rights, or choose another account in the provider's connections.",
                    seen.host
                ),
            );
        }
        if !seen.facts.pending_reboot.is_empty() {
            diagnostics.warning(
                format!("{}: a restart is pending on {}", desired.name, seen.host),
                format!(
                    "{} wants to be restarted ({}). Setups may refuse to run, or ask for a restart, until it was.",
                    seen.host,
                    seen.facts.pending_reboot.join(", ")
                ),
            );
        }
        if let Some(installation) = &seen.facts.running_installation {
            diagnostics.warning(
                format!("{}: an installation still runs on {}", desired.name, seen.host),
                format!(
                    "Installation {installation} of an earlier run has not ended on {}. The step that started it waits \
                     for it; any other is refused until then.",
                    seen.host
                ),
            );
        }
    }
}

/// Says what is not done because of `hold`.
pub fn warn_held(desired: &Desired, reason: &str, members: &[Member<'_>], diagnostics: &mut Diagnostics) {
    let pending: Vec<&Seen<'_>> = seen(members).filter(|seen| seen.needs_work).collect();
    let found = if pending.is_empty() { "A host was added".to_owned() } else { list(&pending) };
    diagnostics.warning_at(
        Path::of("hold"),
        format!("{} is held", desired.name),
        format!("{found}; the pin is {}. Nothing is proposed while hold is set: {reason}", desired.pin),
    );
}

fn refuse_phonefactor(desired: &Desired, found: &[&Seen<'_>], diagnostics: &mut Diagnostics) {
    diagnostics.error(
        format!("{}: PhoneFactor Agent cannot be upgraded in place", desired.name),
        format!(
            "{}. Versions before 6.0 are PhoneFactor Agent. The vendor's way: back up the data file \
             (Data\\PhoneFactor.pfdata in the install folder) and the web.config and themes of the web components; \
             uninstall the User Portal, the Mobile App Web Service, the Web Service SDK and the agent, in that order; \
             install MFA Server, which takes the old folder from the registry and upgrades the data file left there, \
             and activate it in the right replication group; then install the components again. The default names of \
             virtual directories change: keep the old ones, or change the addresses that use them. After that, declare \
             the set with the version then running.",
            list(found)
        ),
    );
}

fn is_phonefactor(seen: &Seen<'_>) -> bool {
    let server = seen.facts.server.as_ref();
    let named =
        server.and_then(|server| server.product_name.as_deref()).is_some_and(|name| name.contains("PhoneFactor"));
    seen.evidence.lowest.major() < 6 || (named && seen.needs_work)
}

fn seen<'m, 'a>(members: &'m [Member<'a>]) -> impl Iterator<Item = &'m Seen<'a>> {
    members.iter().filter_map(|member| match member {
        Member::Seen(seen) => Some(seen),
        _ => None,
    })
}

/// "mfa01 runs 6.3.1.1, mfa02 runs 7.0.0.9".
fn list(seen: &[&Seen<'_>]) -> String {
    let found = |seen: &&Seen<'_>| format!("{} runs {}", seen.host, version(&seen.evidence.lowest));
    seen.iter().map(found).collect::<Vec<_>>().join(", ")
}

fn version(version: &Version) -> &str {
    version.as_str()
}
