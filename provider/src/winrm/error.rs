//! What can go wrong between here and a command's exit code, each with its cure.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::winrm::advice::advice;
use crate::winrm::auth::kerberos::failure::Failure;
use crate::winrm::soap::fault::Fault;

/// A failed operation on a host.
///
/// `Display` says what was tried, where, and what was found; the chain of sources says why;
/// [`Error::advice`] says what to do about it.
#[derive(Debug)]
pub struct Error {
    /// The host, as the endpoint names it.
    pub host: String,
    /// What was being done.
    pub operation: Operation,
    /// Whether the command that was asked for can have started.
    pub started: Started,
    /// What was found.
    pub kind: Kind,
}

/// Whether a command can have had an effect when its run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It is certain that it did not start: running it again is safe.
    NotStarted,
    /// It may have started, and may still be running or have finished.
    Unknown,
}

/// The steps of talking to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Name, TCP, proxy and TLS.
    Connect,
    /// The exchange of authentication tokens.
    Authenticate,
    /// Opening the shell that commands run in.
    CreateShell,
    /// Starting a command.
    StartCommand,
    /// Sending a piece of a command's standard input.
    SendInput,
    /// Waiting for a command's output or end.
    ReceiveOutput,
    /// Ending a command.
    SignalCommand,
    /// Closing the shell.
    DeleteShell,
}

