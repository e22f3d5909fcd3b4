//! `Set-ApplicationPoolRuntime`.

use serde_json::{Value, json};

use crate::lab::host::native::reply::Failure;
use crate::lab::host::native::script::Call;

pub fn set_runtime(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (name, runtime) = (call.arguments.text("application_pool"), call.arguments.text("runtime"));
    let (pool, before) = call.host.update(|state| {
        let Some(iis) = state.iis.as_mut() else {
            return Err(Failure::other(
                "The specified module 'WebAdministration' was not loaded because no valid module file was found in any \
                 module directory.",
            ));
        };
        let pools = &mut iis.application_pools;
        let found = pools.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((known, pool)) = found else {
            return Err(Failure::not_found(format!("there is no application pool {name} on this host")));
        };
        let before = pool.runtime.clone();
        if before != runtime {
            if name.contains('\'') && name.contains('"') {
                return Err(Failure::invalid_input(format!(
                    "the application pool's name has both kinds of quotes, which IIS cannot look up: {name}"
                )));
            }
            runtime.clone_into(&mut pool.runtime);
        }
        Ok((known.clone(), before))
    })?;
    if before != runtime {
        call.host.record("pool_runtime", json!({ "application_pool": pool, "before": before, "after": runtime }))?;
    }
    Ok(json!({ "already": before == runtime, "before": before }))
}
