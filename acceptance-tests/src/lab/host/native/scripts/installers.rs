//! `Start-Installer`, `Get-InstallerState` and `Complete-Installer`.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::lab::host::installer;
use crate::lab::host::native::reply::{Failure, ascii_json};
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adfs_facts::read_record;
use crate::lab::host::native::scripts::installer_log;
use crate::lab::host::native::scripts::installer_task::{
    Installation, TASKS, active, format_argument, split_command_line,
};
use crate::lab::host::native::work_folder::{self, assert_inside, assert_plain_name, path};
use crate::lab::host::product::release::sha256;
use crate::lab::host::state::ScheduledTask;

/// `installer.json`: what the task is to start.
#[derive(Serialize)]
struct Record<'a> {
    file: &'a str,
    program: &'a str,
    command_line: &'a str,
    log: &'a str,
    timeout_minutes: i64,
}

pub fn start(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let (id, file) = (call.arguments.text("installation_id"), call.arguments.text("file"));
    assert_plain_name(id, "installation")?;
    let folder = path(&format!("installers\\{id}"));
    let log = format!("{folder}\\install.log");
    let running = active(&host.state()?);
    if host.is_file(&format!("{folder}\\exit.json")) || running.iter().any(|name| name.eq_ignore_ascii_case(id)) {
        return Ok(json!({ "started": false, "log": log }));
    }
    check_file(call, file)?;
    if let Some(other) = running.first() {
        let message = format!("the installation {other} runs on this host; only one may run at a time");
        return Err(Failure::busy(message));
    }
    if installer::is_busy(host) {
        let message = "Windows Installer is at work on this host (an installation that is not of this provider)";
        return Err(Failure::busy(message));
    }
    work_folder::initialize(host)?;
    assert_inside(host, &folder)?;
    let minutes = call.arguments.number("timeout_minutes");
    let words: Vec<_> = call.arguments.texts("arguments").iter().map(|word| format_argument(word)).collect();
    let is_package = file.to_ascii_lowercase().ends_with(".msi");
    let arguments = words.join(" ");
    let command_line = if is_package {
        let parts = [&format!("/i \"{file}\""), arguments.as_str(), &format!("/l*v \"{log}\"")];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    } else {
        arguments
    };
    let program = if is_package { "msiexec.exe" } else { file };
    let record = Record { file, program, command_line: &command_line, log: &log, timeout_minutes: minutes };
    host.write(&format!("{folder}\\installer.json"), ascii_json(&record))?;
    let run = format!("{folder}\\run.ps1");
    host.write(&run, runner("runner", call.script_text))?;
    register_task(call, id, &run)?;
    let mut words = split_command_line(&command_line);
    if is_package {
        words.drain(..2);
    }
    let limit = Duration::from_secs(minutes.unsigned_abs() * 60);
    Installation { host: host.clone(), id: id.to_owned(), file: file.to_owned(), words, limit }.spawn()?;
    Ok(json!({ "started": true, "log": log }))
}

fn check_file(call: &Call<'_>, file: &str) -> Result<(), Failure> {
    if !call.host.is_file(file) {
        return Err(Failure::not_found(format!("{file} does not exist")));
    }
    let (found, wanted) = (sha256(&call.host.read(file)?), call.arguments.text("sha256").to_ascii_lowercase());
    if found == wanted {
        return Ok(());
    }
    let message = format!("{file} has the SHA-256 hash {found} instead of {wanted}; it is not started");
    Err(Failure::invalid_input(message))
}

/// The part of a script that becomes one of its own, `$<name> = { ... }`.
pub fn runner<'a>(name: &str, script_text: &'a str) -> &'a str {
    let body = script_text.split_once(&format!("${name} = {{")).and_then(|(_, rest)| rest.split_once("\n}\n"));
    body.map_or("", |(body, _)| &script_text[offset(script_text, body)..offset(script_text, body) + body.len() + 1])
}

fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

fn register_task(call: &Call<'_>, id: &str, run: &str) -> Result<(), Failure> {
    call.host.update(|state| {
        let process_id = Some(std::process::id().into());
        let task = ScheduledTask { state: "Running".to_owned(), process_id, ..ScheduledTask::under_system(run, None) };
        state.scheduled_tasks.insert(format!("{TASKS}{id}"), task);
        Ok(())
    })
}

pub fn state(call: &mut Call<'_>) -> Result<Value, Failure> {
    let id = call.arguments.text("installation_id");
    assert_plain_name(id, "installation")?;
    let is_running = active(&call.host.state()?).iter().any(|name| name.eq_ignore_ascii_case(id));
    // Looked at after the task: one that ends in between leaves its file first.
    if let Some(record) = read_record(call.host, &path(&format!("installers\\{id}\\exit.json")))? {
        return Ok(json!({ "state": "finished", "exit_code": record["exit_code"] }));
    }
    let is_known = call.host.is_file(&path(&format!("installers\\{id}\\installer.json")));
    let state = match (is_running, is_known) {
        (true, _) => "running",
        (false, true) => "interrupted",
        (false, false) => "missing",
    };
    Ok(json!({ "state": state, "exit_code": null }))
}

pub fn complete(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, id) = (call.host, call.arguments.text("installation_id"));
    assert_plain_name(id, "installation")?;
    let folder = path(&format!("installers\\{id}"));
    if !host.is_file(&format!("{folder}\\installer.json")) {
        return Err(Failure::not_found(format!("no installation {id} was started on this host")));
    }
    let Some(record) = read_record(host, &format!("{folder}\\exit.json"))? else {
        if active(&host.state()?).iter().any(|name| name.eq_ignore_ascii_case(id)) {
            return Err(Failure::busy(format!("the installation {id} still runs")));
        }
        return Err(Failure::precondition(format!(
            "the installation {id} was interrupted before it had a result (a restart of the host, or its task was ended)"
        )));
    };
    let text = host.read(&format!("{folder}\\install.log")).unwrap_or_default();
    let mut lines = installer_log::permitted(&String::from_utf8_lossy(&text));
    lines.extend(record["problem"].as_str().filter(|problem| !problem.is_empty()).map(str::to_owned));
    host.update(|state| {
        state.scheduled_tasks.retain(|key, _| !key.eq_ignore_ascii_case(&format!("{TASKS}{id}")));
        Ok::<_, Failure>(())
    })?;
    let code = record["exit_code"].as_i64().unwrap_or_default();
    Ok(json!({ "exit_code": code, "reboot_required": matches!(code, 3010 | 1641), "log": lines }))
}