/// What was found. Faults with a meaning of their own have a variant; the rest is [`Kind::Fault`].
#[derive(Debug, thiserror::Error)]
pub enum Kind {
    /// The name does not resolve.
    #[error("the name `{name}` could not be resolved")]
    Name {
        name: String,
        #[source]
        source: io::Error,
    },
    /// Nothing listens on the port.
    #[error("{address} refused the connection")]
    Refused { address: String },
    /// Nothing took the connection.
    #[error("{address} did not answer within {} s", in_seconds(*.after))]
    ConnectTimeout { address: String, after: Duration },
    /// Something took the connection, and has said nothing at all since: neither TLS nor HTTP.
    #[error("{address} took the connection and gave no answer within {} s", in_seconds(*.after))]
    Silent { address: String, after: Duration },
    /// Any other failure of the network while connecting.
    #[error("{address} could not be reached")]
    Unreachable {
        address: String,
        #[source]
        source: io::Error,
    },
    /// The proxy did not open the way.
    #[error("the proxy {proxy} did not connect to the host: {answer}")]
    Proxy { proxy: String, answer: String },
    /// The proxy neither opened the way nor refused to.
    #[error("the proxy {proxy} did not say within {} s whether it reaches {target}", in_seconds(*.after))]
    ProxySilent { proxy: String, target: String, after: Duration },
    /// The proxy wants a user name and a password, or others.
    #[error("the proxy {proxy} asks for a user name and a password (HTTP 407{})", if *.tried { ", not those it was given" } else { "" })]
    ProxyLogin { proxy: String, tried: bool },
    /// The TLS handshake failed, or the certificate was not accepted.
    #[error("the TLS connection could not be set up")]
    Tls(#[source] io::Error),
    /// A setting of the endpoint cannot be used.
    #[error("{0}")]
    Setting(String),
    /// Basic authentication was asked for without TLS.
    #[error("basic authentication over plain HTTP would show the password to the network")]
    UnencryptedBasic,
    /// The host did not ask for the client certificate in the handshake. What it may try instead, a second handshake
    /// within TLS 1.2 or a later request for the certificate within TLS 1.3, rustls does not take part in.
    #[error("the host did not ask for the client certificate when the TLS connection was set up")]
    CertificateNotAsked,
    /// HTTP 401: the scheme is not offered, or the credentials were not accepted.
    #[error("HTTP 401, {refusal} (the server offers {})", list(.offered))]
    Unauthorized {
        /// The schemes of the server's `WWW-Authenticate` headers.
        offered: Vec<String>,
        /// How far it came.
        refusal: Refusal,
    },
    /// The authentication itself failed on this side: an unusable token or user name.
    #[error("the authentication could not be carried on: {step}")]
    Authentication {
        step: &'static str,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The login by Kerberos did not come about.
    #[error(transparent)]
    Kerberos(Arc<Failure>),
    /// HTTP 403.
    #[error("HTTP 403, the request was refused")]
    Forbidden,
    /// The answer is not one of a WS-Management service.
    #[error("the answer is not WS-Management (HTTP {status}, content type `{content_type}`)")]
    NotWsman { status: u16, content_type: String },
    /// The answer is not even HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// Any other HTTP status without a fault.
    #[error("HTTP {status}")]
    HttpStatus { status: u16 },
    /// A fault without a variant of its own.
    #[error("{0}")]
    Fault(Fault),
    /// The host held the request for the operation timeout (fault 2150858793).
    #[error("the host had no answer within the operation timeout: {0}")]
    TimedOut(Fault),
    /// The shell, or the command in it, does not exist any more (fault 2150858843).
    #[error("the shell or its command is gone: {0}")]
    ShellGone(Fault),
    /// The account has too many shells on the host (faults 2150859173, 2150859236, 2150859238).
    #[error("the account's quota of shells on the host is used up: {0}")]
    QuotaShells(Fault),
    /// The account has used up its operations (faults 2150859174, 2150859239, 2150859240).
    #[error("the quota of operations on the host is used up: {0}")]
    QuotaOperations(Fault),
    /// The shell has as many commands as it may have (fault 2150859241).
    #[error("the shell's quota of commands is used up: {0}")]
    QuotaCommands(Fault),
    /// As many accounts have shells as may have some (faults 2150859179, 2150859237).
    #[error("the host's quota of accounts with shells is used up: {0}")]
    QuotaUsers(Fault),
    /// More requests in a while than the host allows (faults 2150859175, 2150859176).
    #[error("the host gets more requests than it allows: {0}")]
    QuotaRequests(Fault),
    /// The shell's processes have no more memory (faults 8, 14, 1455, 1816).
    #[error("the shell or the host is out of memory: {0}")]
    QuotaMemory(Fault),
    /// The host wants smaller messages (subcode `EncodingLimit`, faults 2150858790, 2150858805, 2150858824).
    #[error("the message is larger than the host takes: {0}")]
    TooLarge(Fault),
    /// Remote shells or remote access are switched off (faults 2150859180, 2150859229).
    #[error("the host is set to refuse remote shells: {0}")]
    ShellsRefused(Fault),
    /// The host ended the request while it worked on it (faults 995, 1115, 2150858883).
    #[error("the host broke the request off: {0}")]
    Aborted(Fault),
    /// The host is busy with the request before (fault 170).
    #[error("the host is busy: {0}")]
    Busy(Fault),
    /// The account may not do this (fault 5).
    #[error("access is denied: {0}")]
    AccessDenied(Fault),
    /// No HTTP reply in time.
    #[error("no reply within {} s", in_seconds(*.after))]
    Timeout { after: Duration },
    /// The connection broke.
    #[error("the connection was lost")]
    ConnectionLost(#[source] Option<Box<dyn StdError + Send + Sync>>),
    /// An answer that cannot be understood.
    #[error("the answer cannot be understood: {0}")]
    Malformed(&'static str),
    /// An encrypted answer that is not what the host sealed for this request.
    #[error("the host's encrypted answer cannot be trusted: {0}")]
    Unsealed(&'static str),
    /// More than `cmd.exe` can take.
    #[error("the command line has {length} characters, {MAXIMUM_COMMAND_LINE} are possible")]
    CommandLineTooLong { length: usize },
    /// A character that XML cannot carry.
    #[error("the text contains the control character U+{:04X}", *.0 as u32)]
    ControlCharacter(char),
    /// The source of the command's standard input failed.
    #[error("the input for the command could not be read")]
    Stdin(#[source] io::Error),
}

/// How far an authentication came that ended in HTTP 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The scheme is not among those the server offers.
    NotOffered,
    /// The server offers the scheme, but did not answer its first token.
    NotContinued,
    /// The server took part to the end and refused the credentials.
    Rejected,
    /// The server saw the client certificate and logged nobody in with it.
    CertificateRejected,
}

/// The longest command line, in UTF-16 units. `cmd.exe` stops at 8,191 and then, on some versions,
/// ends with exit code 0 and no output: the worst of answers.
pub const MAXIMUM_COMMAND_LINE: usize = 8_000;

impl Kind {
    /// Whether the account was refused: to try again would only bring it nearer to being locked.
    pub fn refuses_credentials(&self) -> bool {
        match self {
            Self::Unauthorized { refusal, .. } => *refusal == Refusal::Rejected,
            Self::Kerberos(failure) => failure.refuses_credentials(),
            _ => false,
        }
    }

    /// What it is when this operation met it: silence after what may have started something is more than a port's.
    pub(crate) fn met_by(self, operation: Operation) -> Self {
        match self {
            Self::Silent { after, .. } if !matches!(operation, Operation::Authenticate | Operation::CreateShell) => {
                Self::Timeout { after }
            }
            kind => kind,
        }
    }

    /// Whether it shows that the request it answers had no effect on the host.
    ///
    /// A gateway may give an answer of its own after it has handed a request on. What the others ask for does no harm when it
    /// is asked for twice, but input is what a process acts on: of that only the host says so, in a message, or its HTTP
    /// service, which asks for the logon and counts the bytes before it hands anything on.
    pub(crate) fn proves_no_effect(&self, operation: Operation) -> bool {
        let is_input = operation == Operation::SendInput;
        match self {
            Self::Name { .. }
            | Self::Refused { .. }
            | Self::ConnectTimeout { .. }
            | Self::Unreachable { .. }
            | Self::Proxy { .. }
            | Self::ProxySilent { .. }
            | Self::ProxyLogin { .. }
            | Self::Tls(_)
            | Self::CertificateNotAsked
            | Self::Setting(_)
            | Self::UnencryptedBasic
            | Self::Unauthorized { .. }
            | Self::HttpStatus { status: 413 }
            | Self::ShellGone(_)
            | Self::QuotaShells(_)
            | Self::QuotaOperations(_)
            | Self::QuotaCommands(_)
            | Self::QuotaUsers(_)
            | Self::QuotaRequests(_)
            | Self::TooLarge(_)
            | Self::ShellsRefused(_)
            | Self::Busy(_)
            | Self::AccessDenied(_)
            | Self::CommandLineTooLong { .. }
            | Self::ControlCharacter(_) => true,
            Self::Forbidden | Self::NotWsman { .. } | Self::HttpStatus { status: 300..=499 | 503 } => !is_input,
            Self::HttpStatus { .. } => false,
            Self::Authentication { .. }
            | Self::Kerberos(_)
            | Self::Fault(_)
            | Self::QuotaMemory(_)
            | Self::Aborted(_)
            | Self::TimedOut(_)
            | Self::Silent { .. }
            | Self::Timeout { .. }
            | Self::ConnectionLost(_)
            | Self::Malformed(_)
            | Self::Unsealed(_)
            | Self::NotHttp
            | Self::Stdin(_) => false,
        }
    }
}

impl Error {
    /// An error whose kind alone says whether something can have started.
    pub(crate) fn new(host: &str, operation: Operation, kind: Kind) -> Self {
        Self {
            host: host.to_owned(),
            operation,
            started: if kind.proves_no_effect(operation) { Started::NotStarted } else { Started::Unknown },
            kind,
        }
    }

    /// An error before anything that could have an effect was sent.
    pub(crate) fn before_start(host: &str, operation: Operation, kind: Kind) -> Self {
        Self { started: Started::NotStarted, ..Self::new(host, operation, kind) }
    }

    /// What an operator can do about it: full sentences, naming settings and commands.
    pub fn advice(&self) -> &'static str {
        advice(&self.kind)
    }

    /// The same error, after a point at which the command may have started.
    #[must_use]
    pub(crate) fn after_start(mut self) -> Self {
        self.started = Started::Unknown;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = match self.operation {
            Operation::Connect | Operation::Authenticate => "to",
            _ => "on",
        };
        write!(formatter, "{} {preposition} {}: {}", self.operation, self.host, self.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.kind.source()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connect => "connecting",
            Self::Authenticate => "logging in",
            Self::CreateShell => "opening a shell",
            Self::StartCommand => "starting a command",
            Self::SendInput => "sending input to a command",
            Self::ReceiveOutput => "waiting for a command",
            Self::SignalCommand => "ending a command",
            Self::DeleteShell => "closing the shell",
        })
    }
}

impl fmt::Display for Started {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotStarted => "not_started",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotOffered => "the authentication scheme is not offered",
            Self::NotContinued => "the authentication was broken off",
            Self::Rejected => "the credentials were not accepted",
            Self::CertificateRejected => "the client certificate was not accepted",
        })
    }
}

