//! The steps of a group's run, in the vendor's order.

use crate::backend::facts::WebKind;
use crate::backend::step::{Action, Step};
use crate::plan::checks::{self, Member, Seen, Survey};
use crate::plan::server_group::gate::Gate;
use crate::plan::server_group::{Plan, SERVICE, backup, backup_id, facts_of, findings, sdk, step};
use crate::plan::{Desired, component, health, traffic};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// The name of the data folder's backup.
const DATA: &str = "Data";

/// All steps of the run.
pub fn all(
    desired: &Desired,
    gate: &Gate<'_>,
    survey: &Survey<'_>,
    plan: &Plan<'_>,
    diagnostics: &mut Diagnostics,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let backs_up = plan.installs || survey.has_unread();
    if backs_up {
        steps.extend(data_backup(desired, gate, survey, plan.installs, diagnostics));
    }
    // The master comes last whatever its place in the list, because the others must be able to read its data.
    let (masters, others): (Vec<_>, Vec<_>) = survey.members.iter().partition(|member| gate.is_master(member.host()));
    for member in others.into_iter().chain(masters) {
        match member {
            Member::Unread(host) => steps.push(checks::adopt(host, &desired.pin)),
            Member::Seen(seen) => {
                let Some(work) = plan.work(seen.host) else { continue };
                let mut own = if work.server { whole(desired, seen) } else { remainder(desired, seen) };
                own.extend(health::step(desired, seen.host));
                steps.extend(traffic::around(desired, seen.host, own));
            }
            Member::Unreachable(_) | Member::Missing(_) => {}
        }
    }
    if let Some(master) = gate.master().filter(|_| !steps.is_empty() && backs_up) {
        // Before the last check and what follows it: a run that only repeats a failed one closes nothing.
        let is_last = |step: &Step| matches!(step.action, Action::AwaitHealth { .. } | Action::PutBack { .. });
        let end = steps.iter().rposition(|step| !is_last(step)).map_or(0, |position| position + 1);
        let last = steps.split_off(end);
        close(desired, master, &mut steps);
        steps.extend(last);
    }
    steps.extend(by_hand(desired, gate, plan, steps.is_empty(), diagnostics));
    steps
}

