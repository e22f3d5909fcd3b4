//! Differences: between a plan and what a host shows now, and between a plan and what came of it.

use crate::plan::{Decision, Desired, View, Views};
use crate::resource::set::HostSet;
use crate::tf::diagnostic::{Diagnostics, Severity};
use crate::tf::value::Value;

/// Refuses a plan that no longer fits, and names the hosts that are not as they were.
pub fn refuse(
    set: &dyn HostSet,
    own: &Value,
    desired: &Desired,
    (before, now): (&Views, &Views),
    again: &Decision,
    diagnostics: &mut Diagnostics,
) {
    let changed: Vec<String> = desired
        .hosts
        .iter()
        .filter(|host| before.get(*host) != now.get(*host))
        .map(|host| describe(set, own, host, before, now))
        .collect();
    let reasons: Vec<String> = again
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| format!("{}: {}", found.summary, found.detail))
        .collect();
    let what =
        if changed.is_empty() { "The provider's settings are not as they were".to_owned() } else { changed.join("; ") };
    let reasons = if reasons.is_empty() { String::new() } else { format!(" {}", reasons.join(" ")) };
    diagnostics.error(
        format!("{} is not as it was when this plan was made", desired.name),
        format!("{what}.{reasons} Nothing was changed. Plan again and review what is to be done now."),
    );
}

/// The computed attributes that were planned otherwise, in words. What was unknown in the plan may be anything.
pub fn differences(planned: &Value, state: &Value) -> Vec<String> {
    let entries = planned.as_map().into_iter().flatten();
    entries
        .filter(|(name, planned)| !fits(planned, state.attribute(name)))
        .map(|(name, planned)| {
            format!("{name} is {} and was planned as {}", text(state.attribute(name)), text(planned))
        })
        .collect()
}

fn fits(planned: &Value, found: &Value) -> bool {
    match (planned, found) {
        (Value::Unknown, _) => true,
        (Value::List(planned), Value::List(found)) => {
            planned.len() == found.len() && planned.iter().zip(found).all(|(planned, found)| fits(planned, found))
        }
        (Value::Map(planned), Value::Map(found)) => {
            planned.len() == found.len()
                && planned.iter().all(|(key, planned)| found.get(key).is_some_and(|found| fits(planned, found)))
        }
        _ => planned == found,
    }
}

fn describe(set: &dyn HostSet, own: &Value, host: &str, before: &Views, now: &Views) -> String {
    let version = |views: &Views| match views.get(host) {
        Some(View::Seen(_)) => {
            set.evidence(own, host, views).map_or_else(|| "nothing".to_owned(), |evidence| evidence.detail)
        }
        _ => "an unknown version".to_owned(),
    };
    let (old, new) = (version(before), version(now));
    if old == new {
        format!("{host} has changed otherwise than in its version{}", changed_facts(host, before, now))
    } else {
        format!("{host} had {old} and has {new} now")
    }
}

/// The names of the facts that differ, for a person who wonders what has changed.
fn changed_facts(host: &str, before: &Views, now: &Views) -> String {
    let facts = |views: &Views| match views.get(host) {
        Some(View::Seen(facts)) => serde_json::to_value(facts.as_ref()).ok(),
        _ => None,
    };
    let (Some(serde_json::Value::Object(old)), Some(serde_json::Value::Object(new))) = (facts(before), facts(now))
    else {
        return String::new();
    };
    let names: Vec<&str> =
        old.iter().filter(|(name, value)| new.get(*name) != Some(value)).map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// A value as a reader of HCL would write it.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Unknown => "unknown".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => value.as_integer().map_or_else(|| "a number".to_owned(), |number| number.to_string()),
        Value::String(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key} = {}", text(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
