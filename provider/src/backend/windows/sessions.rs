//! Scripts over WinRM: one session per host and process, opened when a host is first asked and used again.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;

use crate::address::HostAddress;
use crate::backend::error::Cause;
use crate::backend::windows::connection::{Connection, Connections};
use crate::backend::windows::endpoint;
use crate::backend::windows::hosts::{Hosts, Visit};
use crate::backend::windows::refusals::Refusals;
use crate::backend::windows::runner::{Call, Runner};
use crate::backend::windows::script::{ReplyReader, frame, powershell_arguments};
use crate::backend::windows::scripts::{BOOTSTRAP, Company, ENVELOPE};
use crate::backend::windows::time_limit::{self, TimeLimit};
use crate::backend::windows::worker::{Broken, Worker, judge};
use crate::causes;
use crate::winrm::error::{Error, Kind, Started};
use crate::winrm::session::{Output, Session};
use crate::winrm::stdin::Stdin;

/// A host that takes a connection and then says nothing has its turn at the first logon for this part of the operation
/// timeout. So a wrong password is tried twice at most before the first host is given up.
const TURNS_WITHIN_A_TIMEOUT: u32 = 2;

/// After this time without use a session is closed: the next one costs a logon, an open one a shell of the account.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// The sessions of this process.
pub struct Sessions {
    connections: Arc<Connections>,
    bootstrap: Vec<String>,
    hosts: Arc<Hosts>,
    refusals: Refusals,
}

impl Sessions {
    /// No session yet.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self {
            connections,
            bootstrap: powershell_arguments(BOOTSTRAP),
            hosts: Hosts::new(IDLE_AFTER),
            refusals: Refusals::default(),
        }
    }

    /// The host's session, to be used. Which connection it takes, and whether the host may be reached at all, is decided
    /// before a byte is sent.
    fn enter(&self, host: &HostAddress) -> Result<(Visit, &Connection), Cause> {
        let connection = self.connections.chosen_for(host.name()).map_err(Cause::NoConnection)?;
        self.refusals.check(host.name(), connection)?;
        let endpoint = || endpoint::of(host, connection).map_err(Cause::NoConnection);
        Ok((self.hosts.enter(host.name(), connection.port_of(host), endpoint)?, connection))
    }

    /// Logs on, before which nobody has accepted the credentials: one host after the other, so that the first refusal is
    /// the last.
    async fn log_on(&self, host: &str, session: &Session, connection: &Connection) -> Result<(), Cause> {
        if self.refusals.is_accepted(host, connection) {
            return Ok(());
        }
        // Before the turn: hosts that do not answer would keep all others waiting, each for the whole timeout.
        session.connect().await.map_err(|error| self.failed(host, connection, &error))?;
        let Some(turn) = self.refusals.turn(host, connection).await? else { return Ok(()) };
        let turn = Turn::new(turn, connection.timeouts.operation / TURNS_WITHIN_A_TIMEOUT);
        let opened = session.open().await.map_err(|error| self.failed(host, connection, &error));
        if opened.is_ok() {
            self.refusals.accept(host, connection);
        }
        // Whoever is next must find what this one has found out.
        turn.end();
        opened
    }

    /// What a failure means for the step. A refusal of the credentials is noted.
    fn failed(&self, host: &str, connection: &Connection, error: &Error) -> Cause {
        if error.kind.refuses_credentials() {
            self.refusals.refuse(host, connection, &error.kind.to_string());
        }
        cause(error)
    }

    /// Runs a script in a process that stays. One that had died before it began the call is replaced, once. `sent` is set
    /// when the host may get the call.
    async fn run_in_worker(&self, visit: &Visit, call: &Call, sent: &AtomicBool) -> Result<Value, Failure> {
        let mut kept = visit.worker();
        loop {
            let reused = kept.is_some();
            let mut worker = match kept.take() {
                Some(worker) => worker,
                None => Worker::start(&visit.session, &self.words()).await.map_err(Failure::Session)?,
            };
            sent.store(true, Ordering::Relaxed);
            let called = worker.call(call.script, &call.arguments).await;
            if call.script.company() == Company::Last {
                visit.end_workers();
            }
            match called {
                Ok(result) => {
                    visit.keep(worker);
                    return result.map_err(Failure::Run);
                }
                Err(broken) if reused && broken.nothing_was_done() => {
                    tracing::info!(script = call.script.name, reason = %broken, "starting PowerShell anew");
                    sent.store(false, Ordering::Relaxed);
                }
                Err(broken) => return Err(broken.into()),
            }
        }
    }

    /// Runs a script in a process of its own.
    async fn run_alone(&self, visit: &Visit, call: Call) -> Result<Value, Failure> {
        let script = call.script;
        let frame = frame(script.name, ENVELOPE, script.source, &call.arguments);
        let stdin = match call.input {
            None => Stdin::Bytes(vec![Bytes::from(frame)]),
            Some(input) => {
                let body = StreamReader::new(ReceiverStream::new(input).map(io::Result::Ok));
                Stdin::Reader(Box::new(io::Cursor::new(frame).chain(body)))
            }
        };
        let mut reader = ReplyReader::new(script.name);
        let output = stream(&visit.session, &self.words(), stdin, &mut reader, call.output).await?;
        judge(reader, &output).map_err(Failure::Run)
    }

    fn words(&self) -> Vec<&str> {
        self.bootstrap.iter().map(String::as_str).collect()
    }
}

