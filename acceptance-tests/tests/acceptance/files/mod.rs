//! Files on the wire between the provider's own backend and the lab, with what can go wrong on the way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use acceptance_tests::lab::estate::demo;
use acceptance_tests::lab::host::folder::HostFolder;
use acceptance_tests::lab::host::product::release::sha256;
use acceptance_tests::lab::server::{Lab, Mode};
use acceptance_tests::lab::wire::host::{Settings, SimulatedHost};
use acceptance_tests::lab::wire::record::{Kind, Record};
use azuremfa::address::HostAddress;
use azuremfa::backend::Backend as _;
use azuremfa::backend::error::HostError;
use azuremfa::backend::release::Releases;
use azuremfa::backend::windows::WindowsBackend;
use azuremfa::backend::windows::connection::{Connection, Connections, DEFAULT, Timeouts};
use azuremfa::backend::windows::proxies::ProxyRule;
use azuremfa::backend::windows::put::{LocalFile, put};
use azuremfa::backend::windows::work::Work;
use azuremfa::secret::Secret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::scripts::powershell_for;

mod cut;
mod delivery;
mod faults;
mod get;
mod put;
mod resume;

const HOST: &str = "mfa01.contoso.com";
const FOLDER: &str = "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\7.0.0.9";
const MEGABYTE: u64 = 1024 * 1024;

/// The lab's modes that can be had here; the second is slow, so it gets what only it can show.
fn modes() -> Vec<Mode> {
    let powershell = powershell_for("files under PowerShell").map(|_| Mode::PowerShell);
    [Mode::Native].into_iter().chain(powershell).collect()
}

/// A host of a served estate, and the provider's backend that reaches it.
struct Bench {
    lab: Lab,
    backend: WindowsBackend,
    stop: CancellationToken,
    at: HostAddress,
    files: TempDir,
}

impl Bench {
    async fn start(mode: Mode) -> Self {
        Self::with(mode, Settings::default()).await
    }

    async fn with(mode: Mode, settings: Settings) -> Self {
        Self::within(mode, settings, Releases::default(), Timeouts::default()).await
    }

    async fn within(mode: Mode, settings: Settings, releases: Releases, timeouts: Timeouts) -> Self {
        let estate = demo::temporary().expect("an estate");
        let lab = Lab::builder(&estate).mode(mode).winrm(HOST, settings).start().await.expect("a lab");
        let connection = Connection {
            timeouts,
            username: Some(lab.username.clone()),
            password: Some(Secret::new(lab.password.clone())),
            ca_certificate: Some(std::fs::read_to_string(&lab.ca_file).expect("certificates")),
            proxy: ProxyRule::Given(lab.proxy_url.parse().expect("the lab's proxy")),
            ..Connection::new(DEFAULT)
        };
        let connections = Connections { connections: vec![connection], ..Connections::default() };
        let backend = WindowsBackend::new(Arc::new(connections), Arc::new(releases));
        let files = tempfile::tempdir().expect("a folder");
        Self { lab, backend, stop: CancellationToken::new(), at: HostAddress::named(HOST), files }
    }

    /// A file of that many bytes that no compression and no repetition helps with.
    fn file(&self, length: u64) -> (LocalFile, Vec<u8>) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let mut bytes: Vec<u8> = std::iter::repeat_with(next).take(length as usize / 8 + 1).flatten().collect();
        bytes.truncate(length as usize);
        let path = self.files.path().join("Setup.exe");
        std::fs::write(&path, &bytes).expect("written");
        (LocalFile { path, length, sha256: sha256(&bytes) }, bytes)
    }

    async fn put(&self, file: &LocalFile, streams: usize) -> Result<bool, HostError> {
        put(&self.work(), file, &target(), streams).await
    }

    fn work(&self) -> Work<'_> {
        let operation = "put a file".to_owned();
        Work { backend: &self.backend, host: HOST, at: &self.at, operation, stop: &self.stop }
    }

    fn wire(&self) -> Arc<SimulatedHost> {
        self.lab.host(HOST)
    }

    fn host(&self) -> HostFolder {
        self.lab.estate().host(HOST).expect("a host")
    }

    /// Names and sizes of what lies where the file goes.
    fn found(&self) -> Vec<(String, u64)> {
        let folder: PathBuf = self.host().real(FOLDER).expect("a path");
        listed(&folder)
    }

    async fn close(self) {
        self.backend.close().await;
        let shells = self.lab.host(HOST).open_shells();
        assert!(shells.is_empty(), "{shells:?}");
    }
}

fn target() -> String {
    format!("{FOLDER}\\Setup.exe")
}

fn listed(folder: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry"));
    let mut found: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata().expect("metadata").len()))
        .collect();
    found.sort();
    found
}

/// Bytes of the messages that carried standard input.
fn sent(record: &Record) -> u64 {
    record.requests.iter().filter(|request| request.kind == Kind::Send).map(|request| request.bytes_up as u64).sum()
}
