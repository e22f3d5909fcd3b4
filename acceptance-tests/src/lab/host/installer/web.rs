//! The packages of the components that live in IIS.

use std::io;

use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{FATAL, Run, SUCCESS};
use crate::lab::host::product::component::{Component, WebLayout};
use crate::lab::host::product::files;
use crate::lab::host::product::web_config::{self, Settings};
use crate::lab::host::state::{Application, State};
use crate::lab::host::windows_path::join;

/// Where a package puts a component.
#[derive(Clone, Debug, PartialEq)]
struct Target {
    site: i64,
    path: String,
    pool: Option<String>,
}

/// Installs into the virtual directory that was named, else into the vendor's default one, whatever was there before.
pub fn install(run: &mut Run<'_>, state: &mut State, component: Component) -> io::Result<i32> {
    let Some(layout) = component.web() else { return Ok(FATAL) };
    let Some(target) = target(run, &layout) else {
        run.log.line("Error 1722. TARGETSITE is not of the form /LM/W3SVC/<number>.");
        return Ok(FATAL);
    };
    let Some(folder) = place(state, &target) else {
        run.log.line("Error 1723. The web site or application pool does not exist.");
        return Ok(FATAL);
    };
    write_application(run.host, state, component, &folder, run.version)?;
    run.host
        .write(&join(&folder, "web.config"), web_config::text(component, run.version, &Settings::shipped(component)))?;
    Ok(SUCCESS)
}

/// The files of an application of a version, except its `web.config`.
pub fn write_application(
    host: &HostFolder,
    state: &mut State,
    component: Component,
    folder: &str,
    version: &str,
) -> io::Result<()> {
    let Some(layout) = component.web() else { return Ok(()) };
    host.write(&join(folder, layout.page), format!("<%@ Page Language=\"C#\" %> <!-- {version} -->\r\n"))?;
    files::write_versioned(host, state, &join(folder, &format!("bin\\{}", layout.library)), version)?;
    if component == Component::UserPortal {
        let theme = join(folder, "App_Themes\\Default");
        host.remove(&theme)?;
        host.write(&join(&theme, "Default.css"), format!("/* {version} */\r\nbody {{ font-family: Segoe UI; }}\r\n"))?;
        host.write(&join(&theme, "Images\\logo.png"), format!("logo {version}\r\n"))?;
    }
    Ok(())
}

/// Replaces the `web.config` of every portal on the host by the one that a version ships.
pub fn reset_portals(host: &HostFolder, state: &State, version: &str) -> io::Result<()> {
    for folder in folders(host, state, Component::UserPortal) {
        let shipped = web_config::text(Component::UserPortal, version, &Settings::shipped(Component::UserPortal));
        host.write(&join(&folder, "web.config"), shipped)?;
    }
    Ok(())
}

/// The folders of a component's applications on a host.
pub fn folders(host: &HostFolder, state: &State, component: Component) -> Vec<String> {
    let Some(layout) = component.web() else { return Vec::new() };
    let applications = state.iis.iter().flat_map(|iis| &iis.sites).flat_map(|site| &site.applications);
    let library = format!("bin\\{}", layout.library);
    let folders = applications.map(|application| application.physical_path.clone());
    folders.filter(|folder| host.is_file(&join(folder, &library))).collect()
}

fn target(run: &Run<'_>, layout: &WebLayout) -> Option<Target> {
    let directory = run.arguments.property("TARGETVDIR").unwrap_or(layout.virtual_directory);
    let site = match run.arguments.property("TARGETSITE") {
        Some(site) => site.strip_prefix("/LM/W3SVC/")?.parse().ok()?,
        None => 1,
    };
    let pool = run.arguments.property("TARGETAPPPOOL").map(str::to_owned);
    Some(Target { site, path: format!("/{}", directory.trim_matches('/')), pool })
}

/// Makes or finds the application; gives its folder. The settings of the pool are not touched.
fn place(state: &mut State, target: &Target) -> Option<String> {
    let iis = state.iis.as_mut()?;
    let known = |pool: &String| iis.application_pools.contains_key(pool);
    if !target.pool.iter().all(known) {
        return None;
    }
    let site = iis.sites.iter_mut().find(|site| site.id == target.site)?;
    let applications = &mut site.applications;
    let found = applications.iter_mut().find(|application| application.path.eq_ignore_ascii_case(&target.path));
    if let Some(application) = found {
        if let Some(pool) = &target.pool {
            application.application_pool.clone_from(pool);
        }
        return Some(application.physical_path.clone());
    }
    let physical_path = format!("C:\\inetpub\\wwwroot{}", target.path.replace('/', "\\"));
    let application_pool = target.pool.clone().unwrap_or_else(|| "DefaultAppPool".to_owned());
    applications.push(Application {
        path: target.path.clone(),
        physical_path: physical_path.clone(),
        application_pool,
    });
    Some(physical_path)
}
