//! The package of the AD FS adapter: files only. Registering it is another step.

use std::io;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{Run, SUCCESS, programs};
use crate::lab::host::product::{adapter, files};
use crate::lab::host::state::State;
use crate::lab::host::windows_path;

/// Puts assembly, scripts and configuration file into the product's folder.
pub fn install(run: &mut Run<'_>, state: &mut State) -> io::Result<i32> {
    let folder = programs::product_folder(state);
    write_files(run.host, state, &folder, run.version)?;
    Ok(SUCCESS)
}

/// The files of the adapter of a version.
pub fn write_files(host: &HostFolder, state: &mut State, folder: &str, version: &str) -> io::Result<()> {
    let assembly = windows_path::join(folder, adapter::ASSEMBLY_FILE);
    files::write_adapter_assembly(host, state, &assembly, version)?;
    for (name, text) in adapter::files(version) {
        host.write(&windows_path::join(folder, name), text)?;
    }
    Ok(())
}
