//! Decoders of what scripts say of a host.

use azuremfa::backend::facts::HostFacts;
use azuremfa::doctor::diagnosis::Diagnosis;
use azuremfa::doctor::findings;
use azuremfa::doctor::report::{Report, Subject};
use jiff::Timestamp;
use serde_json::Value;

use super::Decoder;

pub const DECODERS: &[Decoder] =
    &[("diagnosis of a host", decode_diagnosis, 3_000, diagnoses), ("facts of a host", decode_facts, 3_000, facts)];

/// What is not damaged is taken.
pub fn check_corpora() {
    assert!(diagnoses().iter().all(|text| serde_json::from_slice::<Diagnosis>(text).is_ok()));
    assert!(facts().iter().all(|text| serde_json::from_slice::<HostFacts>(text).is_ok()));
}

/// Whatever a host says of itself, each check comes to something.
fn decode_diagnosis(bytes: &[u8]) {
    let Ok(diagnosis) = serde_json::from_slice::<Diagnosis>(bytes) else { return };
    let mut report = Report {
        host: "mfa01.contoso.com".to_owned(),
        url: "https://mfa01.contoso.com:5986/wsman".to_owned(),
        proxy: None,
        proxy_reason: None,
        username: "u".to_owned(),
        checks: Vec::new(),
    };
    findings::add(&diagnosis, "mfa01", Timestamp::UNIX_EPOCH, &mut report);
    report.complete();
    assert_eq!(report.checks.len(), Subject::ALL.len());
    let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!(json["result"] == "failed", report.has_failed());
    assert!(!report.to_string().is_empty());
}

/// Facts survive private state.
fn decode_facts(bytes: &[u8]) {
    let Ok(facts) = serde_json::from_slice::<HostFacts>(bytes) else { return };
    let text = serde_json::to_vec(&facts).expect("JSON");
    assert_eq!(serde_json::from_slice::<HostFacts>(&text).expect("facts"), facts);
}

// === What they are fed with: what the scripts' own cases expect of the real PowerShell ===

macro_rules! result {
    ($case:literal) => {{
        let case = include_str!(concat!("../../../src/backend/windows/scripts/cases/", $case, ".json"));
        serde_json::from_str::<Value>(case).expect("a case")["reply"]["result"].take().to_string()
    }};
}

fn diagnoses() -> Vec<Vec<u8>> {
    let cases = [
        result!("Get-Diagnosis.healthy"),
        result!("Get-Diagnosis.narrow"),
        result!("Get-Diagnosis.not-readable"),
        result!("Get-Diagnosis.hop-goes-on"),
        result!("Get-Diagnosis.hop-not-reachable"),
        result!("Get-Diagnosis.hop-without-domain"),
    ];
    cases.map(|text| text.replace("<time>", "2026-11-30T10:00:00Z").into_bytes()).to_vec()
}

fn facts() -> Vec<Vec<u8>> {
    let cases = [
        result!("Get-HostFacts.server"),
        result!("Get-HostFacts.portal"),
        result!("Get-HostFacts.adfs-primary"),
        result!("Get-HostFacts.nothing"),
        result!("Get-HostFacts.odd-names"),
    ];
    cases.map(String::into_bytes).to_vec()
}
