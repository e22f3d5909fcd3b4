//! Setups and packages: arguments, what is already done, what is taken up, how it ends.

use super::*;
use crate::backend::facts::WebKind;
use crate::backend::step::{PackageSource, Place};

fn run_setup() -> Action {
    Action::RunServerSetup { version: "7.0.0.9".to_owned() }
}

fn run_portal(source: PackageSource) -> Action {
    let place = Place {
        site: "Default Web Site".to_owned(),
        site_id: 1,
        virtual_directory: "MultiFactorAuth".to_owned(),
        application_pool: "MfaPool".to_owned(),
    };
    Action::RunWebPackage { component: WebKind::UserPortal, version: "7.0.0.9".to_owned(), source, place }
}

fn state(state: &str) -> Value {
    json!({"state": state, "exit_code": null})
}

fn completion(exit_code: i64) -> Value {
    json!({"exit_code": exit_code, "reboot_required": exit_code == 3010, "log": ["Return value 3."]})
}

fn lost() -> Answer {
    Err(Cause::Lost { reason: "reset".to_owned() })
}

/// A server on the old version, no installation of ours, and one that starts and runs for two polls.
fn old_server() -> Estate {
    Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .answer("mfa01", "Get-InstallerState", state("running"))
        .answer("mfa01", "Get-InstallerState", state("running"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"}))
}

#[tokio::test]
async fn a_setup_is_started_watched_and_completed() {
    let estate = old_server().answer("mfa01", "Complete-Installer", completion(3010));
    let report = estate.perform("mfa01", run_setup()).await.expect("done");
    assert_eq!(report.notes, ["mfa01 must be restarted to finish an installation (exit code 3010)."]);
    let expected = json!({
        "installation_id": "server_setup-7.0.0.9",
        "file": "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\0123456789abcdef\\Setup.exe",
        "arguments": ["/quiet"],
        "sha256": SHA256,
        "timeout_minutes": 60,
    });
    assert_eq!(estate.arguments("Start-Installer"), expected);
    assert_eq!(estate.clock.pauses().len(), 2);
}

/// Windows Update may be at work on a Sunday night.
#[tokio::test]
async fn another_installation_goes_first() {
    let busy = || {
        Err(Cause::Script {
            script: "Start-Installer".to_owned(),
            kind: crate::backend::error::ScriptErrorKind::Busy,
            message: "Windows Installer is at work on this host".to_owned(),
            line: None,
        })
    };
    let base = || {
        Estate::new()
            .facts("mfa01", &server("6.3.1.1"))
            .answer("mfa01", "Get-InstallerState", state("missing"))
            .answer("mfa01", "Get-InstallerState", state("finished"))
            .answer("mfa01", "Complete-Installer", completion(0))
            .outcome("mfa01", "Start-Installer", busy())
    };
    let estate =
        base().outcome("mfa01", "Start-Installer", busy()).answer("mfa01", "Start-Installer", json!({"started": true}));
    estate.perform("mfa01", run_setup()).await.expect("done");
    assert_eq!(estate.clock.pauses().len(), 2);
    let estate = base();
    let message = estate.failure("mfa01", run_setup()).await;
    assert!(message.contains("Windows Installer is at work"), "{message}");
    assert_eq!(estate.clock.pauses().iter().sum::<Duration>(), Duration::from_secs(20 * 60));
}

#[tokio::test]
async fn a_package_is_tied_to_what_lies_there_and_to_its_place() {
    let estate = Estate::new()
        .facts("portal01", &portal("6.3.1.1"))
        .answer("portal01", "Get-InstallerState", state("missing"))
        .answer("portal01", "Get-InstallerState", state("finished"))
        .answer("portal01", "Get-FileIdentity", json!({"exists": true, "length": 6, "sha256": SHA256}))
        .answer("portal01", "Start-Installer", json!({"started": true, "log": "l"}))
        .answer("portal01", "Complete-Installer", completion(0));
    let source = PackageSource::Staged { version: "7.0.0.9".to_owned() };
    estate.perform("portal01", run_portal(source)).await.expect("done");
    let arguments = estate.arguments("Start-Installer");
    assert_eq!(
        arguments["arguments"],
        json!(["TARGETVDIR=MultiFactorAuth", "TARGETSITE=/LM/W3SVC/1", "/qn", "/norestart"])
    );
    assert_eq!(arguments["installation_id"], json!("user_portal-7.0.0.9-MultiFactorAuth"));
    assert_eq!(
        arguments["file"],
        json!(
            "C:\\ProgramData\\terraform-provider-azuremfa\\staging\\7.0.0.9\\MultiFactorAuthenticationUserPortalSetup64.msi"
        )
    );
    assert_eq!(arguments["sha256"], json!(SHA256));
}

#[tokio::test]
async fn what_is_there_is_not_installed_again() {
    let estate =
        Estate::new().facts("mfa01", &server("7.0.0.9")).answer("mfa01", "Get-InstallerState", state("missing"));
    assert!(estate.perform("mfa01", run_setup()).await.expect("done").already);
}

#[tokio::test]
async fn half_done_work_is_done_again() {
    let mut half = server("7.0.0.9");
    half.server.as_mut().expect("a server").file_version = Some("6.3.1.1".to_owned());
    let estate = Estate::new()
        .facts("mfa01", &half)
        .answer("mfa01", "Get-InstallerState", state("interrupted"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"}))
        .answer("mfa01", "Complete-Installer", completion(0));
    assert!(!estate.perform("mfa01", run_setup()).await.expect("done").already);
}

#[tokio::test]
async fn an_installation_that_runs_is_taken_up_and_not_started() {
    let estate = Estate::new()
        .answer("mfa01", "Get-InstallerState", state("running"))
        .answer("mfa01", "Get-InstallerState", state("running"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Complete-Installer", completion(0));
    estate.perform("mfa01", run_setup()).await.expect("done");
    assert!(!estate.ran().contains(&"mfa01 Start-Installer".to_owned()));
}

#[tokio::test]
async fn a_new_attempt_gets_a_number() {
    let estate = Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"}))
        .answer("mfa01", "Complete-Installer", completion(1603))
        .answer("mfa01", "Complete-Installer", completion(0));
    estate.perform("mfa01", run_setup()).await.expect("done");
    assert_eq!(estate.arguments("Start-Installer")["installation_id"], json!("server_setup-7.0.0.9-3"));
}

#[tokio::test]
async fn attempts_have_an_end() {
    let estate = Estate::new().answer("mfa01", "Get-InstallerState", state("finished"));
    let message = estate.failure("mfa01", run_setup()).await;
    assert!(message.contains("30 attempts of the installation server_setup-7.0.0.9"), "{message}");
}

#[tokio::test]
async fn a_failed_installer_says_why() {
    let estate = old_server().answer("mfa01", "Complete-Installer", completion(1603));
    let error = estate.perform("mfa01", run_setup()).await.expect_err("a failure");
    assert!(matches!(error.cause, Cause::Installer { exit_code: 1603, .. }));
    assert!(error.to_string().contains("Return value 3."), "{error}");
}

#[tokio::test]
async fn silence_while_it_runs_is_waited_out() {
    let estate = Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .outcome("mfa01", "Get-InstallerState", lost())
        .outcome("mfa01", "Get-InstallerState", lost())
        .answer("mfa01", "Get-InstallerState", state("finished"))
        .outcome("mfa01", "Start-Installer", lost())
        .outcome("mfa01", "Complete-Installer", lost())
        .answer("mfa01", "Complete-Installer", completion(0));
    estate.perform("mfa01", run_setup()).await.expect("done");
}

#[tokio::test]
async fn a_start_that_was_lost_and_did_not_happen_is_told() {
    let estate = Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .outcome("mfa01", "Start-Installer", lost());
    let message = estate.failure("mfa01", run_setup()).await;
    assert!(message.contains("the step was broken off"), "{message}");
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let estate = Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .outcome("mfa01", "Get-InstallerState", lost())
        .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"}));
    let message = estate.failure("mfa01", run_setup()).await;
    assert!(message.contains("the step was broken off"), "{message}");
    let waited: Duration = estate.clock.pauses().iter().sum();
    assert_eq!(waited, Duration::from_secs(600));
}

#[tokio::test]
async fn a_stop_leaves_the_installer_alone() {
    let estate = Arc::new(
        Estate::new()
            .facts("mfa01", &server("6.3.1.1"))
            .answer("mfa01", "Get-InstallerState", state("missing"))
            .answer("mfa01", "Get-InstallerState", state("running"))
            .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"})),
    );
    let stop = estate.stop.clone();
    let watcher = estate.clone();
    let (message, ()) = tokio::join!(estate.failure("mfa01", run_setup()), async move {
        while watcher.clock.pauses().len() < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    assert!(message.contains("goes on on the host and is taken up by the next apply"), "{message}");
    assert!(!estate.ran().contains(&"mfa01 Complete-Installer".to_owned()));
}

#[tokio::test]
async fn an_installer_that_never_ends_is_given_up() {
    let estate = Estate::new()
        .facts("mfa01", &server("6.3.1.1"))
        .answer("mfa01", "Get-InstallerState", state("missing"))
        .answer("mfa01", "Get-InstallerState", state("running"))
        .answer("mfa01", "Start-Installer", json!({"started": true, "log": "l"}));
    let message = estate.failure("mfa01", run_setup()).await;
    assert!(message.contains("it took too long"), "{message}");
    let waited: Duration = estate.clock.pauses().iter().sum();
    assert_eq!(waited, Duration::from_secs(65 * 60));
}

#[tokio::test]
async fn nothing_runs_without_stated_arguments() {
    let estate = Estate::new();
    let place =
        Place { site: String::new(), site_id: 1, virtual_directory: "App".to_owned(), application_pool: String::new() };
    let action = Action::RunWebPackage {
        component: WebKind::MobileAppWebService,
        version: "7.0.0.9".to_owned(),
        source: PackageSource::InstallFolder,
        place,
    };
    let message = estate.failure("app01", action).await;
    assert!(message.contains("releases[\"7.0.0.9\"] has no mobile_app_web_service"), "{message}");
    assert!(estate.ran().is_empty());
}

#[test]
fn ids_are_names_of_files() {
    use crate::backend::windows::installers::id;
    assert_eq!(id("server_setup", "7.0.0.9", None), "server_setup-7.0.0.9");
    assert_eq!(id("user_portal", "7.0.0.9", Some("mfa/sub dir")), "user_portal-7.0.0.9-mfa_sub_dir");
    assert_eq!(id("user_portal", "7.0.0.9", Some("..\\x")), "user_portal-7.0.0.9-.._x");
}
