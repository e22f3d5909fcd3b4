//! The setup program of MFA Server: in place, over whatever version is there.

use std::io;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{Run, SUCCESS, programs, redistributable, web};
use crate::lab::host::product::component::{Component, ships};
use crate::lab::host::product::{adapter, files, release};
use crate::lab::host::registry;
use crate::lab::host::state::{Service, State};
use crate::lab::host::{time, windows_path};

/// The service's name.
pub const SERVICE: &str = "MultiFactorAuth";

/// Replaces the program, brings the packages of the version and starts the service; data and settings stay.
pub fn install(run: &mut Run<'_>, state: &mut State) -> io::Result<i32> {
    for architecture in ["x86", "x64"] {
        // A newer one that is there already is no error of the setup.
        redistributable::install(state, architecture, redistributable::BUNDLED);
    }
    let folder = programs::product_folder(state);
    registry::set(&mut state.registry, registry::PRODUCT, "InstallPath", folder.clone());
    let program = state.service(SERVICE).and_then(|service| program(&service.path_name));
    let program = program.unwrap_or_else(|| windows_path::join(&folder, "pfsvc.exe"));
    files::write_versioned(run.host, state, &program, run.version)?;
    write_packages(run.host, &folder, run.version)?;
    let data = windows_path::join(&folder, "Data\\PhoneFactor.pfdata");
    if !run.host.is_file(&data) {
        run.host.write(&data, "users and settings\r\n")?;
    }
    start_service(state, &program);
    if std::mem::take(&mut state.faults.replace_cohosted_web_config) {
        web::reset_portals(run.host, state, run.version)?;
    }
    Ok(SUCCESS)
}

/// Puts the packages that come with a version into the install folder, in the place of earlier ones.
pub fn write_packages(host: &HostFolder, folder: &str, version: &str) -> io::Result<()> {
    for component in Component::ALL.into_iter().filter(|component| *component != Component::Server) {
        let path = windows_path::join(folder, component.package_file());
        if ships(version, component) {
            host.write(&path, release::component_package(component, version))?;
        } else {
            host.remove(&path)?;
        }
    }
    for (name, text) in adapter::files(version) {
        host.write(&windows_path::join(folder, name), text)?;
    }
    Ok(())
}

/// Starts the service anew: another process, which takes up the replication of the one before.
pub fn start_service(state: &mut State, program: &str) {
    let before = state.service(SERVICE).and_then(|service| service.process_id);
    let process_id = state.next_process_id();
    let start_mode = state.service(SERVICE).map_or("Auto", |service| &service.start_mode).to_owned();
    let service = Service {
        display_name: "Multi-Factor Authentication Server".to_owned(),
        state: "Running".to_owned(),
        start_mode,
        path_name: format!("\"{program}\""),
        account: "LocalSystem".to_owned(),
        process_id: Some(process_id),
        started_at: Some(time::now()),
    };
    state.services.insert(SERVICE.to_owned(), service);
    for connection in state.connections.iter_mut().filter(|connection| Some(connection.process_id) == before) {
        connection.process_id = process_id;
    }
}

/// The program in a service's command line.
pub fn program(command_line: &str) -> Option<String> {
    let quoted = command_line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let program = match quoted {
        Some((program, _)) => program,
        None => {
            let end = command_line.to_ascii_lowercase().find(".exe")? + ".exe".len();
            command_line[..end].trim_start()
        }
    };
    Some(program.to_owned())
}
