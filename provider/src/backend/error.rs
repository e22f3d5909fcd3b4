//! Why a host could not be read or a step not be performed.

use std::error::Error;
use std::fmt;

/// A failure on one host, with enough for a person to act on.
#[derive(Debug, Clone)]
pub struct HostError {
    /// The host's name as declared.
    pub host: String,
    /// What was tried, in words: "read the host", "run the server setup".
    pub operation: String,
    pub cause: Cause,
}

/// The kind of a failure. Whether work may have been done decides what the message advises.
#[derive(Debug, Clone)]
pub enum Cause {
    /// No connection declares this host, or two match equally, or the allow-list forbids it.
    NoConnection(String),
    /// Nothing answered, or not as a WinRM service; nothing was started.
    Unreachable { reason: String, advice: String },
    /// The host answered and refused the credentials or the account lacks a right.
    Denied { reason: String, advice: String },
    /// A script refused or failed, by its closed set of kinds.
    Script { script: String, kind: ScriptErrorKind, message: String, line: Option<u32> },
    /// An installer ended with a code that is no success; the lines are those that may be shown.
    Installer { exit_code: i64, log: Vec<String> },
    /// The connection was lost while work was under way; it may have been done.
    Lost { reason: String },
    /// The answer was not what the script promises.
    Unintelligible(String),
    /// A check after the work did not find what it should.
    Unproven(String),
    /// A host did not answer its health check as it should.
    Unhealthy(String),
    /// A balancer did not say that it has done what it was asked for.
    Balancer {
        reason: String,
        /// Whether it may have done it all the same: the answer was lost, or says nothing of it.
        may_be_done: bool,
    },
    /// The run was asked to stop and this step had not begun or could be cut.
    Stopped,
    /// The provider's settings lack what the step needs (a release, arguments).
    Settings(String),
    /// The machine that runs Terraform could not do its part; nothing is wrong with the host.
    Local(String),
}

/// The closed set of error kinds that scripts share with the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptErrorKind {
    NotFound,
    AlreadyExists,
    AccessDenied,
    InvalidInput,
    Busy,
    Precondition,
    TimedOut,
    /// The host itself could not reach another machine: no route, no name, TLS or a proxy.
    Unreachable,
    PowershellTooOld,
    Other,
}

impl HostError {
    /// Whether the host could not be reached at all, so that the rest of a set may go on without it.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.cause, Cause::Unreachable { .. })
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: could not {}: {}", self.host, self.operation, self.cause)
    }
}

impl Error for HostError {}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(reason)
            | Self::Settings(reason)
            | Self::Local(reason)
            | Self::Unhealthy(reason)
            | Self::Balancer { reason, .. } => formatter.write_str(reason),
            Self::Unreachable { reason, advice } | Self::Denied { reason, advice } => {
                write!(formatter, "{reason}. {advice}")
            }
            Self::Script { script, message, line, .. } => {
                write!(formatter, "{message} (script {script}")?;
                if let Some(line) = line {
                    write!(formatter, ", line {line}")?;
                }
                formatter.write_str(")")
            }
            Self::Installer { exit_code, log } => {
                write!(formatter, "the installer ended with exit code {exit_code}")?;
                log.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
            }
            Self::Lost { reason } => write!(
                formatter,
                "the connection was lost while the step was under way, so it may have been done: {reason}"
            ),
            Self::Unintelligible(reason) => write!(formatter, "the host's answer could not be used: {reason}"),
            Self::Unproven(reason) => write!(formatter, "the check after the step failed: {reason}"),
            Self::Stopped => formatter.write_str("the run was asked to stop before this step was done"),
        }
    }
}