/// To the hundredth, as what is left of a limit is odd.
pub(crate) fn in_seconds(after: Duration) -> f64 {
    (after.as_secs_f64() * 100.0).round() / 100.0
}

fn list(offered: &[String]) -> String {
    if offered.is_empty() { "none".to_owned() } else { offered.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, text: &str) {
        let error = Error {
            host: "mfa01.contoso.com".to_owned(),
            operation: Operation::CreateShell,
            started: Started::NotStarted,
            kind,
        };
        assert_eq!(error.to_string(), format!("opening a shell on mfa01.contoso.com: {text}"));
        assert!(error.advice().ends_with('.'), "{}", error.advice());
    }

    #[test]
    fn names_operation_host_and_finding() {
        check(
            Kind::Unauthorized {
                offered: vec!["Negotiate".to_owned(), "Basic".to_owned()],
                refusal: Refusal::Rejected,
            },
            "HTTP 401, the credentials were not accepted (the server offers Negotiate, Basic)",
        );
        check(
            Kind::Unauthorized { offered: Vec::new(), refusal: Refusal::NotOffered },
            "HTTP 401, the authentication scheme is not offered (the server offers none)",
        );
        check(Kind::Timeout { after: Duration::from_millis(1500) }, "no reply within 1.5 s");
        check(Kind::ControlCharacter('\u{1b}'), "the text contains the control character U+001B");
    }

    #[test]
    fn leaves_the_cause_to_the_chain() {
        let error = Error {
            host: "h".to_owned(),
            operation: Operation::Connect,
            started: Started::NotStarted,
            kind: Kind::Unreachable { address: "h:1".to_owned(), source: io::Error::other("no route") },
        };
        assert!(!error.to_string().contains("no route"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("no route"));
    }
}
