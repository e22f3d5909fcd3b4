//! `Get-Diagnosis`.

use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
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
    }))
}
