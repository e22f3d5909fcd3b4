//! A session with one host: run commands there, in one shell, over a few connections.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::winrm::command::{Command, is_refused_input};
use crate::winrm::endpoint::Endpoint;
use crate::winrm::error::{Error, Kind, MAXIMUM_COMMAND_LINE, Operation};
use crate::winrm::process::Process;
use crate::winrm::shell::{Host, spawn};
use crate::winrm::soap::reply::CommandState;
use crate::winrm::stdin::Stdin;

/// A session with one host. Clones share the shell and the connections.
///
/// Dropping the last clone closes the shell in the background; [`Session::close`] waits for it.
#[derive(Clone)]
pub struct Session {
    owner: Arc<Owner>,
}

/// What a finished command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code; Windows codes above `i32::MAX` come out negative.
    pub exit_code: i32,
    /// Standard output as bytes. Empty when it was handed on in pieces.
    pub stdout: Vec<u8>,
    /// Standard error as bytes. PowerShell writes CLIXML here, see [`crate::winrm::clixml`].
    pub stderr: Vec<u8>,
    /// A connection broke while output was waited for: what the host had sent by then may be missing.
    pub may_lack_output: bool,
}

/// Closes the shell with the last clone; background work holds the host itself, not this.
struct Owner(Arc<Host>);

impl Drop for Owner {
    fn drop(&mut self) {
        let host = Arc::clone(&self.0);
        spawn(async move { host.close().await });
    }
}

impl Session {
    /// A session that has done nothing yet; the first command connects.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { owner: Arc::new(Owner(Host::new(endpoint))) }
    }

    /// Whether the two are clones of one another.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.owner, &other.owner)
    }

    /// Connects, unless a connection is open. The host is not asked for anything yet.
    pub async fn connect(&self) -> Result<(), Error> {
        self.owner.0.connections.connect().await
    }

    /// The shortest time that a message to the host and its answer took so far.
    pub fn round_trip(&self) -> Option<Duration> {
        self.owner.0.connections.round_trip()
    }

    /// Logs on and opens the shell, unless one is open. Nothing runs yet.
    pub async fn open(&self) -> Result<(), Error> {
        let host = Arc::clone(&self.owner.0);
        let name = host.name.clone();
        // In a task of its own, as commands start: only the answer tells the name by which the shell can be closed.
        let (answer, answered) = oneshot::channel();
        let task = async move {
            let mut lease = host.connections.lease().await;
            let opened = host.shell(&mut lease, || !answer.is_closed()).await.map(drop);
            // Nobody may listen any more: then the session closes the shell.
            let _ = answer.send(opened);
        };
        tokio::spawn(task.in_current_span());
        answered
            .await
            .unwrap_or_else(|_| Err(Error::before_start(&name, Operation::CreateShell, Kind::ConnectionLost(None))))
    }

    /// Starts a process in the host's shell that is talked with while it runs; limits and quoting as with
    /// [`Session::run`]. It ends with the session.
    pub async fn start(&self, command: &str, arguments: &[&str]) -> Result<Process, Error> {
        self.start_command(command, arguments).await.map(Process::new)
    }

    async fn start_command(&self, command: &str, arguments: &[&str]) -> Result<Command, Error> {
        let host = &self.owner.0;
        check_length(command, arguments)
            .map_err(|kind| Error::before_start(&host.name, Operation::StartCommand, kind))?;
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Command::start(host, command.to_owned(), arguments).await
    }

    /// Runs one process in the host's shell and waits for its end, however long that takes.
    ///
    /// Windows joins command and arguments with blanks and hands the line to `cmd.exe`; quoting is
    /// the caller's. The shell is opened by the first command and used again. Several commands may
    /// run at once; they share the connections that [`crate::winrm::limits`] allow. Dropping the future ends the command.
    ///
    /// A non-zero exit code is no error. [`Error::started`] says whether an error can have left
    /// the command running or done.
    pub async fn run(&self, command: &str, arguments: &[&str], stdin: Stdin<'_>) -> Result<Output, Error> {
        let mut stdout = Vec::new();
        let mut collect = |bytes: &[u8]| stdout.extend_from_slice(bytes);
        let output = self.run_streaming(command, arguments, stdin, &mut collect).await?;
        Ok(Output { stdout, ..output })
    }

    /// As [`Session::run`], but standard output is handed on in pieces while the process runs.
    #[tracing::instrument(level = "debug", skip_all, fields(host = %self.owner.0.name))]
    pub async fn run_streaming(
        &self,
        command: &str,
        arguments: &[&str],
        stdin: Stdin<'_>,
        on_stdout: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Output, Error> {
        let mut command = self.start_command(command, arguments).await?;
        // A process may end without reading its input; its exit code and words are then worth more
        // than the host's complaint about the input.
        let refused = match command.feed(stdin).await {
            Err(error) if is_refused_input(&error) => Some(error),
            result => {
                result?;
                None
            }
        };
        let mut stderr = Vec::new();
        loop {
            let received = match command.receive().await {
                Ok(received) => received,
                Err(error) => return Err(refused.unwrap_or(error)),
            };
            let Some(received) = received else {
                // It neither ends nor speaks, and waits for input that it cannot get.
                match refused {
                    Some(error) => return Err(error),
                    None => continue,
                }
            };
            if !received.stdout.is_empty() {
                on_stdout(&received.stdout);
            }
            stderr.extend_from_slice(&received.stderr);
            if let CommandState::Done(exit_code) = received.state {
                let may_lack_output = command.may_lack_output();
                return Ok(Output { exit_code, stdout: Vec::new(), stderr, may_lack_output });
            }
        }
    }

    /// Closes the shell and the connections; what still runs in the shell ends with it. Failures
    /// are only logged: the host closes shells that are idle. The session may be used again.
    pub async fn close(&self) {
        self.owner.0.close().await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("host", &self.owner.0.name).finish_non_exhaustive()
    }
}

fn check_length(command: &str, arguments: &[&str]) -> Result<(), Kind> {
    let units = |text: &str| text.encode_utf16().count();
    let length = units(command) + arguments.iter().map(|argument| units(argument) + 1).sum::<usize>();
    if length > MAXIMUM_COMMAND_LINE {
        return Err(Kind::CommandLineTooLong { length });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: &str, arguments: &[&str], too_long: Option<usize>) {
        let found = match check_length(command, arguments) {
            Ok(()) => None,
            Err(Kind::CommandLineTooLong { length }) => Some(length),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, too_long);
    }

    #[test]
    fn counts_as_windows_does() {
        check(&"x".repeat(8_000), &[], None);
        check(&"x".repeat(8_001), &[], Some(8_001));
        check("c", &[&"x".repeat(7_998)], None);
        check("c", &[&"x".repeat(7_998), ""], Some(8_001));
        // Two UTF-16 units each.
        check(&"\u{1f600}".repeat(4_001), &[], Some(8_002));
    }
}
