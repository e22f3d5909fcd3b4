//! The AD FS adapter's steps.

use super::*;
use crate::backend::step::PackageSource;

const FOLDER: &str = "C:\\ProgramData\\terraform-provider-azuremfa";

fn staged() -> PackageSource {
    PackageSource::Staged { version: "7.0.0.9".to_owned() }
}

fn synchronization(role: Option<&str>, now: &str, last: Option<&str>, status: &Value) -> Value {
    json!({"role": role, "now": now, "last_sync_time": last, "last_sync_status": status, "poll_seconds": 300,
           "primary": "adfs01.contoso.com"})
}

#[tokio::test]
async fn the_configuration_is_exported_merged_registered_and_removed() {
    let estate = Estate::new()
        .facts("adfs01", &facts())
        .answer("adfs01", "Export-AdapterConfiguration", json!({"path": "p", "keys": [], "already": false}))
        .answer("adfs01", "Merge-AdapterConfiguration", json!({"carried": ["A"], "not_carried": ["B"]}))
        .answer("adfs01", "Register-Adapter", json!({"type_name": "t", "already": false}))
        .answer("adfs01", "Remove-WorkFile", json!({"removed": true}))
        .answer("adfs01", "Disable-SecondFactorGuard", json!({"removed": false, "acted": null}));
    let provider_name = "AzureMfaServerAuthentication".to_owned();
    let export = Action::ExportAdapterConfiguration { provider_name: provider_name.clone() };
    estate.perform("adfs01", export).await.expect("exported");
    let report =
        estate.perform("adfs01", Action::MergeAdapterConfiguration { source: staged() }).await.expect("merged");
    assert!(report.notes[0].contains("no place for B"));
    let register = Action::RegisterAdapter { provider_name, source: staged() };
    estate.perform("adfs01", register).await.expect("registered");
    assert!(!estate.perform("adfs01", Action::RemoveExport).await.expect("removed").already);

    let path = |name: &str| format!("{FOLDER}\\{name}");
    assert_eq!(estate.arguments("Export-AdapterConfiguration")["path"], json!(path("adapter-exported.config")));
    assert_eq!(
        estate.arguments("Merge-AdapterConfiguration"),
        json!({
            "exported_path": path("adapter-exported.config"),
            "template_path": path("staging\\7.0.0.9\\MultiFactorAuthenticationAdfsAdapter.config"),
            "output_path": path("adapter-merged.config"),
        })
    );
    assert_eq!(
        estate.arguments("Register-Adapter"),
        json!({
            "provider_name": "AzureMfaServerAuthentication",
            "registration_script": path("staging\\7.0.0.9\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"),
            "configuration_path": path("adapter-merged.config"),
        })
    );
}

fn policy(before: &[&str], after: &[&str], already: bool) -> Value {
    json!({"before": before, "after": after, "already": already})
}

fn enable(name: &str) -> Action {
    Action::EnableProvider { provider_name: name.to_owned() }
}

fn disable(name: &str) -> Action {
    Action::DisableProvider { provider_name: name.to_owned() }
}

fn lost() -> Cause {
    Cause::Lost { reason: "reset".to_owned() }
}

#[tokio::test]
async fn a_gap_that_was_open_before_was_longer_than_this_run_saw() {
    let estate = Estate::new().answer("adfs01", "Set-AuthenticationPolicy", policy(&[], &[], true)).answer(
        "adfs01",
        "Set-AuthenticationPolicy",
        policy(&[], &["New"], false),
    );
    estate.perform("adfs01", disable("Old")).await.expect("off");
    estate.clock.advance(Duration::from_secs(7));
    let report = estate.perform("adfs01", enable("New")).await.expect("on");
    assert!(report.notes[0].contains("for at least 7 seconds"), "{:?}", report.notes);
}

#[tokio::test]
async fn a_policy_that_did_not_change_is_no_success() {
    let estate = Estate::new().answer("adfs01", "Set-AuthenticationPolicy", policy(&[], &["Other"], false));
    let message = estate.failure("adfs01", enable("New")).await;
    assert!(message.contains("names Other"), "{message}");
    let estate = Estate::new().answer("adfs01", "Set-AuthenticationPolicy", policy(&["old"], &["old"], false));
    estate.failure("adfs01", disable("Old")).await;
}

/// A lost packet must not leave users without the second factor: what looks first is asked again.
#[tokio::test]
async fn the_steps_of_the_gap_outlast_silence() {
    let unreachable = || Cause::Unreachable { reason: "no route".to_owned(), advice: String::new() };
    let secondary =
        synchronization(Some("SecondaryComputer"), "2026-11-24T10:00:00Z", Some("2026-11-24T10:00:01Z"), &json!(0));
    let register =
        Action::RegisterAdapter { provider_name: "AzureMfaServerAuthentication".to_owned(), source: staged() };
    let unregister = Action::UnregisterAdapter { provider_name: "Old".to_owned() };
    for (action, script, answer) in [
        (disable("Old"), "Set-AuthenticationPolicy", policy(&[], &[], true)),
        (unregister, "Unregister-Adapter", json!({"already": true})),
        (register, "Register-Adapter", json!({"type_name": "t", "already": true})),
        (Action::AwaitSynchronization, "Get-AdfsSynchronization", secondary),
        (enable("New"), "Set-AuthenticationPolicy", policy(&[], &["New"], true)),
    ] {
        let estate = Estate::new()
            .facts("adfs01", &facts())
            .outcome("adfs01", script, Err(lost()))
            .outcome("adfs01", script, Err(unreachable()))
            .answer("adfs01", script, answer);
        estate.perform("adfs01", action).await.expect("in the end");
    }
    let estate = Estate::new().outcome("adfs01", "Set-AuthenticationPolicy", Err(lost()));
    estate.failure("adfs01", enable("New")).await;
    assert_eq!(estate.clock.pauses().iter().sum::<Duration>(), Duration::from_secs(3 * 60));
}

