//! The AD FS adapter: its configuration, its registration, and the policy that asks users for the second factor.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backend::Report;
use crate::backend::error::{Cause, HostError};
use crate::backend::facts::HostFacts;
use crate::backend::step::PackageSource;
use crate::backend::windows::guard;
use crate::backend::windows::poll::Poll;
use crate::backend::windows::scripts::{
    EXPORT_ADAPTER_CONFIGURATION, GET_ADFS_SYNCHRONIZATION, MERGE_ADAPTER_CONFIGURATION, REGISTER_ADAPTER,
    REMOVE_WORK_FILE, RESTART_ADFS_SERVICE, SET_AUTHENTICATION_POLICY, UNREGISTER_ADAPTER,
};
use crate::backend::windows::work::{SHORT_SILENCE, Work, join};

const TEMPLATE: &str = "MultiFactorAuthenticationAdfsAdapter.config";
const REGISTRATION_SCRIPT: &str = "Register-MultiFactorAuthenticationAdfsAdapter.ps1";
/// Both hold the SDK account's password; [`remove_export`] deletes them.
const EXPORTED: &str = "adapter-exported.config";
const MERGED: &str = "adapter-merged.config";

/// How long a WID secondary is waited for: three of its poll intervals, which are five minutes unless somebody changed
/// that. Users may not be asked for the second factor meanwhile, so there is an end to it.
const SYNCHRONIZATION_POLLS: u32 = 3;
const SHORTEST_SYNCHRONIZATION: Duration = Duration::from_secs(15 * 60);
const LONGEST_SYNCHRONIZATION: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Deserialize)]
struct Already {
    already: bool,
}

/// Exports the registered configuration to a protected file.
pub async fn export(work: &Work<'_>, provider_name: &str) -> Result<Report, HostError> {
    let path = join(&work.known_facts().await?.work_folder, EXPORTED);
    let reply: Already =
        work.run(EXPORT_ADAPTER_CONFIGURATION, json!({"provider_name": provider_name, "path": path})).await?;
    Ok(Report { already: reply.already, notes: Vec::new() })
}

/// Carries the exported values into the new release's configuration.
pub async fn merge(work: &Work<'_>, source: &PackageSource) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        not_carried: Vec<String>,
    }
    let facts = work.known_facts().await?;
    let arguments = json!({
        "exported_path": join(&facts.work_folder, EXPORTED),
        "template_path": join(&work.folder(&facts, source)?, TEMPLATE),
        "output_path": join(&facts.work_folder, MERGED),
    });
    let reply: Reply = work.run(MERGE_ADAPTER_CONFIGURATION, arguments).await?;
    let note = (!reply.not_carried.is_empty()).then(|| {
        format!(
            "The new adapter configuration on {} has no place for {}; look whether they are still needed.",
            work.host,
            reply.not_carried.join(", ")
        )
    });
    Ok(Report { already: false, notes: note.into_iter().collect() })
}

/// Takes a provider out of the global policy. The gap starts here.
pub async fn disable(work: &Work<'_>, provider_name: &str) -> Result<Report, HostError> {
    let (gap, begun) = (work.backend.gap(), work.backend.clock().now());
    let already = match set_policy(work, &[], &[provider_name]).await {
        Ok(already) => already,
        Err(error) => {
            if matches!(error.cause, Cause::Lost { .. }) {
                gap.start(work.host, begun, false);
            }
            return Err(error);
        }
    };
    gap.start(work.host, begun, !already);
    tracing::info!(host = work.host, provider = provider_name, already, "adfs gap starts");
    Ok(Report { already, notes: Vec::new() })
}

/// Puts a provider into the global policy. The gap ends here.
pub async fn enable(work: &Work<'_>, provider_name: &str) -> Result<Report, HostError> {
    let already = set_policy(work, &[provider_name], &[]).await?;
    let gap = work.backend.gap().end(work.host, work.backend.clock().now());
    let seconds = gap.as_ref().map(|gap| gap.length.as_secs());
    tracing::info!(host = work.host, provider = provider_name, already, seconds, "adfs gap ends");
    let note = gap.map(|gap| {
        format!(
            "Users of the AD FS farm of {} were not asked for the second factor by MFA Server for {}{} seconds.",
            work.host,
            if gap.start_was_seen { "" } else { "at least " },
            gap.length.as_secs()
        )
    });
    Ok(Report { already, notes: note.into_iter().collect() })
}

/// Changes the global policy and proves what is in it afterwards; whether it was so before.
async fn set_policy(work: &Work<'_>, enable: &[&str], disable: &[&str]) -> Result<bool, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        after: Vec<String>,
        already: bool,
    }
    let arguments = json!({"enable": enable, "disable": disable});
    let reply: Reply = work.run_until_heard(SET_AUTHENTICATION_POLICY, arguments, SHORT_SILENCE).await?;
    let holds = |name: &&&str| reply.after.iter().any(|found| found.eq_ignore_ascii_case(name));
    if enable.iter().all(|name| holds(&name)) && !disable.iter().any(|name| holds(&name)) {
        return Ok(reply.already);
    }
    let found = if reply.after.is_empty() { "no provider".to_owned() } else { reply.after.join(", ") };
    Err(work.failure(Cause::Unproven(format!("the global authentication policy of AD FS names {found}"))))
}

