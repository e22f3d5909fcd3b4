//! Where a component's package comes from: the install folder of an MFA Server that runs the pin.

use crate::address::{HostAddress, is_same_host};
use crate::backend::facts::HostFacts;
use crate::backend::step::{Action, PackageSource, Step};
use crate::plan::evidence::Evidence;
use crate::plan::token::{SetKind, Token};
use crate::plan::{Desired, Policy};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;

/// Where the files for one host are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An MFA Server at the pin runs on the host itself.
    OnHost,
    /// They are brought from the first of these MFA Servers that can be reached; all of them run the pin.
    From(Vec<HostAddress>),
}

/// Finds the origin for a host. None when no MFA Server is known to run exactly the pin.
///
/// The tokens come first: a server that this very run upgrades before is at the pin by the time, whatever was read.
pub fn origin(desired: &Desired, host: &str, facts: &HostFacts) -> Option<Origin> {
    let at_pin = || groups(desired).filter(|group| group.pin == desired.pin).flat_map(|group| &group.at_pin);
    if at_pin().any(|server| is_same_host(server.name(), host)) || has_server_at_pin(desired, facts) {
        return Some(Origin::OnHost);
    }
    let servers: Vec<HostAddress> = at_pin().cloned().collect();
    (!servers.is_empty()).then_some(Origin::From(servers))
}

/// Refuses a plan that would run something of the pinned release whose silent arguments nobody has stated. `what` is
/// the subject of the sentence; `add` is the lines for the provider's configuration.
pub fn refuse_unstated(desired: &Desired, policy: &Policy, what: &str, add: &str, diagnostics: &mut Diagnostics) {
    let pin = &desired.pin;
    let lacks = if policy.installable.release { "does not say how it is installed" } else { "is not declared" };
    diagnostics.error_at(
        Path::of("version"),
        format!("{}: release {pin} {lacks}", desired.name),
        format!(
            "{what} is for you to state: nobody has documented it. In the provider's configuration, under releases = {{ \
             \"{pin}\" = {{ … }} }}, add: {add}"
        ),
    );
}

impl Origin {
    /// The step that brings files to a host, when they are not there.
    pub fn bring(&self, desired: &Desired, host: &str, files: &[&str]) -> Option<Step> {
        let Self::From(from) = self else { return None };
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        let action = Action::BringFiles { version: desired.pin.to_string(), from: from.clone(), files };
        Some(Step { host: host.to_owned(), action })
    }

    /// Where they are found then.
    pub fn source(&self, desired: &Desired) -> PackageSource {
        match self {
            Self::OnHost => PackageSource::InstallFolder,
            Self::From(_) => PackageSource::Staged { version: desired.pin.to_string() },
        }
    }
}

/// Refuses at once what waiting cannot mend: every server group is pinned beyond the component, so none of its servers
/// will have the package. `way_out` is a sentence.
pub fn check(desired: &Desired, host: &str, facts: &HostFacts, way_out: &str, diagnostics: &mut Diagnostics) {
    let is_beyond = |group: &Token| group.pin > desired.pin;
    if groups(desired).next().is_some() && groups(desired).all(is_beyond) && origin(desired, host, facts).is_none() {
        refuse(desired, way_out, diagnostics);
    }
}

/// Says once that no server has the packages of the pin. `way_out` is a sentence.
pub fn refuse(desired: &Desired, way_out: &str, diagnostics: &mut Diagnostics) {
    let pin = &desired.pin;
    let summary = format!("{}: no MFA Server has the packages of {pin}", desired.name);
    if diagnostics.iter().any(|found| found.summary == summary) {
        return;
    }
    let found: Vec<String> =
        groups(desired).map(|group| format!("{} is pinned at {}", group.name, group.pin)).collect();
    diagnostics.error_at(
        Path::of("version"),
        summary,
        format!(
            "Packages are taken from the install folder of an MFA Server that runs the same version, and none does: {}. \
             {way_out}",
            found.join(", ")
        ),
    );
}

fn groups(desired: &Desired) -> impl Iterator<Item = &Token> {
    desired.after.iter().filter(|token| token.kind == SetKind::ServerGroup)
}

fn has_server_at_pin(desired: &Desired, facts: &HostFacts) -> bool {
    let evidence = facts.server.as_ref().and_then(|server| {
        Evidence::of(
            ("uninstall entry", server.product_version.as_deref()),
            ("service file", server.file_version.as_deref()),
        )
    });
    evidence.is_some_and(|evidence| evidence.agrees && evidence.lowest == desired.pin)
}
