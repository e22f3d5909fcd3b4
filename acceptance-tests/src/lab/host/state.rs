//! The form of a host's `state.json`: what Windows would tell about the host, except its files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lab::host::faults::Faults;

/// Key path to value names and values: a number (DWORD), a text or a list of texts.
pub type Registry = BTreeMap<String, BTreeMap<String, Value>>;

/// Everything about a host that is not a file on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The full name under which clients reach it.
    pub name: String,
    pub computer_name: String,
    #[serde(default)]
    pub domain: String,
    pub operating_system: OperatingSystem,
    pub powershell_version: String,
    /// Whether the account that logs on has administrator rights there.
    pub administrator: bool,
    #[serde(default)]
    pub registry: Registry,
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Windows path of a file to the version in it.
    #[serde(default)]
    pub file_versions: BTreeMap<String, String>,
    #[serde(default)]
    pub iis: Option<Iis>,
    #[serde(default)]
    pub adfs: Option<AdfsMember>,
    #[serde(default)]
    pub connections: Vec<Connection>,
    #[serde(default)]
    pub events: Vec<Event>,
    #[serde(default)]
    pub scheduled_tasks: BTreeMap<String, ScheduledTask>,
    /// Security descriptors of folders; written by real PowerShell only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acls: Option<Value>,
    /// The address of the host in its network.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The group of MFA Servers that replicate with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_group: Option<String>,
    /// Absent: Windows' defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winrm_quotas: Option<WinrmQuotas>,
    /// Absent: room enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_drive: Option<SystemDrive>,
    /// Absent: a member of its domain, reached by a network logon that goes no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_hop: Option<SecondHop>,
    /// How far the host's clock is ahead of the right time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead: Option<i64>,
    /// Every PowerShell ends at once with these words on standard error, as a policy makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub powershell_refusal: Option<String>,
    #[serde(default)]
    pub faults: Faults,
}

/// What WinRM tells of its limits; null where it does not tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WinrmQuotas {
    pub max_memory_per_shell_mb: Option<i64>,
    pub max_shells_per_user: Option<i64>,
    pub max_processes_per_shell: Option<i64>,
    pub max_concurrent_users: Option<i64>,
    pub max_concurrent_operations_per_user: Option<i64>,
    pub max_envelope_size_kb: Option<i64>,
}

/// Drive C:, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemDrive {
    pub size: i64,
    pub free: i64,
}

/// How far the logon reaches from the host on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecondHop {
    /// As Windows numbers it: 2 for a server in no domain, 3 for a member, 5 for a domain controller.
    pub domain_role: i64,
    pub network_logon: bool,
    /// Whether the account is the host's own.
    pub local_account: bool,
    /// The error of Windows with which a domain controller answers; 0 for none, 258 for no answer.
    pub error: i64,
}

impl Default for SecondHop {
    fn default() -> Self {
        Self { domain_role: 3, network_logon: true, local_account: false, error: 5 }
    }
}

impl Default for WinrmQuotas {
    fn default() -> Self {
        Self {
            max_memory_per_shell_mb: Some(1024),
            max_shells_per_user: Some(30),
            max_processes_per_shell: Some(25),
            max_concurrent_users: Some(10),
            max_concurrent_operations_per_user: Some(1500),
            max_envelope_size_kb: Some(500),
        }
    }
}

impl Default for SystemDrive {
    fn default() -> Self {
        Self { size: 64_424_509_440, free: 42_949_672_960 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatingSystem {
    pub caption: String,
    pub version: String,
    #[serde(default)]
    pub last_boot: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    #[serde(default)]
    pub display_name: String,
    pub state: String,
    #[serde(default)]
    pub start_mode: String,
    /// Command line, quoted as services have it.
    #[serde(default)]
    pub path_name: String,
    #[serde(default)]
    pub account: String,
    #[serde(default)]
    pub process_id: Option<i64>,
    #[serde(default)]
    pub started_at: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Iis {
    #[serde(default)]
    pub sites: Vec<Site>,
    #[serde(default)]
    pub application_pools: BTreeMap<String, ApplicationPool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    pub name: String,
    pub id: i64,
    #[serde(default)]
    pub applications: Vec<Application>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// With a leading slash; the site's root application is `/`.
    pub path: String,
    pub physical_path: String,
    pub application_pool: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ApplicationPool {
    pub runtime: String,
    pub pipeline: String,
    #[serde(default)]
    pub state: String,
}

/// What a member of an AD FS farm knows about it; the farm itself is a file of the estate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AdfsMember {
    pub farm: String,
    /// `PrimaryComputer` or `SecondaryComputer`.
    #[serde(default)]
    pub role: Option<String>,
    /// What AD FS on it refuses SYSTEM: `all`, or `write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_system: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    #[serde(default)]
    pub local_address: String,
    pub local_port: i64,
    #[serde(default)]
    pub remote_address: String,
    pub remote_port: i64,
    pub state: String,
    pub process_id: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub log: String,
    pub id: i64,
    pub time: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduledTask {
    pub state: String,
    #[serde(default)]
    pub execute: String,
    #[serde(default)]
    pub arguments: String,
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub process_id: Option<i64>,
    #[serde(default)]
    pub last_result: i64,
    /// How often it begins by itself; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<i64>,
}

impl ScheduledTask {
    /// A task that runs a script under SYSTEM and waits for its time.
    pub fn under_system(script: &str, every_seconds: Option<i64>) -> Self {
        Self {
            state: "Ready".to_owned(),
            execute: "powershell.exe".to_owned(),
            arguments: format!("-NoProfile -NonInteractive -ExecutionPolicy Bypass -File \"{script}\""),
            user: "SYSTEM".to_owned(),
            every_seconds,
            ..Self::default()
        }
    }
}

impl State {
    /// A service, found in any casing.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, service)| service)
    }

    /// The version in a file, by its path in any casing.
    pub fn file_version(&self, path: &str) -> Option<&str> {
        let found = self.file_versions.iter().find(|(key, _)| key.eq_ignore_ascii_case(path));
        found.map(|(_, version)| version.as_str())
    }

    /// Notes the version in a file, or that it is gone.
    pub fn set_file_version(&mut self, path: &str, version: Option<&str>) {
        self.file_versions.retain(|key, _| !key.eq_ignore_ascii_case(path));
        if let Some(version) = version {
            self.file_versions.insert(path.to_owned(), version.to_owned());
        }
    }

    /// A process number that nothing on the host has.
    pub fn next_process_id(&self) -> i64 {
        self.services.values().filter_map(|service| service.process_id).max().unwrap_or(1196) + 4
    }
}
