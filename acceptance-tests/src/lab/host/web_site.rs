//! What a host's web site answers: as healthy as what is installed there.

use crate::lab::host::folder::HostFolder;
use crate::lab::host::product::component::{Component, is_new_generation};
use crate::lab::host::state::{Application, State};
use crate::lab::host::windows_path::join;
use crate::lab::wire::web_site::Page;

/// Where AD FS answers balancers.
const ADFS_PROBE: &str = "/adfs/probe";

/// The answer to a request.
pub fn page(host: &HostFolder, path: &str) -> Page {
    match host.state() {
        Ok(state) => of_state(host, &state, path),
        Err(error) => Page::new(500, error.to_string()),
    }
}

fn of_state(host: &HostFolder, state: &State, path: &str) -> Page {
    if path == ADFS_PROBE && state.adfs.is_some() {
        let runs = state.service("adfssrv").is_some_and(|service| service.state == "Running");
        return if runs { Page::new(200, "") } else { Page::new(503, "Service Unavailable") };
    }
    let applications = state.iis.iter().flat_map(|iis| &iis.sites).flat_map(|site| &site.applications);
    let serves = |application: &&Application| {
        let (path, own) = (path.to_ascii_lowercase(), application.path.to_ascii_lowercase());
        own != "/" && path.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match applications.filter(serves).max_by_key(|application| application.path.len()) {
        Some(application) => of_application(host, state, application),
        None => Page::new(404, "Not Found"),
    }
}

/// An application answers while its pool is started on the runtime that its files need.
fn of_application(host: &HostFolder, state: &State, application: &Application) -> Page {
    let Some((component, version)) = installed(host, state, &application.physical_path) else {
        return Page::new(404, "Not Found");
    };
    let pools = state.iis.iter().flat_map(|iis| &iis.application_pools);
    let pool = pools.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&application.application_pool));
    let needed = if is_new_generation(&version) { "v4.0" } else { "v2.0" };
    let is_up = pool.is_some_and(|(_, pool)| pool.state != "Stopped" && pool.runtime == needed);
    if !is_up {
        return Page::new(503, "Service Unavailable");
    }
    if !host.is_file(&join(&application.physical_path, "web.config")) {
        return Page::new(500, "Server Error");
    }
    Page::new(200, format!("{} {version}", component.display_name()))
}

/// The component in a folder and its version.
fn installed(host: &HostFolder, state: &State, folder: &str) -> Option<(Component, String)> {
    Component::ALL.into_iter().find_map(|component| {
        let library = join(folder, &format!("bin\\{}", component.web()?.library));
        let version = state.file_version(&library).filter(|_| host.is_file(&library))?;
        Some((component, version.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::estate::demo;

    /// The answer of a host of the demo estate, after something was done there.
    #[track_caller]
    fn check(host: &str, path: &str, change: impl FnOnce(&mut State), status: u16) {
        let estate = demo::temporary().expect("the demo estate can be made");
        let host = estate.host(host).expect("a host");
        host.update(|state| {
            change(state);
            Ok::<_, crate::lab::host::error::LabError>(())
        })
        .expect("changed");
        assert_eq!(page(&host, path).status, status, "{path}");
    }

    fn set_pool(state: &mut State, pool: &str, running: &str, runtime: &str) {
        let pool = state.iis.as_mut().and_then(|iis| iis.application_pools.get_mut(pool)).expect("a pool");
        (pool.state, pool.runtime) = (running.to_owned(), runtime.to_owned());
    }

    #[test]
    fn an_application_answers_while_its_pool_fits_and_runs() {
        let nothing = |_: &mut State| {};
        check("portal01", "/MultiFactorAuth/", nothing, 200);
        check("portal01", "/multifactorauth", nothing, 200);
        check("portal01", "/MultiFactorAuthX", nothing, 404);
        check("portal01", "/", nothing, 404);
        check("portal01", "/MultiFactorAuth/", |state| set_pool(state, "DefaultAppPool", "Stopped", "v2.0"), 503);
        check("portal01", "/MultiFactorAuth/", |state| set_pool(state, "DefaultAppPool", "Started", "v4.0"), 503);
        check("mfa03", "/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx", nothing, 200);
        let estate = demo::temporary().expect("the demo estate can be made");
        let text = page(&estate.host("mfa03").expect("a host"), "/MultiFactorAuth/").text;
        assert_eq!(text, "Multi-Factor Authentication User Portal 6.3.1.1");
    }

    #[test]
    fn the_probe_of_adfs_follows_its_service() {
        check("adfs01", "/adfs/probe", |_| {}, 200);
        let stop = |state: &mut State| {
            state.services.get_mut("adfssrv").expect("a service").state = "Stopped".to_owned();
        };
        check("adfs01", "/adfs/probe", stop, 503);
        check("mfa01", "/adfs/probe", |_| {}, 404);
    }
}
