//! The configuration database of an AD FS farm: one file of the estate that all its members share.

use serde::{Deserialize, Serialize};

use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::{json_file, time};

/// The farm's configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Farm {
    /// `wid` or `sql`.
    pub database: String,
    #[serde(default)]
    pub primary: String,
    #[serde(default)]
    pub nodes: Vec<String>,
    #[serde(default = "two")]
    pub poll_seconds: i64,
    /// What secondaries say about their last synchronisation; absent or 0: it went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_status: Option<i64>,
    #[serde(default)]
    pub changed_at: String,
    #[serde(default)]
    pub providers: Vec<Provider>,
    #[serde(default)]
    pub policy: Vec<String>,
    #[serde(default)]
    pub global_rules: Option<String>,
    #[serde(default)]
    pub relying_parties: Vec<RelyingParty>,
    /// What was registered before the last changes, oldest first: a secondary loads what it has synchronised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Snapshot>,
}

/// What was registered from a change on until the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(default)]
    pub changed_at: String,
    #[serde(default)]
    pub providers: Vec<Provider>,
}

/// A registered authentication provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    pub name: String,
    #[serde(default)]
    pub type_name: String,
    #[serde(default)]
    pub configuration: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelyingParty {
    pub name: String,
    #[serde(default)]
    pub rules: Option<String>,
}

impl Farm {
    /// Reads the farm of a host.
    pub fn read(host: &HostFolder, farm: &str) -> Result<Self, LabError> {
        json_file::read(&host.farm_path(farm))
    }

    /// Changes the farm of a host under its lock.
    pub fn update<R, E: From<LabError>>(
        host: &HostFolder,
        farm: &str,
        change: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<R, E> {
        json_file::update(&host.farm_path(farm), |farm: &mut Self| {
            let before = Snapshot { changed_at: farm.changed_at.clone(), providers: farm.providers.clone() };
            let result = change(farm)?;
            farm.history.push(before);
            farm.changed_at = time::now();
            Ok(result)
        })
    }

    /// The providers that a secondary knows: those of its last synchronisation, which comes after the change itself.
    pub fn synchronized_providers(&self) -> &[Provider] {
        let last = time::last_multiple(self.poll_seconds);
        if self.changed_at < last {
            return &self.providers;
        }
        let known = self.history.iter().rev().find(|snapshot| snapshot.changed_at < last);
        known.or(self.history.first()).map_or(&self.providers, |snapshot| &snapshot.providers)
    }

    /// The registered provider of a name in any casing.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name.eq_ignore_ascii_case(name))
    }
}

fn two() -> i64 {
    2
}
