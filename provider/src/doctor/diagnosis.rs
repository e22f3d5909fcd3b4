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
    pub second_hop: SecondHop,
}

/// Limits of WinRM; none where the host does not let them be read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    pub max_memory_per_shell_mb: Option<u64>,
    pub max_shells_per_user: Option<u64>,
    pub max_processes_per_shell: Option<u64>,
    pub max_concurrent_users: Option<u64>,
    pub max_concurrent_operations_per_user: Option<u64>,
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

/// Whether the host can act on other machines as the account that logged on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondHop {
    /// Whether the token is one of a network logon.
    pub network_logon: bool,
    /// What was tried, a share of the domain controllers; none when nothing was.
    pub share: Option<String>,
    pub outcome: HopOutcome,
    /// Why it could not be tried to the end.
    pub problem: Option<String>,
}

/// What the trial came to, or why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopOutcome {
    Opened,
    Refused,
    Unreachable,
    NoDomain,
    /// The host has the share itself.
    DomainController,
    /// The account is the host's own.
    LocalAccount,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
