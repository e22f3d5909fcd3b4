//! `Get-AdfsSynchronization` and `Restart-AdfsService`.

use serde_json::{Value, json};

use crate::lab::host::farm::Farm;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adfs::{Configuration, has_assembly};
use crate::lab::host::native::scripts::adfs_facts::started;
use crate::lab::host::state::{Event, State};
use crate::lab::host::time;

const LOG: &str = "AD FS/Admin";
/// A provider could not be loaded.
const LOAD_ERROR: i64 = 105;
/// AD FS says it once for each of its pipelines.
const PIPELINES: usize = 4;

pub fn synchronization(call: &mut Call<'_>) -> Result<Value, Failure> {
    let state = call.host.state()?;
    let Some(service) = state.service("adfssrv") else {
        return Err(Failure::not_found("AD FS is not installed on this host"));
    };
    if service.state != "Running" {
        return Err(Failure::precondition(format!(
            "AD FS does not run on this host (its service is {}), so it cannot be asked",
            service.state
        )));
    }
    let configuration = Configuration::read(call.host, &state)?;
    let mut answer = json!({
        "role": null, "now": time::now(), "last_sync_time": null, "last_sync_status": null, "poll_seconds": null,
        "primary": null,
    });
    if configuration.farm.database != "wid" {
        return Ok(answer);
    }
    answer["role"] = json!("PrimaryComputer");
    if configuration.is_secondary(&state) {
        let farm = configuration.farm;
        answer["role"] = json!("SecondaryComputer");
        answer["last_sync_time"] = json!(time::last_multiple(farm.poll_seconds));
        answer["last_sync_status"] = json!(farm.last_sync_status.unwrap_or_default());
        answer["poll_seconds"] = json!(farm.poll_seconds);
        answer["primary"] = json!(farm.primary);
    }
    Ok(answer)
}

pub fn restart(call: &mut Call<'_>) -> Result<Value, Failure> {
    let since = time::now();
    let host = call.host;
    host.update(|state| {
        if state.service("adfssrv").is_none() {
            return Err(Failure::not_found("AD FS is not installed on this host"));
        }
        for message in load_problems(host, state)? {
            let event = Event { log: LOG.to_owned(), id: LOAD_ERROR, time: time::now(), message };
            state.events.extend(std::iter::repeat_n(event, PIPELINES));
        }
        if let Some(service) = state.services.get_mut("adfssrv") {
            "Running".clone_into(&mut service.state);
            service.process_id = Some(service.process_id.unwrap_or_default() + 4);
            service.started_at = Some(time::now());
        }
        Ok(())
    })?;
    host.record("service_restart", json!({ "service": "adfssrv" }))?;
    let state = host.state()?;
    let Some(started_at) = started(&state) else {
        return Err(Failure::other("AD FS was restarted and does not run; look at the log AD FS/Admin"));
    };
    let is_error = |event: &&Event| event.log == LOG && event.id == LOAD_ERROR && event.time >= since;
    let mut messages: Vec<&str> = Vec::new();
    for event in state.events.iter().filter(is_error) {
        if !messages.contains(&event.message.as_str()) {
            messages.push(&event.message);
        }
    }
    Ok(json!({ "started_at": started_at, "load_errors": messages }))
}

/// The providers that the service loads and whose assembly is not on the host.
fn load_problems(host: &HostFolder, state: &State) -> Result<Vec<String>, Failure> {
    let Some(member) = &state.adfs else { return Ok(Vec::new()) };
    let configuration = Configuration { name: member.farm.clone(), farm: Farm::read(host, &member.farm)? };
    let farm = &configuration.farm;
    let loaded = if configuration.is_secondary(state) { farm.synchronized_providers() } else { &farm.providers };
    let mut problems = Vec::new();
    for provider in loaded {
        let assembly = provider.type_name.split_once(',').map_or("", |(_, assembly)| assembly.trim_start());
        if !has_assembly(host, state, assembly) {
            problems.push(format!(
                "An error occurred loading an authentication provider. Identifier: {}. Could not load file or assembly \
                 '{assembly}' or one of its dependencies.",
                provider.name
            ));
        }
    }
    Ok(problems)
}
