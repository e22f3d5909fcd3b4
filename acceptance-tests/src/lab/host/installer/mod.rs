//! Plays setup programs and Windows Installer packages: what they do to a host's state and files.

pub mod adapter;
pub mod arguments;
pub mod log;
pub mod prerequisites;
pub mod programs;
pub mod redistributable;
pub mod server;
pub mod web;

use std::time::Duration;

use serde_json::json;

use crate::lab::host::error::LabError;
use crate::lab::host::faults::{InstallerFault, Moment};
use crate::lab::host::file_lock;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::arguments::Arguments;
use crate::lab::host::installer::log::Log;
use crate::lab::host::product::component::Component;
use crate::lab::host::product::release::{self, Package};
use crate::lab::host::registry;
use crate::lab::host::state::State;

/// Success.
pub const SUCCESS: i32 = 0;
/// Windows Installer's "fatal error during installation".
pub const FATAL: i32 = 1603;
/// Another installation is in progress.
pub const BUSY: i32 = 1618;
/// The package could not be opened.
pub const NOT_FOUND: i32 = 1619;
/// The file is no package.
pub const NO_PACKAGE: i32 = 1620;
/// Another version is installed already.
pub const OTHER_VERSION: i32 = 1638;

/// What is installed, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Windows path of the setup program or package.
    pub file: String,
    pub arguments: Vec<String>,
}

/// How an installer ended, or that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Exit(i32),
    /// It shows a question that nobody sees.
    Hangs,
    /// It was ended from outside before it had done anything.
    Ended,
}

/// One run of an installer on a host.
pub struct Run<'a> {
    pub host: &'a HostFolder,
    pub version: &'a str,
    pub arguments: &'a Arguments,
    pub log: &'a mut Log,
    /// The uninstall entry is not written: the installer dies half-way.
    pub half: bool,
}

/// Installs. `wait` takes the time that an installer takes, and says whether it may go on.
pub fn install(host: &HostFolder, order: &Order, wait: &dyn Fn() -> bool) -> Result<Outcome, LabError> {
    let arguments = Arguments::parse(&order.arguments);
    let Ok(bytes) = host.read(&order.file) else { return Ok(Outcome::Exit(NOT_FOUND)) };
    let Some(package) = release::read(&bytes) else { return Ok(Outcome::Exit(NO_PACKAGE)) };
    if !arguments.is_silent() {
        return Ok(Outcome::Hangs);
    }
    let lock_path = host.path().join("msiexec.lock");
    let Some(_lock) = file_lock::try_lock(&lock_path)? else { return Ok(Outcome::Exit(BUSY)) };
    if !wait() {
        return Ok(Outcome::Ended);
    }
    let mut log = Log::new(order, &package);
    let code = play(host, &package, &arguments, &mut log)?;
    log.end(code);
    if let Some(path) = arguments.log() {
        host.write(path, log.text()).map_err(LabError::file(host.path()))?;
    }
    let mut detail = json!({
        "component": package.lab_package, "version": package.version, "file": order.file, "exit_code": code
    });
    if let Some(directory) = arguments.property("TARGETVDIR") {
        detail["virtual_directory"] = json!(directory);
    }
    host.record("install", detail)?;
    Ok(Outcome::Exit(code))
}

/// Whether an installation is in progress.
pub fn is_busy(host: &HostFolder) -> bool {
    matches!(file_lock::try_lock(&host.path().join("msiexec.lock")), Ok(None))
}

/// How long installers take in an estate: `installer_milliseconds` of `estate.json`, else 200 ms.
pub fn duration(host: &HostFolder) -> Duration {
    let estate = crate::lab::host::json_file::read::<serde_json::Value>(&host.estate().join("estate.json"));
    let stated = estate.ok().and_then(|estate| estate["installer_milliseconds"].as_u64());
    Duration::from_millis(stated.unwrap_or(200))
}

fn play(host: &HostFolder, package: &Package, arguments: &Arguments, log: &mut Log) -> Result<i32, LabError> {
    host.update(|state| {
        let fault = state.faults.take_installer(&package.lab_package);
        let at = |moment| fault.as_ref().filter(|fault: &&InstallerFault| fault.when == moment);
        if let Some(fault) = at(Moment::Before) {
            log.line("Error 1714. The older version cannot be removed.");
            return Ok(fault.exit_code);
        }
        let half = at(Moment::Half).is_some();
        let mut run = Run { host, version: &package.version, arguments, log, half };
        let code = run.dispatch(state, &package.lab_package)?;
        let code = fault.filter(|_| code == SUCCESS).map_or(code, |fault| fault.exit_code);
        if matches!(code, 3010 | 1641) {
            // A file that was in use is replaced at the next restart.
            let renames = json!(["\\??\\C:\\Config.Msi\\1a2b3c.rbf", ""]);
            registry::set(&mut state.registry, registry::SESSION_MANAGER, registry::PENDING_RENAMES, renames);
        }
        Ok(code)
    })
}

impl Run<'_> {
    fn dispatch(&mut self, state: &mut State, name: &str) -> Result<i32, LabError> {
        if let Some(architecture) = name.strip_prefix("vc_redist_") {
            return Ok(redistributable::install(state, architecture, self.version));
        }
        let Some(component) = Component::from_name(name) else { return Ok(NO_PACKAGE) };
        let refusal = prerequisites::refusal(state, component, self.version);
        if let Some(refusal) = refusal {
            self.log.line(&refusal.message);
            return Ok(refusal.exit_code);
        }
        let path = self.host.path().to_owned();
        let code = match component {
            Component::Server => server::install(self, state),
            Component::AdfsAdapter => adapter::install(self, state),
            component => web::install(self, state, component),
        };
        let code = code.map_err(LabError::file(&path))?;
        if code == SUCCESS && !self.half {
            programs::replace(state, component, self.version, &self.install_location(state, component));
        }
        Ok(code)
    }

    fn install_location(&self, state: &State, component: Component) -> String {
        match component {
            Component::Server | Component::AdfsAdapter => programs::product_folder(state),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
