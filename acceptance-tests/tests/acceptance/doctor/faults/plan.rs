//! The same faults as a plan meets them.

use std::collections::BTreeMap;

use azuremfa::config;
use azuremfa::resource::set::observe;
use azuremfa::rpc::decode_json::{Leniency, decode};
use azuremfa::tf::diagnostic::Diagnostics;
use regex::Regex;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::doctor::run::{Doctor, HOST};

/// What a plan that cannot read the host says, with the connection and the account of `doctor`.
pub fn says(doctor: &Doctor) -> String {
    let settings = json!({ "connections": { "default": doctor.connection }, "acknowledge_retirement": true });
    let settings = decode(config::schema(), settings.to_string().as_bytes(), Leniency::Lenient).expect("settings");
    let account = [("AZUREMFA_USERNAME", &doctor.username), ("AZUREMFA_PASSWORD", &doctor.password)];
    let mut environment: BTreeMap<String, String> =
        account.into_iter().map(|(name, text)| (name.to_owned(), text.clone())).collect();
    environment.extend(doctor.environment.iter().cloned());
    let mut said = Diagnostics::default();
    let provider = config::configure_with(&settings, &environment, &mut said).expect("the provider");
    Runtime::new().expect("a runtime").block_on(async {
        let host = doctor.host.parse().expect("a host");
        let error = provider.backend().observe(&host, true).await.expect_err("the host cannot be read");
        provider.close().await;
        observe::report("mfa-eu", &doctor.host, &error, &mut said);
    });
    said.iter().map(|diagnostic| format!("{}\n{}", diagnostic.summary, diagnostic.detail)).collect()
}

/// Whether it names the host, what was being done there, this cause and this cure. `doctor` may have come upon the cause
/// with another request.
pub fn names(said: &str, cause: &str, cure: &str) -> bool {
    let operations = "connecting|logging in|opening a shell|starting a command|sending input to a command|waiting for a command|\
         running PowerShell";
    let cause = regex::escape(cause.trim_end_matches('.'));
    let wanted =
        format!("{HOST}: could not read the host: (?:.*: )?(?:{operations}): {cause}\\. {}", regex::escape(cure));
    Regex::new(&wanted).expect("a pattern").is_match(said)
}

/// Whether it tells this cause and this cure of a script that failed on the host.
pub fn tells(said: &str, cause: &str, cure: &str) -> bool {
    let cause = cause.replace("Get-Diagnosis", "Get-HostFacts");
    said.contains(&format!("{HOST}: could not read the host: {cause}. {cure}"))
}
