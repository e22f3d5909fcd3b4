//! The vendor's packages: which file is run with which arguments, and when that is already done.

use serde::Deserialize;
use serde_json::json;

use crate::backend::error::{Cause, HostError, ScriptErrorKind};
use crate::backend::facts::{HostFacts, WebKind};
use crate::backend::release::Component;
use crate::backend::step::{PackageSource, Place};
use crate::backend::windows::files;
use crate::backend::windows::installers::{self, Found, Installation};
use crate::backend::windows::scripts::GET_FILE_IDENTITY;
use crate::backend::windows::verify;
use crate::backend::windows::work::{Work, join};
use crate::backend::{Report, placeholder};

/// The AD FS adapter's package.
const ADAPTER_PACKAGE: &str = "MultiFactorAuthenticationAdfsAdapterSetup64.msi";

/// Runs the server setup in place.
pub async fn server_setup(work: &Work<'_>, version: &str) -> Result<Report, HostError> {
    let arguments = arguments(work, version, Component::ServerSetup, None)?;
    let setup = files::server_setup(work, version)?;
    let id = installers::id(Component::ServerSetup.as_str(), version, None);
    let id = match installers::take_up(work, &id).await? {
        Found::TakenUp(report) => return Ok(report),
        Found::None { id } => id,
    };
    let facts = work.facts().await?;
    if facts.server.as_ref().is_some_and(|server| verify::server_versions(server, version).is_ok()) {
        return Ok(Report { already: true, notes: Vec::new() });
    }
    let file = setup.path(&facts.work_folder);
    installers::install(work, &Installation { id, file, sha256: setup.sha256.to_owned(), arguments }).await
}

/// Runs a web component's package.
pub async fn web(
    work: &Work<'_>,
    kind: WebKind,
    version: &str,
    source: &PackageSource,
    place: &Place,
) -> Result<Report, HostError> {
    let component = Component::from(kind);
    let arguments = arguments(work, version, component, Some(place))?;
    let id = installers::id(component.as_str(), version, Some(&place.virtual_directory));
    let id = match installers::take_up(work, &id).await? {
        Found::TakenUp(report) => return Ok(report),
        Found::None { id } => id,
    };
    let facts = work.facts().await?;
    let there = verify::web_component(&facts, kind, Some(&place.virtual_directory));
    if there.is_some_and(|there| verify::web_versions(there, version).is_ok()) {
        return Ok(Report { already: true, notes: Vec::new() });
    }
    install_msi(work, &facts, source, kind.package(), id, arguments).await
}

/// Runs the AD FS adapter's package.
pub async fn adapter(work: &Work<'_>, version: &str, source: &PackageSource) -> Result<Report, HostError> {
    let component = Component::AdfsAdapter;
    let arguments = arguments(work, version, component, None)?;
    let id = installers::id(component.as_str(), version, None);
    let id = match installers::take_up(work, &id).await? {
        Found::TakenUp(report) => return Ok(report),
        Found::None { id } => id,
    };
    let facts = work.facts().await?;
    if facts.adfs.as_ref().is_some_and(|adfs| verify::adapter_versions(adfs, version).is_ok()) {
        return Ok(Report { already: true, notes: Vec::new() });
    }
    install_msi(work, &facts, source, ADAPTER_PACKAGE, id, arguments).await
}

async fn install_msi(
    work: &Work<'_>,
    facts: &HostFacts,
    source: &PackageSource,
    package: &str,
    id: String,
    arguments: Vec<String>,
) -> Result<Report, HostError> {
    #[derive(Deserialize)]
    struct Identity {
        sha256: Option<String>,
    }
    let file = join(&work.folder(facts, source)?, package);
    // The package came with a setup whose hash was checked; its own hash ties what is started to what lies there now.
    let identity: Identity = work.run(GET_FILE_IDENTITY, json!({"path": file})).await?;
    let Some(sha256) = identity.sha256 else {
        return Err(work.failure(Cause::Script {
            script: "Get-FileIdentity".to_owned(),
            kind: ScriptErrorKind::NotFound,
            message: format!("the package {file} is not there"),
            line: None,
        }));
    };
    installers::install(work, &Installation { id, file, sha256, arguments: quiet(arguments) }).await
}

/// Windows Installer asks and restarts unless it is told not to, and nobody sees a question in a scheduled task. What
/// the operator states about either stays.
fn quiet(mut arguments: Vec<String>) -> Vec<String> {
    let states = |accepted: fn(&str) -> bool| {
        arguments.iter().any(|argument| accepted(&argument.to_ascii_lowercase().replace('-', "/")))
    };
    let mut added = Vec::new();
    if !states(|argument| argument.starts_with("/q") || argument == "/passive") {
        added.push("/qn".to_owned());
    }
    if !states(|argument| argument.contains("restart") || argument.starts_with("reboot=")) {
        added.push("/norestart".to_owned());
    }
    arguments.extend(added);
    arguments
}

/// The operator's arguments, filled in. A package never runs without them being stated.
fn arguments(
    work: &Work<'_>,
    version: &str,
    component: Component,
    place: Option<&Place>,
) -> Result<Vec<String>, HostError> {
    let package = work.package(version, component)?;
    let stated = work.stated(&package.arguments, version, component, "arguments")?;
    let filled = stated.iter().map(|argument| placeholder::fill(argument, place)).collect::<Result<_, _>>();
    filled.map_err(|error| work.failure(Cause::Settings(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stated: &[&str], expected: &[&str]) {
        assert_eq!(quiet(stated.iter().map(|&word| word.to_owned()).collect()), expected);
    }

    #[test]
    fn a_package_never_asks() {
        check(&["TARGETVDIR=mfa"], &["TARGETVDIR=mfa", "/qn", "/norestart"]);
        check(&[], &["/qn", "/norestart"]);
        check(&["-QB!", "REBOOT=ReallySuppress"], &["-QB!", "REBOOT=ReallySuppress"]);
        check(&["/quiet", "/norestart"], &["/quiet", "/norestart"]);
        check(&["/passive", "/promptrestart"], &["/passive", "/promptrestart"]);
    }
}
