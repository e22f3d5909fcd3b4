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
    run: &'a str,
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
    check_lease(host, arguments.text("run"), arguments.number("silent_seconds"))?;
    let (script, configuration_path) = (arguments.text("registration_script"), arguments.text("configuration_path"));
    let forward = arguments.text("forward");
    let registration = match script {
        "" => None,
        script => Some(adapter::registration(host, script, configuration_path, forward)?),
    };
    assert_inside(host, &path("guard"))?;
    work_folder::initialize_protected(host, &path("guard"))?;
    host.remove(&path("guard\\tried.json"))?;
    let order = Order {
        run: arguments.text("run"),
        back: arguments.texts("back"),
        forward,
        type_name: registration.as_ref().map(|registration| registration.type_name.as_str()),
        configuration_path,
        silent_seconds: arguments.number("silent_seconds"),
    };
    host.write(&path("guard\\guard.json"), ascii_json(&order))?;
    let script = path("guard\\guard.ps1");
    host.write(&script, runner("guard", call.script_text))?;
    let set_task = |task: Option<ScheduledTask>| {
        host.update(|state| {
            state.scheduled_tasks.remove(TASK);
            state.scheduled_tasks.extend(task.map(|task| (TASK.to_owned(), task)));
            Ok::<_, Failure>(())
        })
    };
    if let Some(problem) = problem_of_system(host)? {
        set_task(None)?;
        return Err(Failure::precondition(format!(
            "the guard runs as SYSTEM and cannot do its work in AD FS: {problem} Where AD FS grants SYSTEM nothing, \
             Set-AdfsProperties -AllowSystemServiceAdministration $true does (Windows Server 2016 and later)"
        )));
    }
    look(host)?;
    if arguments.flag("only_try") {
        set_task(None)?;
        return Ok(json!({ "earlier": null }));
    }
    set_task(Some(ScheduledTask::under_system(&script, Some(60))))?;
    let earlier = acted(host)?;
    host.remove(&path("guard\\acted.json"))?;
    Ok(json!({ "earlier": earlier }))
}

/// The run holds the lease and renews it.
fn check_lease(host: &HostFolder, run: &str, silent_seconds: i64) -> Result<(), Failure> {
    let file = path("lease.json");
    let holder = read_record(host, &file).ok().flatten().unwrap_or_default();
    if !holder["run"].as_str().is_some_and(|holder| holder.eq_ignore_ascii_case(run)) {
        return Err(Failure::precondition(format!(
            "this run does not hold the lease of the host ({file}), so the guard could not tell that it is alive"
        )));
    }
    let age = age(host).unwrap_or_default();
    if age < f64::from(u32::try_from(silent_seconds).unwrap_or_default()) {
        return Ok(());
    }
    Err(Failure::precondition(format!(
        "this run has not renewed its lease of the host ({file}) for {age:.0} seconds, so the guard would take it for one that \
         is gone"
    )))
}

/// Why AD FS refuses SYSTEM what the guard needs.
fn problem_of_system(host: &HostFolder) -> Result<Option<&'static str>, Failure> {
    let refuses = host.state()?.adfs.and_then(|member| member.refuses_system);
    Ok(refuses
        .map(|_| "ADMIN0120: The client is not authorized to access the endpoint net.tcp://localhost:1500/policy."))
}

pub fn disable(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (host, run) = (call.host, call.arguments.text("run"));
    let order = read_record(host, &path("guard\\guard.json"))?.unwrap_or_default();
    if !run.is_empty() && !order.is_null() && order["run"].as_str() != Some(run) {
        return Ok(json!({ "removed": false, "acted": null }));
    }
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

/// One look of the guard; the first is a trial.
pub fn look(host: &HostFolder) -> Result<(), LabError> {
    let order = read_record(host, &path("guard\\guard.json")).ok().flatten().unwrap_or_default();
    let tried = path("guard\\tried.json");
    if !host.is_file(&tried) {
        return host.write(&tried, r#"{"problem":""}"#).map_err(LabError::file(host.path()));
    }
    let silence = silence(host, &order);
    if silence.is_some_and(|silence| silence < order["silent_seconds"].as_f64().unwrap_or_default()) {
        return Ok(());
    }
    let (mut direction, mut names, mut problem, mut is_closed) = (None, Vec::new(), String::new(), false);
    match close(host, &order) {
        Ok(None) => is_closed = true,
        Ok(Some((way, given))) => (direction, names) = (Some(way), given),
        Err(failure) => problem = failure.message,
    }
    if !problem.is_empty() || direction.is_some() {
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

/// For how many seconds nothing was heard of the run; none when it has no lease any more, or another run has it.
fn silence(host: &HostFolder, order: &Value) -> Option<f64> {
    let holder = read_record(host, &path("lease.json")).ok().flatten().unwrap_or_default();
    let is_foreign = holder["run"].as_str().is_some_and(|holder| Some(holder) != order["run"].as_str());
    age(host).filter(|_| !is_foreign)
}

/// How long ago the lease was written, in seconds; none when there is no lease.
fn age(host: &HostFolder) -> Option<f64> {
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
    let refusal = problem_of_system(host)?;
    let before = configuration.farm.policy.clone();
    if before.iter().any(|name| contains(&back, name) || name.eq_ignore_ascii_case(forward)) {
        return Ok(None);
    }
    let type_name = order["type_name"].as_str();
    let is_new = configuration.farm.provider(forward).is_some_and(|present| {
        present.type_name.is_empty() || type_name.is_none_or(|wanted| wanted.eq_ignore_ascii_case(&present.type_name))
    });
    let registered = configuration.farm.providers.iter().map(|provider| provider.name.clone());
    let is_back = |name: &String| contains(&back, name) && !(is_new && name.eq_ignore_ascii_case(forward));
    let mut names: Vec<String> = registered.filter(is_back).collect();
    let direction = if names.is_empty() { "forward" } else { "back" };
    if names.is_empty() {
        register_forward(host, &configuration, order, &back)?;
        names.push(forward.to_owned());
    }
    if let Some(problem) = refusal {
        return Err(Failure::other(problem));
    }
    let after: Vec<String> = before.iter().chain(&names).cloned().collect();
    configuration.update(host, |farm| {
        farm.policy.clone_from(&after);
        Ok(())
    })?;
    host.record("adapter_policy", json!({ "before": before, "after": after }))?;
    Ok(Some((direction, names)))
}

/// Registers what goes forward, or writes down that it is registered where that was lost.
fn register_forward(
    host: &HostFolder,
    configuration: &Configuration,
    order: &Value,
    back: &[String],
) -> Result<(), Failure> {
    let forward = order["forward"].as_str().unwrap_or_default();
    let registration = order["type_name"].as_str().map(|type_name| {
        let (type_name, name) = (type_name.to_owned(), forward.to_owned());
        Registration { type_name, name }
    });
    match (configuration.farm.provider(forward), registration) {
        (Some(_), Some(registration)) => adapter::write_missing_record(host, &registration),
        (Some(_), None) => Ok(()),
        (None, Some(registration)) => {
            let path = order["configuration_path"].as_str().unwrap_or_default();
            adapter::register_anew(host, configuration, &registration, path)
        }
        (None, None) => Err(Failure::other(format!(
            "neither {} nor {forward} is registered, and there is nothing to register",
            back.join(", ")
        ))),
    }
}
