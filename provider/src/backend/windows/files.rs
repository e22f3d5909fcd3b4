//! Files: backups, release files that a host fetches, and files that go from host to host through this process.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::address::HostAddress;
use crate::backend::error::{Cause, HostError, ScriptErrorKind};
use crate::backend::facts::Server;
use crate::backend::release::{Component, Delivery, file_name};
use crate::backend::step::Backup;
use crate::backend::windows::download;
use crate::backend::windows::leftovers;
use crate::backend::windows::put::put;
use crate::backend::windows::runner::Call;
use crate::backend::windows::scripts::{
    BACKUP_DIRECTORY, COMPLETE_BACKUP, GET_FILE_IDENTITY, RECEIVE_FILE, SAVE_RELEASE_FILE, SEND_FILE,
};
use crate::backend::windows::work::{SHORT_SILENCE, Work, is_silence, join, staging};
use crate::backend::{Backend as _, Report, version};
use crate::winrm::ranges;

/// Pieces of a file under way between two hosts; with 32 KiB each, what this process holds is small.
pub const PIECES_UNDER_WAY: usize = 16;

/// The setups of MFA Server have some hundred megabytes; more than this is something else, such as what an endless
/// answer would fill a disk with.
pub const LARGEST_RELEASE_FILE: u64 = 2 * 1024 * 1024 * 1024;

/// A SHA-256 as the scripts write it.
pub fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies a folder to the protected backup. With `fresh` a complete one that no longer equals the folder is superseded.
pub async fn back_up(work: &Work<'_>, source: &str, backup: &Backup, fresh: bool) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        path: String,
        files: u64,
        bytes: u64,
        already: bool,
    }
    let arguments = json!({"source": source, "backup_id": backup.id, "name": backup.name, "fresh": fresh});
    let reply: Reply = work.run(BACKUP_DIRECTORY, arguments).await?;
    tracing::info!(host = work.host, path = reply.path, files = reply.files, bytes = reply.bytes, "backup is complete");
    Ok(Report { already: reply.already, notes: Vec::new() })
}

/// Closes the backup of this upgrade.
pub async fn close_backup(work: &Work<'_>, backup_id: &str) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        path: Option<String>,
        already: bool,
    }
    let reply: Reply = work.run_until_heard(COMPLETE_BACKUP, json!({"backup_id": backup_id}), SHORT_SILENCE).await?;
    let note = reply.path.filter(|_| !reply.already).map(|path| format!("The backup on {} is {path}.", work.host));
    Ok(Report { already: reply.already, notes: note.into_iter().collect() })
}

/// Puts the server setup on the host, as the settings say: the host fetches it, or this machine does and sends it. Either
/// way the host checks its hash.
pub async fn fetch_server_setup(work: &Work<'_>, version: &str) -> Result<Report, HostError> {
    let setup = server_setup(work, version)?;
    match setup.delivery {
        Delivery::Pull => pull(work, &setup).await,
        Delivery::Push => push(work, &setup, "as `delivery` says").await,
        Delivery::Auto => match pull(work, &setup).await {
            Err(HostError { cause: Cause::Script { kind: ScriptErrorKind::Unreachable, message, .. }, .. }) => {
                tracing::warn!(host = work.host, message, "the host cannot fetch the file; this machine does");
                let pushed = push(work, &setup, &format!("because the host could not: {message}")).await;
                pushed.map_err(|error| match error.cause {
                    Cause::Local(reason) => {
                        work.failure(Cause::Local(format!("{reason}. The host could not: {message}")))
                    }
                    _ => error,
                })
            }
            outcome => outcome,
        },
    }
}

async fn pull(work: &Work<'_>, setup: &ServerSetup<'_>) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Reply {
        already: bool,
    }
    let arguments = json!({
        "url": setup.url, "sha256": setup.sha256, "file_name": setup.file_name, "maximum_length": LARGEST_RELEASE_FILE,
    });
    let outcome = work.unless_stopped(work.run::<Reply>(SAVE_RELEASE_FILE, arguments)).await.flatten();
    if outcome.as_ref().is_err_and(|error| leftovers::may_be_there(&error.cause)) {
        match work.known_facts().await {
            Ok(facts) => work.remove_leftovers(&setup.path(&facts.work_folder)).await,
            Err(error) => tracing::warn!(%error, "what is left of the transfer stays until the next one"),
        }
    }
    outcome.map(|reply| Report { already: reply.already, notes: Vec::new() })
}

