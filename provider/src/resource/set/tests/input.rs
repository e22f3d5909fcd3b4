//! What users write: configurations that are refused in validation, and import ids.

use crate::resource::Resource as _;
use crate::resource::set::testing::{Workspace, summaries, validate};
use crate::resource::set::tests::{HOSTS, ID, estate, group, wanted};
use crate::tf::value::Value;

/// Validates the demo's configuration with one attribute changed.
#[track_caller]
fn check(name: &str, value: Value, expected: &str) {
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set(name, value);
    let found = validate(group(), &config);
    let found: Vec<String> =
        found.iter().map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.summary)).collect();
    assert_eq!(found.join("; "), expected);
}

#[test]
fn a_good_configuration_passes() {
    check("hold", Value::Null, "");
}

#[test]
fn wrong_values_are_refused_with_their_path() {
    check("version", "7.x".into(), "version: Invalid version");
    check("name", "mfa eu".into(), "name: Invalid name");
    check("hosts", Value::List(Vec::new()), "hosts: No hosts; master: The master is not among the hosts");
    check("hosts", Value::strings(["mfa01.contoso.com", "MFA01.contoso.com"]), "hosts[1]: The same host twice");
    check("hosts", Value::List(vec![HOSTS[0].into(), Value::Null]), "hosts[1]: Missing host");
    check("hosts", Value::strings([HOSTS[0], "https://mfa02"]), "hosts[1]: Invalid host");
    check("master", "mfa09.contoso.com".into(), "master: The master is not among the hosts");
    check("after", Value::strings(["mfa-us"]), "after[0]: Not a ready token");
    check("after", Value::List(vec![Value::Null]), "after[0]: Not a ready token");
    check("hold", " ".into(), "hold: Empty reason");
    check("timeouts", Value::object([("update", "1 day".into())]), "timeouts.update: Invalid duration");
    check(
        "web_service_sdk",
        Value::object([("virtual_directory", "/Sdk".into())]),
        "web_service_sdk.virtual_directory: Invalid virtual directory",
    );
}

#[test]
fn acknowledgements_are_named_reasoned_and_single() {
    let one = |check: &str, reason: &str, until: &str| {
        Value::object([("check", check.into()), ("reason", reason.into()), ("until", until.into())])
    };
    let pool = one("shared_application_pool", "CHG-1", "2026-12-01T00:00:00Z");
    check("acknowledge", Value::List(vec![pool.clone()]), "");
    check("acknowledge", Value::List(vec![pool.clone(), pool]), "acknowledge[1].check: Acknowledged twice");
    check(
        "acknowledge",
        Value::List(vec![one("everything", "", "tomorrow")]),
        "acknowledge[0].check: Unknown check; acknowledge[0].reason: Empty reason; acknowledge[0].until: Invalid end",
    );
}

#[tokio::test]
async fn import_ids_are_read_strictly() {
    let estate = estate("7.0.0.9");
    for (id, expected) in [
        (ID, ""),
        ("mfa-eu=mfa01.contoso.com, mfa02.contoso.com", ""),
        ("mfa-eu", "error: \"mfa-eu\" is no import id of azuremfa_server_group"),
        ("=mfa01", "error: \"=mfa01\" is no import id of azuremfa_server_group"),
        ("mfa-eu=", "error: \"mfa-eu=\" is no import id of azuremfa_server_group"),
        ("mfa-eu=a,,b", "error: \"mfa-eu=a,,b\" is no import id of azuremfa_server_group"),
        ("mfa-eu=a,A", "error: \"mfa-eu=a,A\" is no import id of azuremfa_server_group"),
        ("mfa-eu@Sdk=mfa01", "error: \"mfa-eu@Sdk=mfa01\" is no import id of azuremfa_server_group"),
        ("mfa-eu=mfa09", "error: mfa-eu: mfa09 could not be read"),
    ] {
        let mut workspace = Workspace::new(group(), &estate);
        assert_eq!(summaries(&workspace.import(id).await), expected, "{id}");
    }
}

#[tokio::test]
async fn hosts_without_the_component_cannot_be_imported() {
    let estate = estate("7.0.0.9");
    for host in HOSTS {
        estate.change(host, |facts| facts.server = None);
    }
    let mut workspace = Workspace::new(group(), &estate);
    assert_eq!(summaries(&workspace.import(ID).await), "error: mfa-eu: nothing to manage");
}

#[tokio::test]
async fn a_destroy_only_forgets_and_says_so() {
    let estate = estate("7.0.0.9");
    let mut workspace = Workspace::new(group(), &estate);
    workspace.import(ID).await;
    let (diagnostics, state) = workspace.destroy().await;
    assert_eq!(summaries(&diagnostics), "warning: mfa-eu is only forgotten");
    assert_eq!(state, Value::Null);
    assert!(estate.performed().is_empty());
    assert_eq!(group().import_grammar(), Some("NAME=HOST,HOST"));
}
