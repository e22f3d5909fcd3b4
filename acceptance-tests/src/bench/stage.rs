//! What the clients are measured against: lab hosts whose programs cost next to nothing.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::bench::delay::Delay;
use crate::lab::estate::{Estate, demo};
use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::machine::{LabMachine, Link, Player};
use crate::lab::wire::host::Settings;
use crate::lab::wire::machine::{Account, CommandLine, Machine, Process, ProcessHost};
use crate::lab::wire::ntlm::acceptor::ChannelBinding;
use crate::lab::wire::psrp::{Pipeline, Script, Thrown};
use crate::lab::wire::record::Listener;
use crate::lab::wire::server::{StartError, WireServer};
use crate::lab::wire::shells::Quotas;

/// Of a domain, so that the provider tries it on one host before it does on all.
pub const USER: &str = "CONTOSO\\operator";
pub const PASSWORD: &str = "a password of the lab";
/// How long a host collects output. Enough for a program that writes and ends at once; whoever keeps a program running
/// waits for it with every answer.
const GATHERING: Duration = Duration::from_millis(1);

/// A host: a few commands for the wire's sake, and the provider's scripts. Its processes are counted, and what the first
/// script is told is kept, so that others can tell it the same.
struct Station {
    scripts: LabMachine,
    started: Arc<AtomicUsize>,
    capture: Arc<Mutex<Capture>>,
}

#[derive(Default)]
struct Capture {
    words: Vec<String>,
    input: Vec<u8>,
}

/// A server with some hosts.
pub struct Stage {
    server: WireServer,
    started: Arc<AtomicUsize>,
    capture: Arc<Mutex<Capture>>,
    authority: NamedTempFile,
    /// The folder that all hosts share.
    folder: HostFolder,
    /// Holds it.
    _estate: Estate,
}

/// Ports in front of hosts, one for each.
pub struct Ports {
    scheme: &'static str,
    ports: Vec<Delay>,
}

/// Totals of a stage at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub requests: usize,
    pub processes: usize,
}