/// Unregisters a provider that no policy names any more.
pub async fn unregister(work: &Work<'_>, provider_name: &str) -> Result<Report, HostError> {
    let arguments = json!({"provider_name": provider_name});
    let reply: Already = work.run_until_heard(UNREGISTER_ADAPTER, arguments, SHORT_SILENCE).await?;
    Ok(Report { already: reply.already, notes: Vec::new() })
}

/// Registers the new release's provider with the carried configuration.
pub async fn register(work: &Work<'_>, provider_name: &str, source: &PackageSource) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        type_name: String,
        already: bool,
    }
    let files = registration_files(work, &work.known_facts().await?, source)?;
    let arguments = json!({
        "provider_name": provider_name,
        "registration_script": files.script,
        "configuration_path": files.configuration,
    });
    let reply: Reply = work.run_until_heard(REGISTER_ADAPTER, arguments, SHORT_SILENCE).await?;
    tracing::info!(host = work.host, provider = provider_name, type_name = reply.type_name, "adapter is registered");
    Ok(Report { already: reply.already, notes: Vec::new() })
}

/// What a provider is registered with: files on the host.
pub struct RegistrationFiles {
    /// The vendor's script.
    pub script: String,
    /// The carried configuration.
    pub configuration: String,
}

/// Where the files of a registration are.
pub fn registration_files(
    work: &Work<'_>,
    facts: &HostFacts,
    source: &PackageSource,
) -> Result<RegistrationFiles, HostError> {
    Ok(RegistrationFiles {
        script: join(&work.folder(facts, source)?, REGISTRATION_SCRIPT),
        configuration: join(&facts.work_folder, MERGED),
    })
}

/// Deletes the files that hold the configuration, and what the guard of an earlier run may have left.
pub async fn remove_export(work: &Work<'_>) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        removed: bool,
    }
    let folder = work.known_facts().await?.work_folder;
    let mut already = true;
    for name in [EXPORTED, MERGED] {
        let reply: Reply = work.run(REMOVE_WORK_FILE, json!({"path": join(&folder, name)})).await?;
        already &= !reply.removed;
    }
    let guard = guard::clear(work).await?;
    Ok(Report { already: already && guard.already, notes: guard.notes })
}

/// Restarts AD FS; an adapter that does not load then is a failure.
pub async fn restart(work: &Work<'_>) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        load_errors: Vec<String>,
    }
    let reply: Reply = work.run(RESTART_ADFS_SERVICE, json!({})).await?;
    if reply.load_errors.is_empty() {
        return Ok(Report::default());
    }
    Err(work.failure(Cause::Unproven(format!(
        "AD FS was restarted and could not load an adapter (event 105): {}",
        reply.load_errors.join("; ")
    ))))
}

#[derive(Deserialize)]
struct Synchronization {
    role: Option<String>,
    now: String,
    last_sync_time: Option<String>,
    last_sync_status: Option<Value>,
    poll_seconds: Option<u64>,
    primary: Option<String>,
}

/// Waits until a WID secondary has synchronised after this moment. Others have nothing to wait for.
pub async fn await_synchronization(work: &Work<'_>) -> Result<Report, HostError> {
    let mut reference: Option<Timestamp> = None;
    let mut poll: Option<Poll<'_>> = None;
    loop {
        let found: Synchronization = work.run_until_heard(GET_ADFS_SYNCHRONIZATION, json!({}), SHORT_SILENCE).await?;
        if found.role.as_deref() != Some("SecondaryComputer") {
            return Ok(Report { already: true, notes: Vec::new() });
        }
        // By the host's own clock: its synchronisations are stamped by the same one.
        let since = match reference {
            Some(since) => since,
            None => *reference.insert(time(work, &found.now)?),
        };
        let last = found.last_sync_time.as_deref().map(|last| time(work, last)).transpose()?;
        let synchronized = last.is_some_and(|last| last > since);
        if synchronized && is_ok(found.last_sync_status.as_ref()) {
            return Ok(Report::default());
        }
        let poll = poll.get_or_insert_with(|| work.poll(synchronization_limit(found.poll_seconds)));
        let ended = match poll.pause().await {
            Ok(()) => continue,
            Err(ended) => ended,
        };
        let status = found.last_sync_status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let last = last.map_or_else(|| "never".to_owned(), |last| last.to_string());
        return Err(work.ended(
            ended,
            &format!(
                "wait for a synchronisation after {since} with the primary {} (last one: {last}, status: {status})",
                found.primary.as_deref().unwrap_or("(not named)")
            ),
        ));
    }
}

fn synchronization_limit(poll_seconds: Option<u64>) -> Duration {
    let polls = Duration::from_secs(poll_seconds.unwrap_or_default()).saturating_mul(SYNCHRONIZATION_POLLS);
    polls.clamp(SHORTEST_SYNCHRONIZATION, LONGEST_SYNCHRONIZATION)
}

fn time(work: &Work<'_>, text: &str) -> Result<Timestamp, HostError> {
    text.parse().map_err(|_| work.failure(Cause::Unintelligible(format!("{text:?} is no time in UTC"))))
}

/// AD FS says 0 or a word, depending on its version.
fn is_ok(status: Option<&Value>) -> bool {
    match status {
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::String(text)) => {
            ["0", "ok", "success", "succeeded"].iter().any(|accepted| text.eq_ignore_ascii_case(accepted))
        }
        _ => false,
    }
}
