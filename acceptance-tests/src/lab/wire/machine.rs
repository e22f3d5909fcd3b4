//! What a simulated host is to the wire: accounts that can log on, and processes that can be started.
//!
//! A process is a set of channels. The wire holds [`Process`]; whoever simulates the host holds [`ProcessHost`] in a
//! task of its own and reads, writes and exits through it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::lab::wire::ntlm::keys;
use crate::lab::wire::psrp::{Pipeline, Script, Thrown};
use crate::lab::wire::web_site::Page;

/// Exit code of a process that Ctrl-C ended (`STATUS_CONTROL_C_EXIT`, as a signed 32-bit number).
pub const EXIT_CONTROL_C: i32 = 0xC000_013A_u32 as i32;
/// Exit code reported for a process that went away without exiting (`STATUS_ACCESS_VIOLATION`).
pub const EXIT_CRASHED: i32 = 0xC000_0005_u32 as i32;

/// A simulated Windows host, as far as WinRM can see it.
pub trait Machine: Send + Sync + 'static {
    /// Name under which clients reach the host, for instance `mfa01.contoso.com`. Compared without regard to case.
    fn name(&self) -> &str;

    /// The account that a client means by these names, exactly as it sent them.
    ///
    /// `domain` is empty when none was sent; a user principal name (`user@domain`) arrives whole in `user`.
    fn account(&self, domain: &str, user: &str) -> Option<Account>;

    /// Starts a process. Called inside a tokio runtime; must not block: spawn, and return at once.
    fn start(&self, command: CommandLine) -> Process;

    /// What its web site answers to a request for a path. Short, because nobody else is served meanwhile.
    fn page(&self, _path: &str) -> Page {
        Page::new(404, "Not Found")
    }

    /// Begins a script that came by PowerShell remoting. Called inside a tokio runtime; must not block for long.
    ///
    /// # Errors
    /// What the script throws at once; a host that knows no scripts says so.
    fn begin(&self, _script: &Script) -> Result<Box<dyn Pipeline>, Thrown> {
        Err(Thrown("this host of the lab has no PowerShell".to_owned()))
    }

    /// `major.minor.build` as Identify reports it.
    fn operating_system_version(&self) -> String {
        "10.0.17763".to_owned()
    }
}

/// An account of a simulated host. Holds the NT hash of the password, as Windows does.
#[derive(Clone)]
pub struct Account {
    /// `DOMAIN\user` or `user`, as the shell's owner is reported.
    pub name: String,
    /// MD4 of the password in UTF-16LE.
    pub nt_hash: [u8; 16],
    /// Only administrators may open a command shell; others get fault 5.
    pub administrator: bool,
}

impl Account {
    /// An administrator with this password.
    pub fn administrator(name: &str, password: &str) -> Self {
        Self { name: name.to_owned(), nt_hash: keys::nt_hash(password), administrator: true }
    }
}

/// A command that a client asked a shell to run, with what the shell was created with.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The program, as sent.
    pub program: String,
    /// The arguments, as sent; Windows joins them with single spaces.
    pub arguments: Vec<String>,
    /// `WINRS_SKIP_CMD_SHELL`: started without `cmd.exe /c`.
    pub skip_cmd_shell: bool,
    /// Variables of the shell.
    pub environment: BTreeMap<String, String>,
    /// Directory the shell was opened in.
    pub working_directory: Option<String>,
    /// Console code page of the shell: `WINRS_CODEPAGE` when it was in the SOAP header, else 437.
    pub code_page: u32,
    /// `WINRS_NOPROFILE`.
    pub no_profile: bool,
    /// Identifier of the shell; processes end with it.
    pub shell_id: String,
    /// Who runs it.
    pub user: String,
}

impl CommandLine {
    /// The whole command line as the host sees it.
    pub fn text(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// What a process does that a client can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
    /// The process has ended; nothing follows.
    Exit(i32),
}

/// The wire's end of a process.
pub struct Process {
    pub(crate) stdin: mpsc::Sender<Bytes>,
    pub(crate) output: mpsc::Receiver<Output>,
    pub(crate) kill: watch::Sender<bool>,
    pub(crate) alive: Weak<()>,
}

/// The simulated host's end of a process. The process lives as long as this or one of its [`OutputSender`]s does.
pub struct ProcessHost {
    stdin: mpsc::Receiver<Bytes>,
    output: OutputSender,
    killed: watch::Receiver<bool>,
}

/// Writes output of one process; can be cloned into several tasks.
#[derive(Clone)]
pub struct OutputSender {
    sender: mpsc::Sender<Output>,
    _alive: Arc<()>,
}

/// The process was killed or its shell is gone: nobody reads what is written.
#[derive(Debug, thiserror::Error)]
#[error("the process was ended from outside")]
pub struct Ended;

impl Process {
    /// A new process: the wire's end to return from [`Machine::start`], and the host's end to work with.
    pub fn channel() -> (Process, ProcessHost) {
        // One chunk of stdin waits, as in a pipe that is full: a slow reader makes the client's Send wait.
        let (stdin_sender, stdin) = mpsc::channel(1);
        let (sender, output) = mpsc::channel(64);
        let (kill, killed) = watch::channel(false);
        let alive = Arc::new(());
        let process = Process { stdin: stdin_sender, output, kill, alive: Arc::downgrade(&alive) };
        (process, ProcessHost { stdin, output: OutputSender { sender, _alive: alive }, killed })
    }

