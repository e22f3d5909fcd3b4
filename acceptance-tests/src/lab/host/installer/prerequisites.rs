//! What must be on a host before a package installs, and what keeps it from installing.

use crate::lab::host::installer::{FATAL, OTHER_VERSION, programs};
use crate::lab::host::product::component::{Component, is_new_generation, numbers};
use crate::lab::host::registry;
use crate::lab::host::state::State;

/// `Release` of .NET Framework 4.5.
const DOTNET_45: i64 = 378_389;
/// Visual C++ 2015 Update 1.
const VC_2015_UPDATE_1: [u64; 3] = [14, 0, 23506];

/// Why a package does not install.
pub struct Refusal {
    pub exit_code: i32,
    /// The line that the package writes into its log.
    pub message: String,
}

/// The reason for which a component's package refuses to install, if there is one.
pub fn refusal(state: &State, component: Component, version: &str) -> Option<Refusal> {
    let refuse = |exit_code, message: &str| Some(Refusal { exit_code, message: message.to_owned() });
    if let Some(installed) = programs::installed(state, component)
        && numbers(&installed) > numbers(version)
    {
        return refuse(OTHER_VERSION, "Another version of this product is already installed.");
    }
    if component == Component::Server && programs::is_phonefactor_agent(state) {
        return refuse(FATAL, "Error 1706. PhoneFactor Agent must be uninstalled before this product is installed.");
    }
    if is_new_generation(version) {
        let release = registry::number(&state.registry, registry::DOTNET, "Release");
        if release.unwrap_or_default() < DOTNET_45 {
            return refuse(FATAL, "Microsoft .NET Framework 4.5 or higher is required");
        }
        // The server's setup brings both packages itself.
        let lacks = |architecture| visual_c(state, architecture).is_none_or(|found| found < VC_2015_UPDATE_1.to_vec());
        if component != Component::Server && (lacks("x64") || lacks("x86")) {
            return refuse(FATAL, "Microsoft Visual C++ 2015 Redistributable Update 1 or higher is required");
        }
    }
    match component {
        Component::AdfsAdapter if state.adfs.is_none() => refuse(FATAL, "Error 1720. AD FS is not installed."),
        _ if component.web().is_some() && state.iis.is_none() => refuse(FATAL, "Error 1721. IIS is not installed."),
        _ => None,
    }
}

/// The version of the Visual C++ redistributable of an architecture.
pub fn visual_c(state: &State, architecture: &str) -> Option<Vec<u64>> {
    let version = |root: &str| {
        let key = format!("{root}\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\{architecture}");
        let part = |name| registry::number(&state.registry, &key, name)?.try_into().ok();
        Some(vec![part("Major")?, part("Minor")?, part("Bld")?])
    };
    ["HKLM:\\SOFTWARE", "HKLM:\\SOFTWARE\\Wow6432Node"].into_iter().filter_map(version).max()
}
