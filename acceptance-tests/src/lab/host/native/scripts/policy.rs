//! `Set-AuthenticationPolicy`.

use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;
use crate::lab::host::native::scripts::adfs::{Configuration, contains};

pub fn set(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (enable, disable) = (call.arguments.texts("enable"), call.arguments.texts("disable"));
    if let Some(name) = enable.iter().find(|name| contains(&disable, name)) {
        return Err(Failure::invalid_input(format!("{name} shall be both in the policy and out of it")));
    }
    let configuration = Configuration::of_primary(call.host, &call.host.state()?)?;
    let before = configuration.farm.policy.clone();
    let mut after = before.clone();
    after.retain(|name| !contains(&disable, name));
    for name in enable {
        if contains(&after, &name) {
            continue;
        }
        let Some(name) = configuration.provider_name(&name) else {
            return Err(Failure::precondition(format!(
                "no authentication provider {name} is registered in AD FS, so it cannot be put into the policy"
            )));
        };
        after.push(name);
    }
    let already = before == after;
    if !already {
        configuration.update(call.host, |farm| {
            farm.policy.clone_from(&after);
            Ok(())
        })?;
        call.host.record("adapter_policy", json!({ "before": before, "after": after }))?;
    }
    Ok(json!({ "before": before, "after": after, "already": already }))
}
