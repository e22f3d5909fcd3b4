//! The result of the script `Get-Diagnosis`: what a host says about itself to a doctor.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What the script found.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    pub computer_name: String,
    pub operating_system: String,
    pub powershell_version: String,
    /// `FullLanguage`, `ConstrainedLanguage` and the like.
    pub language_mode: String,
    /// Whether the account has administrator rights that are in force.
    pub administrator: bool,
    pub quotas: Quotas,
    /// The host's clock.
    #[serde(deserialize_with = "time")]
    pub now: Timestamp,
    pub system_drive: Drive,
}

/// Limits of WinRM; none where the host does not let them be read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    pub max_memory_per_shell_mb: Option<u64>,
    pub max_shells_per_user: Option<u64>,
    pub max_envelope_size_kb: Option<u64>,
}

/// A drive, in bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// Such as `C:`.
    pub name: String,
    pub size: u64,
    pub free: u64,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
