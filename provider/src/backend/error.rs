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
    /// The connection or the time was lost while work was under way; it may have been done.
    Lost { reason: String },
    /// The answer was not what the script promises.
    Unintelligible(String),
    /// PowerShell ended and the script had answered nothing.
    NoReply { reason: String, advice: &'static str },
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
    /// Another run has the lease on the host.
    Leased { reason: String, advice: String },
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

impl Cause {
    /// What a person can do about it, where what was found does not say it itself.
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Unreachable { advice, .. } | Self::Denied { advice, .. } | Self::Leased { advice, .. } => {
                Some(advice)
            }
            Self::NoReply { advice, .. } => Some(advice),
            Self::Script { kind: ScriptErrorKind::PowershellTooOld, .. } => Some(NEWER_POWERSHELL),
            _ => None,
        }
    }

    /// What was found.
    pub fn finding(&self) -> String {
        match self {
            Self::NoConnection(reason)
            | Self::Settings(reason)
            | Self::Local(reason)
            | Self::Unhealthy(reason)
            | Self::Balancer { reason, .. }
            | Self::Leased { reason, .. }
            | Self::Unreachable { reason, .. }
            | Self::Denied { reason, .. } => reason.clone(),
            Self::Script { script, message, line, .. } => match line {
                Some(line) => format!("{message} (script {script}, line {line})"),
                None => format!("{message} (script {script})"),
            },
            Self::Installer { exit_code, log } => {
                let log: String = log.iter().map(|line| format!("\n    {line}")).collect();
                format!("the installer ended with exit code {exit_code}{log}")
            }
            Self::Lost { reason } => {
                format!("the step was broken off while it was under way, so it may have been done: {reason}")
            }
            Self::Unintelligible(reason) | Self::NoReply { reason, .. } => {
                format!("the host's answer could not be used: {reason}")
            }
            Self::Unproven(reason) => format!("the check after the step failed: {reason}"),
            Self::Stopped => "the run was asked to stop before this step was done".to_owned(),
        }
    }
}

const NEWER_POWERSHELL: &str = "`wusa.exe Win8.1AndW2K12R2-KB3191564-x64.msu` installs Windows Management Framework 5.1 on \
    Windows Server 2012 R2, KB3191565 on 2012, KB3191566 on 2008 R2. Restart the host afterwards.";

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.finding())?;
        self.advice().map_or(Ok(()), |advice| write!(formatter, ". {advice}"))
    }
}
