//! What a person does on hosts by hand, past the provider: promotions, changes of version, restarts.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::lab::estate::Estate;
use crate::lab::estate::inventory;
use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::installer::{self, adapter, programs, redistributable, server, web};
use crate::lab::host::product::component::{Component, is_new_generation, ships};
use crate::lab::host::product::files;
use crate::lab::host::state::{Connection, State};
use crate::lab::host::{powershell, registry, time};

/// The port on which a master answers its subordinates.
pub const REPLICATION_PORT: i64 = 49155;

impl Estate {
    /// Makes a server the master of its replication group: the others connect to it from now on.
    pub fn promote(&self, host: &str) -> Result<(), LabError> {
        let group = self.set_master(host)?;
        self.host(host)?.record("operator_promote", json!({ "group": group }))
    }

    /// The same without a record: how a group is when the story begins. Gives the group's name.
    pub fn set_master(&self, host: &str) -> Result<String, LabError> {
        let host = self.host(host)?;
        let group = host.state()?.replication_group;
        let group = group.ok_or_else(|| LabError::request("only an MFA Server in a group can be its master"))?;
        self.replicate(&group, &host)?;
        Ok(group)
    }

    /// Names of the members of a replication group.
    pub fn group(&self, group: &str) -> Result<Vec<String>, LabError> {
        let mut names = Vec::new();
        for host in self.hosts()? {
            let state = host.state()?;
            if state.replication_group.as_deref() == Some(group) {
                names.push(state.name);
            }
        }
        Ok(names)
    }

    /// Puts components of a host on a version, as an older or newer setup run by hand does; settings stay.
    pub fn set_version(&self, host: &str, only: Option<Component>, version: &str) -> Result<(), LabError> {
        let host = self.host(host)?;
        let mut changed = Vec::new();
        host.update(|state| {
            let wanted = Component::ALL.into_iter().filter(|component| only.is_none_or(|only| only == *component));
            for component in wanted.filter(|component| ships(version, *component)) {
                if programs::installed(state, component).is_none() {
                    continue;
                }
                put_on_version(&host, state, component, version).map_err(LabError::file(host.path()))?;
                changed.push(component.name());
            }
            Ok::<_, LabError>(())
        })?;
        if changed.is_empty() {
            return Err(LabError::request("nothing of that kind is installed on that host"));
        }
        host.record("operator_set_version", json!({ "components": changed, "version": version }))
    }

    /// Starts or stops an application pool.
    pub fn set_application_pool(&self, host: &str, pool: &str, started: bool) -> Result<(), LabError> {
        let host = self.host(host)?;
        host.update(|state| {
            let found = state.iis.as_mut().and_then(|iis| iis.application_pools.get_mut(pool));
            let found = found.ok_or_else(|| LabError::request(format!("that host has no application pool {pool}")))?;
            found.state = if started { "Started" } else { "Stopped" }.to_owned();
            Ok::<_, LabError>(())
        })?;
        host.record("operator_set_application_pool", json!({ "pool": pool, "started": started }))
    }

    /// Changes only the version of a component's file, so that it disagrees with the uninstall entry.
    pub fn set_file_version(&self, host: &str, component: Component, version: &str) -> Result<(), LabError> {
        let host = self.host(host)?;
        host.update(|state| {
            let file = inventory::file(&host, state, component);
            let file = file.ok_or_else(|| LabError::request(format!("{} is not on that host", component.name())))?;
            let written = match component {
                Component::AdfsAdapter => files::write_adapter_assembly(&host, state, &file, version),
                _ => files::write_versioned(&host, state, &file, version),
            };
            written.map_err(LabError::file(host.path()))
        })
    }

