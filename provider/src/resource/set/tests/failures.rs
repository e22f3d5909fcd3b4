//! Applies that break off: the state tells the truth, the message says where, and the next apply converges.

use expect_test::expect;

use crate::resource::set::testing::backend::Fault;
use crate::resource::set::testing::{Workspace, summaries};
use crate::resource::set::tests::{HOSTS, estate, group, imported, wanted};
use crate::tf::value::Value;

#[tokio::test]
async fn the_message_says_where_why_and_what_is_left() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_fault(Some(Fault { step: "mfa02.contoso.com: upgrade the Web Service SDK", after: false }));
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu failed at step 6 of 21 on mfa02.contoso.com
        Step 6: mfa02.contoso.com: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk.
        The installer ended with exit code 1603.

        4 steps were done before it.
        Now mfa01.contoso.com runs 6.3.1.1. mfa02.contoso.com runs 7.0.0.9. On mfa02.contoso.com: the Web Service SDK in MultiFactorAuthWebServiceSdk runs 6.3.1.1 (uninstall entry 6.3.1.1, library 6.3.1.1). On mfa02.contoso.com: application pool MfaSdk of the Web Service SDK is on CLR v2.0 instead of v4.0. Traffic is not managed by this run: a host you took out of the balancer is still out.
        The steps after it were not begun, because after one failure the rest stays untouched: nothing was changed on mfa03.contoso.com.

        State says what really runs now. Remove the cause, then plan and apply again: steps that are done are recognised, and the first backup is kept."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    assert_eq!(workspace.version_of(HOSTS[1]), "7.0.0.9", "the server was upgraded");
    assert_eq!(workspace.version_of(HOSTS[2]), "6.3.1.1", "the rest was left alone");
    assert_eq!(workspace.text("target_version"), "7.0.0.9");
    let performed = estate.performed();
    assert!(!performed.iter().any(|step| step.contains("mfa03")), "{performed:?}");
}

/// Every step of the first stage fails once, before and after its effect.
#[tokio::test]
async fn a_failure_at_any_step_tells_the_truth_and_converges() {
    let steps = {
        let workspace = imported(&estate("6.3.1.1")).await;
        workspace.plan(&wanted("7.0.0.9", "mfa01")).await.steps()
    };
    for (line, after) in steps.iter().flat_map(|line| [(line, false), (line, true)]) {
        let (_, text) = line.split_once(". ").expect("a numbered line");
        if text.contains("traffic is not managed") || text.contains("by hand") {
            continue;
        }
        let estate = estate("6.3.1.1");
        let mut workspace = imported(&estate).await;
        let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
        let step: &'static str = Box::leak(text.to_owned().into_boxed_str());
        estate.set_fault(Some(Fault { step, after }));
        let applied = workspace.apply(&planned).await;
        assert!(applied.has_errors(), "{line} after={after}");
        estate.set_fault(None);
        let before = workspace.state.clone();
        workspace.refresh().await;
        assert_eq!(workspace.state, before, "{line} after={after}: state did not tell the truth");
        let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
        let applied = workspace.apply(&planned).await;
        assert_eq!(
            summaries(&applied),
            "warning: mfa-eu, by hand: promote mfa02 or mfa03, then set master",
            "{line} after={after}"
        );
        assert_eq!(workspace.version_of(HOSTS[2]), "7.0.0.9", "{line} after={after}");
        let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa02")).await;
        assert!(!workspace.apply(&planned).await.has_errors(), "{line} after={after}");
        assert_eq!(workspace.text("version_status"), "current", "{line} after={after}");
    }
}

/// One server of two is uninstalled while its setup fails: state must not say that the pin runs.
#[tokio::test]
async fn a_set_with_nothing_left_does_not_claim_its_pin() {
    let estate = estate("6.3.1.1");
    let mut workspace = Workspace::new(group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hosts", Value::strings([HOSTS[0]]));
    let planned = workspace.plan(&config).await;
    estate.set_fault(Some(Fault { step: "run the server setup", after: false }));
    estate.set_hook("run the server setup", |estate| estate.change(HOSTS[0], |facts| facts.server = None));
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    assert!(error.detail.contains("mfa01.contoso.com has nothing installed any more"), "{}", error.detail);
    assert_eq!(workspace.text("version"), "6.3.1.1");
    assert_eq!(workspace.version_of(HOSTS[0]), "(none)");
}

#[tokio::test]
async fn a_host_that_is_gone_after_the_run_is_one_error() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_hook("mfa03.contoso.com: close this upgrade's backup", |estate| {
        estate.set_unreachable(HOSTS[2], true);
    });
    let applied = workspace.apply(&planned).await;
    expect!["error: mfa-eu: mfa03 could not be read after the run"].assert_eq(&summaries(&applied));
    assert_eq!(workspace.version_of(HOSTS[1]), "7.0.0.9");
    assert_eq!(workspace.version_of(HOSTS[2]), "6.3.1.1", "what was last seen");
}

#[tokio::test]
async fn a_stopped_run_ends_at_the_next_safe_point() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    workspace.stop.cancel();
    let applied = workspace.apply(&planned).await;
    expect!["error: mfa-eu was stopped before step 1 of 21 on mfa01"].assert_eq(&summaries(&applied));
    assert!(estate.performed().is_empty());
    assert_eq!(workspace.text("version"), "6.3.1.1");
}

#[tokio::test]
async fn a_host_that_changed_since_the_plan_is_named() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.change(HOSTS[2], |facts| {
        let server = facts.server.as_mut().expect("a server");
        server.product_version = Some("7.0.0.9".to_owned());
    });
    estate.change(HOSTS[1], |facts| facts.web.clear());
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu is not as it was when this plan was made
        mfa02.contoso.com has changed otherwise than in its version (web); mfa03.contoso.com had uninstall entry 6.3.1.1, service file 6.3.1.1 and has uninstall entry 7.0.0.9, service file 6.3.1.1 now. Nothing was changed. Plan again and review what is to be done now."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    assert!(estate.performed().is_empty());
    assert_eq!(workspace.text("target_version"), "6.3.1.1", "nothing was attempted");
}

#[tokio::test]
async fn a_change_that_does_not_matter_is_none() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.change(HOSTS[1], |facts| facts.pending_reboot.push("windows_update".to_owned()));
    assert!(!workspace.apply(&planned).await.has_errors());
}

#[tokio::test]
async fn a_host_that_vanished_since_the_plan_is_named() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_unreachable(HOSTS[2], true);
    expect!["error: mfa-eu: the lease on mfa03 could not be taken"]
        .assert_eq(&summaries(&workspace.apply(&planned).await));
    assert!(estate.performed().is_empty());
}
