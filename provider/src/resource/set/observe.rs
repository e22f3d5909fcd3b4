//! Asking the hosts of a set, all at once.

use std::time::Duration;

use futures_util::future::join_all;

use crate::address::HostAddress;
use crate::backend::error::HostError;
use crate::backend::facts::HostFacts;
use crate::causes;
use crate::config::{ProviderConfig, Reaction};
use crate::plan::{View, Views};
use crate::tf::diagnostic::Diagnostics;

/// How the answers of a set's hosts came out, in the order of the hosts.
pub type Answers = Vec<(HostAddress, Result<HostFacts, HostError>)>;

/// Asks every host. None when that took longer than `limit`.
pub async fn ask(provider: &ProviderConfig, hosts: &[HostAddress], fresh: bool, limit: Duration) -> Option<Answers> {
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
    for (address, answer) in answers {
        let host = address.name();
        match answer {
            Ok(facts) => {
                views.insert(host.to_owned(), View::Seen(Box::new(facts)));
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
                views.insert(host.to_owned(), View::Unreachable { reason: error.cause.to_string() });
            }
            Err(error) if error.is_unreachable() => {
                let without = " To go on without it, set on_unreachable = \"warn\" in the provider's configuration.";
                refuse(name, host, &error, &format!("{}{without}", moved(&address)), diagnostics);
            }
            Err(error) => refuse(name, host, &error, "", diagnostics),
        }
    }
    views
}

/// What to do about a port that a state still has. A read knows no configuration.
fn moved(address: &HostAddress) -> String {
    address.port().map_or_else(String::new, |port| {
        format!(
            " State says port {port}. If its listener has moved, correct the port in the configuration and apply once \
             with -refresh=false."
        )
    })
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