#[tokio::test]
async fn a_long_poll_interval_is_waited_for() {
    let mut answer = synchronization(Some("SecondaryComputer"), "2026-11-24T10:00:00Z", None, &Value::Null);
    for (poll_seconds, minutes) in [(1_200, 60), (86_400, 120), (60, 15)] {
        answer["poll_seconds"] = json!(poll_seconds);
        let estate = Estate::new().answer("adfs02", "Get-AdfsSynchronization", answer.clone());
        estate.failure("adfs02", Action::AwaitSynchronization).await;
        assert_eq!(estate.clock.pauses().iter().sum::<Duration>(), Duration::from_secs(minutes * 60));
    }
}

#[tokio::test]
async fn the_gap_is_timed() {
    let estate = Estate::new().answer("adfs01", "Set-AuthenticationPolicy", policy(&["Old"], &[], false)).answer(
        "adfs01",
        "Set-AuthenticationPolicy",
        policy(&[], &["New"], false),
    );
    estate.perform("adfs01", disable("Old")).await.expect("off");
    estate.clock.advance(Duration::from_secs(42));
    let report = estate.perform("adfs01", enable("New")).await.expect("on");
    assert!(report.notes[0].contains("for 42 seconds"), "{:?}", report.notes);
    assert!(estate.perform("adfs01", enable("New")).await.expect("on").notes.is_empty());
    let ran = estate.recorder.ran.lock().expect("no panic");
    assert_eq!(ran[0].2, json!({"enable": [], "disable": ["Old"]}));
    assert_eq!(ran[1].2, json!({"enable": ["New"], "disable": []}));
}

#[tokio::test]
async fn a_secondary_is_waited_for() {
    let secondary = Some("SecondaryComputer");
    let zero = "2026-11-24T10:00:00Z";
    let answer = |now: &str, last: Option<&str>, status: &Value| synchronization(secondary, now, last, status);
    let estate = Estate::new()
        .answer("adfs02", "Get-AdfsSynchronization", answer(zero, Some("2026-11-24T09:58:00Z"), &json!(0)))
        .answer("adfs02", "Get-AdfsSynchronization", answer("2026-11-24T10:00:02Z", Some(zero), &json!(0)))
        .answer(
            "adfs02",
            "Get-AdfsSynchronization",
            answer("2026-11-24T10:03:02Z", Some("2026-11-24T10:03:00Z"), &json!(1)),
        )
        .answer(
            "adfs02",
            "Get-AdfsSynchronization",
            answer("2026-11-24T10:03:04Z", Some("2026-11-24T10:03:00Z"), &json!("0")),
        );
    let report = estate.perform("adfs02", Action::AwaitSynchronization).await.expect("synchronised");
    assert!(!report.already);
    assert_eq!(estate.clock.pauses().len(), 3);
}

#[tokio::test]
async fn a_secondary_that_does_not_synchronise_is_told() {
    let answer = synchronization(Some("SecondaryComputer"), "2026-11-24T10:00:00Z", None, &Value::Null);
    let estate = Estate::new().answer("adfs02", "Get-AdfsSynchronization", answer);
    let message = estate.failure("adfs02", Action::AwaitSynchronization).await;
    assert!(message.contains("after 2026-11-24T10:00:00Z with the primary adfs01.contoso.com"), "{message}");
    assert!(message.contains("last one: never"), "{message}");
    assert_eq!(estate.clock.pauses().iter().sum::<Duration>(), Duration::from_secs(15 * 60));
}

#[tokio::test]
async fn others_have_nothing_to_wait_for() {
    for role in [Some("PrimaryComputer"), None] {
        let answer = synchronization(role, "2026-11-24T10:00:00Z", None, &Value::Null);
        let estate = Estate::new().answer("adfs01", "Get-AdfsSynchronization", answer);
        assert!(estate.perform("adfs01", Action::AwaitSynchronization).await.expect("nothing").already);
    }
}

#[tokio::test]
async fn an_adapter_that_does_not_load_is_a_failure() {
    let answer = json!({"started_at": "2026-11-24T10:00:00Z", "load_errors": ["cannot load"]});
    let estate = Estate::new().answer("adfs01", "Restart-AdfsService", answer);
    let message = estate.failure("adfs01", Action::RestartAdfs).await;
    assert!(message.contains("event 105") && message.contains("cannot load"), "{message}");
}

#[tokio::test]
async fn a_change_of_the_farm_ends_the_answers_about_every_host() {
    let estate =
        Estate::new().facts("adfs02", &facts()).answer("adfs01", "Unregister-Adapter", json!({"already": false}));
    estate.backend.observe(&HostAddress::named("adfs02"), false).await.expect("facts");
    estate.perform("adfs01", Action::UnregisterAdapter { provider_name: "Old".to_owned() }).await.expect("done");
    estate.backend.observe(&HostAddress::named("adfs02"), false).await.expect("facts");
    assert_eq!(estate.ran(), ["adfs02 Get-HostFacts", "adfs01 Unregister-Adapter", "adfs02 Get-HostFacts"]);
}