/// A measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the lab does not start")]
    Lab(#[from] StartError),
    #[error("the folder of the hosts cannot be made")]
    Host(#[from] LabError),
    #[error("a file or port of the lab cannot be made")]
    Io(#[from] std::io::Error),
    /// A client failed; says which and what it printed.
    #[error("{0}")]
    Client(String),
}

impl Stage {
    /// Starts a server with this many hosts.
    pub async fn start(hosts: usize) -> Result<Self, Failure> {
        let started = Arc::new(AtomicUsize::new(0));
        let capture = Arc::default();
        // As Windows is by default: masterzen/winrm sends no channel binding. Full messages of pypsrp are over 500 KB once
        // they are sealed.
        let settings = |number| Settings {
            channel_binding: ChannelBinding::Relaxed,
            quotas: Quotas { max_envelope_size_kb: 501, ..Quotas::default() },
            gathering: Some(GATHERING),
            other_names: own_address(number).map(|address| address.to_string()).into_iter().collect(),
            ..Settings::default()
        };
        let estate = Estate::temporary()?;
        // Queries only read, so one folder does for all.
        let folder = demo::server("bench.contoso.com").write(&estate)?;
        let account = Account::administrator(USER, PASSWORD);
        let mut builder = WireServer::builder();
        for number in 0..hosts {
            let name = name(number);
            let scripts = LabMachine::new(&name, folder.clone(), account.clone(), Player::Native, Link::default());
            let machine = Station { scripts, started: Arc::clone(&started), capture: Arc::clone(&capture) };
            builder = builder.host_with(Arc::new(machine), settings(number));
        }
        let server = builder.start().await?;
        let mut authority = NamedTempFile::new()?;
        authority.write_all(server.authority_pem().as_bytes())?;
        Ok(Self { server, started, capture, authority, folder, _estate: estate })
    }

    /// The command line and the standard input of the first script that ran.
    pub fn captured(&self) -> (Vec<String>, Vec<u8>) {
        let capture = self.capture.lock().expect("capture");
        (capture.words.clone(), capture.input.clone())
    }

    /// The hash of a file on the hosts, which is taken away.
    pub fn take_hash(&self, windows: &str) -> Result<String, Failure> {
        let hash = hex(&Sha256::digest(self.folder.read(windows)?));
        self.folder.remove(windows)?;
        Ok(hash)
    }

    /// A file with the certificates that clients have to trust.
    pub fn authority(&self) -> &std::path::Path {
        self.authority.path()
    }

    /// Opens ports to the first `hosts` hosts at this distance: one at `localhost`; several at addresses of their own
    /// with the same port, as one connection of the provider has one. The hosts have certificates for both.
    pub async fn open(&self, hosts: usize, listener: Listener, round_trip: Duration) -> Result<Ports, Failure> {
        let mut ports: Vec<Delay> = Vec::new();
        for number in 0..hosts {
            let address = own_address(number).filter(|_| hosts > 1).unwrap_or(Ipv4Addr::LOCALHOST);
            let port = ports.first().map_or(0, |first| first.address().port());
            let target = self.server.open_port(&name(number), listener).await?;
            ports.push(Delay::open((address, port).into(), target, round_trip).await?);
        }
        let scheme = if listener == Listener::Https { "https" } else { "http" };
        Ok(Ports { scheme, ports })
    }

    /// Why logons were refused so far, on all hosts.
    pub fn refusals(&self) -> Vec<String> {
        self.server.hosts().flat_map(|host| host.record().refusals).collect()
    }

    /// What has happened so far on all hosts.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { processes: self.started.load(Ordering::Relaxed), ..Totals::default() };
        for host in self.server.hosts() {
            totals.requests += host.record().requests.len();
        }
        totals
    }
}

impl Ports {
    /// The URLs of the hosts, joined by commas.
    pub fn urls(&self) -> String {
        let url = |port: &Delay| match port.address() {
            SocketAddr::V4(address) if *address.ip() != Ipv4Addr::LOCALHOST => {
                format!("{}://{address}/wsman", self.scheme)
            }
            address => format!("{}://localhost:{}/wsman", self.scheme, address.port()),
        };
        self.ports.iter().map(url).collect::<Vec<_>>().join(",")
    }

    /// Bytes that clients have sent so far.
    pub fn bytes_up(&self) -> u64 {
        self.ports.iter().map(Delay::bytes_up).sum()
    }

    /// Bytes that clients have received so far.
    pub fn bytes_down(&self) -> u64 {
        self.ports.iter().map(Delay::bytes_down).sum()
    }

    /// How often clients have waited for the way there and back so far.
    pub fn round_trips(&self) -> u64 {
        self.ports.iter().map(Delay::round_trips).sum()
    }

    /// Whether the bytes are in the open, so that clients have to seal messages.
    pub fn is_plain(&self) -> bool {
        self.scheme == "http"
    }
}

impl Machine for Station {
    fn name(&self) -> &str {
        self.scripts.name()
    }

    fn account(&self, domain: &str, user: &str) -> Option<Account> {
        self.scripts.account(domain, user)
    }

    fn begin(&self, script: &Script) -> Result<Box<dyn Pipeline>, Thrown> {
        self.scripts.begin(script)
    }

    fn start(&self, command: CommandLine) -> Process {
        self.started.fetch_add(1, Ordering::Relaxed);
        // winrmcp sends a whole command line as the program.
        if command.program != "powershell.exe" {
            return Process::spawn(move |process| play(command, process));
        }
        let words: Vec<String> = std::iter::once(&command.program).chain(&command.arguments).cloned().collect();
        let process = self.scripts.start(command);
        let mut first = self.capture.lock().expect("capture");
        if !first.words.is_empty() {
            return process;
        }
        first.words = words;
        let capture = Arc::clone(&self.capture);
        process.overhear(move |input| capture.lock().expect("capture").input.extend_from_slice(input))
    }
}

/// The address at which a host has its port when there are several.
fn own_address(number: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::new(127, 0, 1, u8::try_from(number + 1).ok()?))
}

fn name(number: usize) -> String {
    format!("bench{number:03}.contoso.com")
}

/// `quick` prints its name. `sha256` prints the hash of its input, `sha256-of-lines` that of what base64 lines stand
/// for. All else prints nothing and succeeds, which is what winrmcp's `echo` and PowerShell do.
async fn play(command: CommandLine, mut process: ProcessHost) {
    let output = match command.program.as_str() {
        "quick" => "quick\r\n".to_owned(),
        "sha256" => hash_input(&mut process).await,
        "sha256-of-lines" => hash_lines(&mut process).await,
        _ => String::new(),
    };
    if process.stdout(output).await.is_ok() {
        process.exit(0).await;
    }
}

async fn hash_input(process: &mut ProcessHost) -> String {
    let mut hash = Sha256::new();
    while let Some(chunk) = process.read_stdin().await {
        hash.update(&chunk);
    }
    hex(&hash.finalize())
}

async fn hash_lines(process: &mut ProcessHost) -> String {
    let mut hash = Sha256::new();
    let input = process.read_stdin_to_end().await;
    for line in input.split(|&byte| byte == b'\n') {
        match BASE64_STANDARD.decode(line.trim_ascii()) {
            Ok(bytes) => hash.update(&bytes),
            Err(error) => return error.to_string(),
        }
    }
    hex(&hash.finalize())
}

/// In lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
