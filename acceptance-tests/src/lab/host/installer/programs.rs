//! Programs and Features: the uninstall entries of the product's components.

use crate::lab::host::product::component::Component;
use crate::lab::host::registry;
use crate::lab::host::state::State;

/// Where the product goes when no earlier one says otherwise.
pub const DEFAULT_FOLDER: &str = "C:\\Program Files\\Multi-Factor Authentication Server\\";

/// The version of a component's uninstall entry.
pub fn installed(state: &State, component: Component) -> Option<String> {
    let key = entry(state, component.display_name())?;
    Some(registry::text(&state.registry, &key, "DisplayVersion"))
}

/// Whether the 5.x predecessor of the server is installed.
pub fn is_phonefactor_agent(state: &State) -> bool {
    entry(state, "PhoneFactor Agent").is_some()
}

/// Writes a component's uninstall entry in the place of the one that another version left.
pub fn replace(state: &mut State, component: Component, version: &str, location: &str) {
    remove(state, component);
    let key = format!("{}\\{}", registry::UNINSTALL[0], component.product_code(version));
    registry::set(&mut state.registry, &key, "DisplayName", component.display_name());
    registry::set(&mut state.registry, &key, "DisplayVersion", version);
    registry::set(&mut state.registry, &key, "Publisher", "Microsoft Corporation");
    registry::set(&mut state.registry, &key, "InstallLocation", location);
    registry::set(&mut state.registry, &key, "WindowsInstaller", 1);
}

/// Removes a component's uninstall entry.
pub fn remove(state: &mut State, component: Component) {
    if let Some(key) = entry(state, component.display_name()) {
        registry::remove(&mut state.registry, &key);
    }
}

/// The folder of the product: from the registry of an earlier installation, else the vendor's default. Ends with a
/// backslash.
pub fn product_folder(state: &State) -> String {
    let stated = registry::text(&state.registry, registry::PRODUCT, "InstallPath");
    let folder = if stated.is_empty() { DEFAULT_FOLDER } else { &stated };
    format!("{}\\", folder.trim_end_matches('\\'))
}

fn entry(state: &State, display_name: &str) -> Option<String> {
    registry::UNINSTALL.into_iter().find_map(|uninstall| {
        let names = registry::children(&state.registry, uninstall).into_iter();
        let keys = names.map(|name| format!("{uninstall}\\{name}"));
        let is_wanted = |key: &String| registry::text(&state.registry, key, "DisplayName") == display_name;
        keys.into_iter().find(is_wanted)
    })
}
