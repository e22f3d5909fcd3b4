//! Where things lie in the checkout.

use std::path::{Path, PathBuf};

/// The top of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies below the top of the checkout").to_owned()
}

/// Cargo's target folder: everything that tests fetch or build goes below it.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Programs fetched from package registries.
pub fn tools() -> PathBuf {
    target().join("tools")
}
