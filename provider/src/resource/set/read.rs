//! Read: what is on the hosts, into state.

use std::time::Duration;

use crate::config::ProviderConfig;
use crate::plan::{Status, View, Views};
use crate::resource::Outcome;
use crate::resource::set::actual::{Actual, actual};
use crate::resource::set::private::Memory;
use crate::resource::set::{HostSet, names, observe, private, timeouts};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::value::Value;

/// Reads a set. Without a provider configuration, or for hosts that cannot be reached before apply, state stays as it is.
pub async fn read(set: &dyn HostSet, provider: Option<&ProviderConfig>, state: Value, bytes: &[u8]) -> Outcome {
    let mut diagnostics = Diagnostics::default();
    let name = state.attribute("name").as_str().unwrap_or_default().to_owned();
    let hosts = set.addresses(&state).unwrap_or_default();
    let unchanged = |diagnostics| Outcome { state: state.clone(), private: bytes.to_vec(), diagnostics };
    let Some(provider) = provider.filter(|provider| !hosts.iter().any(|host| provider.is_deferred(host.name()))) else {
        diagnostics.warning(
            format!("{name} was not read"),
            "How its hosts are reached is known only after apply. State is shown as it was last known.",
        );
        return unchanged(diagnostics);
    };
    let limit = timeouts::of(&state, "read");
    let Some(answers) = observe::ask(provider, &hosts, false, limit).await else {
        diagnostics.error(format!("{name}: reading took too long"), too_long(limit));
        return unchanged(diagnostics);
    };
    let views = observe::views(&name, answers, provider.on_unreachable(), &mut diagnostics);
    if diagnostics.has_errors() {
        return unchanged(diagnostics);
    }
    let mut new = state.clone();
    if state.attribute("version").is_null() {
        set.adopt(&mut new, &views);
    }
    let memory = Memory { views, ..private::decode(bytes).unwrap_or_default().of(&names(&hosts)) };
    let found = actual(set, &new, &state, &memory);
    if found.version.is_none() && state.attribute("version").is_null() {
        nothing_found(set, &name, &memory.views, &mut diagnostics);
        return unchanged(diagnostics);
    }
    found.write(set, &mut new, &memory.views);
    settle(&found, &state, &mut new);
    if !found.findings.is_empty() {
        diagnostics.warning(format!("{name} is not whole"), found.report());
    }
    Outcome { state: new, private: private::encode(memory), diagnostics }
}

/// Why an operation was given up.
pub fn too_long(limit: Duration) -> String {
    format!(
        "It was given up after {} seconds. Raise it in timeouts, or look for the host that does not answer.",
        limit.as_secs()
    )
}

/// Empties `steps` while anything is to be done or is other than in state, and keeps what a plan knew about waiting.
fn settle(found: &Actual, old: &Value, new: &mut Value) {
    let versions_stay = new.attribute("versions") == old.attribute("versions");
    let waits = old.attribute("version_status").as_str() == Some(Status::Waiting.as_str());
    if found.status == Status::Behind && waits && versions_stay {
        new.set("version_status", Value::from(Status::Waiting.as_str()));
    }
    let rests = matches!(found.status, Status::Current | Status::Ahead);
    if !rests || !versions_stay || old.attribute("steps").is_null() {
        new.set("steps", Value::List(Vec::new()));
    }
}

fn nothing_found(set: &dyn HostSet, name: &str, views: &Views, diagnostics: &mut Diagnostics) {
    let unreachable = views.values().any(|view| matches!(view, View::Unreachable { .. }));
    let found = if unreachable { "on the hosts that could be reached" } else { "on any of its hosts" };
    diagnostics.error(
        format!("{name}: nothing to manage"),
        format!("{} was not found {found}. Check the host names in the import id.", set.kind().title()),
    );
}
