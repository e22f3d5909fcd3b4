//! One command on a host, from its start to its exit code.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::winrm::ahead::Next;
use crate::winrm::connections::Lease;
use crate::winrm::error::{Error, Kind, Operation, Started};
use crate::winrm::shell::{Host, Shell};
use crate::winrm::soap::reply::{self, Received};

/// A command that has started. Dropped before its end, it is terminated on the host.
pub(crate) struct Command {
    pub(super) host: Arc<Host>,
    /// Absent while nothing is asked of a command that is only kept.
    lease: Option<Lease>,
    shell: Option<Arc<Shell>>,
    pub(super) id: String,
    /// Nothing is left on the host that would have to be ended.
    ended: bool,
    may_lack_output: bool,
}

/// How often a `Receive` is repeated over a new connection.
const LOST_ATTEMPTS: u32 = 4;

/// How often ending a command is tried.
const SIGNAL_ATTEMPTS: u32 = 3;

impl Command {
    /// Starts a command in the session's shell.
    ///
    /// The work goes on in a task of its own when the caller loses interest: only the answer
    /// tells the names by which the shell and the command can be ended.
    pub(crate) async fn start(host: &Arc<Host>, command: String, arguments: Vec<String>) -> Result<Self, Error> {
        let lease = host.connections.lease().await;
        let (answer, answered) = oneshot::channel();
        let task_host = Arc::clone(host);
        let task = async move {
            let is_wanted = || !answer.is_closed();
            let result = start_in_shell(task_host, lease, &command, &arguments, is_wanted).await;
            // When nobody listens the command is dropped here, which ends it.
            let _ = answer.send(result);
        };
        tokio::spawn(task.in_current_span());
        answered.await.unwrap_or_else(|_| {
            let kind = Kind::ConnectionLost(None);
            Err(Error::new(&host.name, Operation::StartCommand, kind))
        })
    }

    /// Gives the connection back until something is asked again.
    pub(crate) fn rest(&mut self) {
        self.lease = None;
    }

    /// Lets it end with its shell.
    pub(crate) fn leave(mut self) {
        self.ended = true;
    }

    /// Whether output may have been lost with a connection.
    pub(crate) fn may_lack_output(&self) -> bool {
        self.may_lack_output
    }

