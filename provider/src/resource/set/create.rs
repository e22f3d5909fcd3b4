//! Create: adopts a set that runs its pin, whole, and never upgrades.
//!
//! What is on the hosts has no "from" in the plan of a create, so an upgrade there could not be reviewed. The plan looks
//! at the hosts and prints the `import` block with which import and upgrade stand in one plan.

use crate::config::ProviderConfig;
use crate::plan::checks::upstream;
use crate::plan::token::Token;
use crate::plan::{Desired, View, Views};
use crate::resource::set::desired::{Wanted, wanted};
use crate::resource::set::plan::{check_connections, policy};
use crate::resource::set::schema::mark_unknown;
use crate::resource::set::{HostSet, drain, health, observe, order, timeouts};
use crate::resource::{Outcome, PlanRequest};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::Schema;
use crate::tf::value::Value;

/// Plans the adoption of a set. Looks at the hosts where it can; nothing unknown is an error.
pub async fn plan(
    set: &dyn HostSet,
    schema: &Schema,
    provider: Option<&ProviderConfig>,
    request: &PlanRequest<'_>,
    now: jiff::Timestamp,
) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    let mut planned = request.proposed.clone();
    mark_unknown(&schema.attributes, request.config, &mut planned);
    let wanted = wanted(set, request.proposed, &Value::Null, now);
    if let Some(desired) = &wanted.desired {
        foretell(set, &wanted, desired, request.proposed, &mut planned);
        check_connections(set, provider, request.proposed, &mut diagnostics);
        health::look(provider, desired, &mut diagnostics);
        drain::look(provider, desired, &[], &mut diagnostics);
        let reachable = |provider: &&ProviderConfig| !desired.hosts.iter().any(|host| provider.is_deferred(host));
        if let Some(provider) = provider.filter(reachable).filter(|_| !diagnostics.has_errors())
            && wanted.unknown.is_empty()
        {
            look(set, provider, desired, request.proposed, false, &mut diagnostics).await;
        }
    }
    Outcome { state: planned, private: Vec::new(), diagnostics }
}

/// Asks the hosts and refuses a set that does not run its pin whole. None when refused.
pub async fn look(
    set: &dyn HostSet,
    provider: &ProviderConfig,
    desired: &Desired,
    own: &Value,
    fresh: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Views> {
    let limit = timeouts::of(own, "create");
    let hosts = set.addresses(own).unwrap_or_default();
    let Some(answers) = observe::ask(provider, &hosts, fresh, limit).await else {
        diagnostics.error(
            format!("{}: the hosts did not answer within {} seconds", desired.name, limit.as_secs()),
            "A set is adopted only when all its hosts can be read. Look at why one does not answer, or raise \
             timeouts.create.",
        );
        return None;
    };
    let mut views = Views::new();
    for (host, answer) in answers {
        match answer {
            Ok(facts) => {
                views.insert(host.name().to_owned(), View::Seen(Box::new(facts)));
            }
            Err(error) => observe::report(&desired.name, host.name(), &error, diagnostics),
        }
    }
    if diagnostics.has_errors() {
        return None;
    }
    judge(set, provider, desired, own, &views, diagnostics);
    (!diagnostics.has_errors()).then_some(views)
}

/// What adoption will make of the computed attributes: every host runs the pin, whole.
fn foretell(set: &dyn HostSet, wanted: &Wanted, desired: &Desired, own: &Value, planned: &mut Value) {
    let pin = Value::from(desired.pin.as_str());
    planned.set("versions", Value::Map(desired.hosts.iter().map(|host| (host.clone(), pin.clone())).collect()));
    planned.set("target_version", pin);
    planned.set("steps", Value::List(Vec::new()));
    planned.set("version_status", Value::from("current"));
    if wanted.unknown.contains(&"after") {
        return;
    }
    let wave = upstream::wave(&desired.after);
    planned.set("wave", Value::integer(wave.into()));
    if own.attribute("name").is_unknown() {
        return;
    }
    let token = Token {
        kind: set.kind(),
        name: desired.name.clone(),
        pin: desired.pin.clone(),
        lowest: desired.pin.clone(),
        wave,
        whole: true,
        at_pin: set.addresses(own).unwrap_or_default(),
    };
    planned.set("ready", Value::from(token.to_string()));
}

fn judge(
    set: &dyn HostSet,
    provider: &ProviderConfig,
    desired: &Desired,
    own: &Value,
    views: &Views,
    diagnostics: &mut Diagnostics,
) {
    let decision = set.decide(desired, own, views, &policy(Some(provider), &desired.pin));
    let gaps = set.gaps(own, &desired.hosts, views, &desired.pin);
    let mut found = Vec::new();
    let (mut whole, mut above) = (true, false);
    for host in &desired.hosts {
        let Some(evidence) = set.evidence(own, host, views) else {
            whole = false;
            found.push(format!("{host}: {} is not installed", set.kind().title()));
            continue;
        };
        above |= evidence.lowest > desired.pin;
        let missing: Vec<&str> = gaps.iter().filter(|gap| gap.host == *host).map(|gap| gap.what.as_str()).collect();
        whole &= evidence.agrees && evidence.lowest == desired.pin && missing.is_empty();
        let missing = if missing.is_empty() { String::new() } else { format!("; {}", missing.join("; ")) };
        found.push(format!("{host}: {} ({}){missing}", evidence.lowest, evidence.detail));
    }
    if whole || above {
        diagnostics.append(decision.diagnostics.errors());
        return;
    }
    diagnostics.error(
        format!("{} is not yet at {} everywhere", desired.name, desired.pin),
        format!(
            "Found:\n  {}\n\nA new resource only adopts hosts that run its version, whole; it never upgrades, because \
             its plan could not show from which version. Import the set instead: import and upgrade then stand in one \
             plan.\n\n{}",
            found.join("\n  "),
            import_block(set, own)
        ),
    );
}

/// The block to paste. The label of the resource is not known to a provider.
fn import_block(set: &dyn HostSet, own: &Value) -> String {
    let name = own.attribute("name").as_str().unwrap_or("NAME");
    let rest = set.import_rest(own).unwrap_or_else(|| "=HOST,HOST".to_owned());
    format!(
        "import {{\n  to = {}.{}\n  id = \"{name}{rest}\"\n}}\n\n(Put the resource's own address after \"to\".)",
        set.type_name(),
        order::label(name)
    )
}