    /// A process that runs `body` in a task; the task is dropped where it stands when the process is killed.
    pub fn spawn<F, R>(body: F) -> Process
    where
        F: FnOnce(ProcessHost) -> R,
        R: Future<Output = ()> + Send + 'static,
    {
        let (process, host) = Process::channel();
        let killed = host.killed();
        let body = body(host);
        tokio::spawn(async move {
            tokio::select! {
                () = killed => {}
                () = body => {}
            }
        });
        process
    }

    /// Lets `listen` hear what is written to standard input, before the process does.
    #[must_use]
    pub fn overhear(mut self, mut listen: impl FnMut(&[u8]) + Send + 'static) -> Process {
        let (sender, mut heard) = mpsc::channel::<Bytes>(1);
        let stdin = std::mem::replace(&mut self.stdin, sender);
        tokio::spawn(async move {
            while let Some(chunk) = heard.recv().await {
                listen(&chunk);
                if stdin.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        self
    }
}

impl ProcessHost {
    /// The next chunk of standard input; `None` at its end.
    pub async fn read_stdin(&mut self) -> Option<Bytes> {
        self.stdin.recv().await
    }

    /// All of standard input, until its end.
    pub async fn read_stdin_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = self.read_stdin().await {
            all.extend_from_slice(&chunk);
        }
        all
    }

    /// A writer for output that can be used while standard input is read.
    pub fn output(&self) -> OutputSender {
        self.output.clone()
    }

    /// Completes when the process has to end (signal, closed shell, host restarted).
    pub fn killed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut killed = self.killed.clone();
        // A dropped wire end is an end as well.
        async move { while !*killed.borrow_and_update() && killed.changed().await.is_ok() {} }
    }

    /// Whether the process has to end. Then the end of standard input is none.
    pub fn is_killed(&self) -> bool {
        *self.killed.borrow()
    }

    /// Writes to standard output.
    pub async fn stdout(&self, bytes: impl Into<Bytes>) -> Result<(), Ended> {
        self.output.send(Output::Stdout(bytes.into())).await
    }

    /// Writes to standard error.
    pub async fn stderr(&self, bytes: impl Into<Bytes>) -> Result<(), Ended> {
        self.output.send(Output::Stderr(bytes.into())).await
    }

    /// Ends the process.
    pub async fn exit(self, code: i32) {
        // Nobody left to read the exit code is not an error of the process.
        let _ = self.output.send(Output::Exit(code)).await;
    }
}

impl OutputSender {
    /// Sends one piece of output; waits while the client does not read.
    pub async fn send(&self, output: Output) -> Result<(), Ended> {
        self.sender.send(output).await.map_err(|_| Ended)
    }
}

/// A machine whose processes are made by a closure; for tests of the wire alone.
pub struct ClosureMachine<F> {
    pub name: String,
    pub account: Account,
    pub start: F,
}

impl<F: Fn(CommandLine) -> Process + Send + Sync + 'static> Machine for ClosureMachine<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn account(&self, domain: &str, user: &str) -> Option<Account> {
        account_matches(&self.account.name, domain, user).then(|| self.account.clone())
    }

    fn start(&self, command: CommandLine) -> Process {
        (self.start)(command)
    }
}

/// Whether the names a client sent mean the account `DOMAIN\user` (or plain `user`, a local account).
///
/// A local account is found under no domain or any; a domain account under its domain's NetBIOS or DNS name, or by
/// user principal name.
pub fn account_matches(account: &str, domain: &str, user: &str) -> bool {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let (sent_domain, sent_user) = match user.split_once('@') {
        Some((user, domain)) => (domain, user),
        None => (domain, user),
    };
    match account.split_once('\\') {
        None => account.eq_ignore_ascii_case(sent_user),
        Some((domain, user)) => user.eq_ignore_ascii_case(sent_user) && short(domain) == short(sent_domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(account: &str, domain: &str, user: &str, expected: bool) {
        assert_eq!(account_matches(account, domain, user), expected, "{account}: {domain} {user}");
    }

    #[tokio::test]
    async fn an_overheard_process_hears_the_same() {
        let (heard, hear) = std::sync::mpsc::channel();
        let process = Process::spawn(|mut process: ProcessHost| async move {
            let input = process.read_stdin_to_end().await;
            let _ = process.stdout(input).await;
        });
        let mut process = process.overhear(move |bytes| heard.send(bytes.to_vec()).expect("a listener"));
        for chunk in ["one ", "two"] {
            process.stdin.send(Bytes::from(chunk)).await.expect("a reader");
        }
        let (closed, _) = mpsc::channel(1);
        process.stdin = closed;
        match process.output.recv().await {
            Some(Output::Stdout(bytes)) => assert_eq!(bytes, "one two"),
            other => panic!("{other:?}"),
        }
        assert_eq!(hear.iter().collect::<Vec<_>>().concat(), b"one two");
    }

    #[test]
    fn finds_accounts_by_every_form_of_their_name() {
        check("operator", "", "Operator", true);
        check("operator", "MFA01", "operator", true);
        check("operator", "", "other", false);
        check("CONTOSO\\operator", "contoso", "operator", true);
        check("CONTOSO\\operator", "contoso.com", "operator", true);
        check("CONTOSO\\operator", "", "operator@contoso.com", true);
        check("CONTOSO\\operator", "", "operator", false);
        check("CONTOSO\\operator", "FABRIKAM", "operator", false);
        check("CONTOSO\\operator", "", "operator@fabrikam.com", false);
    }
}
