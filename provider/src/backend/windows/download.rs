//! Release files that this machine fetches, for hosts that cannot: each once per process, whole and proven or not at all.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

use crate::backend::error::Cause;
use crate::backend::web_address;
use crate::backend::windows::connection::Connections;
use crate::backend::windows::files::{LARGEST_RELEASE_FILE, hexadecimal};
use crate::backend::windows::put::LocalFile;
use crate::backend::windows::web_client::{self, without_address};
use crate::winrm::endpoint::TlsOptions;

/// How long a server may take to answer, or be silent in its answer.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(30);
/// A server that trickles must not hold a run for ever.
const WHOLE: Duration = Duration::from_secs(3 * 60 * 60);

/// What was fetched so far. The files go away with it, or with [`Downloads::clear`].
pub struct Downloads {
    files: Mutex<HashMap<String, Arc<OnceCell<Download>>>>,
    /// More is not taken.
    limit: u64,
    /// Which servers are believed.
    trust: TlsOptions,
    /// What limits which servers are asked.
    connections: Arc<Connections>,
}

/// A file in a folder that only this account can enter.
struct Download {
    file: LocalFile,
    _folder: TempDir,
}

impl Default for Downloads {
    fn default() -> Self {
        Self::new(LARGEST_RELEASE_FILE, TlsOptions::default())
    }
}

impl Downloads {
    /// Nothing fetched yet.
    pub fn new(limit: u64, trust: TlsOptions) -> Self {
        Self { files: Mutex::default(), limit, trust, connections: Arc::default() }
    }

    /// With the limits of these connections.
    #[must_use]
    pub fn limited_by(mut self, connections: Arc<Connections>) -> Self {
        self.connections = connections;
        self
    }

    /// The file at an address, which must have this hash (lower-case hexadecimal). Whoever asks while it is being fetched
    /// waits for the same one; after a failure the next one tries anew.
    pub async fn fetch(&self, url: &str, sha256: &str) -> Result<LocalFile, Cause> {
        let cell = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(files.entry(sha256.to_owned()).or_default())
        };
        let fetched = cell.get_or_try_init(|| self.download(url, sha256)).await;
        fetched.map(|download| download.file.clone())
    }

    /// Deletes what was fetched; at the end, when nobody sends it any more.
    pub fn clear(&self) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn download(&self, url: &str, sha256: &str) -> Result<Download, Cause> {
        let shown = shown(url);
        let failed = |reason: String| Cause::Local(format!("this machine could not fetch {shown}: {reason}"));
        let folder = private_folder().map_err(|error| failed(format!("no temporary folder can be made: {error}")))?;
        let path = folder.path().join("file");
        tracing::info!(url = shown, "fetching a release file to this machine");
        let (length, found) = self.save(url, &path).await.map_err(failed)?;
        if found != sha256 {
            return Err(failed(format!("it has the SHA-256 hash {found} instead of {sha256}; it was deleted")));
        }
        let file = LocalFile { path, length, sha256: sha256.to_owned() };
        Ok(Download { file, _folder: folder })
    }

    /// Fetches into a file; its length and hash. The error is for a person and never has the address in it, which may
    /// carry a token.
    async fn save(&self, url: &str, path: &Path) -> Result<(u64, String), String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let allowed = self.connections.check_allowed(&web_address::host(&url));
        allowed.map_err(|reason| {
            format!("{reason} Allow it there, or let the host fetch the file (delivery = \"pull\")")
        })?;
        let mut response = self.client()?.get(url).send().await.map_err(without_address)?;
        self.check(&response)?;
        let unwritten = |error: io::Error| format!("its content cannot be kept: {error}");
        let mut file = File::create_new(path).await.map_err(unwritten)?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(piece) = response.chunk().await.map_err(without_address)? {
            length += piece.len() as u64;
            if length > self.limit {
                return Err(self.too_long());
            }
            hash.update(&piece);
            file.write_all(&piece).await.map_err(unwritten)?;
        }
        file.flush().await.map_err(unwritten)?;
        Ok((length, hexadecimal(hash)))
    }

    fn client(&self) -> Result<Client, String> {
        let builder = web_client::builder(&self.trust)?.https_only(true).redirect(self.redirects());
        builder.connect_timeout(CONNECT).read_timeout(SILENCE).timeout(WHOLE).build().map_err(without_address)
    }

    /// As many as usual, and only to servers that may be asked.
    fn redirects(&self) -> Policy {
        let (connections, usual) = (Arc::clone(&self.connections), Policy::default());
        Policy::custom(move |attempt| match connections.check_allowed(&web_address::host(attempt.url())) {
            Ok(()) => usual.redirect(attempt),
            Err(reason) => attempt.error(reason),
        })
    }

    fn check(&self, response: &Response) -> Result<(), String> {
        if !response.status().is_success() {
            return Err(format!("the server answered with status {}", response.status().as_u16()));
        }
        match response.content_length() {
            Some(length) if length > self.limit => Err(self.too_long()),
            _ => Ok(()),
        }
    }

    fn too_long(&self) -> String {
        format!("it is longer than the {} bytes that are taken", self.limit)
    }
}

/// A folder that no other account can enter.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("azuremfa-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// An address without what may be secret in it.
pub fn shown(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "the release file's address".to_owned(), |url| web_address::shown(&url))
}