    /// Restarts Windows on a host: what ran has ended, automatic services run anew.
    ///
    /// The wire is not told; [`crate::lab::server::Lab::restart`] does both.
    pub fn reboot(&self, host: &str) -> Result<(), LabError> {
        let host = self.host(host)?;
        for task in host.state()?.scheduled_tasks.into_values() {
            task.process_id.into_iter().for_each(|process| powershell::end_task(&host, process));
        }
        host.update(|state| {
            let now = time::now();
            state.operating_system.last_boot = boot_after(&state.operating_system.last_boot, &now);
            for task in state.scheduled_tasks.values_mut() {
                "Ready".clone_into(&mut task.state);
                task.process_id = None;
            }
            for service in state.services.values_mut().filter(|service| service.start_mode == "Auto") {
                "Running".clone_into(&mut service.state);
                service.started_at = Some(now.clone());
            }
            registry::remove(&mut state.registry, registry::REBOOT_PENDING);
            registry::remove_value(&mut state.registry, registry::SESSION_MANAGER, registry::PENDING_RENAMES);
            Ok::<_, LabError>(())
        })?;
        // An installer of the time before notices within a moment, and is not there when the host is up again.
        let deadline = Instant::now() + Duration::from_secs(5);
        while installer::is_busy(&host) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        host.record("operator_restart", json!({}))
    }

    /// Connects the members of a group with their master.
    fn replicate(&self, group: &str, master: &HostFolder) -> Result<(), LabError> {
        let master_state = master.state()?;
        let members = self.group(group)?;
        let subordinates: Vec<_> = members.iter().filter(|name| **name != master_state.name).collect();
        let mut inbound = Vec::new();
        for (index, name) in subordinates.into_iter().enumerate() {
            let port = 50001 + i64::try_from(index).unwrap_or_default();
            let address = self.host(name)?.update(|state| {
                let process = service_process(state);
                state.connections = vec![connection(state, port, &master_state.address, REPLICATION_PORT, process)];
                Ok::<_, LabError>(state.address.clone())
            })?;
            inbound.push((address, port));
        }
        master.update(|state| {
            let process = service_process(state);
            let connect = |(address, port): (String, i64)| connection(state, REPLICATION_PORT, &address, port, process);
            state.connections = inbound.into_iter().map(connect).collect();
            Ok(())
        })
    }
}

fn put_on_version(host: &HostFolder, state: &mut State, component: Component, version: &str) -> std::io::Result<()> {
    let folder = programs::product_folder(state);
    let file = inventory::file(host, state, component);
    match component {
        Component::Server => {
            if is_new_generation(version) {
                // As the setup does that was run by hand.
                for architecture in ["x86", "x64"] {
                    redistributable::install(state, architecture, redistributable::BUNDLED);
                }
            }
            let program = file.unwrap_or_else(|| format!("{folder}pfsvc.exe"));
            files::write_versioned(host, state, &program, version)?;
            server::write_packages(host, &folder, version)?;
            server::start_service(state, &program);
        }
        Component::AdfsAdapter => {
            adapter::write_files(host, state, &folder, version)?;
            if let Some(service) = state.services.get_mut("adfssrv") {
                service.started_at = Some(time::now());
            }
        }
        component => {
            for folder in web::folders(host, state, component) {
                web::write_application(host, state, component, &folder, version)?;
            }
        }
    }
    let location = if component.web().is_some() { String::new() } else { folder };
    programs::replace(state, component, version, &location);
    Ok(())
}

fn service_process(state: &State) -> i64 {
    state.service(server::SERVICE).and_then(|service| service.process_id).unwrap_or_default()
}

fn connection(state: &State, local_port: i64, remote_address: &str, remote_port: i64, process_id: i64) -> Connection {
    Connection {
        local_address: state.address.clone(),
        local_port,
        remote_address: remote_address.to_owned(),
        remote_port,
        state: "Established".to_owned(),
        process_id,
    }
}

/// A boot time that differs from the one before, even when both fall into one second.
fn boot_after(before: &str, now: &str) -> String {
    if before == now { time::ago(1) } else { now.to_owned() }
}
