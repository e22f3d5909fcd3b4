//! Scripts over WinRM: one session per host and process, opened when a host is first asked and used again.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Notify, mpsc};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use crate::backend::error::Cause;
use crate::backend::windows::connection::{Connection, Connections};
use crate::backend::windows::endpoint;
use crate::backend::windows::refusals::Refusals;
use crate::backend::windows::runner::{Call, Runner};
use crate::backend::windows::script::{ReplyReader, frame, powershell_arguments};
use crate::backend::windows::scripts::{BOOTSTRAP, ENVELOPE};
use crate::causes;
use crate::winrm::clixml;
use crate::winrm::error::{Error, Kind, Refusal, Started};
use crate::winrm::session::{Output, Session};
use crate::winrm::stdin::Stdin;

/// How long a script may take. A query that hangs must not hang a plan; what copies files takes as long as it takes.
const QUERY_LIMIT: Duration = Duration::from_secs(5 * 60);
const CHANGE_LIMIT: Duration = Duration::from_secs(30 * 60);
const COPY_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// The sessions of this process.
pub struct Sessions {
    connections: Arc<Connections>,
    bootstrap: Vec<String>,
    sessions: Mutex<HashMap<String, Session>>,
    refusals: Refusals,
}

impl Sessions {
    /// No session yet.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self {
            connections,
            bootstrap: powershell_arguments(BOOTSTRAP),
            sessions: Mutex::default(),
            refusals: Refusals::default(),
        }
    }

    /// The host's session. Which connection it takes, and whether the host may be reached at all, is decided before a
    /// byte is sent.
    fn session(&self, host: &str) -> Result<(Session, &Connection), Cause> {
        let connection = self.connections.connection_for(host).map_err(Cause::NoConnection)?;
        self.refusals.check(host, connection)?;
        let endpoint = endpoint::of(host, connection).map_err(Cause::NoConnection)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.entry(host.to_ascii_lowercase()).or_insert_with(|| Session::new(endpoint));
        Ok((session.clone(), connection))
    }

    /// Logs on, before which nobody has accepted the credentials: one host after the other, so that the first refusal is
    /// the last.
    async fn log_on(&self, host: &str, session: &Session, connection: &Connection) -> Result<(), Cause> {
        let Some(turn) = self.refusals.turn(host, connection) else { return Ok(()) };
        let _turn = turn.lock().await;
        self.refusals.check(host, connection)?;
        session.open().await.map_err(|error| self.failed(host, connection, &error))?;
        self.refusals.accept(host, connection);
        Ok(())
    }

    /// What a failure means for the step. A refusal of the credentials is noted.
    fn failed(&self, host: &str, connection: &Connection, error: &Error) -> Cause {
        if matches!(error.kind, Kind::Unauthorized { refusal: Refusal::Rejected, .. }) {
            self.refusals.refuse(host, connection, &error.kind.to_string());
        }
        cause(error)
    }
}

#[async_trait]
impl Runner for Sessions {
    #[tracing::instrument(level = "debug", skip_all, fields(host, script = call.script.name))]
    async fn run(&self, host: &str, call: Call) -> Result<Value, Cause> {
        let (session, connection) = self.session(host)?;
        self.log_on(host, &session, connection).await?;
        let script = call.script;
        let frame = frame(script.name, ENVELOPE, script.source, &call.arguments);
        let stdin = match call.input {
            None => Stdin::Bytes(vec![Bytes::from(frame)]),
            Some(input) => {
                let body = StreamReader::new(ReceiverStream::new(input).map(io::Result::Ok));
                Stdin::Reader(Box::new(io::Cursor::new(frame).chain(body)))
            }
        };
        let arguments: Vec<&str> = self.bootstrap.iter().map(String::as_str).collect();
        let mut reader = ReplyReader::new(script.name);
        let limit = limit(script.name);
        let run = stream(&session, &arguments, stdin, &mut reader, call.output);
        let output = match tokio::time::timeout(limit, run).await {
            Ok(Ok(output)) => output,
            Ok(Err(Failure::GivenUp)) => return Err(Cause::Stopped),
            Ok(Err(Failure::Session(error))) => return Err(self.failed(host, connection, &error)),
            Err(_) => return Err(Cause::Lost { reason: format!("no end within {} minutes", limit.as_secs() / 60) }),
        };
        judge(reader, &output)
    }

