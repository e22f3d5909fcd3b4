//! `Register-Adapter` and `Unregister-Adapter`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::lab::host::farm::Provider;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::{Failure, ascii_json};
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adfs::{Configuration, contains, has_assembly};
use crate::lab::host::native::scripts::registration_script::{self, Registration};
use crate::lab::host::native::work_folder::{self, path};
use crate::lab::host::time;

/// What `Get-HostFacts` reads to tell whether AD FS was restarted since.
const RECORD_FILE: &str = "adapter-registered.json";

/// The file's form.
#[derive(Serialize)]
struct Record<'a> {
    registered_at: String,
    provider_name: &'a str,
    type_name: &'a str,
}

pub fn unregister(call: &mut Call<'_>) -> Result<Value, Failure> {
    let configuration = Configuration::of_primary(call.host, &call.host.state()?)?;
    let wanted = call.arguments.text("provider_name");
    let Some(name) = configuration.provider_name(wanted) else { return Ok(json!({ "already": true })) };
    if contains(&configuration.farm.policy, wanted) {
        let message = format!("the global authentication policy still names {name}; take it out first");
        return Err(Failure::precondition(message));
    }
    configuration.update(call.host, |farm| {
        if farm.provider(&name).is_none() {
            return Err(Failure::other(format!("PS0107: There is no authentication provider with the name {name}.")));
        }
        farm.providers.retain(|provider| provider.name != name);
        Ok(())
    })?;
    call.host.record("adapter_unregister", json!({ "provider_name": name }))?;
    Ok(json!({ "already": false }))
}

pub fn register(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let argument = |name: &str| call.arguments.text(name);
    let (wanted, script, configuration_path) =
        (argument("provider_name"), argument("registration_script"), argument("configuration_path"));
    let registration = registration(host, script, configuration_path, wanted)?;
    let state = host.state()?;
    let configuration = Configuration::of_primary(host, &state)?;
    work_folder::initialize(host)?;
    if let Some(present) = configuration.farm.provider(wanted) {
        if !present.type_name.is_empty() && !present.type_name.eq_ignore_ascii_case(&registration.type_name) {
            let message = format!(
                "{} is registered with another type ({}); unregister it first",
                present.name, present.type_name
            );
            return Err(Failure::new("already_exists", message));
        }
        write_missing_record(host, &registration)?;
        return Ok(json!({ "type_name": registration.type_name, "already": true }));
    }
    register_anew(host, &configuration, &registration, configuration_path)?;
    Ok(json!({ "type_name": registration.type_name, "already": false }))
}

/// What the vendor's script registers, which must be there with the configuration and be of the wanted release.
pub fn registration(
    host: &HostFolder,
    script: &str,
    configuration_path: &str,
    wanted: &str,
) -> Result<Registration, Failure> {
    for file in [script, configuration_path] {
        if !host.is_file(file) {
            return Err(Failure::not_found(format!("{file} does not exist")));
        }
    }
    let registration = registration_script::read(script, &String::from_utf8_lossy(&host.read(script)?))?;
    if !registration.name.eq_ignore_ascii_case(wanted) {
        return Err(Failure::invalid_input(format!(
            "{script} registers {} and not {wanted}; it belongs to another release",
            registration.name
        )));
    }
    Ok(registration)
}

/// Registers a provider that is not there.
pub fn register_anew(
    host: &HostFolder,
    configuration: &Configuration,
    registration: &Registration,
    configuration_path: &str,
) -> Result<(), Failure> {
    let state = host.state()?;
    if host.is_file(&path(RECORD_FILE)) {
        host.remove(&path(RECORD_FILE))?;
    }
    let assembly = registration.type_name.split_once(',').map_or("", |(_, assembly)| assembly.trim_start());
    if !has_assembly(host, &state, assembly) {
        return Err(Failure::other(format!(
            "PS0114: AuthenticationMethodLoadException: Could not load file or assembly '{assembly}' or one of its \
             dependencies. The system cannot find the file specified."
        )));
    }
    let provider = Provider {
        name: registration.name.clone(),
        type_name: registration.type_name.clone(),
        configuration: Some(String::from_utf8_lossy(&host.read(configuration_path)?).into_owned()),
    };
    configuration.update(host, |farm| {
        farm.providers.push(provider);
        Ok(())
    })?;
    let detail = json!({ "provider_name": registration.name, "type_name": registration.type_name });
    host.record("adapter_register", detail)?;
    write_record(host, registration)
}

/// Writes what was lost when somebody was cut between registering and writing.
pub fn write_missing_record(host: &HostFolder, registration: &Registration) -> Result<(), Failure> {
    if host.is_file(&path(RECORD_FILE)) { Ok(()) } else { write_record(host, registration) }
}

fn write_record(host: &HostFolder, registration: &Registration) -> Result<(), Failure> {
    let record =
        Record { registered_at: time::now(), provider_name: &registration.name, type_name: &registration.type_name };
    Ok(host.write(&path(RECORD_FILE), ascii_json(&record))?)
}
