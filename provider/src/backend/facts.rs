//! What a host says about itself, as the planner reasons about it and as private state keeps it.
//!
//! Nothing here is a secret and nothing changes by itself (no clocks, no free space), so that two reads of an
//! unchanged host are equal. The JSON form is the reply of the script `Get-HostFacts`.

use serde::{Deserialize, Serialize};

/// Everything one query reads on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    pub computer_name: String,
    pub operating_system: OperatingSystem,
    pub powershell_version: String,
    /// Whether the account has administrator rights in this session.
    pub administrator: bool,
    /// The provider's folder on the host, such as `C:\ProgramData\terraform-provider-azuremfa`.
    pub work_folder: String,
    /// `Release` of .NET Framework 4.5 and later; none when absent.
    pub dotnet_release: Option<i64>,
    /// Version of the Visual C++ 2015 and later redistributable, such as `14.0.24215`.
    pub vc_redist_x64: Option<String>,
    pub vc_redist_x86: Option<String>,
    /// Why a restart is pending; empty when none is.
    pub pending_reboot: Vec<String>,
    /// The id of an installation of ours that runs now.
    pub running_installation: Option<String>,
    pub server: Option<Server>,
    /// The MFA web components found in IIS.
    pub web: Vec<WebComponent>,
    pub adfs: Option<Adfs>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatingSystem {
    pub caption: String,
    pub version: String,
}

/// MFA Server on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// With a trailing backslash, from the registry.
    pub install_path: String,
    pub data_folder: String,
    pub data_file_exists: bool,
    /// From the uninstall entry.
    pub product_version: Option<String>,
    pub product_name: Option<String>,
    /// From the service's file.
    pub file_version: Option<String>,
    pub service_state: Option<String>,
    pub service_start_mode: Option<String>,
    pub replication_port: Option<i64>,
    /// Component files lying in the install folder.
    pub packages: Vec<String>,
    pub role_evidence: RoleEvidence,
}

/// Established replication connections: a subordinate connects to the master, never the other way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEvidence {
    pub outbound: u32,
    pub inbound: u32,
}

/// A component that lives in IIS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebComponent {
    pub component: WebKind,
    pub site: String,
    pub site_id: i64,
    pub virtual_directory: String,
    pub physical_path: String,
    pub application_pool: String,
    /// `v2.0`, `v4.0` or empty for no managed code.
    pub pool_runtime: String,
    pub pool_pipeline: String,
    pub product_version: Option<String>,
    pub file_version: Option<String>,
    pub web_config_exists: bool,
    /// Keys of web.config that still hold the value the vendor ships.
    pub placeholders: Vec<String>,
    pub web_service_sdk_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebKind {
    WebServiceSdk,
    UserPortal,
    MobileAppWebService,
}

/// AD FS on a host, with the MFA adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adfs {
    pub service_state: Option<String>,
    pub database: Database,
    /// `PrimaryComputer` or `SecondaryComputer`; none in a SQL farm.
    pub role: Option<String>,
    pub adapter_product_version: Option<String>,
    pub adapter_folder: Option<String>,
    /// Full name of the installed assembly. Its version is not the product's.
    pub adapter_assembly: Option<String>,
    pub restarted_since_install: Option<bool>,
    pub restarted_since_registration: Option<bool>,
    /// The MFA Server providers registered; none where AD FS does not answer (a WID secondary).
    pub providers: Option<Vec<AuthenticationProvider>>,
    /// Names in the global additional authentication policy.
    pub policy: Option<Vec<String>>,
    /// Authentication rules that name an MFA Server provider.
    pub rules: Option<Vec<Rule>>,
    pub synchronized: Option<bool>,
    pub primary: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Database {
    Wid,
    Sql,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationProvider {
    pub name: String,
    pub type_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `global` or `relying party NAME`.
    pub scope: String,
    pub provider_names: Vec<String>,
}
