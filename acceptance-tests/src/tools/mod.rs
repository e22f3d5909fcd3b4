//! Programs the tests run but do not build: found on the machine, else fetched into the target folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
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
    clear(&part).map_err(problem)?;
    fs::create_dir_all(&part).map_err(problem)?;
    fill(&part)?;
    clear(&folder).map_err(problem)?;
    fs::rename(&part, &folder).map_err(problem)?;
    Ok(folder)
}

/// Takes away whatever lies in the place of a tool: a folder, a file, a link.
fn clear(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether this is a program of the machine's own format that may be started, and no link to one.
fn is_program(place: &Path) -> io::Result<bool> {
    let Ok(found) = fs::symlink_metadata(place) else { return Ok(false) };
    if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
        return Ok(false);
    }
    let mut magic = Vec::new();
    File::open(place)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == b"\x7fELF")
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
    Err(Unavailable(format!("{shown} failed: {}", reason(&String::from_utf8_lossy(&output.stderr)))))
}

/// The line that says why: the last one, or the last of what pip quotes of a build that failed.
fn reason(printed: &str) -> &str {
    let quoted = printed.split_once("[end of output]").map_or(printed, |(before, _)| before);
    quoted.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it printed nothing")
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
    // A copied folder may have lost the link to the interpreter.
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) && python.exists() {
        return Ok(python);
    }
    clear(&folder).map_err(problem)?;
    output_of(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
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
    // Go builds into a folder of that name instead of replacing it, not at all over a file that is no program, and leaves
    // a current program as it is even when it may not be started.
    if !is_program(&program).map_err(problem)? {
        clear(&program).map_err(problem)?;
    }
    let mut build = Command::new("go");
    output_of(build.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(source))?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts something in the place of a tool; says whether it is a program, and clears the place.
    #[track_caller]
    fn check(put: impl FnOnce(&Path) -> io::Result<()>, expected: bool) {
        let folder = tempfile::tempdir().expect("folder");
        let place = folder.path().join("tool");
        put(&place).expect("something can be put there");
        assert_eq!(is_program(&place).expect("it can be looked at"), expected);
        clear(&place).expect("it can be taken away");
        assert!(fs::symlink_metadata(&place).is_err());
    }

    fn write(place: &Path, text: &str, mode: u32) -> io::Result<()> {
        fs::write(place, text)?;
        fs::set_permissions(place, fs::Permissions::from_mode(mode))
    }

    #[test]
    fn the_reason_is_the_last_line_or_the_last_that_pip_quotes() {
        assert_eq!(
            reason("E: no lists\nE: Unable to locate package libkrb5-dev\n\n"),
            "E: Unable to locate package libkrb5-dev"
        );
        let built = "  error: subprocess-exited-with-error\n  exit code: 1\n      error: command 'gcc' failed\n      [end of output]\n  \n  \
             note: This error originates from a subprocess, and is likely not a problem with pip.\n";
        assert_eq!(reason(built), "error: command 'gcc' failed");
        assert_eq!(reason("\n"), "it printed nothing");
    }

    #[test]
    fn only_a_program_may_stay_in_the_place_of_a_program() {
        check(|_| Ok(()), false);
        check(|place| write(place, "\x7fELF and so on", 0o755), true);
        check(|place| write(place, "\x7fELF and so on", 0o644), false);
        check(|place| write(place, "of another kind", 0o755), false);
        check(|place| fs::create_dir_all(place.join("nested")), false);
        check(|place| std::os::unix::fs::symlink("/nowhere/at/all", place), false);
    }
}
