//! `Get-Diagnosis`.

use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::state::SecondHop;
use crate::lab::host::time;

pub fn run(call: &mut Call<'_>) -> Result<Value, Failure> {
    let state = call.host.state()?;
    let drive = state.system_drive.unwrap_or_default();
    Ok(json!({
        "computer_name": state.computer_name,
        "operating_system": state.operating_system.caption.trim(),
        "powershell_version": state.powershell_version,
        "language_mode": "FullLanguage",
        "administrator": state.administrator,
        "quotas": state.winrm_quotas.unwrap_or_default(),
        "now": time::ahead(state.clock_ahead.unwrap_or_default()),
        "system_drive": { "name": "C:", "size": drive.size, "free": drive.free },
        "second_hop": second_hop(&state.domain, &state.second_hop.unwrap_or_default())?,
    }))
}

fn second_hop(domain: &str, hop: &SecondHop) -> Result<Value, Failure> {
    let tried = hop.domain_role == 3 && !hop.local_account;
    let (outcome, problem) = match (hop.domain_role, hop.error) {
        (2, _) => ("no_domain", None),
        (5, _) => ("domain_controller", None),
        (3, _) if hop.local_account => ("local_account", None),
        (3, 0) => ("opened", None),
        (3, 5 | 1326) => ("refused", None),
        (3, 53) => ("unreachable", Some("The network path was not found (error 53)")),
        (3, 258) => ("unreachable", Some("no answer within 15 s")),
        (role, error) => {
            return Err(Failure::other(format!("the simulated host has no role {role} with error {error}")));
        }
    };
    Ok(json!({
        "network_logon": hop.network_logon,
        "share": tried.then(|| format!("\\\\{domain}\\SYSVOL")),
        "outcome": outcome,
        "problem": problem,
    }))
}
