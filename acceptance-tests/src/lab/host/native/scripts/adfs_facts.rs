//! AD FS's part of the host query.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::lab::host::error::LabError;
use crate::lab::host::farm::Farm;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::programs;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::scripts::adfs::{Configuration, cached_folders};
use crate::lab::host::native::scripts::products::Products;
use crate::lab::host::native::scripts::server_facts::{file_version, install_path};
use crate::lab::host::native::work_folder::path;
use crate::lab::host::product::adapter::{ASSEMBLY_FILE, NEW_PROVIDER, OLD_PROVIDER, REGISTER_FILE, assembly_name};
use crate::lab::host::product::component::numbers;
use crate::lab::host::state::{AdfsMember, State};
use crate::lab::host::time;
use crate::lab::host::windows_path::join;

static RULE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)authnmethodsproviders"\s*,\s*value\s*==?\s*"([^"]+)""#).expect("a pattern of ours")
});

/// The facts, or null where AD FS is not installed.
pub fn read(host: &HostFolder, state: &State, products: &Products) -> Result<Value, Failure> {
    let Some(service) = state.service("adfssrv") else { return Ok(Value::Null) };
    let member = match &state.adfs {
        Some(member) => member.clone(),
        None if service.state == "Running" => return Err(Failure::other("Invalid namespace")),
        None => AdfsMember::default(),
    };
    let farm = if state.adfs.is_some() { Farm::read(host, &member.farm)? } else { Farm::default() };
    let folder = adapter_folder(host, state, products);
    let assembly = assembly_file(host, state, folder.as_deref());
    let started = started(state);
    let since = |time: String| started.as_ref().is_some_and(|started| *started >= time);
    let registration = read_record(host, &path("adapter-registered.json"))?;
    let registered_at = registration.as_ref().map(|record| record["registered_at"].as_str().unwrap_or_default());
    let mut fact = json!({
        "service_state": service.state,
        "database": if farm.database == "wid" { "wid" } else { "sql" },
        "role": null,
        "adapter_product_version": products.version("adfs_adapter"),
        "adapter_folder": folder,
        "adapter_assembly": assembly.as_ref().map(|file| assembly_full_name(host, state, file)).transpose()?,
        "restarted_since_install": assembly.map(|file| install_time(host, &file)).transpose()?.map(since),
        "restarted_since_registration": registered_at.map(|time| since(time.to_owned())),
        "providers": null,
        "policy": null,
        "rules": null,
        "synchronized": null,
        "primary": null,
    });
    if service.state != "Running" {
        return Ok(fact);
    }
    let configuration = Configuration { name: member.farm.clone(), farm };
    if configuration.farm.database == "wid" {
        fact["role"] = json!(member.role.as_deref().unwrap_or("PrimaryComputer"));
        if configuration.is_secondary(state) {
            fact["synchronized"] = json!(configuration.farm.last_sync_status.unwrap_or_default() == 0);
            fact["primary"] = json!(configuration.farm.primary);
            return Ok(fact);
        }
    }
    fact["providers"] = providers(&configuration.farm);
    fact["policy"] = json!(configuration.farm.policy);
    fact["rules"] = rules(&configuration.farm);
    Ok(fact)
}

/// Whether AD FS was restarted after the adapter's files were written; true where there is no adapter to load.
pub fn restarted_since_install(host: &HostFolder) -> Result<bool, LabError> {
    let state = host.state()?;
    let assembly = assembly_file(host, &state, Some(&programs::product_folder(&state)));
    let Some(installed) = assembly.and_then(|file| install_time(host, &file).ok()) else { return Ok(true) };
    Ok(started(&state).is_some_and(|started| started >= installed))
}

/// When the service's process started; none while it does not run.
pub fn started(state: &State) -> Option<String> {
    let service = state.service("adfssrv").filter(|service| service.state == "Running")?;
    service.process_id.and(service.started_at.clone())
}

