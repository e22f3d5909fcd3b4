//! Installers: started as a scheduled task on the host, watched from here, never killed from here.
//!
//! An installation's id is the same whenever the same component goes to the same version on a host, so that a later run
//! takes up what an earlier one left running. The host keeps each that has ended, and starts none of them again; a
//! further attempt gets a number.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::backend::Report;
use crate::backend::error::{Cause, HostError, ScriptErrorKind};
use crate::backend::windows::poll::Ended;
use crate::backend::windows::scripts::{COMPLETE_INSTALLER, GET_INSTALLER_STATE, START_INSTALLER};
use crate::backend::windows::work::{SILENCE, Work, is_silence};

/// After that time the host itself ends an installer.
const TIMEOUT_MINUTES: u64 = 60;
/// How long the runner waits: what the host allows, and a little for the exit file.
const LIMIT: Duration = Duration::from_secs((TIMEOUT_MINUTES + 5) * 60);
/// How long another installation on the host is waited for, such as one of Windows Update.
const BUSY: Duration = Duration::from_secs(20 * 60);

/// More ended attempts than this are a reason to look at the host.
const MOST_ATTEMPTS: u32 = 30;

/// One installation.
#[derive(Debug)]
pub struct Installation {
    /// Such as `user_portal-7.0.0.9`; a file name on the host.
    pub id: String,
    pub file: String,
    /// What the file must be.
    pub sha256: String,
    pub arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    Finished,
    Interrupted,
    Missing,
}

#[derive(Deserialize)]
struct Completion {
    exit_code: i64,
    reboot_required: bool,
    log: Vec<String>,
}

/// The id of an installation of a component.
pub fn id(component: &str, version: &str, place: Option<&str>) -> String {
    let parts = [Some(component), Some(version), place];
    let accepted = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let clean = |part: &str| part.split('.').map(|piece| piece.replace(|c| accepted(c) != c, "_")).collect::<Vec<_>>();
    parts.into_iter().flatten().map(|part| clean(part).join(".")).collect::<Vec<_>>().join("-")
}

/// What there is on the host of an installation.
#[derive(Debug)]
pub enum Found {
    /// It was still running, and this is what it came to.
    TakenUp(Report),
    /// None runs; a new attempt gets this id. What an earlier one came to is read from the host, not from its exit code.
    None { id: String },
}

/// Looks for an installation that an earlier run left, and waits for its end.
pub async fn take_up(work: &Work<'_>, id: &str) -> Result<Found, HostError> {
    let mut ended = None;
    for attempt in 1..=MOST_ATTEMPTS {
        let id = if attempt == 1 { id.to_owned() } else { format!("{id}-{attempt}") };
        match state(work, &id).await? {
            State::Running => {
                tracing::info!(host = work.host, installation = id, "taking up an installation that is running");
                return watch(work, &id).await.map(Found::TakenUp);
            }
            State::Finished => ended = Some(id),
            State::Interrupted | State::Missing => {
                tidy(work, ended).await?;
                return Ok(Found::None { id });
            }
        }
    }
    Err(work.failure(Cause::Unproven(format!(
        "{MOST_ATTEMPTS} attempts of the installation {id} have ended without the version being there; look at their \
         logs below installers in the work folder, and delete their folders"
    ))))
}

/// Removes the task of an attempt whose end nobody collected.
async fn tidy(work: &Work<'_>, ended: Option<String>) -> Result<(), HostError> {
    let Some(id) = ended else { return Ok(()) };
    let completion = complete(work, &id).await?;
    tracing::info!(
        host = work.host,
        installation = id,
        exit_code = completion.exit_code,
        "an earlier installation has ended"
    );
    Ok(())
}