/// The data folder of the group, backed up on the master before anything is installed.
fn data_backup(
    desired: &Desired,
    gate: &Gate<'_>,
    survey: &Survey<'_>,
    is_certain: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Step> {
    let master = gate.master()?;
    let Some(server) = facts_of(survey, master).and_then(|facts| facts.server.as_ref()) else {
        diagnostics.error_at(
            Path::of("master"),
            format!("{}: the master's data cannot be backed up", desired.name),
            format!(
                "The data folder is backed up on the master before anything is installed, and {master} has not been read. \
                 Make it reachable; a host that was just added can be master in the plan after the one that adds it."
            ),
        );
        return None;
    };
    if !server.data_file_exists {
        diagnostics.error_at(
            Path::of("master"),
            format!("{}: the master has no data file", desired.name),
            format!(
                "{} holds no PhoneFactor.pfdata, the group's users and settings. Look at {master} before anything is \
                 upgraded: either it is not the master, or its data is not where the registry says.",
                server.data_folder
            ),
        );
        return None;
    }
    let source = server.data_folder.clone();
    // One data folder serves them all, and the first server of the pin may already have changed what is in it.
    let is_untouched = |member: &Member<'_>| matches!(member, Member::Seen(seen) if seen.is_untouched());
    let fresh = survey.members.iter().all(is_untouched);
    // What an added host takes is decided when it is read.
    let what = if is_certain { "the data folder" } else { "the data folder, if an added host has to be upgraded" };
    Some(step(master, Action::BackUp { what, source, backup: backup(desired, DATA), fresh }))
}

/// A server and everything on its host that belongs to MFA.
fn whole(desired: &Desired, seen: &Seen<'_>) -> Vec<Step> {
    let host = seen.host;
    let version = desired.pin.to_string();
    let backups = seen.facts.web.iter().map(|component| {
        let what = match component.component {
            WebKind::WebServiceSdk => "the Web Service SDK",
            WebKind::UserPortal => "the co-hosted User Portal",
            WebKind::MobileAppWebService => "the co-hosted Mobile App Web Service",
        };
        let source = component.physical_path.clone();
        let backup = backup(desired, &component::backup_name(component));
        // The server's setup is the first that may replace these files, and the SDK's own comes after it.
        let fresh = seen.is_untouched()
            && component::is_configured(component)
            && (component.component != WebKind::WebServiceSdk || sdk::is_untouched(component, &desired.pin));
        step(host, Action::BackUp { what, source, backup, fresh })
    });
    let mut steps: Vec<Step> = backups.collect();
    steps.push(step(host, Action::FetchServerSetup { version: version.clone() }));
    steps.push(step(host, Action::RunServerSetup { version }));
    steps.extend(findings::cohosted(seen).map(|component| {
        step(
            host,
            Action::RestoreCohostedWebConfig {
                component: component.component,
                path: component.physical_path.clone(),
                backup: backup(desired, &component::backup_name(component)),
            },
        )
    }));
    steps.extend(sdk_and_proof(desired, seen));
    close(desired, host, &mut steps);
    steps
}

/// What is left on a host whose server already runs the pin.
fn remainder(desired: &Desired, seen: &Seen<'_>) -> Vec<Step> {
    let host = seen.host;
    let packages = sdk::all(seen.facts).filter(|component| sdk::needs_package(component, &desired.pin));
    let mut steps: Vec<Step> = packages
        .map(|component| {
            let source = component.physical_path.clone();
            let backup = backup(desired, &component::backup_name(component));
            // The server's setup has run before, and may have replaced these files: what was kept then is the original.
            step(host, Action::BackUp { what: "the Web Service SDK", source, backup, fresh: false })
        })
        .collect();
    steps.extend(sdk_and_proof(desired, seen));
    close(desired, host, &mut steps);
    steps
}

fn sdk_and_proof(desired: &Desired, seen: &Seen<'_>) -> Vec<Step> {
    let host = seen.host;
    let mut steps: Vec<Step> =
        sdk::all(seen.facts).flat_map(|component| sdk::steps(desired, host, component)).collect();
    let sdk = sdk::all(seen.facts).next().is_some();
    steps.push(step(host, Action::VerifyServer { version: desired.pin.to_string(), sdk }));
    steps
}

/// Closes a host's backup, after anything was put into it.
fn close(desired: &Desired, host: &str, steps: &mut Vec<Step>) {
    let is_open = |step: &&Step| step.host == host && matches!(step.action, Action::BackUp { .. });
    let closing = step(host, Action::CloseBackup { backup_id: backup_id(desired) });
    if steps.iter().any(|step| is_open(&step)) && !steps.contains(&closing) {
        steps.push(closing);
    }
}

/// What only a person can do, at the end of the run.
fn by_hand(
    desired: &Desired,
    gate: &Gate<'_>,
    plan: &Plan<'_>,
    is_all: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Step> {
    let (host, instruction) = match (plan.to_start.first(), plan.gated) {
        (Some(host), _) => (*host, format!("start the service {SERVICE} on {}", gate.short(&[*host])[0])),
        (None, Some(master)) if !plan.away.is_empty() => {
            let away = gate.short(&plan.away).join(" and ");
            (master, format!("make {away} reachable again: subordinates are upgraded before the master"))
        }
        (None, Some(master)) if plan.candidates.is_empty() => {
            let away = gate.short(&plan.unreachable).join(" or ");
            (master, format!("make {away} reachable again: another server is promoted before the master is upgraded"))
        }
        (None, Some(master)) => (master, gate.instruction(&plan.candidates)),
        (None, None) => return None,
    };
    if is_all {
        diagnostics.warning(
            format!("{} waits, by hand: {instruction}", desired.name),
            format!("Nothing else can be done before. The plan after that goes on to {}.", desired.pin),
        );
    }
    Some(step(host, Action::ByHand { instruction }))
}
