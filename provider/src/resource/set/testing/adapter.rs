//! What the steps of the AD FS adapter do to a simulated host, and what they refuse.

use crate::backend::facts::Adfs;
use crate::backend::step::Action;
use crate::plan::fixtures::{assembly, registration};

/// Changes a host, or says why it refuses.
pub fn effect(adfs: &mut Adfs, action: &Action) -> Result<(), String> {
    match action {
        Action::RunAdapterPackage { version, .. } => {
            adfs.adapter_product_version = Some(version.clone());
            adfs.adapter_assembly = Some(assembly(version));
            adfs.restarted_since_install = Some(false);
        }
        Action::RestartAdfs => {
            adfs.service_state = Some("Running".to_owned());
            adfs.restarted_since_install = Some(true);
            adfs.restarted_since_registration = adfs.restarted_since_registration.map(|_| true);
        }
        Action::ExportAdapterConfiguration { provider_name }
        | Action::UnregisterAdapter { provider_name }
        | Action::DisableProvider { provider_name }
        | Action::EnableProvider { provider_name }
        | Action::RegisterAdapter { provider_name, .. } => exchange(adfs, action, provider_name)?,
        _ => {}
    }
    Ok(())
}

fn exchange(adfs: &mut Adfs, action: &Action, name: &str) -> Result<(), String> {
    let installed = adfs.adapter_product_version.clone().unwrap_or_default();
    let (Some(providers), Some(policy)) = (&mut adfs.providers, &mut adfs.policy) else {
        return Err("this server is a secondary".to_owned());
    };
    let is_registered = providers.iter().any(|provider| provider.name == name);
    let in_policy = policy.iter().any(|known| known == name);
    match action {
        Action::ExportAdapterConfiguration { .. } if !is_registered => Err(format!("{name} is not registered")),
        Action::DisableProvider { .. } => {
            policy.retain(|known| known != name);
            Ok(())
        }
        Action::UnregisterAdapter { .. } if in_policy => Err(format!("the policy still names {name}")),
        Action::UnregisterAdapter { .. } => {
            providers.retain(|provider| provider.name != name);
            Ok(())
        }
        Action::RegisterAdapter { .. } => {
            let new = registration(&installed);
            if new.name != name {
                return Err(format!("what is installed registers {}", new.name));
            }
            if !is_registered {
                providers.push(new);
                adfs.restarted_since_registration = Some(false);
            }
            Ok(())
        }
        Action::EnableProvider { .. } if !is_registered => Err(format!("{name} is not registered")),
        Action::EnableProvider { .. } => {
            if !in_policy {
                policy.push(name.to_owned());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
