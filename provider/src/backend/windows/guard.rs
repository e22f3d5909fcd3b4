//! The guard of a gap in the second factor: a task on the AD FS server that closes it when nothing is heard of the run.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::backend::Report;
use crate::backend::error::HostError;
use crate::backend::step::{GUARD_SILENCE, PackageSource};
use crate::backend::windows::adfs::{self, RegistrationFiles};
use crate::backend::windows::scripts::{DISABLE_SECOND_FACTOR_GUARD, ENABLE_SECOND_FACTOR_GUARD};
use crate::backend::windows::work::{SHORT_SILENCE, Work};

/// What a guard did.
#[derive(Deserialize)]
struct Acted {
    acted_at: String,
    direction: Option<Direction>,
    provider_names: Vec<String>,
    problem: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Back,
    Forward,
}

/// Tries whether a guard could do its work, long before it is needed, and takes it away again.
pub async fn test(work: &Work<'_>, forward: &str) -> Result<Report, HostError> {
    set_up(work, &[], forward, None, true).await
}

/// Sets the guard up, before the gap is opened. `back` are the names that the run takes out of the policy, `forward` is the
/// one that it puts in; with a `source` that one has to be registered first.
pub async fn enable(
    work: &Work<'_>,
    back: &[String],
    forward: &str,
    source: Option<&PackageSource>,
) -> Result<Report, HostError> {
    let facts = work.known_facts().await?;
    let registration = match source {
        Some(source) => Some(adfs::registration_files(work, &facts, source)?),
        None => None,
    };
    set_up(work, back, forward, registration, false).await
}

async fn set_up(
    work: &Work<'_>,
    back: &[String],
    forward: &str,
    registration: Option<RegistrationFiles>,
    only_try: bool,
) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        earlier: Option<Acted>,
    }
    let arguments = json!({
        "run": work.backend.leases().run(),
        "back": back,
        "forward": forward,
        "registration_script": registration.as_ref().map(|files| &files.script),
        "configuration_path": registration.as_ref().map(|files| &files.configuration),
        "silent_seconds": GUARD_SILENCE.as_secs(),
        "only_try": only_try,
    });
    let reply: Reply = work.run_until_heard(ENABLE_SECOND_FACTOR_GUARD, arguments, SHORT_SILENCE).await?;
    Ok(Report { already: false, notes: reply.earlier.map(|acted| acted.note(work.host)).into_iter().collect() })
}

/// Takes this run's guard away, and tells what it did.
pub async fn disable(work: &Work<'_>) -> Result<Report, HostError> {
    remove(work, Some(work.backend.leases().run())).await
}

/// Takes away whatever guard an earlier run has left, and tells what it did.
pub async fn clear(work: &Work<'_>) -> Result<Report, HostError> {
    remove(work, None).await
}

async fn remove(work: &Work<'_>, run: Option<Uuid>) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        removed: bool,
        acted: Option<Acted>,
    }
    let reply: Reply = work.run_until_heard(DISABLE_SECOND_FACTOR_GUARD, json!({"run": run}), SHORT_SILENCE).await?;
    let notes = reply.acted.map(|acted| acted.note(work.host)).into_iter().collect();
    Ok(Report { already: !reply.removed, notes })
}

impl Acted {
    fn note(&self, host: &str) -> String {
        let names = self.provider_names.join(" and ");
        let at = &self.acted_at;
        let what = match self.direction {
            Some(Direction::Back) => format!("put {names} back into the global policy at {at}"),
            Some(Direction::Forward) => format!("went forward and put {names} into the global policy at {at}"),
            None => format!("tried to close the gap at {at}"),
        };
        let problem = if self.problem.is_empty() { String::new() } else { format!(", and failed: {}", self.problem) };
        format!("The guard on {host} heard nothing of its run and {what}{}.", problem.trim_end_matches('.'))
    }
}
