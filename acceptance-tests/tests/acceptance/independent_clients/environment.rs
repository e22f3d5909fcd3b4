//! A Python virtual environment with the clients, made once under `target`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::support;

/// Exactly these, so that a new release of a client does not change what is tested.
const PACKAGES: &[&str] = &[
    "pywinrm==0.5.0",
    "pypsrp==0.9.1",
    "pyspnego==0.12.4",
    "requests_ntlm==1.3.0",
];

/// Tests of this binary wait for each other, so that one of them installs.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The interpreter of the environment; `Err` says why it cannot be had.
pub fn python() -> Result<PathBuf, String> {
    let _installing = INSTALLING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = support::target_folder("independent-clients");
    let python = folder.join("bin/python");
    let complete = folder.join("installed.txt");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PACKAGES))?;
    write(&complete, &wanted)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}",
        text.lines().last().unwrap_or_default()
    ))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