/// `why` follows what the note says was done.
async fn push(work: &Work<'_>, setup: &ServerSetup<'_>, why: &str) -> Result<Report, HostError> {
    let target = setup.path(&work.known_facts().await?.work_folder);
    // What is on the host need not be fetched here.
    let present = work.until_heard(SHORT_SILENCE, || identity(work, work.at, &target)).await?;
    if present.sha256.is_some_and(|present| present.eq_ignore_ascii_case(setup.sha256)) {
        return Ok(Report { already: true, notes: Vec::new() });
    }
    let fetched = tokio::select! {
        () = work.stop.cancelled() => Err(Cause::Stopped),
        fetched = work.backend.downloads().fetch(setup.url, setup.sha256) => fetched,
    };
    let file = fetched.map_err(|cause| work.failure(cause))?;
    let round_trip = work.backend.runner().round_trip(work.at).unwrap_or_default();
    let streams = ranges::streams(file.length, round_trip, ranges::MOST_STREAMS);
    let already = put(work, &file, &target, streams).await?;
    let note = format!(
        "The machine that runs Terraform fetched {} and sent it to {}, {why}.",
        download::shown(setup.url),
        work.host
    );
    Ok(Report { already, notes: vec![note] })
}

/// The server setup of a release.
pub struct ServerSetup<'a> {
    pub url: &'a str,
    pub sha256: &'a str,
    pub file_name: &'a str,
    pub delivery: Delivery,
}

impl ServerSetup<'_> {
    /// Where it lies on a host, whoever brought it there.
    pub fn path(&self, work_folder: &str) -> String {
        join(&staging(work_folder, &self.sha256[..16]), self.file_name)
    }
}

/// What the settings state about the server setup.
pub fn server_setup<'a>(work: &'a Work<'_>, version: &str) -> Result<ServerSetup<'a>, HostError> {
    let component = Component::ServerSetup;
    let package = work.package(version, component)?;
    let url = work.stated(&package.source, version, component, "source")?;
    let sha256 = work.stated(&package.sha256, version, component, "sha256")?;
    let delivery = package.delivery.known().copied().unwrap_or_default();
    match file_name(url) {
        Some(file_name) if sha256.len() == 64 && sha256.is_ascii() => {
            Ok(ServerSetup { url, sha256, file_name, delivery })
        }
        _ => Err(work.failure(Cause::Settings(format!(
            "the source or the hash of the server setup {version} in the provider's `releases` cannot be used"
        )))),
    }
}

/// Brings component files to the step's host from the first of these MFA Servers that is heard.
pub async fn bring(
    work: &Work<'_>,
    version: &str,
    from: &[HostAddress],
    files: &[String],
) -> Result<Report, HostError> {
    let mut notes = Vec::new();
    let mut servers = from.iter().peekable();
    while let Some(server) = servers.next() {
        match bring_from(work, version, server, files).await {
            Err(error) if error.host == server.name() && is_silence(&error) && servers.peek().is_some() => {
                tracing::warn!(host = work.host, server = server.name(), cause = %error.cause, "asking the next server for the files");
                notes.push(format!(
                    "{} was not heard, so the next server was asked for the files: {}",
                    server.name(),
                    error.cause
                ));
            }
            outcome => return outcome.map(|already| Report { already, notes }),
        }
    }
    Err(work.failure(Cause::Unproven("the plan names no server to take the files from".to_owned())))
}

/// Brings them from one server; whether all were there already.
async fn bring_from(work: &Work<'_>, version: &str, from: &HostAddress, files: &[String]) -> Result<bool, HostError> {
    let (server, facts) = tokio::join!(source_server(work, version, from), work.known_facts());
    let (server, target) = (server?, staging(&facts?.work_folder, version));
    let mut already = true;
    for file in files {
        if work.stop.is_cancelled() {
            return Err(work.failure(Cause::Stopped));
        }
        already &= bring_file(work, from, &join(&server.install_path, file), &join(&target, file)).await?;
    }
    Ok(already)
}

