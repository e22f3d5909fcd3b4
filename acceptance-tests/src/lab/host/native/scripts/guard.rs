//! `Enable-SecondFactorGuard` and `Disable-SecondFactorGuard`, and what the guard does when its minute has come.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use crate::lab::host::error::LabError;
use crate::lab::host::folder::HostFolder;
use crate::lab::host::native::reply::{Failure, ascii_json};
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adapter;
use crate::lab::host::native::scripts::adfs::{Configuration, contains};
use crate::lab::host::native::scripts::adfs_facts::read_record;
use crate::lab::host::native::scripts::installers::runner;
use crate::lab::host::native::scripts::registration_script::Registration;
use crate::lab::host::native::work_folder::{self, assert_inside, path};
use crate::lab::host::state::ScheduledTask;
use crate::lab::host::time;

/// The guard's task.
pub const TASK: &str = "\\terraform-provider-azuremfa\\guard\\second-factor";
/// So long a guard stays that finds users asked and its run silent.
const STAYS: f64 = 1800.0;

/// `guard.json`.
#[derive(Serialize)]
struct Order<'a> {
    back: Vec<String>,
    forward: &'a str,
    type_name: Option<&'a str>,
    configuration_path: &'a str,
    silent_seconds: i64,
}

/// `acted.json`.
#[derive(Serialize)]
struct Acted<'a> {
    acted_at: String,
    direction: Option<&'a str>,
    provider_names: &'a [String],
    problem: &'a str,
}

pub fn enable(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, arguments) = (call.host, &call.arguments);
    Configuration::of_primary(host, &host.state()?)?;
    work_folder::initialize(host)?;
    if !host.is_file(&path("lease.json")) {
        return Err(Failure::precondition(format!(
            "this run holds no lease of the host ({} is missing), so the guard could not tell that it is alive",
            path("lease.json")
        )));
    }
    let (script, configuration_path) = (arguments.text("registration_script"), arguments.text("configuration_path"));
    let forward = arguments.text("forward");
    let registration = match script {
        "" => None,
        script => Some(adapter::registration(host, script, configuration_path, forward)?),
    };
    assert_inside(host, &path("guard"))?;
    let earlier = acted(host)?;
    host.remove(&path("guard\\acted.json"))?;
    host.remove(&path("guard\\tried.json"))?;
    let order = Order {
        back: arguments.texts("back"),
        forward,
        type_name: registration.as_ref().map(|registration| registration.type_name.as_str()),
        configuration_path,
        silent_seconds: arguments.number("silent_seconds"),
    };
    host.write(&path("guard\\guard.json"), ascii_json(&order))?;
    let script = path("guard\\guard.ps1");
    host.write(&script, runner("guard", call.script_text))?;
    host.update(|state| {
        state.scheduled_tasks.insert(TASK.to_owned(), ScheduledTask::under_system(&script, Some(60)));
        Ok::<_, Failure>(())
    })?;
    if let Some(problem) = problem_of_system(host)? {
        host.update(|state| Ok::<_, Failure>(state.scheduled_tasks.remove(TASK)))?;
        return Err(Failure::precondition(format!("the guard runs as SYSTEM and cannot ask AD FS: {problem}")));
    }
    look(host)?;
    Ok(json!({ "earlier": earlier }))
}

fn problem_of_system(host: &HostFolder) -> Result<Option<&'static str>, Failure> {
    let refuses = host.state()?.adfs.is_some_and(|member| member.refuses_system);
    Ok(refuses
        .then_some("ADMIN0120: The client is not authorized to access the endpoint net.tcp://localhost:1500/policy."))
}

pub fn disable(call: &mut Call<'_>) -> Result<Value, Failure> {
    let host = call.host;
    let removed = host.update(|state| Ok::<_, Failure>(state.scheduled_tasks.remove(TASK).is_some()))?;
    let acted = acted(host)?;
    if host.is_folder(&path("guard")) {
        assert_inside(host, &path("guard"))?;
        host.remove(&path("guard"))?;
    }
    Ok(json!({ "removed": removed, "acted": acted }))
}

fn acted(host: &HostFolder) -> Result<Value, Failure> {
    Ok(read_record(host, &path("guard\\acted.json"))?.unwrap_or(Value::Null))
}

/// One look of the guard.
pub fn look(host: &HostFolder) -> Result<(), LabError> {
    let order = read_record(host, &path("guard\\guard.json")).ok().flatten().unwrap_or_default();
    host.write(&path("guard\\tried.json"), r#"{"problem":""}"#).map_err(LabError::file(host.path()))?;
    let silence = silence(host);
    if silence.is_some_and(|silence| silence < order["silent_seconds"].as_f64().unwrap_or_default()) {
        return Ok(());
    }
    let (mut direction, mut names, mut problem, mut is_closed) = (None, Vec::new(), String::new(), false);
    match close(host, &order) {
        Ok(None) => is_closed = true,
        Ok(Some((way, given))) => (direction, names) = (Some(way), given),
        Err(failure) => problem = failure.message,
    }
    if !problem.is_empty() || !names.is_empty() {
        let record = Acted { acted_at: time::now(), direction, provider_names: &names, problem: &problem };
        let written = host.write(&path("guard\\acted.json"), ascii_json(&record));
        written.map_err(LabError::file(host.path()))?;
    }
    if !problem.is_empty() || (is_closed && silence.is_some_and(|silence| silence < STAYS)) {
        return Ok(());
    }
    host.update(|state| {
        state.scheduled_tasks.remove(TASK);
        Ok(())
    })
}

/// How long ago the lease was written, in seconds; none when there is no lease.
fn silence(host: &HostFolder) -> Option<f64> {
    let written = host.real(&path("lease.json")).ok()?.metadata().ok()?.modified().ok()?;
    let now = SystemTime::now();
    let apart = now.duration_since(written).or_else(|_| written.duration_since(now));
    apart.ok().map(|apart| apart.as_secs_f64())
}

/// Puts into the policy what belongs there. None when that is so already.
fn close(host: &HostFolder, order: &Value) -> Result<Option<(&'static str, Vec<String>)>, Failure> {
    let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap_or_default() };
    let (back, forward) = (texts(&order["back"]), order["forward"].as_str().unwrap_or_default());
    let configuration = Configuration::of_primary(host, &host.state()?)?;
    let before = configuration.farm.policy.clone();
    if before.iter().any(|name| contains(&back, name) || name.eq_ignore_ascii_case(forward)) {
        return Ok(None);
    }
    let registered = configuration.farm.providers.iter().map(|provider| provider.name.clone());
    let mut names: Vec<String> = registered.filter(|name| contains(&back, name)).collect();
    let direction = if names.is_empty() { "forward" } else { "back" };
    if names.is_empty() {
        if configuration.farm.provider(forward).is_none() {
            let Some(type_name) = order["type_name"].as_str() else {
                return Err(Failure::other(format!(
                    "neither {} nor {forward} is registered, and there is nothing to register",
                    back.join(", ")
                )));
            };
            let registration = Registration { type_name: type_name.to_owned(), name: forward.to_owned() };
            let path = order["configuration_path"].as_str().unwrap_or_default();
            adapter::register_anew(host, &configuration, &registration, path)?;
        }
        names.push(forward.to_owned());
    }
    let after: Vec<String> = before.iter().chain(&names).cloned().collect();
    configuration.update(host, |farm| {
        farm.policy.clone_from(&after);
        Ok(())
    })?;
    host.record("adapter_policy", json!({ "before": before, "after": after }))?;
    Ok(Some((direction, names)))
}
