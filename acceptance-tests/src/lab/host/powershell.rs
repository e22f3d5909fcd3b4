//! Hosts played by real PowerShell processes, which run exactly the bytes that were sent.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::product::adapter;
use crate::lab::host::time;
use crate::lab::wire::local_process;
use crate::lab::wire::machine::Process;
use crate::powershell;

/// What is needed to start such processes.
#[derive(Clone, Debug)]
pub struct PowerShell {
    program: PathBuf,
    /// The lab's own program, which plays installers.
    lab: PathBuf,
}

impl PowerShell {
    /// Finds PowerShell and the lab's program (`AZUREMFA_LAB_BINARY`, else beside the running one).
    pub fn find() -> Result<Self, LabError> {
        let program = powershell::find().map_err(LabError::request)?;
        let lab = match std::env::var_os("AZUREMFA_LAB_BINARY") {
            Some(stated) => PathBuf::from(stated),
            None => beside_this_program().ok_or_else(|| {
                LabError::request("the program `lab` is not built; AZUREMFA_LAB_BINARY can say where it is")
            })?,
        };
        Ok(Self { program, lab })
    }

    /// Starts the process for an encoded command.
    pub fn start(&self, host: &HostFolder, encoded: &str) -> Process {
        let mut command = powershell::host_command(&self.program, host.path(), encoded);
        command.env("AZUREMFA_LAB_BINARY", &self.lab);
        local_process::start(command.into())
    }

    /// Makes files with versions, and puts them in the place of those that only the states know the versions of.
    pub fn prepare(&self, hosts: &[HostFolder], releases: &[&str]) -> Result<(), LabError> {
        let mut versions: Vec<String> = releases.iter().map(|&version| version.to_owned()).collect();
        let mut assemblies: Vec<String> = releases.iter().map(|version| adapter::assembly_version(version)).collect();
        for host in hosts {
            for (path, version) in host.state()?.file_versions {
                if is_adapter(&path) { assemblies.push(version) } else { versions.push(version) }
            }
        }
        let joined = |mut list: Vec<String>| {
            list.sort();
            list.dedup();
            list.join(",")
        };
        let (versions, assemblies) = (joined(versions), joined(assemblies));
        powershell::make_assemblies(&self.program, &[&versions], &[&assemblies]).map_err(LabError::request)?;
        hosts.iter().try_for_each(use_made_files)
    }
}

/// Ends the process of a scheduled task with what it started, as a restart of the host does.
pub fn end_task(host: &HostFolder, process: i64) {
    let words = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    // A number may have gone to somebody else's process meanwhile.
    if words.contains("Enter-LabHost.ps1") && words.contains(&host.path().display().to_string()) {
        // It leads a group of its own. One that has ended by itself is ended too.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{process}")]).stderr(Stdio::null()).status();
    }
}

/// Replaces files of a host whose version only its state knows.
fn use_made_files(host: &HostFolder) -> Result<(), LabError> {
    host.update(|state| {
        let mut adapter_changed = false;
        for (path, version) in &state.file_versions {
            let name = if is_adapter(path) {
                format!("MultiFactorAuthAdfsAdapter-{version}.dll")
            } else {
                format!("{version}.dll")
            };
            let made = powershell::cache().join("assemblies").join(name);
            let bytes = std::fs::read(&made).map_err(LabError::file(&made))?;
            if host.read(path).is_ok_and(|present| present == bytes) {
                continue;
            }
            host.write(path, bytes).map_err(LabError::file(host.path()))?;
            adapter_changed |= is_adapter(path);
        }
        // The files are new, and the service shall not look older than them.
        if adapter_changed && let Some(service) = state.services.get_mut("adfssrv") {
            service.started_at = Some(time::now());
        }
        Ok(())
    })
}

fn is_adapter(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(&adapter::ASSEMBLY_FILE.to_ascii_lowercase())
}

/// `lab` in the folder of the running program, or above it where tests lie.
fn beside_this_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folders = program.ancestors().skip(1).take(2);
    folders.map(|folder: &Path| folder.join("lab")).find(|lab| lab.is_file())
}
