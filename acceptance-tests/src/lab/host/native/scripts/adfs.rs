//! What AD FS's cmdlets tell on a host, and when they refuse.

use crate::lab::host::farm::Farm;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::scripts::server_facts::file_version;
use crate::lab::host::product::adapter::{ASSEMBLY_FILE, assembly_name};
use crate::lab::host::registry;
use crate::lab::host::state::State;
use crate::lab::host::windows_path::join;

/// Where AD FS finds assemblies first.
pub const ASSEMBLY_CACHES: [&str; 2] = [
    "C:\\Windows\\Microsoft.NET\\assembly\\GAC_MSIL\\MultiFactorAuthAdfsAdapter",
    "C:\\Windows\\assembly\\GAC_MSIL\\MultiFactorAuthAdfsAdapter",
];
/// AD FS's own providers.
const BUILT_IN: [&str; 4] =
    ["CertificateAuthentication", "FormsAuthentication", "WindowsAuthentication", "AzureMfaAuthentication"];

/// The farm of a host that can be asked and changed from there.
pub struct Configuration {
    pub name: String,
    pub farm: Farm,
}

impl Configuration {
    /// Reads it; refuses on a secondary of a farm on the Windows Internal Database.
    pub fn of_primary(host: &HostFolder, state: &State) -> Result<Self, Failure> {
        let configuration = Self::read(host, state)?;
        if configuration.is_secondary(state) {
            return Err(Failure::precondition(format!(
                "this server is a secondary of its AD FS farm; the configuration is changed on the primary, {}",
                configuration.farm.primary
            )));
        }
        Ok(configuration)
    }

    /// Reads it wherever AD FS runs.
    pub fn read(host: &HostFolder, state: &State) -> Result<Self, Failure> {
        let Some(member) = &state.adfs else {
            return Err(Failure::other(
                "The term 'Get-AdfsSyncProperties' is not recognized as the name of a cmdlet, function, script file, or \
                 operable program.",
            ));
        };
        if state.service("adfssrv").is_none_or(|service| service.state != "Running") {
            return Err(Failure::other(
                "MSIS7612: Could not connect to net.tcp://localhost:1500/policy. The AD FS service does not run.",
            ));
        }
        Ok(Self { name: member.farm.clone(), farm: Farm::read(host, &member.farm)? })
    }

    pub fn is_secondary(&self, state: &State) -> bool {
        let role = state.adfs.as_ref().and_then(|member| member.role.as_deref());
        self.farm.database == "wid" && role == Some("SecondaryComputer")
    }

    /// The name of a provider as AD FS has it, built-in ones included.
    pub fn provider_name(&self, name: &str) -> Option<String> {
        let built_in = BUILT_IN.into_iter().map(str::to_owned);
        let names = built_in.chain(self.farm.providers.iter().map(|provider| provider.name.clone()));
        names.into_iter().find(|known| known.eq_ignore_ascii_case(name))
    }

    /// Changes the farm.
    pub fn update(
        &self,
        host: &HostFolder,
        change: impl FnOnce(&mut Farm) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        Farm::update(host, &self.name, change)
    }
}

/// Whether a list has a name in any casing.
pub fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an assembly of a full name is on the host, where AD FS would find it.
pub fn has_assembly(host: &HostFolder, state: &State, full_name: &str) -> bool {
    let mut folders = vec!["C:\\Program Files\\Multi-Factor Authentication Server".to_owned()];
    for key in state.registry.keys() {
        let lower = key.to_ascii_lowercase();
        let name = if lower.ends_with("\\positive networks\\phonefactor") { "InstallPath" } else { "InstallLocation" };
        if name == "InstallPath" || lower.contains("\\uninstall\\") {
            folders.push(registry::text(&state.registry, key, name));
        }
    }
    folders.retain(|folder| !folder.is_empty());
    folders.extend(cached_folders(host));
    let files = folders.iter().map(|folder| join(folder, ASSEMBLY_FILE));
    let versions = files.filter_map(|file| file_version(host, state, &file));
    versions.map(|version| assembly_name(&version)).any(|found| found == full_name)
}

/// The folders of the assembly's versions in the global assembly caches.
pub fn cached_folders(host: &HostFolder) -> Vec<String> {
    let below = |cache: &str| host.folder_names(cache).into_iter().map(|name| join(cache, &name)).collect::<Vec<_>>();
    ASSEMBLY_CACHES.into_iter().flat_map(below).collect()
}
