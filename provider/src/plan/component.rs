//! What the planners of all web components ask of one: its version, its place, its application pool.

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::backend::step::Place;
use crate::plan::evidence::Evidence;
use crate::plan::version::Version;

/// The first major version on .NET 4.5, whose components need an application pool on CLR v4.0.
const FIRST_DOTNET_45: u32 = 7;

/// The components of a kind on a host.
pub fn all(facts: &HostFacts, kind: WebKind) -> impl Iterator<Item = &WebComponent> {
    facts.web.iter().filter(move |component| component.component == kind)
}

/// What proves a component's version.
pub fn evidence(component: &WebComponent) -> Option<Evidence> {
    Evidence::of(
        ("uninstall entry", component.product_version.as_deref()),
        ("library", component.file_version.as_deref()),
    )
}

/// Whether a version's components are on .NET 2.0.
pub fn is_old_generation(version: &Version) -> bool {
    version.major() < FIRST_DOTNET_45
}

/// Whether a component's pool has to move to CLR v4.0 for the pin.
pub fn is_on_old_runtime(component: &WebComponent, pin: &Version) -> bool {
    !is_old_generation(pin) && component.pool_runtime == "v2.0"
}

/// Whether a component's web.config is what its administrator wrote, as far as can be seen: no setup has put its own in
/// the place of it.
pub fn is_configured(component: &WebComponent) -> bool {
    component.web_config_exists && component.placeholders.is_empty()
}

/// Whether two names mean the same virtual directory.
pub fn is_same_directory(left: &str, right: &str) -> bool {
    left.trim_matches('/').eq_ignore_ascii_case(right.trim_matches('/'))
}

/// The names of the virtual directories of components, without slashes around them. IIS tells no cases apart, so a name
/// counts once, as it was found first.
pub fn distinct_directories<'c>(components: impl IntoIterator<Item = &'c WebComponent>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for component in components {
        let name = component.virtual_directory.trim_matches('/');
        if !names.iter().any(|known| is_same_directory(known, name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The name of a component's backup: its virtual directory, as a file name.
pub fn backup_name(component: &WebComponent) -> String {
    let name = component.virtual_directory.trim_matches('/').replace(['/', '\\'], "-");
    if name.is_empty() { "root".to_owned() } else { name }
}

/// Where a component lives, for the setup to keep it there.
pub fn place(component: &WebComponent) -> Place {
    Place {
        site: component.site.clone(),
        site_id: component.site_id,
        virtual_directory: component.virtual_directory.clone(),
        application_pool: component.application_pool.clone(),
    }
}
