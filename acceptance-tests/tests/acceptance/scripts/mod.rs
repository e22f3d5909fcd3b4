//! Every PowerShell script under the real PowerShell, sent exactly as over the wire, on a simulated host.
//!
//! The cases lie beside the scripts: `cases/<Script>.<case>.json` says what the host is like, what is asked and what
//! must be answered, so that other readers of the same files (the decoder, the native hosts) cannot drift from them.

use std::path::PathBuf;

use acceptance_tests::{paths, powershell, skip};

mod cases;
mod checks;
mod envelope;
mod estate;
mod guard;
mod installers;
mod leases;
mod pattern;
mod unicode;
mod wire;
mod worker;

/// PowerShell, or a counted skip of the named group.
pub fn powershell_for(group: &str) -> Option<PathBuf> {
    match powershell::find() {
        Ok(program) => Some(program),
        Err(reason) => {
            skip::skipped(group, &reason);
            None
        }
    }
}

pub fn script_folder() -> PathBuf {
    paths::root().join("provider/src/backend/windows/scripts")
}

/// The names of all scripts, without the two that carry them.
fn script_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(script_folder())
        .expect("the folder of scripts")
        .filter_map(|entry| entry.expect("an entry").file_name().to_str()?.strip_suffix(".ps1").map(str::to_owned))
        .filter(|name| !name.starts_with('_'))
        .collect();
    names.sort();
    names
}
