//! Files with a version in them: programs and libraries.

use std::io;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::product::adapter;
use crate::lab::host::state::State;
use crate::powershell;

/// Writes a program or library of a version, and notes the version in the state.
///
/// When the lab has made real assemblies with versions, such a one is used: real PowerShell reads the version from the
/// file. Else the state alone knows it.
pub fn write_versioned(host: &HostFolder, state: &mut State, windows: &str, version: &str) -> io::Result<()> {
    write(host, state, windows, version, &format!("{version}.dll"))
}

/// Writes the adapter's assembly of a release.
pub fn write_adapter_assembly(host: &HostFolder, state: &mut State, windows: &str, version: &str) -> io::Result<()> {
    let assembly = adapter::assembly_version(version);
    write(host, state, windows, &assembly, &format!("MultiFactorAuthAdfsAdapter-{assembly}.dll"))
}

fn write(host: &HostFolder, state: &mut State, windows: &str, version: &str, made: &str) -> io::Result<()> {
    let bytes = match std::fs::read(powershell::cache().join("assemblies").join(made)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("lab file {version}\r\n").into_bytes(),
        Err(error) => return Err(error),
    };
    host.write(windows, bytes)?;
    state.set_file_version(windows, Some(version));
    Ok(())
}
