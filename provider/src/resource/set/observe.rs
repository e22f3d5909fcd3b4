//! Asking the hosts of a set, all at once.

use std::time::Duration;

use futures_util::future::join_all;

use crate::backend::error::HostError;
use crate::backend::facts::HostFacts;
use crate::causes;
use crate::config::{ProviderConfig, Reaction};
use crate::plan::{View, Views};
use crate::tf::diagnostic::Diagnostics;

/// How the answers of a set's hosts came out, in the order of the hosts.
pub type Answers = Vec<(String, Result<HostFacts, HostError>)>;

/// Asks every host. None when that took longer than `limit`.
pub async fn ask(provider: &ProviderConfig, hosts: &[String], fresh: bool, limit: Duration) -> Option<Answers> {
    let asked = hosts.iter().map(|host| async move {
        let answer = provider.backend().observe(host, fresh).await;
        (host.clone(), answer)
    });
    tokio::time::timeout(limit, join_all(asked)).await.ok()
}

/// Turns the answers of a read into views: a host that could not be reached is an error or a warning as the settings
/// say, any other failure is an error.
pub fn views(name: &str, answers: Answers, reaction: Reaction, diagnostics: &mut Diagnostics) -> Views {
    let mut views = Views::new();
    for (host, answer) in answers {
        match answer {
            Ok(facts) => {
                views.insert(host, View::Seen(Box::new(facts)));
            }
            Err(error) if error.is_unreachable() && reaction == Reaction::Warn => {
                diagnostics.warning(
                    format!("{name}: {host} could not be reached"),
                    format!(
                        "{}. What was last known of {host} is kept, and it gets no steps. The provider's on_unreachable \
                         is \"warn\".",
                        sentence(&error)
                    ),
                );
                views.insert(host, View::Unreachable { reason: error.cause.to_string() });
            }
            Err(error) if error.is_unreachable() => refuse(
                name,
                &host,
                &error,
                " To go on without it, set on_unreachable = \"warn\" in the provider's configuration.",
                diagnostics,
            ),
            Err(error) => refuse(name, &host, &error, "", diagnostics),
        }
    }
    views
}

/// A failed question as an error, about a host that must answer before it becomes part of a set, whatever the settings.
pub fn report(name: &str, host: &str, error: &HostError, diagnostics: &mut Diagnostics) {
    refuse(name, host, error, " A host must answer once before a set is managed with it.", diagnostics);
}

fn refuse(name: &str, host: &str, error: &HostError, advice: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(format!("{name}: {host} could not be read"), format!("{}.{advice}", sentence(error)));
}

/// An error as a sentence, its causes included, without the last dot.
pub fn sentence(error: &HostError) -> String {
    causes::in_one_line(error).trim_end_matches('.').to_owned()
}