    async fn close(&self) {
        let sessions: Vec<_> =
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, session)| session).collect();
        futures_util::future::join_all(sessions.iter().map(Session::close)).await;
    }
}

/// What a script's run came to. A missing reply says nothing about the script when a connection broke on the way: the
/// reply may have been in what was lost.
pub fn judge(reader: ReplyReader, output: &Output) -> Result<Value, Cause> {
    match reader.finish(i64::from(output.exit_code), &clixml::error_text(&output.stderr)) {
        Err(Cause::Unintelligible(reason)) if output.may_lack_output => {
            Err(Cause::Lost { reason: format!("output of the host was lost with a connection, and {reason}") })
        }
        judged => judged,
    }
}

/// Why a run has no output.
enum Failure {
    /// Nobody takes its data any more.
    GivenUp,
    Session(Error),
}

/// The receiver of data has gone.
struct Gone;

/// Runs PowerShell and hands data on. While `output` is full nothing more is asked of the host, so a slow receiver
/// slows the sender down instead of filling this process.
async fn stream(
    session: &Session,
    arguments: &[&str],
    stdin: Stdin<'_>,
    reader: &mut ReplyReader,
    output: Option<mpsc::Sender<Bytes>>,
) -> Result<Output, Failure> {
    let waiting: Mutex<Vec<Bytes>> = Mutex::default();
    let arrived = Notify::new();
    let mut on_stdout = |bytes: &[u8]| {
        let data = reader.feed(bytes);
        if !data.is_empty() {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(data);
            arrived.notify_one();
        }
    };
    let take = || std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
    let mut run = pin!(session.run_streaming("powershell.exe", arguments, stdin, &mut on_stdout));
    loop {
        let ended = tokio::select! {
            biased;
            () = arrived.notified() => None,
            ended = &mut run => Some(ended),
        };
        hand_on(take(), output.as_ref()).await.map_err(|Gone| Failure::GivenUp)?;
        if let Some(ended) = ended {
            return ended.map_err(Failure::Session);
        }
    }
}

/// Data that nobody asked for is dropped; a receiver that has gone away ends the run.
async fn hand_on(data: Vec<Bytes>, output: Option<&mpsc::Sender<Bytes>>) -> Result<(), Gone> {
    let Some(output) = output else { return Ok(()) };
    for piece in data {
        output.send(piece).await.map_err(|_| Gone)?;
    }
    Ok(())
}

fn limit(script: &str) -> Duration {
    match script {
        "Backup-Directory"
        | "Compare-Directory"
        | "Save-ReleaseFile"
        | "Send-File"
        | "Receive-File"
        | "Receive-PartialFile"
        | "Complete-PartialFile" => COPY_LIMIT,
        query if query.starts_with("Get-") => QUERY_LIMIT,
        _ => CHANGE_LIMIT,
    }
}

/// What a failure of the connection means for the step.
fn cause(error: &Error) -> Cause {
    // The host stands before it already.
    let reason = causes::after(format!("{}: {}", error.operation, error.kind), error);
    let advice = error.advice().to_owned();
    match (&error.kind, error.started) {
        (Kind::Setting(_) | Kind::UnencryptedBasic, _) => Cause::NoConnection(format!("{reason}. {advice}")),
        (
            Kind::Unauthorized { .. } | Kind::Authentication { .. } | Kind::Forbidden | Kind::AccessDenied(_),
            Started::NotStarted,
        ) => Cause::Denied { reason, advice },
        (_, Started::NotStarted) => Cause::Unreachable { reason, advice },
        (_, Started::Unknown) => Cause::Lost { reason: format!("{reason}. {advice}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stdout: &[u8], may_lack_output: bool, expected: fn(&Result<Value, Cause>) -> bool) {
        let mut reader = ReplyReader::new("Start-Installer");
        reader.feed(stdout);
        let judged = judge(reader, &Output { exit_code: 0, stdout: Vec::new(), stderr: Vec::new(), may_lack_output });
        assert!(expected(&judged), "{judged:?}");
    }

    #[test]
    fn a_reply_that_may_be_lost_is_not_missing() {
        check(b"", false, |judged| matches!(judged, Err(Cause::Unintelligible(_))));
        check(b"", true, |judged| matches!(judged, Err(Cause::Lost { .. })));
        let reply = br#"AZUREMFA-REPLY:{"ok":true,"script":"Start-Installer","result":{}}"#;
        check(reply, true, Result::is_ok);
    }
}
