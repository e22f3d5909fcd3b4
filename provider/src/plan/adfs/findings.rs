//! What stands against a run of a farm although versions are clear.

use crate::backend::step::{Action, Step};
use crate::plan::adfs::exchange::Exchange;
use crate::plan::adfs::farm::Farm;
use crate::plan::adfs::{NEW_NAME, OLD_NAME, name_of, recovery, registration, shape, standing, steps};
use crate::plan::checks::{Survey, acknowledgement};
use crate::plan::{Desired, Policy, packages};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// Checks that the hosts are one farm that can be changed, and that its package can be had.
pub fn check_farm(
    desired: &Desired,
    batches: &[Vec<String>],
    farm: &Farm<'_>,
    survey: &Survey<'_>,
    diagnostics: &mut Diagnostics,
) {
    check_packages(desired, farm, survey, diagnostics);
    let Some(problem) = shape::problem(desired, batches, farm, survey) else { return };
    let summary = format!("{}: {}", desired.name, problem.summary);
    if survey.is_working() {
        diagnostics.error_at(problem.path, summary, problem.detail);
    } else {
        diagnostics.warning_at(problem.path, summary, problem.detail);
    }
}

/// Checks what the run is about to do.
pub fn check_run(
    exchange: &Exchange<'_>,
    survey: &Survey<'_>,
    steps: &[Step],
    policy: &Policy,
    diagnostics: &mut Diagnostics,
) {
    let desired = exchange.desired;
    if (!exchange.installs.is_empty() || survey.has_unread()) && !policy.installable.adfs_adapter {
        refuse_release(desired, policy, diagnostics);
    }
    if recovery::opens_gap(steps) {
        let (names, batch) = (exchange.stale_names(), exchange.batches.first().map(Vec::as_slice).unwrap_or_default());
        acknowledgement::report(
            desired,
            acknowledgement::ADFS_MFA_GAP,
            &format!(
                "While the adapter is exchanged, the global policy names no MFA Server provider: from the step that takes \
                 {names} out of it to the one that puts {} into it, users of this farm are not asked for the second factor. \
                 In between AD FS restarts on {}.",
                exchange.wanted,
                batch.join(", ")
            ),
            diagnostics,
        );
    }
    if recovery::opens_gap(steps) && acknowledgement::is_stated(desired, acknowledgement::ADFS_GAP_UNGUARDED) {
        acknowledgement::report(
            desired,
            acknowledgement::ADFS_GAP_UNGUARDED,
            "No guard is set up: when the machine of this run is gone in the gap, users are not asked for the second factor until \
             somebody closes it.",
            diagnostics,
        );
    }
    check_traffic(desired, exchange.farm, steps, diagnostics);
    if exchange.changes_registration()
        && let Some(rules) = outdated_rules(exchange.farm, exchange.wanted)
    {
        acknowledgement::report(
            desired,
            acknowledgement::ADFS_RULES,
            &format!(
                "Authentication rules name a provider that this run removes: {rules}. They stop matching when it is \
                 unregistered. The new name is {}; change the rules right after the run, by hand.",
                exchange.wanted
            ),
            diagnostics,
        );
    }
    if exchange.batches.len() == 1 && steps.iter().any(|step| matches!(step.action, Action::RestartAdfs)) {
        diagnostics.warning_at(
            Path::of("batches"),
            format!("{}: one batch is an outage", desired.name),
            "AD FS restarts on every host of the only batch, and none is left in the balancer meanwhile. With a second batch \
             half of the farm goes on serving.",
        );
    }
}

/// Says of a farm that is done that its rules still name another provider.
pub fn tell_of_rules(desired: &Desired, farm: &Farm<'_>, diagnostics: &mut Diagnostics) {
    let Some(adfs) = farm.registry() else { return };
    let wanted = name_of(&desired.pin);
    let is_exchanged = adfs.providers.as_deref().is_some_and(|providers| {
        registration::current(providers, adfs, wanted).is_some()
            && providers.iter().all(|provider| registration::is_named(provider, wanted))
    });
    if let Some(rules) = outdated_rules(farm, wanted).filter(|_| is_exchanged) {
        diagnostics.warning(
            format!("{}: authentication rules name an adapter that is gone", desired.name),
            format!("They match nothing any more: {rules}. The registered name is {wanted}."),
        );
    }
}

/// Says what no order to the balancer could spare users.
pub fn check_traffic(desired: &Desired, farm: &Farm<'_>, steps: &[Step], diagnostics: &mut Diagnostics) {
    warn_of_kept(desired, steps, diagnostics);
    warn_of_unable(desired, farm, steps, diagnostics);
}

