//! The folder of one host in an estate: `state.json`, drive C: and the journal.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::host::error::LabError;
use crate::lab::host::state::State;
use crate::lab::host::{journal, json_file, windows_path};

/// One host at rest. Cheap to clone; everything is read from disk when it is asked for.
#[derive(Clone, Debug)]
pub struct HostFolder {
    path: PathBuf,
}

impl HostFolder {
    /// The host in this folder, `<estate>/hosts/<name>`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the estate that the host belongs to.
    pub fn estate(&self) -> PathBuf {
        self.path.ancestors().nth(2).unwrap_or(&self.path).to_owned()
    }

    /// The file of an AD FS farm.
    pub fn farm_path(&self, farm: &str) -> PathBuf {
        self.estate().join("farms").join(format!("{farm}.json"))
    }

    pub fn state(&self) -> Result<State, LabError> {
        json_file::read(&self.state_path())
    }

    /// Changes the state under its lock. A change that fails writes nothing.
    pub fn update<R, E: From<LabError>>(&self, change: impl FnOnce(&mut State) -> Result<R, E>) -> Result<R, E> {
        json_file::update(&self.state_path(), change)
    }

    /// Writes the first state.
    pub fn create(&self, state: &State) -> Result<(), LabError> {
        std::fs::create_dir_all(self.drive()).map_err(LabError::file(&self.path))?;
        json_file::write(&self.state_path(), state)
    }

    /// Notes something that was done to the host.
    pub fn record(&self, what: &str, detail: Value) -> Result<(), LabError> {
        let name = self.state()?.name;
        journal::append(&self.estate().join("journal.lock"), &self.journal_path(), &name, what, detail)
    }

    /// What was done to the host, in order.
    pub fn journal(&self) -> Result<Vec<journal::Entry>, LabError> {
        journal::read(&self.journal_path())
    }

    /// The real path of a Windows path.
    pub fn real(&self, windows: &str) -> io::Result<PathBuf> {
        let outside = || io::Error::new(io::ErrorKind::NotFound, format!("Cannot find path '{windows}'."));
        windows_path::resolve(&self.drive(), windows).ok_or_else(outside)
    }

    /// Whether there is a file (not a folder).
    pub fn is_file(&self, windows: &str) -> bool {
        self.real(windows).is_ok_and(|real| real.is_file())
    }

    /// Whether there is a folder.
    pub fn is_folder(&self, windows: &str) -> bool {
        self.real(windows).is_ok_and(|real| real.is_dir())
    }

    pub fn read(&self, windows: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.real(windows)?)
    }

    /// Writes a file whole or not at all, with the folders it needs.
    pub fn write(&self, windows: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let real = self.real(windows)?;
        self.create_folder(windows_path::parent(windows))?;
        let mut fresh = real.clone().into_os_string();
        fresh.push(".writing");
        std::fs::write(&fresh, bytes)?;
        std::fs::rename(&fresh, real)
    }

    pub fn create_folder(&self, windows: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.real(windows)?)
    }

    /// Deletes a file or a folder with what is in it. What is not there is no error.
    pub fn remove(&self, windows: &str) -> io::Result<()> {
        let real = self.real(windows)?;
        let is_real_folder = real.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_real_folder { std::fs::remove_dir_all(real) } else { std::fs::remove_file(real) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Names of the files right in a folder, sorted; none when it is not there.
    pub fn file_names(&self, windows: &str) -> Vec<String> {
        self.names(windows, Path::is_file)
    }

    /// Names of the folders right in a folder, sorted; none when it is not there.
    pub fn folder_names(&self, windows: &str) -> Vec<String> {
        self.names(windows, Path::is_dir)
    }

    fn names(&self, windows: &str, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
        let Ok(entries) = self.real(windows).and_then(std::fs::read_dir) else { return Vec::new() };
        let entries = entries.filter_map(Result::ok).filter(|entry| wanted(&entry.path()));
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn drive(&self) -> PathBuf {
        self.path.join("C")
    }

    fn state_path(&self) -> PathBuf {
        self.path.join("state.json")
    }

    fn journal_path(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }
}
