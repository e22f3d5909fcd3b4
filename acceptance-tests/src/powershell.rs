//! The real PowerShell that plays `powershell.exe` on simulated hosts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;

/// Where PowerShell is: `AZUREMFA_TEST_PWSH`, else `pwsh` on PATH, else the copy beside the checkout. The error says
/// where it was looked for.
pub fn find() -> Result<PathBuf, String> {
    if let Some(stated) = std::env::var_os("AZUREMFA_TEST_PWSH") {
        return Ok(stated.into());
    }
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let beside = paths::root().join("../shared/tools");
    on_path.chain([beside]).map(|folder| folder.join("pwsh")).find(|program| program.is_file()).ok_or_else(|| {
        "no PowerShell: AZUREMFA_TEST_PWSH is not set, pwsh is not on PATH nor beside the checkout".to_owned()
    })
}

/// The folder with what turns PowerShell into a simulated host.
pub fn host_scripts() -> PathBuf {
    paths::root().join("acceptance-tests/powershell")
}

/// Where compiled helpers and files with versions are kept between runs: `AZUREMFA_LAB_CACHE`, else below `target`.
pub fn cache() -> PathBuf {
    std::env::var_os("AZUREMFA_LAB_CACHE").map_or_else(|| paths::target().join("lab-cache"), PathBuf::from)
}

/// A process of a simulated host that runs the text of `-EncodedCommand`. Pipes are the caller's.
pub fn host_command(powershell: &Path, host_folder: &Path, encoded_command: &str) -> Command {
    let mut command = enter_host(powershell, host_folder);
    command.args(["-EncodedCommand", encoded_command]);
    command
}

/// A process of a simulated host that is one of its scheduled tasks, and runs a script there.
pub fn task_command(powershell: &Path, host_folder: &Path, script: &str, task_path: &str) -> Command {
    let mut command = enter_host(powershell, host_folder);
    command.args(["-File", script, "-TaskPath", task_path]);
    command
}

fn enter_host(powershell: &Path, host_folder: &Path) -> Command {
    let mut command = Command::new(powershell);
    command.args(["-NoProfile", "-NonInteractive", "-File"]).arg(host_scripts().join("Enter-LabHost.ps1"));
    command.arg("-HostFolder").arg(host_folder);
    command.env("AZUREMFA_LAB_CACHE", cache()).env("NO_COLOR", "1");
    command
}

/// Makes the files with versions that simulated installers put on hosts; what is there is kept.
///
/// `versions` are file versions, `adapter_versions` assembly versions of the AD FS adapter.
pub fn make_assemblies(powershell: &Path, versions: &[&str], adapter_versions: &[&str]) -> Result<(), String> {
    let mut command = Command::new(powershell);
    command.args(["-NoProfile", "-NonInteractive", "-File"]).arg(host_scripts().join("New-VersionedAssembly.ps1"));
    command.arg("-Cache").arg(cache()).args(["-Version", &versions.join(",")]);
    command.args(["-AdapterVersion", &adapter_versions.join(",")]).env("NO_COLOR", "1");
    let output = command.output().map_err(|error| format!("{} does not start: {error}", powershell.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("the assemblies could not be made: {}", String::from_utf8_lossy(&output.stderr)))
}