/// Says which hosts are restarted while they are in traffic, although there is a balancer: see [`super::traffic`].
fn warn_of_kept(desired: &Desired, steps: &[Step], diagnostics: &mut Diagnostics) {
    let Some(drain) = &desired.drain else { return };
    let is_out = |host: &String| {
        let takes = |step: &Step| step.host == *host && matches!(step.action, Action::TakeOut { .. });
        steps.iter().any(takes) || desired.out.contains_key(host)
    };
    let is_restarted =
        |host: &String| steps.iter().any(|step| step.host == *host && matches!(step.action, Action::RestartAdfs));
    let kept: Vec<&str> =
        desired.hosts.iter().filter(|host| is_restarted(host) && !is_out(host)).map(String::as_str).collect();
    if !kept.is_empty() {
        diagnostics.warning_at(
            Path::of("drain"),
            format!("{}: not taken out of balancer {}: {}", desired.name, drain.balancer, kept.join(", ")),
            "Nobody would be left to serve. Hosts of a farm are taken out only where a host of the other batch runs AD FS, is \
             not out itself, and has loaded what the policy names. AD FS restarts on these hosts while they are in traffic.",
        );
    }
}

/// Says which hosts are in traffic and have not loaded the provider by which a gap is closed.
fn warn_of_unable(desired: &Desired, farm: &Farm<'_>, closing: &[Step], diagnostics: &mut Diagnostics) {
    let enabled = closing.iter().position(|step| matches!(step.action, Action::EnableProvider { .. }));
    let Some((steps, adfs)) = enabled.map(|end| &closing[..=end]).zip(farm.registry()) else { return };
    let Some(Action::EnableProvider { provider_name }) = steps.last().map(|step| &step.action) else { return };
    let providers = adfs.providers.as_deref().unwrap_or_default();
    let is_cared_for = |host: &str| {
        let cares = |action: &Action| matches!(action, Action::TakeOut { .. } | Action::RestartAdfs);
        steps.iter().any(|step| step.host == host && cares(&step.action)) || desired.out.contains_key(host)
    };
    let unable = farm.seen().filter(|(_, adfs)| !standing::has_loaded(providers, adfs, provider_name));
    let unable: Vec<&str> = unable.map(|(host, _)| host).filter(|host| !is_cared_for(host)).collect();
    if desired.drain.is_some() && !unable.is_empty() {
        diagnostics.warning_at(
            Path::of("drain"),
            format!("{}: in traffic without {provider_name}: {}", desired.name, unable.join(", ")),
            "This plan closes the gap in the second factor with a provider that AD FS has not loaded there, and no other \
             host is known to have loaded it, so nobody is taken out. Sign-ins that need the second factor fail on these \
             hosts until a run has restarted AD FS.",
        );
    }
}

/// Says that users are not asked for the second factor, in a plan that leaves it so.
pub fn warn_of_gap(desired: &Desired, closing: &[Step], diagnostics: &mut Diagnostics) {
    let closing: Vec<String> = closing.iter().map(ToString::to_string).collect();
    diagnostics.warning(
        format!("{}: users are not asked for the second factor", desired.name),
        format!(
            "The global policy of the farm names no registered MFA Server provider, and this plan leaves it so. What would \
             close the gap, by hand or in a plan that may go on: {}.",
            closing.join("; ")
        ),
    );
}

/// Refuses a farm whose package no server will ever have, also while it waits.
fn check_packages(desired: &Desired, farm: &Farm<'_>, survey: &Survey<'_>, diagnostics: &mut Diagnostics) {
    let needs_package = |host: &str| farm.adfs(host).is_some_and(|adfs| !registration::has_package(adfs, &desired.pin));
    for seen in survey.work().filter(|seen| desired.hold.is_none() && needs_package(seen.host)) {
        packages::check(desired, seen.host, seen.facts, steps::WAY_OUT, diagnostics);
    }
}

fn refuse_release(desired: &Desired, policy: &Policy, diagnostics: &mut Diagnostics) {
    let what = "With which arguments the adapter's package runs silently";
    let add = r#"adfs_adapter = { arguments = ["/qn", "/norestart"] }"#;
    packages::refuse_unstated(desired, policy, what, add, diagnostics);
}

/// The scopes whose rules name an MFA Server provider other than the wanted one.
fn outdated_rules(farm: &Farm<'_>, wanted: &str) -> Option<String> {
    let rules = farm.registry()?.rules.as_deref().unwrap_or_default();
    let is_outdated = |name: &&String| {
        [OLD_NAME, NEW_NAME].iter().any(|known| known.eq_ignore_ascii_case(name)) && !wanted.eq_ignore_ascii_case(name)
    };
    let found: Vec<String> = rules
        .iter()
        .filter_map(|rule| Some(format!("{} names {}", rule.scope, rule.provider_names.iter().find(is_outdated)?)))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}
