//! The Visual C++ redistributable.

use crate::lab::host::installer::prerequisites::visual_c;
use crate::lab::host::installer::{OTHER_VERSION, SUCCESS};
use crate::lab::host::product::component::numbers;
use crate::lab::host::registry;
use crate::lab::host::state::State;

/// The version that the server's setup brings.
pub const BUNDLED: &str = "14.0.24215.1";

/// Installs the redistributable of an architecture (`x64` or `x86`).
pub fn install(state: &mut State, architecture: &str, version: &str) -> i32 {
    let parts = numbers(version);
    if visual_c(state, architecture).is_some_and(|found| found > parts[..parts.len().min(3)].to_vec()) {
        return OTHER_VERSION;
    }
    let key = format!("HKLM:\\SOFTWARE\\Wow6432Node\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\{architecture}");
    registry::set(&mut state.registry, &key, "Version", format!("v{version}"));
    registry::set(&mut state.registry, &key, "Installed", 1);
    for (name, number) in ["Major", "Minor", "Bld", "Rbld"].into_iter().zip(parts) {
        registry::set(&mut state.registry, &key, name, number);
    }
    SUCCESS
}
