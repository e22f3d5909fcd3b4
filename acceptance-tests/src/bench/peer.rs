//! The clients that are measured: each a program of ours around somebody's library, run as a process.
//!
//! All take the same command line and print lines `name value`, times in seconds. What they time begins and ends inside
//! their process, so no start of an interpreter or a program is in it, ours as little as theirs; that is in `process`,
//! which is timed here.
//! - `commands AUTHENTICATION URL SESSIONS FURTHER`: a session, the command `quick`, `FURTHER` more of them (each
//!   printed as `further`), the session's end; all of it printed as `cold`.
//! - `first AUTHENTICATION URL SESSIONS`: the same without further commands, printed as `first`, and without having
//!   loaded anything beforehand that a library itself loads when it first needs it.
//! - `query AUTHENTICATION URL TIMES FURTHER COMMAND INPUT`: a session, the command whose words are the lines of a file,
//!   with another file's bytes as its standard input, `FURTHER` more of them (each printed as `further`), the session's
//!   end; all of it printed as `query`. Ours has the provider's backend read the host instead.
//! - `upload AUTHENTICATION URL TIMES FILE SHA256`, ours with `--streams NUMBER|auto` behind it: a session, the file's bytes to
//!   a program on the host that must answer with their SHA-256, the session's end; printed as `upload`. With several
//!   streams the file goes in ranges, each to a program of its own, at most so many at once.
//! - `copy AUTHENTICATION URL TIMES FILE DESTINATION`: the file to a path on the host in the client's own way, printed as
//!   `upload`. Only pypsrp has it here.
//! - `hosts AUTHENTICATION URL,URL,... TIMES`: the first host asked alone (`one`), then all at once (`all`), and at
//!   the end `memory`, the highest resident size less that before all were asked, in KiB.
//! - `queries AUTHENTICATION URL,URL,... TIMES FURTHER COMMAND INPUT`: the same with `query`'s command on each host. Ours
//!   reads all hosts with one backend, by one connection.
//!
//! `LAB_USER`, `LAB_PASSWORD` and `LAB_AUTHORITY` (a PEM file) are in the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::figures::Figures;
use crate::bench::rows::Lack;
use crate::bench::stage::{Failure, PASSWORD, Ports, Stage, USER};
use crate::{paths, tools};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// This project's.
    Own,
    Pypsrp,
    Pywinrm,
    /// And winrmcp for files.
    Masterzen,
}

/// How a client logs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    Basic,
    Ntlm,
}

/// The programs, or why they cannot be had.
pub struct Peers(Vec<(Client, Result<Vec<OsString>, String>)>);

/// Exactly these, so that a new release of a client does not change what is compared.
const PACKAGES: [&str; 4] = ["pywinrm==0.5.0", "pypsrp==0.9.1", "pyspnego==0.12.4", "requests_ntlm==1.3.0"];
/// Whether this is what `cargo bench-lab` runs. Our own client is built as the benchmark is.
pub const RELEASE: bool = !cfg!(debug_assertions);
/// A client that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

impl Client {
    pub const ALL: [Self; 4] = [Self::Own, Self::Pypsrp, Self::Pywinrm, Self::Masterzen];
    /// All but our own.
    pub const OTHERS: [Self; 3] = [Self::Pypsrp, Self::Pywinrm, Self::Masterzen];

    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Pypsrp => "pypsrp",
            Self::Pywinrm => "pywinrm",
            Self::Masterzen => "masterzen",
        }
    }

    /// What it is, and how it is used here.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Own if RELEASE => "own: `azuremfa::winrm::session::Session`, built as it is shipped (release)",
            Self::Own => "own: `azuremfa::winrm::session::Session`, built for development: slower than what is shipped",
            Self::Pypsrp => {
                "pypsrp 0.9.1: its WinRS shell; files by its own `Client.copy` (`pypsrp copy`: PowerShell remoting, whose \
                 script the lab plays and writes the file), and as raw standard input of one WinRS command, cut to what it \
                 says fits a message (`pypsrp stdin`, which nobody offers ready-made)"
            }
            Self::Pywinrm => {
                "pywinrm 0.5.0: its `Session`, which opens a shell for every command; files in the way of Ansible's \
                 winrm connection, base64 lines of 250,000 bytes on standard input"
            }
            Self::Masterzen => {
                "masterzen: masterzen/winrm of 2025-09-27, files by packer-community/winrmcp of 2022-11-26 (the name \
                 under which the Go module proxy has masterzen/winrmcp). It polls a command's output while it sends input. \
                 Over HTTP its `encryption.go` holds one security session for both, so messages are sealed with another's \
                 keys, and over HTTPS the logons by NTLM mix on its pool of connections (masterzen/winrm issue 142); so \
                 what needs standard input is tried over HTTP and measured with Basic over HTTPS"
            }
        }
    }

    /// What it is known not to be able to do, in words for the table. It is tried all the same.
    fn unable(self, action: &str, is_sealed: bool) -> Option<&'static str> {
        let needs_input = matches!(action, "query" | "queries");
        (self == Self::Masterzen && needs_input && is_sealed).then_some("cannot: seals input with wrong keys")
    }
}