/// Starts an installation and waits for its end.
pub async fn install(work: &Work<'_>, installation: &Installation) -> Result<Report, HostError> {
    if work.stop.is_cancelled() {
        return Err(work.failure(Cause::Stopped));
    }
    match start(work, installation).await {
        // Whether it runs is known to the host; asking starts nothing.
        Err(error) if matches!(error.cause, Cause::Lost { .. }) => match patiently_state(work, &installation.id).await?
        {
            State::Running | State::Finished => {}
            State::Interrupted | State::Missing => return Err(error),
        },
        other => other?,
    }
    watch(work, &installation.id).await
}

async fn start(work: &Work<'_>, installation: &Installation) -> Result<(), HostError> {
    #[derive(Deserialize)]
    struct Started {
        started: bool,
    }
    let arguments = json!({
        "installation_id": installation.id,
        "file": installation.file,
        "arguments": installation.arguments,
        "sha256": installation.sha256,
        "timeout_minutes": TIMEOUT_MINUTES,
    });
    let mut poll = work.poll(BUSY);
    loop {
        match work.run::<Started>(START_INSTALLER, arguments.clone()).await {
            Ok(reply) => {
                let (installation, started) = (&installation.id, reply.started);
                tracing::info!(host = work.host, installation, started, "installer was started");
                return Ok(());
            }
            // Nothing was started: the other one goes first.
            Err(error) if is_busy(&error) => match poll.pause().await {
                Ok(()) => tracing::info!(host = work.host, cause = %error.cause, "waiting for another installation"),
                Err(Ended::TimedOut) => return Err(error),
                Err(Ended::Stopped) => return Err(work.failure(Cause::Stopped)),
            },
            Err(error) => return Err(error),
        }
    }
}

fn is_busy(error: &HostError) -> bool {
    matches!(error.cause, Cause::Script { kind: ScriptErrorKind::Busy, .. })
}

/// Polls until the installer has ended, and collects what it came to.
async fn watch(work: &Work<'_>, id: &str) -> Result<Report, HostError> {
    let mut poll = work.poll(LIMIT);
    loop {
        match patiently_state(work, id).await? {
            State::Running => poll.pause().await.map_err(|ended| work.ended(ended, &going_on(id)))?,
            State::Finished => break,
            State::Interrupted | State::Missing => {
                return Err(work.failure(Cause::Unproven(format!(
                    "the installation {id} ended without an exit code, as after a restart of the host in its midst; \
                     the next apply looks at what is there and runs it again if needed"
                ))));
            }
        }
    }
    let completion = complete(work, id).await?;
    if ![0, 1641, 3010].contains(&completion.exit_code) {
        return Err(work.failure(Cause::Installer { exit_code: completion.exit_code, log: completion.log }));
    }
    let note = completion.reboot_required.then(|| {
        format!("{} must be restarted to finish an installation (exit code {}).", work.host, completion.exit_code)
    });
    Ok(Report { already: false, notes: note.into_iter().collect() })
}

async fn state(work: &Work<'_>, id: &str) -> Result<State, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        state: State,
    }
    work.run::<Reply>(GET_INSTALLER_STATE, json!({"installation_id": id})).await.map(|reply| reply.state)
}

/// Asks again while the host is silent: it may be restarting, and the question has no effect.
async fn patiently_state(work: &Work<'_>, id: &str) -> Result<State, HostError> {
    let mut poll = work.poll(SILENCE);
    loop {
        match state(work, id).await {
            Err(error) if is_silence(&error) => match poll.pause().await {
                Ok(()) => tracing::warn!(host = work.host, installation = id, "the host is silent; asking again"),
                Err(Ended::TimedOut) => return Err(error),
                Err(ended) => return Err(work.ended(ended, &going_on(id))),
            },
            other => return other,
        }
    }
}

/// Collects an ended installation; collecting twice gives the same.
async fn complete(work: &Work<'_>, id: &str) -> Result<Completion, HostError> {
    work.run_until_heard(COMPLETE_INSTALLER, json!({"installation_id": id}), SILENCE).await
}

fn going_on(id: &str) -> String {
    format!("wait for the installation {id}, which goes on on the host and is taken up by the next apply")
}
