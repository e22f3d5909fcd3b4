//! Create adopts a set that runs its pin, whole, and is refused otherwise.

use expect_test::expect;

use crate::resource::set::testing::{Workspace, summaries};
use crate::resource::set::tests::{HOSTS, estate, group, wanted};
use crate::tf::value::Value;

#[tokio::test]
async fn a_whole_estate_is_adopted() {
    let estate = estate("7.0.0.9");
    let mut workspace = Workspace::new(group(), &estate);
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    assert_eq!(summaries(&planned.diagnostics), "");
    let applied = workspace.apply(&planned).await;
    assert_eq!(summaries(&applied), "");
    assert_eq!(workspace.text("version_status"), "current");
    assert!(estate.performed().is_empty());
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn an_estate_below_the_pin_is_refused_with_the_import_block() {
    let workspace = Workspace::new(group(), &estate("6.3.1.1"));
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    expect![[r#"
        mfa-eu is not yet at 7.0.0.9 everywhere
        Found:
          mfa01.contoso.com: 6.3.1.1 (uninstall entry 6.3.1.1, service file 6.3.1.1)
          mfa02.contoso.com: 6.3.1.1 (uninstall entry 6.3.1.1, service file 6.3.1.1)
          mfa03.contoso.com: 6.3.1.1 (uninstall entry 6.3.1.1, service file 6.3.1.1)

        A new resource only adopts hosts that run its version, whole; it never upgrades, because its plan could not show from which version. Import the set instead: import and upgrade then stand in one plan.

        import {
          to = azuremfa_server_group.mfa_eu
          id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
        }

        (Put the resource's own address after "to".)"#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
}

#[tokio::test]
async fn an_estate_that_is_not_whole_is_refused() {
    let estate = estate("7.0.0.9");
    estate.change(HOSTS[1], |facts| facts.web[0].pool_runtime = "v2.0".to_owned());
    let workspace = Workspace::new(group(), &estate);
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["error: mfa-eu is not yet at 7.0.0.9 everywhere"].assert_eq(&summaries(&planned.diagnostics));
}

#[tokio::test]
async fn an_estate_above_the_pin_is_refused() {
    let workspace = Workspace::new(group(), &estate("8.0.1.1"));
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["error: mfa-eu: 7.0.0.9 is lower than what runs"].assert_eq(&summaries(&planned.diagnostics));
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_not_adopted_whatever_the_settings() {
    let estate = estate("7.0.0.9");
    estate.set_unreachable(HOSTS[1], true);
    let mut workspace = Workspace::new(group(), &estate);
    workspace.provider = Workspace::lenient(&estate);
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    assert!(!error.detail.contains("on_unreachable"), "{}", error.detail);
    assert!(error.detail.ends_with("A host must answer once before a set is managed with it."), "{}", error.detail);
}

#[tokio::test]
async fn what_changed_between_plan_and_apply_leaves_nothing_in_state() {
    let estate = estate("7.0.0.9");
    let mut workspace = Workspace::new(group(), &estate);
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.change(HOSTS[1], |facts| facts.web[0].web_config_exists = false);
    let applied = workspace.apply(&planned).await;
    assert!(applied.has_errors());
    assert_eq!(workspace.state, Value::Null, "a state would be tainted, and the next plan would replace it");
}

#[tokio::test]
async fn nothing_unknown_is_an_error() {
    let workspace = Workspace::new(group(), &estate("6.3.1.1"));
    for name in ["version", "hosts", "master", "after", "hold", "name", "acknowledge", "timeouts", "web_service_sdk"] {
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set(name, Value::Unknown);
        let planned = workspace.plan(&config).await;
        // What is known already may still be refused, for what the hosts run.
        let is_deciding = ["version", "hosts", "master", "after", "hold"].contains(&name);
        assert!(!is_deciding || !planned.diagnostics.has_errors(), "{name}: {:?}", planned.diagnostics);
    }
}
