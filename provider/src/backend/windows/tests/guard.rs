//! The guard of a gap in the second factor.

use expect_test::expect;

use super::*;
use crate::backend::step::PackageSource;

const FOLDER: &str = "C:\\ProgramData\\terraform-provider-azuremfa";

#[tokio::test]
async fn a_guard_knows_the_ways_out_of_the_gap() {
    let estate =
        Estate::new().facts("adfs01", &facts()).answer("adfs01", "Enable-SecondFactorGuard", json!({"earlier": null}));
    let source = Some(PackageSource::Staged { version: "7.0.0.9".to_owned() });
    let action = Action::EnableGuard { back: vec!["Old".to_owned()], forward: "New".to_owned(), source };
    assert_eq!(estate.perform("adfs01", action).await.expect("set up").notes, Vec::<String>::new());
    let mut arguments = estate.arguments("Enable-SecondFactorGuard");
    let run = arguments["run"].take();
    assert!(uuid::Uuid::parse_str(run.as_str().unwrap_or_default()).is_ok(), "{run}");
    assert_eq!(
        arguments,
        json!({
            "run": null,
            "back": ["Old"],
            "forward": "New",
            "registration_script":
                format!("{FOLDER}\\staging\\7.0.0.9\\Register-MultiFactorAuthenticationAdfsAdapter.ps1"),
            "configuration_path": format!("{FOLDER}\\adapter-merged.config"),
            "silent_seconds": 300,
            "only_try": false,
        })
    );
}

#[tokio::test]
async fn a_guard_is_tried_with_nothing_to_do() {
    let reply = json!({"earlier": null});
    let estate = Estate::new().facts("adfs01", &facts()).answer("adfs01", "Enable-SecondFactorGuard", reply);
    estate.perform("adfs01", Action::TryGuard { forward: "New".to_owned() }).await.expect("tried");
    let arguments = estate.arguments("Enable-SecondFactorGuard");
    let said = ["back", "registration_script", "configuration_path", "only_try"].map(|name| arguments[name].clone());
    assert_eq!(said, [json!([]), Value::Null, Value::Null, json!(true)]);
}

#[tokio::test]
async fn a_person_reads_what_a_guard_did() {
    let acted = |direction: Value, names: &[&str], problem: &str| json!({"acted_at": "2026-11-01T02:07:00Z", "direction": direction, "provider_names": names, "problem": problem});
    let estate = Estate::new()
        .facts("adfs01", &facts())
        .answer("adfs01", "Enable-SecondFactorGuard", json!({"earlier": acted(json!("back"), &["Old"], "")}))
        .answer(
            "adfs01",
            "Disable-SecondFactorGuard",
            json!({"removed": false, "acted": acted(json!("forward"), &["New"], "")}),
        )
        .answer("adfs01", "Disable-SecondFactorGuard", json!({"removed": true, "acted": null}))
        .answer(
            "adfs01",
            "Disable-SecondFactorGuard",
            json!({"removed": true, "acted": acted(Value::Null, &[], "The service does not run.")}),
        );
    let enable = Action::EnableGuard { back: Vec::new(), forward: "New".to_owned(), source: None };
    let mut told = estate.perform("adfs01", enable).await.expect("set up").notes;
    for _ in 0..3 {
        let report = estate.perform("adfs01", Action::DisableGuard).await.expect("taken away");
        told.extend(report.notes.into_iter().chain([format!("already={}", report.already)]));
    }
    expect![[r#"
        The guard on adfs01 heard nothing of its run and put Old back into the global policy at 2026-11-01T02:07:00Z.
        The guard on adfs01 heard nothing of its run and went forward and put New into the global policy at 2026-11-01T02:07:00Z.
        already=true
        already=false
        The guard on adfs01 heard nothing of its run and tried to close the gap at 2026-11-01T02:07:00Z, and failed: The service does not run.
        already=false"#]].assert_eq(&told.join("\n"));
}