#[async_trait]
impl Runner for Sessions {
    #[tracing::instrument(level = "debug", skip_all, fields(host = host.name(), script = call.script.name))]
    async fn run(&self, host: &HostAddress, call: Call) -> Result<Value, Cause> {
        let (visit, connection) = self.enter(host)?;
        let host = host.name();
        let (begin, overall) = (Instant::now(), connection.timeouts.overall.unwrap_or(Duration::MAX));
        // Waiting for other hosts takes nothing off the script's own time.
        let logged_on = tokio::time::timeout(overall, self.log_on(host, &visit.session, connection)).await;
        logged_on.unwrap_or_else(|_| Err(time_limit::no_logon(overall)))?;
        let limit = TimeLimit::new(call.script, connection.timeouts.overall);
        let left = limit.length().min(overall.saturating_sub(begin.elapsed()));
        let sent = AtomicBool::new(false);
        let shares = call.input.is_none() && call.output.is_none() && call.script.company() != Company::None;
        let run = async {
            if shares {
                return self.run_in_worker(&visit, &call, &sent).await;
            }
            sent.store(true, Ordering::Relaxed);
            self.run_alone(&visit, call).await
        };
        match tokio::time::timeout(left, run).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Failure::GivenUp)) => Err(Cause::Stopped),
            Ok(Err(Failure::Run(cause))) => Err(cause),
            Ok(Err(Failure::Session(error))) => Err(self.failed(host, connection, &error)),
            Err(_) => Err(limit.reached(sent.load(Ordering::Relaxed))),
        }
    }

    fn round_trip(&self, host: &HostAddress) -> Option<Duration> {
        let connection = self.connections.connection_for(host).ok()?;
        self.hosts.round_trip(host.name(), connection.port_of(host))
    }

    async fn close(&self) {
        self.hosts.close().await;
    }
}

/// A turn at the first logon. Given up by whoever had it, it lasts for its time all the same: the host may still judge.
struct Turn(oneshot::Sender<()>);

impl Turn {
    /// What `held` keeps from others ends with [`Turn::end`], and after `at_most` in any case.
    fn new(held: impl Send + 'static, at_most: Duration) -> Self {
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            let ended = async {
                if ended.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            // Either way it is over.
            let _ = tokio::time::timeout(at_most, ended).await;
            drop(held);
        });
        Self(end)
    }

    fn end(self) {
        // Its time may be over.
        let _ = self.0.send(());
    }
}

/// Why a run has no output.
enum Failure {
    /// Nobody takes its data any more.
    GivenUp,
    Session(Error),
    /// The run has come to an end, and this is what it came to.
    Run(Cause),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Session(error) => Self::Session(error),
            Broken::Ended(cause) | Broken::EndedBefore(cause) => Self::Run(cause),
        }
    }
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

/// What a failure of the connection means for the step.
fn cause(error: &Error) -> Cause {
    // The host stands before it already.
    let reason = causes::after(format!("{}: {}", error.operation, error.kind), error);
    let advice = error.advice().to_owned();
    match (&error.kind, error.started) {
        (Kind::Setting(_) | Kind::UnencryptedBasic, _) => Cause::NoConnection(format!("{reason}. {advice}")),
        (
            Kind::Unauthorized { .. }
            | Kind::CertificateNotAsked
            | Kind::Authentication { .. }
            | Kind::Forbidden
            | Kind::AccessDenied(_),
            Started::NotStarted,
        ) => Cause::Denied { reason, advice },
        (Kind::Kerberos(failure), Started::NotStarted) if !failure.is_of_the_network() => {
            Cause::Denied { reason, advice }
        }
        (_, Started::NotStarted) => Cause::Unreachable { reason, advice },
        (_, Started::Unknown) => Cause::Lost { reason: format!("{reason}. {advice}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::windows::scripts::{
        BACKUP_DIRECTORY, COMPARE_DIRECTORY, COMPLETE_PARTIAL_FILE, RECEIVE_FILE, RECEIVE_PARTIAL_FILE,
        SAVE_RELEASE_FILE, SEND_FILE,
    };
    use crate::winrm::auth::kerberos::login::sample_cache;

    /// Installers go on by themselves; what copies or hashes is waited for.
    #[test]
    fn what_copies_may_be_quiet_for_45_minutes() {
        let copies = [
            BACKUP_DIRECTORY,
            COMPARE_DIRECTORY,
            COMPLETE_PARTIAL_FILE,
            RECEIVE_FILE,
            RECEIVE_PARTIAL_FILE,
            SAVE_RELEASE_FILE,
            SEND_FILE,
        ];
        let quiet = Duration::from_secs(45 * 60);
        assert!(copies.iter().all(|script| TimeLimit::new(*script, None).length() > quiet));
    }

    /// A script finds out nothing by it that the session has not found out, and a run may take longer than a ticket.
    #[tokio::test]
    async fn the_ambient_cache_is_looked_at_once_for_a_session() {
        let cache = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(cache.path(), sample_cache()).expect("it is written");
        let ambient_cache = Some(cache.path().display().to_string());
        let connections = vec![Connection { ambient_cache, ..Connection::new("default") }];
        let sessions = Sessions::new(Arc::new(Connections { connections, ..Connections::default() }));
        let host = HostAddress::named("mfa01");
        let (first, connection) = sessions.enter(&host).expect("a session");
        assert!(!sessions.refusals.is_accepted("mfa01", connection));
        drop(cache);
        let (second, _) = sessions.enter(&host).expect("the same session");
        assert!(first.session.is(&second.session));
        sessions.close().await;
        let error = sessions.enter(&host).map(drop).expect_err("another session");
        assert!(error.to_string().contains("has no user name"), "{error}");
    }
}
