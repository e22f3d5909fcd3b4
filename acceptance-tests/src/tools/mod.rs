//! Programs the tests run but do not build: found on the machine, else fetched into the target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::paths;

pub mod kerberos;
pub mod provider;
pub mod recordings;
pub mod terraform;

/// Why a program cannot be had on this machine.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(String);

/// Makes a folder below the tools folder once, whichever test or process asks first.
///
/// `fill` works in a temporary folder that takes the final name only when it has succeeded.
fn once(name: &str, fill: impl FnOnce(&Path) -> Result<(), Unavailable>) -> Result<PathBuf, Unavailable> {
    let tools = paths::tools();
    let folder = tools.join(name);
    let problem = |error: std::io::Error| Unavailable(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&tools).map_err(problem)?;
    let lock = File::create(tools.join(format!("{name}.lock"))).map_err(problem)?;
    lock.lock().map_err(problem)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let part = tools.join(format!("{name}.part"));
    if part.exists() {
        fs::remove_dir_all(&part).map_err(problem)?;
    }
    fs::create_dir_all(&part).map_err(problem)?;
    fill(&part)?;
    fs::rename(&part, &folder).map_err(problem)?;
    Ok(folder)
}

/// Runs a program to its end and returns what it printed.
fn output_of(command: &mut Command) -> Result<String, Unavailable> {
    let shown = format!("{:?}", command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Unavailable(format!("{shown} cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let last = printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    Err(Unavailable(format!("{shown} failed: {last}")))
}

/// A Python environment below the tools folder with exactly these packages.
///
/// The environment is made in place (it records its own path), so its mark of completeness is a file.
pub fn python_environment(name: &str, packages: &[&str]) -> Result<PathBuf, Unavailable> {
    python_environment_with(name, packages, &[])
}

/// The same with variables that the packages are built with.
fn python_environment_with(
    name: &str,
    packages: &[&str],
    environment: &[(&str, String)],
) -> Result<PathBuf, Unavailable> {
    let tools = paths::tools();
    let folder = tools.join(name);
    let python = folder.join("bin/python");
    let wanted = packages.join("\n");
    let problem = |error: std::io::Error| Unavailable(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&tools).map_err(problem)?;
    let lock = File::create(tools.join(format!("{name}.lock"))).map_err(problem)?;
    lock.lock().map_err(problem)?;
    let mark = folder.join("packages.txt");
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    output_of(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let environment = environment.iter().map(|(name, value)| (name, value));
    output_of(Command::new(&python).args(install).args(packages).envs(environment))?;
    fs::write(&mark, wanted).map_err(problem)?;
    Ok(python)
}

/// A Go program below the tools folder, built from a folder with its `go.mod`. Go itself sees whether anything changed.
pub fn go_program(name: &str, source: &Path) -> Result<PathBuf, Unavailable> {
    let tools = paths::tools();
    let program = tools.join(name);
    let problem = |error: std::io::Error| Unavailable(format!("{}: {error}", program.display()));
    fs::create_dir_all(&tools).map_err(problem)?;
    let lock = File::create(tools.join(format!("{name}.lock"))).map_err(problem)?;
    lock.lock().map_err(problem)?;
    let mut build = Command::new("go");
    output_of(build.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(source))?;
    Ok(program)
}
