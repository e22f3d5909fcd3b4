//! A simulated estate: a folder with hosts, AD FS farms and release files.
//!
//! [`demo`] is the estate that the documentation shows; [`host_builder`] makes hosts of any other. What an operator
//! does by hand on hosts is in [`operator`].

pub mod demo;
pub mod host_builder;
pub mod inventory;
pub mod lease;
pub mod operator;
pub mod releases;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::lab::host::error::LabError;
use crate::lab::host::farm::Farm;
use crate::lab::host::faults::Faults;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::journal::Entry;
use crate::lab::host::native::scripts::adfs_facts;
use crate::lab::host::{file_lock, json_file, time};
use crate::workspace::copy_tree;

/// `estate.json`: what is said about the estate as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Names of the hosts.
    pub hosts: Vec<String>,
    /// The administrator account that exists on every host.
    pub username: String,
    pub password: String,
    /// How long an installer takes.
    pub installer_milliseconds: u64,
    /// `native` or `powershell`, as last served.
    pub mode: String,
}

/// An estate on disk. Cheap to clone; a temporary one is deleted with its last clone.
#[derive(Clone, Debug)]
pub struct Estate {
    folder: PathBuf,
    _temporary: Option<Arc<TempDir>>,
}

impl Estate {
    /// A new, empty estate in a folder, which is made.
    pub fn create(folder: &Path) -> Result<Self, LabError> {
        let estate = Self { folder: folder.to_owned(), _temporary: None };
        for part in ["hosts", "farms", "releases"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).map_err(LabError::file(&part))?;
        }
        let settings = Settings {
            hosts: Vec::new(),
            username: "Administrator".to_owned(),
            // Nobody's real password, and found by searching for it wherever it should not be.
            password: format!("Lab-{}", uuid::Uuid::new_v4().simple()),
            installer_milliseconds: 200,
            mode: "native".to_owned(),
        };
        json_file::write(&estate.settings_path(), &settings)?;
        Ok(estate)
    }

    /// A new, empty estate in a temporary folder.
    pub fn temporary() -> Result<Self, LabError> {
        let folder = TempDir::with_prefix("azuremfa-lab-").map_err(LabError::file(&std::env::temp_dir()))?;
        let mut estate = Self::create(folder.path())?;
        estate._temporary = Some(Arc::new(folder));
        Ok(estate)
    }

    /// A copy of this estate as it is now, in a temporary folder. Nothing may be changing it meanwhile.
    pub fn duplicate(&self) -> Result<Self, LabError> {
        let folder = TempDir::with_prefix("azuremfa-lab-").map_err(LabError::file(&std::env::temp_dir()))?;
        copy_tree(&self.folder, folder.path()).map_err(LabError::file(&self.folder))?;
        let copy = Self { folder: folder.path().to_owned(), _temporary: Some(Arc::new(folder)) };
        for host in copy.hosts()? {
            let original = self.host(&host.state()?.name)?;
            // Copied files are new ones, so a service that was started after them must be so again.
            if adfs_facts::restarted_since_install(&original)? {
                host.update(|state| {
                    if let Some(service) = state.services.get_mut("adfssrv") {
                        service.started_at = Some(time::now());
                    }
                    Ok::<_, LabError>(())
                })?;
            }
        }
        Ok(copy)
    }

    /// An estate that is there.
    pub fn open(folder: &Path) -> Result<Self, LabError> {
        let estate = Self { folder: folder.to_owned(), _temporary: None };
        estate.settings()?;
        Ok(estate)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn settings(&self) -> Result<Settings, LabError> {
        json_file::read(&self.settings_path())
    }

    /// Changes what is said about the estate as a whole.
    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), LabError> {
        json_file::update(&self.settings_path(), |settings| {
            change(settings);
            Ok(())
        })
    }

    /// Names of the hosts, in the order in which they were added.
    pub fn host_names(&self) -> Result<Vec<String>, LabError> {
        Ok(self.settings()?.hosts)
    }

    /// All hosts.
    pub fn hosts(&self) -> Result<Vec<HostFolder>, LabError> {
        Ok(self.host_names()?.iter().map(|name| self.host_folder(name)).collect())
    }

    /// A host by name, in any casing, or by the first part of its name when that is unique.
    pub fn host(&self, name: &str) -> Result<HostFolder, LabError> {
        let names = self.host_names()?;
        let exact: Vec<_> = names.iter().filter(|known| known.eq_ignore_ascii_case(name)).collect();
        let short = |known: &&String| known.split('.').next().is_some_and(|short| short.eq_ignore_ascii_case(name));
        let found = if exact.is_empty() { names.iter().filter(short).collect() } else { exact };
        match found.as_slice() {
            [found] => Ok(self.host_folder(found)),
            [] => Err(LabError::request(format!("the estate has no host {name}; it has {}", names.join(", ")))),
            _ => Err(LabError::request(format!("{name} is the first part of several hosts' names"))),
        }
    }

    /// Adds a host to the list; its folder is written by the caller.
    pub(crate) fn enlist(&self, name: &str) -> Result<HostFolder, LabError> {
        self.update_settings(|settings| settings.hosts.push(name.to_owned()))?;
        Ok(self.host_folder(name))
    }

    /// Writes an AD FS farm.
    pub fn write_farm(&self, name: &str, farm: &Farm) -> Result<(), LabError> {
        json_file::write(&self.farm_path(name), farm)
    }

    pub fn farm(&self, name: &str) -> Result<Farm, LabError> {
        json_file::read(&self.farm_path(name))
    }

    /// Changes an AD FS farm past every rule of AD FS.
    pub fn update_farm(&self, name: &str, change: impl FnOnce(&mut Farm)) -> Result<(), LabError> {
        json_file::update(&self.farm_path(name), |farm| {
            change(farm);
            Ok(())
        })
    }

    /// What was done to all hosts, in order.
    pub fn journal(&self) -> Result<Vec<Entry>, LabError> {
        // Nobody writes meanwhile: no number is missing.
        let _lock = file_lock::lock(&self.folder.join("journal.lock"))?;
        let mut entries = Vec::new();
        for host in self.hosts()? {
            entries.extend(host.journal()?);
        }
        entries.sort_by_key(|entry| entry.sequence);
        Ok(entries)
    }

    /// Changes the faults of a host.
    pub fn fault(&self, host: &str, change: impl FnOnce(&mut Faults)) -> Result<(), LabError> {
        self.host(host)?.update(|state| {
            change(&mut state.faults);
            Ok(())
        })
    }

    /// How long installers take from now on.
    pub fn set_installer_time(&self, milliseconds: u64) -> Result<(), LabError> {
        self.update_settings(|settings| settings.installer_milliseconds = milliseconds)
    }

    fn host_folder(&self, name: &str) -> HostFolder {
        HostFolder::new(self.folder.join("hosts").join(name))
    }

    fn farm_path(&self, name: &str) -> PathBuf {
        self.folder.join("farms").join(format!("{name}.json"))
    }

    fn settings_path(&self) -> PathBuf {
        self.folder.join("estate.json")
    }
}

#[cfg(test)]
mod tests;
