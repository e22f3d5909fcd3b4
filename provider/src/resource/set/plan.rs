//! Plan of an existing set: pure over configuration, prior state and private state.

use crate::backend::step::{Action, Step};
use crate::config::ProviderConfig;
use crate::plan::checks::upstream;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Installable, Policy, View, Views};
use crate::resource::set::desired::{self, Wanted};
use crate::resource::set::schema::mark_unknown;
use crate::resource::set::{HostSet, added, drain, health, order, private, sources, token};
use crate::resource::{Outcome, PlanRequest};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// Plans a change of an existing set. Only hosts that no read has seen are looked at, and only for diagnostics.
pub async fn plan(
    set: &dyn HostSet,
    schema: &Schema,
    provider: Option<&ProviderConfig>,
    request: &PlanRequest<'_>,
    now: jiff::Timestamp,
) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    let mut planned = request.proposed.clone();
    check_name(request.prior, request.proposed, &mut diagnostics);
    let mut wanted = desired::wanted(set, request.proposed, request.prior, now);
    let views = wanted.desired.as_mut().and_then(|desired| {
        drain::complete(provider, desired);
        private::recall(desired, request.private)
    });
    let plannable = match (&wanted.desired, views) {
        (None, _) => {
            // What is to be done cannot even be said.
            refuse_unknown(&wanted, &mut diagnostics);
            None
        }
        (Some(_), None) => {
            refuse_unread(request, &mut diagnostics);
            None
        }
        (Some(desired), Some(views)) => {
            if desired.hold.is_none() && is_pending(set, desired, request.proposed, &views) {
                refuse_unknown(&wanted, &mut diagnostics);
            }
            Some((desired, views)).filter(|_| !diagnostics.has_errors())
        }
    };
    if let Some((desired, views)) = plannable {
        check_connections(set, provider, request.proposed, &mut diagnostics);
        health::look(provider, desired, &mut diagnostics);
        let decision = set.decide(desired, request.proposed, &views, &policy(provider, &desired.pin));
        diagnostics.append(decision.diagnostics.clone());
        if let Some(provider) = provider {
            sources::look(provider, desired, &decision, &mut diagnostics);
        }
        drain::look(provider, desired, &decision.steps, &mut diagnostics);
        write(set, &mut planned, request, desired, &views, &decision);
        blur(&wanted, request, &mut planned);
        warn_of_removed(set, request, &mut diagnostics);
        if let Some(provider) = provider.filter(|_| !diagnostics.has_errors()) {
            added::look(set, provider, request.proposed, desired, &views, &mut diagnostics).await;
        }
        if !diagnostics.has_errors() {
            order::warn(set, request.proposed, desired, &views, &decision, &mut diagnostics);
        }
    } else {
        mark_unknown(&schema.attributes, request.config, &mut planned);
    }
    Outcome { state: planned, private: request.private.to_vec(), diagnostics }
}

/// What the settings allow. While they are unknown nothing is held against a plan; apply plans again.
pub fn policy(provider: Option<&ProviderConfig>, pin: &Version) -> Policy {
    let unknown = Policy { ahead_is_error: false, installable: Installable::EVERYTHING };
    provider.map_or(unknown, |provider| provider.policy(pin))
}

/// Says of every host whether it can be reached as the settings are; never asks the host.
pub fn check_connections(
    set: &dyn HostSet,
    provider: Option<&ProviderConfig>,
    own: &Value,
    diagnostics: &mut Diagnostics,
) {
    let Some(provider) = provider else { return };
    for (index, host) in set.addresses(own).unwrap_or_default().iter().enumerate() {
        if let Err(reason) = provider.check_connection(host) {
            let summary = format!("No usable connection for {}", host.name());
            diagnostics.error_at(set.host_path(own, index), summary, reason);
        }
    }
}

/// Writes the computed attributes as they will be after the run.
fn write(
    set: &dyn HostSet,
    planned: &mut Value,
    request: &PlanRequest<'_>,
    desired: &Desired,
    views: &Views,
    decision: &Decision,
) {
    let pin = &desired.pin;
    let spell = |version: &Version, old: Option<&Version>| {
        let known = [Some(pin), old].into_iter().flatten().find(|known| *known == version);
        Value::from(known.unwrap_or(version).as_str())
    };
    let version_of = |host: &String| {
        let old = desired.last_versions.get(host);
        match (decision.versions.get(host), views.get(host)) {
            (Some(Some(version)), _) => Some(spell(version, old)),
            // Not reached: what state says stays, also when it says nothing.
            (_, Some(View::Unreachable { .. })) => old.map(|old| spell(old, None)),
            _ => Some(Value::Unknown),
        }
    };
    let versions = desired.hosts.iter().filter_map(|host| Some((host.clone(), version_of(host)?)));
    planned.set("versions", Value::Map(versions.collect()));
    let lowest = decision.versions.values().flatten().min();
    let arrives = decision.reaches_pin && lowest.is_none_or(|lowest| lowest == pin);
    if !arrives {
        planned.set("version", request.prior.attribute("version").clone());
    }
    planned.set("target_version", Value::from(pin.as_str()));
    planned.set("wave", Value::integer(upstream::wave(&desired.after).into()));
    planned.set("version_status", Value::from(decision.status.as_str()));
    let lines = lines(request.proposed, decision);
    if !lines.is_empty() {
        planned.set("steps", Value::List(lines));
    } else if request.prior.attribute("steps").is_null() {
        planned.set("steps", Value::List(Vec::new()));
    }
    let token = token::after_run(set, request.proposed, desired, views, decision);
    planned.set("ready", Value::from(token.to_string()));
    for (name, value) in set.planned_facts(request.proposed, &desired.hosts, views, decision) {
        planned.set(name, value);
    }
    let is_unseen = desired.hosts.iter().any(|host| !views.contains_key(host) && !decision.adopts(host));
    if is_unseen || decision.only_repairs() {
        // What is seen only after apply: a host that was added to a set that is held or waits, and whether a farm that
        // waits is whole once a gap in the second factor has been closed.
        planned.set("ready", Value::Unknown);
        planned.set("version_status", Value::Unknown);
    }
}

