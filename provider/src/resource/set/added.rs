//! Hosts that were added to a set: looked at while planning, for what a reviewer should know and never for a planned
//! value.

use crate::address::HostAddress;
use crate::config::ProviderConfig;
use crate::plan::{Decision, Desired, View, Views};
use crate::resource::set::{HostSet, names, observe, timeouts};
use crate::tf::diagnostic::{Diagnostics, Severity};
use crate::tf::value::Value;

/// Says what the hosts run that no read has seen, and what their upgrade takes. What stands against it is an error.
pub async fn look(
    set: &dyn HostSet,
    provider: &ProviderConfig,
    own: &Value,
    desired: &Desired,
    views: &Views,
    diagnostics: &mut Diagnostics,
) {
    let mut added = set.addresses(own).unwrap_or_default();
    added.retain(|host| !views.contains_key(host.name()));
    let reachable = |host: &HostAddress| !provider.is_deferred(host.name()) && provider.check_connection(host).is_ok();
    if added.is_empty() || !added.iter().all(reachable) {
        return;
    }
    let limit = timeouts::of(own, "read");
    let Some(answers) = observe::ask(provider, &added, false, limit).await else {
        diagnostics.error(
            format!("{}: {} did not answer within {} seconds", desired.name, names(&added).join(", "), limit.as_secs()),
            "A host that is added must be readable. Look at why it does not answer, or raise timeouts.read.",
        );
        return;
    };
    let mut all = views.clone();
    for (host, answer) in answers {
        match answer {
            Ok(facts) => {
                all.insert(host.name().to_owned(), View::Seen(Box::new(facts)));
            }
            Err(error) => observe::report(&desired.name, host.name(), &error, diagnostics),
        }
    }
    let decision = set.decide(desired, own, &all, &provider.policy(&desired.pin));
    for found in decision.diagnostics.iter().filter(|found| found.severity == Severity::Error) {
        if !diagnostics.iter().any(|known| known == found) {
            diagnostics.push(found.clone());
        }
    }
    for host in added.iter().map(HostAddress::name).filter(|host| all.contains_key(*host)) {
        warn(set, own, desired, &all, host, &decision, diagnostics);
    }
}

fn warn(
    set: &dyn HostSet,
    own: &Value,
    desired: &Desired,
    views: &Views,
    host: &str,
    decision: &Decision,
    diagnostics: &mut Diagnostics,
) {
    let runs = set.evidence(own, host, views).map_or_else(
        || format!("{} is not installed there", set.kind().title()),
        |evidence| format!("it runs {} now ({})", evidence.lowest, evidence.detail),
    );
    let steps: Vec<String> =
        decision.steps.iter().filter(|step| step.host == host).map(|step| step.action.to_string()).collect();
    let todo = if steps.is_empty() {
        "Nothing is to be done on it in this run.".to_owned()
    } else {
        format!("As it is now, apply would on it: {}.", steps.join("; "))
    };
    diagnostics.warning(
        format!("{}: {host} is added", desired.name),
        format!("No read has seen {host} before; {runs}. {todo}"),
    );
}
