//! Release files that the machine of the run is to fetch itself.

use crate::backend::release::{Component, Package};
use crate::backend::step::Action;
use crate::config::ProviderConfig;
use crate::plan::{Decision, Desired};
use crate::tf::diagnostic::Diagnostics;

/// What a plan has to say about the server that this machine would ask for a server setup: that it may not be asked. Where
/// the host is tried first nothing is said before the host has failed.
pub fn look(provider: &ProviderConfig, desired: &Desired, decision: &Decision, diagnostics: &mut Diagnostics) {
    let fetched = decision.steps.iter().find_map(|step| match &step.action {
        Action::FetchServerSetup { version } => Some(version),
        _ => None,
    });
    let Some(version) = fetched else { return };
    let setup = provider.releases().find(version).and_then(|release| release.package(Component::ServerSetup));
    let Some(asked) = setup.and_then(Package::asked_from_here) else { return };
    if let Err(reason) = provider.check_allowed(&asked) {
        diagnostics.error(
            format!("{}: this machine may not fetch the server setup {version} from {asked}", desired.name),
            format!(
                "{reason} The variable counts for what this machine fetches as it does for hosts. Allow {asked} there, or let \
                 the hosts fetch the file: delivery = \"pull\" in releases[\"{version}\"].server_setup."
            ),
        );
    }
}