    /// Waits for output or the end, at most for the operation timeout; `None` when that ran out.
    pub(crate) async fn receive(&mut self) -> Result<Option<Received>, Error> {
        let mut attempt = 1;
        loop {
            let message = self.host.sender.receive(self.shell_id(), &self.id);
            let result = self.exchange(Operation::ReceiveOutput, message, reply::received).await;
            match result.map_err(Error::after_start) {
                Ok(received) => {
                    self.ended = matches!(received.state, reply::CommandState::Done(_));
                    return Ok(Some(received));
                }
                Err(error) if matches!(error.kind, Kind::TimedOut(_)) => return Ok(None),
                Err(error) if is_lost(&error.kind) && attempt < LOST_ATTEMPTS => {
                    tracing::info!(host = %self.host.name, attempt, error = %error.kind, "asking again for output");
                    // The host gives each piece of output once; it may have been on its way.
                    self.may_lack_output |= matches!(error.kind, Kind::ConnectionLost(_) | Kind::Timeout { .. });
                    if attempt > 1 {
                        self.host.pause(1).await;
                    }
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn exchange<T>(
        &mut self,
        operation: Operation,
        message: String,
        read: impl FnOnce(&roxmltree::Document<'_>) -> Result<T, Kind>,
    ) -> Result<T, Error> {
        self.exchange_before(operation, Bytes::from(message), None, read).await
    }

    /// As [`Command::exchange`]; meanwhile the message after it is made.
    pub(super) async fn exchange_before<T>(
        &mut self,
        operation: Operation,
        message: Bytes,
        next: Option<Next<'_>>,
        read: impl FnOnce(&roxmltree::Document<'_>) -> Result<T, Kind>,
    ) -> Result<T, Error> {
        let lease = match &mut self.lease {
            Some(lease) => lease,
            none => none.insert(self.host.connections.lease().await),
        };
        let error = match lease.exchange_before(operation, message, next, read).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if matches!(error.kind, Kind::ShellGone(_)) {
            // The number also stands for a command that is gone, for instance when the reply that
            // told its end was lost. So the shell is not used again, but it is closed.
            self.ended = true;
            if let Some(shell) = &self.shell {
                self.host.retire(shell).await;
            }
        }
        Err(error)
    }

    pub(super) fn shell_id(&self) -> &str {
        self.shell.as_ref().map_or("", |shell| &shell.id)
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let Some(shell) = self.shell.take() else { return };
        if self.ended {
            self.host.release(shell);
            return;
        }
        let host = Arc::clone(&self.host);
        let id = std::mem::take(&mut self.id);
        self.host.clean_up(async move {
            terminate(&host, &shell, &id).await;
            host.release(shell);
        });
    }
}

async fn terminate(host: &Arc<Host>, shell: &Shell, id: &str) {
    let mut attempt = 1;
    let signalled = loop {
        match signal(host, shell, id).await {
            // A command is often left because its connection broke, and then this one may break as well.
            Err(error) if is_lost(&error.kind) && attempt < SIGNAL_ATTEMPTS => {
                tracing::info!(host = %host.name, command = %id, attempt, error = %error.kind, "ending it again");
                host.pause(attempt).await;
                attempt += 1;
            }
            result => break result,
        }
    };
    match signalled {
        Ok(()) => tracing::debug!(host = %host.name, command = %id, "ended the command"),
        Err(error) => tracing::warn!(
            host = %host.name, command = %id, error = %error.kind,
            "the command could not be ended; the host ends it with its shell"
        ),
    }
}

async fn signal(host: &Arc<Host>, shell: &Shell, id: &str) -> Result<(), Error> {
    let mut lease = host.connections.lease_for_cleaning();
    let message = host.sender.terminate(&shell.id, id);
    lease.exchange(Operation::SignalCommand, message, |reply| reply::confirmed(reply, "SignalResponse")).await
}

async fn start_in_shell(
    host: Arc<Host>,
    mut lease: Lease,
    command: &str,
    arguments: &[String],
    is_wanted: impl Fn() -> bool,
) -> Result<Command, Error> {
    let operation = Operation::StartCommand;
    let mut repeated = false;
    loop {
        let shell = host.shell(&mut lease, &is_wanted).await?;
        let error = match request_start(&host, &mut lease, &shell, command, arguments).await {
            Ok(id) => {
                tracing::debug!(host = %host.name, command = %id, "started a command");
                let lease = Some(lease);
                return Ok(Command { host, lease, shell: Some(shell), id, ended: false, may_lack_output: false });
            }
            Err(error) => error,
        };
        let replaceable = matches!(error.kind, Kind::ShellGone(_) | Kind::QuotaOperations(_) | Kind::QuotaCommands(_));
        if !replaceable || repeated {
            host.release(shell);
            return Err(error);
        }
        tracing::info!(host = %host.name, %operation, error = %error.kind, "opening another shell");
        if matches!(error.kind, Kind::ShellGone(_)) {
            shell.mark_gone();
        }
        host.retire(&shell).await;
        host.release_at_once(shell, &mut lease).await;
        repeated = true;
    }
}

async fn request_start(
    host: &Host,
    lease: &mut Lease,
    shell: &Shell,
    command: &str,
    arguments: &[String],
) -> Result<String, Error> {
    let operation = Operation::StartCommand;
    let message = host
        .sender
        .command(&shell.id, command, arguments)
        .map_err(|kind| Error::before_start(&host.name, operation, kind))?;
    lease.exchange(operation, message, reply::command_id).await
}

/// Whether a connection failed under a request, or could not be replaced.
fn is_lost(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::ConnectionLost(_)
            | Kind::Timeout { .. }
            | Kind::Refused { .. }
            | Kind::ConnectTimeout { .. }
            | Kind::Silent { .. }
            | Kind::Unreachable { .. }
            | Kind::Proxy { .. }
            | Kind::ProxySilent { .. }
    )
}

/// Whether the host refused a piece of input while it still answers about the command itself.
pub(crate) fn is_refused_input(error: &Error) -> bool {
    error.operation == Operation::SendInput
        && error.started == Started::Unknown
        && matches!(error.kind, Kind::Fault(_) | Kind::Aborted(_) | Kind::Busy(_) | Kind::AccessDenied(_))
}
