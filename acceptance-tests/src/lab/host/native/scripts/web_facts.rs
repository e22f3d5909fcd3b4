//! The part of the host query that tells what lies in IIS.

use serde_json::{Value, json};

use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::scripts::configuration_entries::{self, Entry};
use crate::lab::host::native::scripts::products::Products;
use crate::lab::host::native::scripts::server_facts::file_version;
use crate::lab::host::native::xml::XmlFile;
use crate::lab::host::state::{Iis, Site, State};
use crate::lab::host::windows_path::join;

/// An application of a site.
struct Place {
    site: String,
    site_id: i64,
    path: String,
    folder: String,
    pool: String,
}

/// The components found, in the order of sites and paths.
pub fn read(host: &HostFolder, state: &State, products: &Products) -> Result<Vec<Value>, Failure> {
    let Some(iis) = &state.iis else {
        if state.service("W3SVC").is_none() {
            return Ok(Vec::new());
        }
        return Err(Failure::precondition(
            "IIS is installed but its PowerShell module WebAdministration is not. Install the feature \
             Web-Scripting-Tools (Install-WindowsFeature Web-Scripting-Tools)",
        ));
    };
    let mut found = Vec::new();
    for place in places(iis) {
        let Some((kind, file)) = kind(host, &place.folder) else { continue };
        let (exists, placeholders, address) = configuration(host, state, &place.folder)?;
        let pool = iis.application_pools.iter().find(|(name, _)| name.eq_ignore_ascii_case(&place.pool));
        let Some((_, pool)) = pool else {
            return Err(Failure::precondition(format!(
                "the application {}/{} names an application pool that does not exist: {}",
                place.site, place.path, place.pool
            )));
        };
        found.push(json!({
            "component": kind,
            "site": place.site,
            "site_id": place.site_id,
            "virtual_directory": place.path,
            "physical_path": place.folder,
            "application_pool": place.pool,
            "pool_runtime": pool.runtime,
            "pool_pipeline": pool.pipeline,
            "product_version": products.version(kind),
            "file_version": file.and_then(|file| file_version(host, state, &file)),
            "web_config_exists": exists,
            "placeholders": placeholders,
            "web_service_sdk_url": address,
        }));
    }
    Ok(found)
}

fn places(iis: &Iis) -> Vec<Place> {
    let mut sites: Vec<&Site> = iis.sites.iter().collect();
    sites.sort_by_key(|site| site.id);
    let mut places = Vec::new();
    for site in sites {
        let place = |path: &str, folder: &str, pool: &str| Place {
            site: site.name.clone(),
            site_id: site.id,
            path: path.trim_start_matches('/').to_owned(),
            folder: expand(folder).trim_end_matches('\\').to_owned(),
            pool: pool.to_owned(),
        };
        let (roots, mut others): (Vec<_>, Vec<_>) = site.applications.iter().partition(|found| found.path == "/");
        places.push(match roots.first() {
            Some(root) => place("", &root.physical_path, &root.application_pool),
            None => place("", "%SystemDrive%\\inetpub\\wwwroot", "DefaultAppPool"),
        });
        others.sort_by_key(|application| application.path.to_lowercase());
        places.extend(others.iter().map(|found| place(&found.path, &found.physical_path, &found.application_pool)));
    }
    places
}

fn expand(path: &str) -> String {
    let variables = [("%SystemDrive%", "C:"), ("%SystemRoot%", "C:\\Windows"), ("%ProgramFiles%", "C:\\Program Files")];
    variables.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// The component in a folder and the file whose version is its version.
fn kind(host: &HostFolder, folder: &str) -> Option<(&'static str, Option<String>)> {
    let files = host.file_names(folder);
    let has = |name: &str| files.iter().any(|file| file.eq_ignore_ascii_case(name));
    let bin = host.folder_names(folder).into_iter().find(|name| name.eq_ignore_ascii_case("bin"));
    let bin = bin.map(|bin| join(folder, &bin));
    let libraries: Vec<_> = bin.iter().flat_map(|bin| host.file_names(bin)).filter(|name| is_own(name)).collect();
    let library = |wanted: &str| libraries.iter().find(|name| name.eq_ignore_ascii_case(wanted));
    let (kind, expected) = if has("PfWsSdk.asmx") {
        ("web_service_sdk", "PfWsSdk.dll")
    } else if has("PfPaWs.asmx") {
        ("mobile_app_web_service", "PfPaWs.dll")
    } else if library("pfup.dll").is_some() {
        ("user_portal", "pfup.dll")
    } else {
        return None;
    };
    let bin = bin.unwrap_or_default();
    let length = |name: &&String| host.read(&join(&bin, name)).map(|bytes| bytes.len()).unwrap_or_default();
    // When the expected file is absent, the largest of the vendor's stands for it.
    let file = library(expected).or_else(|| libraries.iter().rev().max_by_key(length));
    Some((kind, file.map(|name| join(&bin, name))))
}

fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("pf") && name.ends_with(".dll")
}

/// Whether there is a `web.config`, the keys in it that hold placeholders, and the SDK's address in it.
fn configuration(
    host: &HostFolder,
    state: &State,
    folder: &str,
) -> Result<(bool, Vec<String>, Option<String>), Failure> {
    let name = host.file_names(folder).into_iter().find(|name| name.eq_ignore_ascii_case("web.config"));
    let Some(name) = name else { return Ok((false, Vec::new(), None)) };
    let path = join(folder, &name);
    let file = XmlFile::read(host, &path)?;
    let document = file.document()?;
    let entries = configuration_entries::entries(&document, &path)?;
    let address = configuration_entries::address(&entries).and_then(Entry::value);
    Ok((true, configuration_entries::placeholders(state, &entries), address))
}