fn adapter_folder(host: &HostFolder, state: &State, products: &Products) -> Option<String> {
    let product = products.find("adfs_adapter")?;
    let default = "C:\\Program Files\\Multi-Factor Authentication Server\\".to_owned();
    let candidates = [Some(product.location.clone()), install_path(state), Some(default)];
    let folders = candidates.into_iter().flatten().filter(|folder| !folder.is_empty());
    let mut folders = folders.map(|folder| format!("{}\\", folder.trim_end_matches('\\')));
    folders.find(|folder| [REGISTER_FILE, ASSEMBLY_FILE].iter().any(|file| host.is_file(&join(folder, file))))
}

/// The assembly that AD FS loads: the newest in the cache, else the one in the adapter's folder.
fn assembly_file(host: &HostFolder, state: &State, folder: Option<&str>) -> Option<String> {
    let cached = cached_folders(host).into_iter().map(|folder| join(&folder, ASSEMBLY_FILE));
    let newest = cached
        .filter(|file| host.is_file(file))
        .max_by_key(|file| file_version(host, state, file).map(|version| numbers(&version)));
    newest.or_else(|| folder.map(|folder| join(folder, ASSEMBLY_FILE)).filter(|file| host.is_file(file)))
}

fn assembly_full_name(host: &HostFolder, state: &State, file: &str) -> Result<String, Failure> {
    let version = file_version(host, state, file);
    version.map(|version| assembly_name(&version)).ok_or_else(|| Failure::other("Bad IL format."))
}

/// The latest of the file's times and the ends of the adapter's installations.
fn install_time(host: &HostFolder, file: &str) -> Result<String, Failure> {
    let metadata = host.real(file)?.metadata()?;
    let mut times = vec![time::of(metadata.modified()?)];
    // Not every file system knows it.
    times.extend(metadata.created().ok().map(time::of));
    for folder in host.folder_names(&path("installers")) {
        let record = |name: &str| read_record(host, &path(&format!("installers\\{folder}\\{name}")));
        if let (Some(order), Some(end)) = (record("installer.json")?, record("exit.json")?)
            && order["file"].as_str().is_some_and(|file| file.to_ascii_lowercase().contains("adfsadapter"))
        {
            times.extend(end["finished_at"].as_str().map(str::to_owned));
        }
    }
    // Texts of this form sort by time.
    Ok(times.into_iter().max().unwrap_or_default())
}

/// A JSON file of the provider's, or none.
pub fn read_record(host: &HostFolder, path: &str) -> Result<Option<Value>, Failure> {
    if !host.is_file(path) {
        return Ok(None);
    }
    let bytes = host.read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let record = serde_json::from_slice(bytes);
    record.map(Some).map_err(|error| Failure::other(format!("Conversion from JSON failed with error: {error}")))
}

fn providers(farm: &Farm) -> Value {
    let is_own = |name: &str| [OLD_PROVIDER, NEW_PROVIDER].iter().any(|known| known.eq_ignore_ascii_case(name));
    let own = farm.providers.iter().filter(|provider| is_own(&provider.name));
    own.map(|provider| json!({ "name": provider.name, "type_name": provider.type_name })).collect()
}

/// The provider names that rules issue, by scope.
fn rules(farm: &Farm) -> Value {
    let global = ("global".to_owned(), farm.global_rules.as_deref().unwrap_or_default());
    let parties = farm.relying_parties.iter();
    let parties =
        parties.map(|party| (format!("relying party {}", party.name), party.rules.as_deref().unwrap_or_default()));
    let mut rules = Vec::new();
    for (scope, text) in std::iter::once(global).chain(parties) {
        let mut names: Vec<_> = RULE.captures_iter(text).map(|found| found[1].to_owned()).collect();
        names.sort();
        names.dedup();
        if !names.is_empty() {
            rules.push(json!({ "scope": scope, "provider_names": names }));
        }
    }
    Value::Array(rules)
}
