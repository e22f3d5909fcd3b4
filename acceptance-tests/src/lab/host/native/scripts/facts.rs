//! `Get-HostFacts`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::products::Products;
use crate::lab::host::native::scripts::{adfs_facts, installer_task, server_facts, web_facts};
use crate::lab::host::native::work_folder::WORK;
use crate::lab::host::registry;
use crate::lab::host::state::State;

const SOFTWARE: [&str; 2] = ["HKLM:\\SOFTWARE", "HKLM:\\SOFTWARE\\Wow6432Node"];

pub fn run(call: &mut Call<'_>) -> Result<Value, Failure> {
    let state = call.host.state()?;
    let products = Products::read(call, &state);
    Ok(json!({
        "computer_name": state.computer_name,
        "operating_system": {
            "caption": state.operating_system.caption.trim(),
            "version": state.operating_system.version,
        },
        "powershell_version": state.powershell_version,
        "administrator": state.administrator,
        "work_folder": WORK,
        "dotnet_release": registry::value(&state.registry, registry::DOTNET, "Release"),
        "vc_redist_x64": visual_c(&state, "x64"),
        "vc_redist_x86": visual_c(&state, "x86"),
        "pending_reboot": pending_reboot(&state),
        "running_installation": installer_task::active(&state).into_iter().next(),
        "server": server_facts::read(call.host, &state, &products),
        "web": web_facts::read(call.host, &state, &products)?,
        "adfs": adfs_facts::read(call.host, &state, &products)?,
    }))
}

static THREE_NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[vV]?(\d+)\.(\d+)\.(\d+)").expect("a pattern of ours"));

/// The newest in both views of the registry, in three parts.
fn visual_c(state: &State, architecture: &str) -> Option<String> {
    let version = |root: &str| {
        let key = format!("{root}\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\{architecture}");
        let number = |name| registry::number(&state.registry, &key, name);
        if number("Installed") == Some(0) {
            return None;
        }
        if let (Some(major), Some(minor), Some(build)) = (number("Major"), number("Minor"), number("Bld")) {
            return Some([major, minor, build]);
        }
        let text = registry::text(&state.registry, &key, "Version");
        let parts = THREE_NUMBERS.captures(&text)?;
        let part = |number: usize| parts[number].parse().ok();
        Some([part(1)?, part(2)?, part(3)?])
    };
    let best = SOFTWARE.into_iter().filter_map(version).max()?;
    Some(best.map(|part| part.to_string()).join("."))
}

/// The reasons for which Windows wants to be restarted.
fn pending_reboot(state: &State) -> Vec<&'static str> {
    let registry = &state.registry;
    let current = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion";
    let exists = |below: &str| registry::exists(registry, &format!("{current}\\{below}"));
    let mut reasons = Vec::new();
    if exists("Component Based Servicing\\RebootPending") || exists("Component Based Servicing\\RebootInProgress") {
        reasons.push("component_based_servicing");
    }
    let pending = format!("{current}\\WindowsUpdate\\Services\\Pending");
    if exists("WindowsUpdate\\Auto Update\\RebootRequired") || !registry::children(registry, &pending).is_empty() {
        reasons.push("windows_update");
    }
    let session = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager";
    let has_renames = |name| match registry::value(registry, session, name) {
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str().is_some_and(|text| !text.is_empty())),
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    };
    if has_renames("PendingFileRenameOperations") || has_renames("PendingFileRenameOperations2") {
        reasons.push("pending_file_rename");
    }
    let names = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\ComputerName";
    let name = |key: &str| registry::text(registry, &format!("{names}\\{key}"), "ComputerName").to_lowercase();
    if name("ActiveComputerName") != name("ComputerName") {
        reasons.push("computer_rename");
    }
    if registry::number(registry, "HKLM:\\SOFTWARE\\Microsoft\\Updates", "UpdateExeVolatile").unwrap_or_default() != 0 {
        reasons.push("update_exe_volatile");
    }
    reasons
}