impl Authentication {
    fn argument(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Ntlm => "ntlm",
        }
    }
}

impl Peers {
    /// Builds or fetches all of them.
    ///
    /// # Errors
    /// When our own cannot be built.
    pub fn prepare() -> Result<Self, Failure> {
        let own = own().map_err(Failure::Client)?;
        let python = tools::python_environment("python-winrm-peers", &PACKAGES).map_err(|error| error.to_string());
        let script = folder().join("peer.py");
        let with_python = |name: &str| {
            let python = python.clone()?;
            Ok(vec![python.into(), script.clone().into(), name.into()])
        };
        Ok(Self(vec![
            (Client::Own, Ok(own)),
            (Client::Pypsrp, with_python("pypsrp")),
            (Client::Pywinrm, with_python("pywinrm")),
            (Client::Masterzen, masterzen().map(|program| vec![program.into()]).map_err(|error| error.to_string())),
        ]))
    }

    /// The clients that cannot be had, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (Client, &str)> {
        self.0.iter().filter_map(|(client, program)| Some((*client, program.as_ref().err()?.as_str())))
    }

    /// Runs a client to its end. `arguments` follow the URLs.
    ///
    /// # Errors
    /// Why the client is not there, or what it complained about.
    pub async fn run(
        &self,
        client: Client,
        stage: &Stage,
        how: (&str, Authentication, &Ports),
        arguments: &[String],
    ) -> Result<Figures, Lack> {
        let (action, authentication, ports) = how;
        self.try_to_run(client, stage, how, arguments).await.map_err(|reason| {
            match client.unable(action, authentication == Authentication::Ntlm && ports.is_plain()) {
                Some(words) if self.is_here(client) => Lack::Unable(words),
                _ => Lack::Skipped(reason),
            }
        })
    }

    fn is_here(&self, client: Client) -> bool {
        self.0.iter().any(|(known, program)| *known == client && program.is_ok())
    }

    async fn try_to_run(
        &self,
        client: Client,
        stage: &Stage,
        (action, authentication, ports): (&str, Authentication, &Ports),
        arguments: &[String],
    ) -> Result<Figures, String> {
        let program = self.0.iter().find(|(known, _)| *known == client).map(|(_, program)| program.clone());
        let program = program.ok_or("it is not prepared")??;
        let refusals = stage.refusals().len();
        let (totals, up, down, round_trips) =
            (stage.totals(), ports.bytes_up(), ports.bytes_down(), ports.round_trips());
        let mut command = tokio::process::Command::new(&program[0]);
        command
            .args(&program[1..])
            .args([action, authentication.argument(), &ports.urls()])
            .args(arguments)
            .envs([("LAB_USER", USER), ("LAB_PASSWORD", PASSWORD)])
            .env("LAB_AUTHORITY", stage.authority())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let begin = Instant::now();
        let output = tokio::time::timeout(LIMIT, command.output())
            .await
            .map_err(|_| format!("it did not end within {} s", LIMIT.as_secs()))?
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let process = begin.elapsed().as_secs_f64();
        if !output.status.success() {
            let told = last_line(&output.stderr);
            // Clients seldom say why they were refused; the lab knows.
            return Err(match stage.refusals().get(refusals) {
                Some(reason) => format!("{told} (the lab: {reason})"),
                None => told,
            });
        }
        let after = stage.totals();
        let mut read = Figures::read(&String::from_utf8_lossy(&output.stdout));
        read.printed.insert("process".to_owned(), vec![process]);
        Ok(Figures {
            requests: (after.requests - totals.requests) as f64,
            processes: (after.processes - totals.processes) as f64,
            bytes_up: (ports.bytes_up() - up) as f64,
            bytes_down: (ports.bytes_down() - down) as f64,
            round_trips: (ports.round_trips() - round_trips) as f64,
            turns: 1.0,
            ..read
        })
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-peers")
}

/// Built apart from the lab, which must not share code with the client.
fn own() -> Result<Vec<OsString>, String> {
    const PACKAGE: &str = "bench-peer-azuremfa";
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (profile, folder) = if RELEASE { ("release", "release") } else { ("dev", "debug") };
    let arguments = ["build", "--quiet", "--package", PACKAGE, "--profile", profile];
    build(Command::new(cargo).args(arguments).current_dir(paths::root()))?;
    Ok(vec![paths::target().join(folder).join(PACKAGE).into()])
}

/// masterzen/winrm as a program.
///
/// # Errors
/// When there is no Go here, or what it needs cannot be fetched.
pub fn masterzen() -> Result<PathBuf, tools::Unavailable> {
    tools::go_program("bench-peer-masterzen", &folder().join("masterzen"))
}

fn build(command: &mut Command) -> Result<(), String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{shown} cannot be started: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("{shown} failed: {}", last_line(&output.stderr))) }
}

fn last_line(printed: &[u8]) -> String {
    let printed = String::from_utf8_lossy(printed);
    // A Go program that panics lists its goroutines after the reason.
    let panic = printed.lines().find(|line| line.starts_with("panic: "));
    let last = panic.or_else(|| printed.lines().rev().find(|line| !line.trim().is_empty()));
    last.unwrap_or("it printed nothing").trim().to_owned()
}
