//! The provider binary under test: the one that is shipped, built by Cargo, offered through a filesystem mirror.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::paths;

/// Registry hosts under which the mirror offers the provider; OpenTofu's default differs from Terraform's.
const REGISTRIES: [&str; 2] = ["registry.terraform.io", "registry.opentofu.org"];
const ADDRESS: &str = "azuremfa/azuremfa";
const FILE: &str = "terraform-provider-azuremfa";

/// Builds the provider and returns the mirror's folder. Built once in a process.
///
/// # Panics
/// When the provider does not build: then no case can say anything.
pub fn mirror() -> PathBuf {
    static MIRROR: OnceLock<PathBuf> = OnceLock::new();
    MIRROR.get_or_init(|| fill_mirror(&binary())).clone()
}

/// Builds the provider binary and returns its path.
///
/// # Panics
/// When it does not build.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", FILE, "--bin", FILE])
        .current_dir(paths::root())
        // What Cargo sets for a test process must not change how this build is fingerprinted.
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_PKG_VERSION")
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the provider does not build");
    paths::target().join("debug").join(FILE)
}

fn fill_mirror(binary: &std::path::Path) -> PathBuf {
    let mirror = paths::target().join("mirror");
    for registry in REGISTRIES {
        let version = mirror.join(registry).join(ADDRESS).join(env!("CARGO_PKG_VERSION"));
        let folder = version.join(platform());
        std::fs::create_dir_all(&folder).expect("the mirror's folder can be made");
        let link = folder.join(FILE);
        // A target folder may have been copied from another checkout, with links to that one's binary.
        if std::fs::read_link(&link).is_ok_and(|there| there != binary) {
            std::fs::remove_file(&link).expect("a link can be replaced");
        }
        // Several test processes may do this at once.
        match std::os::unix::fs::symlink(binary, &link) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other.expect("the mirror can be filled"),
        }
    }
    mirror
}

/// Terraform's name of this platform.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}_{architecture}", std::env::consts::OS)
}