/// Brings one file; whether it was there already.
async fn bring_file(work: &Work<'_>, from: &HostAddress, source: &str, target: &str) -> Result<bool, HostError> {
    let (wanted, present) = tokio::join!(identity(work, from, source), identity(work, work.at, target));
    let (wanted, present) = (wanted?, present?);
    let (Some(length), Some(sha256)) = (wanted.length, wanted.sha256.filter(|_| wanted.exists)) else {
        return Err(HostError {
            host: from.name().to_owned(),
            ..work.failure(Cause::Script {
                script: "Get-FileIdentity".to_owned(),
                kind: ScriptErrorKind::NotFound,
                message: format!("{source} is not there, although the server's upgrade puts it there"),
                line: None,
            })
        });
    };
    if present.exists && present.sha256.is_some_and(|present| present.eq_ignore_ascii_case(&sha256)) {
        return Ok(true);
    }
    relay(work, from, source, target, length, &sha256).await.map(|()| false)
}

#[derive(Deserialize)]
struct Identity {
    exists: bool,
    length: Option<u64>,
    sha256: Option<String>,
}

async fn identity(work: &Work<'_>, host: &HostAddress, path: &str) -> Result<Identity, HostError> {
    let call = Call::new(GET_FILE_IDENTITY, json!({"path": path}));
    let identity = work.backend.call(host, call).await;
    identity.map_err(|cause| HostError { host: host.name().to_owned(), ..work.failure(cause) })
}

#[derive(Deserialize)]
struct Sent {
    length: u64,
}

#[derive(Deserialize)]
struct Received {
    length: u64,
    sha256: String,
}

/// Streams a file from one host to another; the receiver's hash decides.
async fn relay(
    work: &Work<'_>,
    from: &HostAddress,
    source: &str,
    target: &str,
    length: u64,
    sha256: &str,
) -> Result<(), HostError> {
    let started = work.backend.clock().now();
    let stream = work.unless_stopped(stream(work, from, source, target, length, sha256)).await;
    let (sent, received) = stream.unwrap_or_else(|stopped| (Err(stopped.cause.clone()), Err(stopped.cause)));
    if received.as_ref().is_err_and(leftovers::may_be_there) {
        work.remove_leftovers(target).await;
    }
    let failed_at_source = |cause| HostError { host: from.name().to_owned(), ..work.failure(cause) };
    match (sent, received) {
        (_, Ok(received)) if received.length == length && received.sha256.eq_ignore_ascii_case(sha256) => {}
        (Ok(sent), Ok(_)) => {
            let found = format!(
                "{target} is not the file {source} of {}, of which {} bytes were sent",
                from.name(),
                sent.length
            );
            return Err(work.failure(Cause::Unproven(found)));
        }
        // When the receiver fails the sender is given up and fails as well; the first failure is the one to tell.
        (Err(Cause::Stopped) | Ok(_), Err(cause)) => return Err(work.failure(cause)),
        (Err(cause), _) => return Err(failed_at_source(cause)),
    }
    let took: Duration = work.backend.clock().now().saturating_sub(started);
    tracing::info!(
        host = work.host,
        from = from.name(),
        target,
        length,
        milliseconds = took.as_millis() as u64,
        "file was brought"
    );
    Ok(())
}

/// Runs both scripts at once, with what the one sends as what the other gets.
async fn stream(
    work: &Work<'_>,
    from: &HostAddress,
    source: &str,
    target: &str,
    length: u64,
    sha256: &str,
) -> (Result<Sent, Cause>, Result<Received, Cause>) {
    let (output, input) = mpsc::channel::<Bytes>(PIECES_UNDER_WAY);
    let send = Call { output: Some(output), ..Call::new(SEND_FILE, json!({"path": source, "maximum_length": length})) };
    let arguments = json!({"path": target, "length": length, "sha256": sha256});
    let receive = Call { input: Some(input), ..Call::new(RECEIVE_FILE, arguments) };
    tokio::join!(work.backend.call(from, send), work.backend.call(work.at, receive))
}

/// The MFA Server that files are taken from; it must run the version, or older files would come.
async fn source_server(work: &Work<'_>, wanted: &str, from: &HostAddress) -> Result<Server, HostError> {
    let failure = |found: String| HostError {
        host: from.name().to_owned(),
        ..work.failure(Cause::Unproven(format!("files of {wanted} can only come from a server that runs it; {found}")))
    };
    let facts = work.backend.observe(from, false).await?;
    let server = facts.server.ok_or_else(|| failure("no MFA Server is installed on it".to_owned()))?;
    match &server.product_version {
        Some(found) if version::same(found, wanted) => Ok(server),
        Some(found) => Err(failure(format!("it runs {found}"))),
        None => Err(failure("its version was not found".to_owned())),
    }
}