/// The steps as the plan shows them; unknown where the text depends on what is not known yet.
fn lines(own: &Value, decision: &Decision) -> Vec<Value> {
    let is_blurred = |step: &Step| match &step.action {
        Action::AwaitHealth { .. } => health::is_blurred(own),
        other => drain::is_blurred(other),
    };
    let lines = decision.lines().into_iter().zip(&decision.steps);
    lines.map(|(line, step)| if is_blurred(step) { Value::Unknown } else { Value::from(line) }).collect()
}

/// Makes unknown what depends on an unknown attribute, in a plan that is not refused for it.
fn blur(wanted: &Wanted, request: &PlanRequest<'_>, planned: &mut Value) {
    if wanted.unknown.contains(&"after") {
        planned.set("wave", Value::Unknown);
        planned.set("ready", Value::Unknown);
    }
    if request.proposed.attribute("name").is_unknown() {
        planned.set("ready", Value::Unknown);
    }
}

/// Whether something is to be done, whatever the unknown deciders turn out to be.
fn is_pending(set: &dyn HostSet, desired: &Desired, own: &Value, views: &Views) -> bool {
    let gaps = set.gaps(own, &desired.hosts, views, &desired.pin);
    let may_be_checked = desired.health_check.is_some() || own.attribute(health::NAME).is_unknown();
    let may_be_drained = desired.drain.is_some() || own.attribute(drain::NAME).is_unknown();
    desired.hosts.iter().any(|host| match views.get(host) {
        None => true,
        Some(View::Unreachable { .. }) => false,
        Some(View::Seen(_)) => {
            gaps.iter().any(|gap| gap.host == *host)
                || desired.to_pass.contains(host) && may_be_checked
                || desired.out.contains_key(host) && may_be_drained
                || set
                    .evidence(own, host, views)
                    .is_some_and(|evidence| evidence.lowest < desired.pin || !evidence.agrees)
        }
    })
}

fn refuse_unknown(wanted: &Wanted, diagnostics: &mut Diagnostics) {
    for name in &wanted.unknown {
        diagnostics.error_at(
            Path::of(name),
            format!("{name} is not known yet"),
            format!(
                "It decides what is done, and there may be work to do, so the plan could not be reviewed. Give {name} a \
                 value that is known at plan, or apply first what it is computed from (-target)."
            ),
        );
    }
}

fn refuse_unread(request: &PlanRequest<'_>, diagnostics: &mut Diagnostics) {
    let name = request.prior.attribute("name").as_str().unwrap_or_default();
    diagnostics.error(
        format!("{name} has not been read"),
        "A plan goes by what the last read saw of the hosts, and nothing of that is stored. Plan with refresh (without \
         -refresh=false).",
    );
}

fn check_name(prior: &Value, proposed: &Value, diagnostics: &mut Diagnostics) {
    let (old, new) = (prior.attribute("name"), proposed.attribute("name"));
    if let (Some(old), Some(new)) = (old.as_str(), new.as_str())
        && old != new
    {
        diagnostics.error_at(
            Path::of("name"),
            "A set cannot be renamed",
            format!(
                "The name {old:?} is what tokens, backups and journals go by. Keep it. To use {new:?} all the same, remove \
                 the set from state (terraform state rm, which changes nothing on the hosts) and import it with an id that \
                 begins with {new}=."
            ),
        );
    }
}

fn warn_of_removed(set: &dyn HostSet, request: &PlanRequest<'_>, diagnostics: &mut Diagnostics) {
    let removed = desired::missing_from(set, request.prior, request.proposed);
    if !removed.is_empty() {
        let name = request.prior.attribute("name").as_str().unwrap_or_default();
        diagnostics.warning(
            format!("{name}: {} is forgotten", removed.join(", ")),
            format!(
                "It is no longer among the hosts. Nothing is changed on it, and nothing is read from it any more.{}",
                left_out(&removed, request.private)
            ),
        );
    }
}

/// What is said of forgotten hosts that a run has left out of a balancer.
pub fn left_out(hosts: &[String], private: &[u8]) -> String {
    let out = private::decode(private).unwrap_or_default().of(hosts).out;
    if out.is_empty() {
        return String::new();
    }
    format!(" An earlier run has left out of a balancer: {}. Put it back yourself.", drain::listed(&out))
}
