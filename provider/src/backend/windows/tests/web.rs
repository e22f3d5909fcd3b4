//! web.config, theme and application pool.

use super::*;
use crate::backend::facts::WebKind;
use crate::backend::step::Backup;

fn backup() -> Backup {
    Backup { id: "portal-dmz-7.0.0.9".to_owned(), name: "MultiFactorAuth".to_owned() }
}

async fn merged(path: &str, outcome: &str, not_carried: &[&str], placeholders: &[&str]) -> (Report, Value) {
    let answer = json!({"outcome": outcome, "carried": [], "not_carried": not_carried, "placeholders": placeholders});
    let estate = Estate::new().answer("portal01", "Merge-WebConfig", answer);
    let action = Action::MergeWebConfig { component: WebKind::UserPortal, path: path.to_owned(), backup: backup() };
    let report = estate.perform("portal01", action).await.expect("done");
    (report, estate.arguments("Merge-WebConfig"))
}

#[tokio::test]
async fn merges_by_backup() {
    let (report, arguments) = merged("C:\\www\\mfa\\", "merged", &["OLD"], &["x_pfwssdk_PfWsSdk"]).await;
    let expected = json!({
        "path": "C:\\www\\mfa\\web.config",
        "backup_id": "portal-dmz-7.0.0.9",
        "name": "MultiFactorAuth",
        "web_service_sdk_url": null,
    });
    assert_eq!(arguments, expected);
    assert!(!report.already);
    assert_eq!(report.notes.len(), 2);
    assert!(report.notes[0].contains("no place for OLD") && report.notes[1].contains("x_pfwssdk_PfWsSdk"));
}

#[tokio::test]
async fn an_unchanged_file_is_already_done() {
    let (report, arguments) = merged("C:\\www\\mfa\\Web.config", "unchanged", &[], &[]).await;
    assert_eq!(report, Report { already: true, notes: Vec::new() });
    assert_eq!(arguments["path"], json!("C:\\www\\mfa\\Web.config"));
}

#[tokio::test]
async fn a_replaced_theme_is_told() {
    for path in ["C:\\www\\mfa", "C:\\www\\mfa\\App_Themes\\Default"] {
        let answer = json!({"changed": ["logo.png"], "missing": ["a.css"], "added": ["new.css"]});
        let estate = Estate::new().answer("portal01", "Compare-Directory", answer);
        let action = Action::CompareTheme { path: path.to_owned(), backup: backup() };
        let report = estate.perform("portal01", action).await.expect("done");
        assert!(report.notes[0].contains("logo.png, a.css of C:\\www\\mfa\\App_Themes\\Default"), "{:?}", report.notes);
        assert_eq!(estate.arguments("Compare-Directory")["path"], json!("C:\\www\\mfa"));
        assert_eq!(estate.arguments("Compare-Directory")["subfolder"], json!("App_Themes\\Default"));
    }
}

#[tokio::test]
async fn a_pool_goes_to_the_new_runtime() {
    let answer = json!({"before": "v2.0", "already": false});
    let estate = Estate::new().answer("portal01", "Set-ApplicationPoolRuntime", answer);
    estate.perform("portal01", Action::SetApplicationPool { application_pool: "P".to_owned() }).await.expect("done");
    let expected = json!({"application_pool": "P", "runtime": "v4.0"});
    assert_eq!(estate.arguments("Set-ApplicationPoolRuntime"), expected);
}

/// The package has run: until these are done the component does not work.
#[tokio::test]
async fn what_makes_a_change_whole_outlasts_silence() {
    let backup = Backup { id: "portal-dmz".to_owned(), name: "web".to_owned() };
    let component = crate::backend::facts::WebKind::UserPortal;
    let merge = Action::MergeWebConfig { component, path: "C:\\x".to_owned(), backup };
    let merged = json!({"outcome": "merged", "carried": [], "not_carried": [], "placeholders": []});
    for (action, script, answer) in [
        (merge, "Merge-WebConfig", merged),
        (
            Action::SetApplicationPool { application_pool: "P".to_owned() },
            "Set-ApplicationPoolRuntime",
            json!({"before": "v4.0", "already": true}),
        ),
        (
            Action::CloseBackup { backup_id: "portal-dmz".to_owned() },
            "Complete-Backup",
            json!({"path": null, "already": true}),
        ),
    ] {
        let lost = Err(Cause::Lost { reason: "reset".to_owned() });
        let estate = Estate::new().outcome("portal01", script, lost).answer("portal01", script, answer);
        estate.perform("portal01", action).await.expect("in the end");
    }
}
