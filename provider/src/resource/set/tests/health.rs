//! `health_check`: where it stands in a run, and what a run that ends at it leaves to the next one.

use std::sync::Arc;

use expect_test::expect;

use crate::backend::windows::connection::Connections;
use crate::config::ProviderConfig;
use crate::resource::set::testing::backend::{Estate, Fault};
use crate::resource::set::testing::{Workspace, summaries, validate};
use crate::resource::set::tests::{HOSTS, estate, group, health_check, imported, wanted};
use crate::tf::value::Value;

/// The configuration of the demo with a check.
fn checked(version: &str, master: &str) -> Value {
    let mut config = wanted(version, master);
    config.set("health_check", health_check([("contains", "PfWsSdk".into())]));
    config
}

fn fail(step: &'static str) -> Option<Fault> {
    Some(Fault { step, after: false })
}

/// The planned steps without the domain, from one of these words on.
fn steps(workspace: &[String], words: &[&str]) -> String {
    let is_shown = |line: &&String| words.iter().any(|word| line.contains(word));
    workspace.iter().filter(is_shown).cloned().collect::<Vec<_>>().join("\n").replace(".contoso.com", "")
}

#[tokio::test]
async fn every_changed_host_is_checked_before_the_next_one() {
    let workspace = imported(&estate("6.3.1.1")).await;
    let planned = workspace.plan(&checked("7.0.0.9", "mfa01")).await;
    expect![[r#"
        5. mfa02: run the server setup 7.0.0.9 in place
        9. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        10. mfa02: close this upgrade's backup
        11. mfa02: wait until https://mfa02/MultiFactorAuthWebServiceSdk/ answers 200 with "PfWsSdk" in its body
        15. mfa03: run the server setup 7.0.0.9 in place
        19. mfa03: verify that MFA Server and its Web Service SDK run 7.0.0.9
        20. mfa03: close this upgrade's backup
        21. mfa01: close this upgrade's backup
        22. mfa03: wait until https://mfa03/MultiFactorAuthWebServiceSdk/ answers 200 with "PfWsSdk" in its body
        23. mfa01: by hand: promote mfa02 or mfa03, then set master"#]]
    .assert_eq(&steps(&planned.steps(), &["run the server", "verify", "close", "wait until", "by hand"]));
    let printed = format!("{:?}", planned.diagnostics);
    assert!(!planned.steps().concat().contains("marker") && !printed.contains("marker"), "{printed}");
}

#[tokio::test]
async fn a_run_that_fails_at_a_check_goes_on_with_it() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let config = checked("7.0.0.9", "mfa01");
    let planned = workspace.plan(&config).await;
    estate.set_fault(fail("mfa02.contoso.com: wait until"));
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu failed at step 11 of 23 on mfa02.contoso.com
        Step 11: mfa02.contoso.com: wait until https://mfa02.contoso.com/MultiFactorAuthWebServiceSdk/ answers 200 with "PfWsSdk" in its body.
        The installer ended with exit code 1603.

        9 steps were done before it.
        Now mfa01.contoso.com runs 6.3.1.1. mfa02.contoso.com runs 7.0.0.9. On mfa02.contoso.com: its health check has not passed since it was changed. Traffic is not managed by this run: a host you took out of the balancer is still out.
        The steps after it were not begun, because after one failure the rest stays untouched: nothing was changed on mfa03.contoso.com.

        State says what really runs now. Remove the cause, then plan and apply again: steps that are done are recognised, and the first backup is kept."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    assert!(!estate.performed().iter().any(|step| step.contains("mfa03")), "{:?}", estate.performed());
    assert_eq!(workspace.version_of(HOSTS[1]), "7.0.0.9", "what is there");
    assert_eq!(workspace.text("version_status"), "behind");

    let read = workspace.refresh().await;
    assert_eq!(summaries(&read), "warning: mfa-eu is not whole");
    let planned = workspace.plan(&config).await;
    expect![[r#"
        1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        3. mfa02: wait until https://mfa02/MultiFactorAuthWebServiceSdk/ answers 200 with "PfWsSdk" in its body
        4. mfa03: traffic is not managed; take the host out of the balancer yourself"#]]
    .assert_eq(&steps(&planned.steps()[..4], &["mfa"]));
    assert!(workspace.apply(&planned).await.has_errors(), "it is still not healthy");
    estate.set_fault(None);
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.version_of(HOSTS[2]), "7.0.0.9");
    assert_eq!(workspace.text("version_status"), "waiting");
    assert_eq!(summaries(&workspace.refresh().await), "", "everybody has passed");
}

/// A group of one server that runs its pin and has not answered, with its configuration.
async fn failed_at_the_last_check() -> (Arc<Estate>, Workspace<'static>, Value) {
    let estate = estate("6.3.1.1");
    let mut workspace = Workspace::new(group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com").await;
    let mut config = checked("7.0.0.9", "mfa01");
    config.set("hosts", Value::strings([HOSTS[0]]));
    let planned = workspace.plan(&config).await;
    estate.set_fault(fail("wait until"));
    workspace.apply(&planned).await;
    (estate, workspace, config)
}

/// All hosts run the pin, and nothing but the check is left: what comes after has to wait for it.
#[tokio::test]
async fn a_set_whose_last_check_failed_is_not_whole() {
    let (estate, mut workspace, config) = failed_at_the_last_check().await;
    assert_eq!((workspace.text("version"), workspace.text("version_status")), ("7.0.0.9", "incomplete"));
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(planned.changes());
    expect![[r#"
        1. mfa01: verify that MFA Server and its Web Service SDK run 7.0.0.9
        2. mfa01: wait until https://mfa01/MultiFactorAuthWebServiceSdk/ answers 200 with "PfWsSdk" in its body"#]]
    .assert_eq(&steps(&planned.steps(), &["mfa"]));
    let ready = workspace.text("ready").to_owned();
    estate.set_fault(None);
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version_status"), "current");
    assert_ne!(workspace.text("ready"), ready, "it was not ready before");
    assert!(!workspace.refresh_and_plan(&config).await.changes());
}

/// A host that could not be asked is no host that has passed.
#[tokio::test]
async fn a_host_that_has_to_pass_is_waited_for_while_it_is_away() {
    let (estate, mut workspace, config) = failed_at_the_last_check().await;
    estate.set_unreachable(HOSTS[0], true);
    workspace.provider = Workspace::lenient(&estate);
    let planned = workspace.refresh_and_plan(&config).await;
    assert_eq!(planned.steps(), ["1. mfa01.contoso.com: by hand: make mfa01.contoso.com reachable again"]);
    estate.set_unreachable(HOSTS[0], false);
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(planned.steps().iter().any(|step| step.contains("wait until")), "{:?}", planned.steps());
}

#[tokio::test]
async fn who_declares_no_check_any_more_has_none_to_pass() {
    let (_estate, mut workspace, mut config) = failed_at_the_last_check().await;
    for check in [Value::Null, health_check([])] {
        config.set("health_check", check);
        let planned = workspace.refresh_and_plan(&config).await;
        assert!(planned.steps().is_empty(), "{:?}", planned.steps());
        assert!(!workspace.apply(&planned).await.has_errors());
        assert_eq!(workspace.text("version_status"), "current");
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_before_a_check_leaves_it_to_the_next() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&checked("7.0.0.9", "mfa01")).await;
    estate.set_stop_after("mfa02.contoso.com: close this", workspace.stop.clone());
    let applied = workspace.apply(&planned).await;
    assert!(summaries(&applied).contains("was stopped before step"), "{}", summaries(&applied));
    let planned = workspace.refresh_and_plan(&checked("7.0.0.9", "mfa01")).await;
    assert!(planned.steps().iter().any(|step| step.contains("mfa02.contoso.com: wait until")), "{:?}", planned.steps());
}

#[tokio::test]
async fn a_text_that_is_not_known_yet_is_shown_as_that() {
    let workspace = imported(&estate("6.3.1.1")).await;
    let known = workspace.plan(&checked("7.0.0.9", "mfa01")).await;
    for (name, is_shown) in [("url", true), ("status", true), ("contains", true), ("timeout", false)] {
        let mut config = wanted("7.0.0.9", "mfa01");
        config.set("health_check", health_check([("contains", "PfWsSdk".into()), (name, Value::Unknown)]));
        let planned = workspace.plan(&config).await;
        assert!(!planned.diagnostics.has_errors(), "{name}: {:?}", planned.diagnostics);
        let lines = planned.value.attribute("steps").as_list().expect("steps").to_vec();
        let expected = known.steps().into_iter().map(|line| match line.contains("wait until") && is_shown {
            true => Value::Unknown,
            false => Value::from(line),
        });
        assert_eq!(lines, expected.collect::<Vec<_>>(), "{name}");
    }
}

#[tokio::test]
async fn a_check_that_may_not_be_asked_is_refused_in_the_plan() {
    let mut workspace = imported(&estate("6.3.1.1")).await;
    let allowed = Some(vec!["mfa0?.contoso.com".parse().expect("a pattern")]);
    let mut connections = Connections { allowed_hosts: allowed, undecided: true, ..Connections::default() };
    connections.connections.clear();
    let estate = estate("6.3.1.1");
    workspace.provider = Arc::new(ProviderConfig::over(estate).with_connections(connections));
    let mut config = checked("7.0.0.9", "mfa01");
    let allowed = workspace.plan(&config).await;
    assert!(!summaries(&allowed.diagnostics).contains("may not ask"), "{}", summaries(&allowed.diagnostics));
    config.set("health_check", health_check([("url", "https://probe.example/{host}".into())]));
    let refused = workspace.plan(&config).await.diagnostics;
    let found = refused.iter().find(|found| found.summary.contains("may not ask")).expect("refused");
    assert_eq!(found.path.as_ref().map(ToString::to_string).as_deref(), Some("health_check.url"));
    assert!(found.detail.contains("AZUREMFA_ALLOWED_HOSTS"), "{}", found.detail);
}

#[tokio::test]
async fn a_check_that_believes_anybody_warns() {
    let workspace = imported(&estate("7.0.0.9")).await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("health_check", health_check([("insecure_skip_verify", Value::Bool(true))]));
    let planned = workspace.plan(&config).await;
    expect!["warning: mfa-eu: the health check believes any certificate"].assert_eq(&summaries(&planned.diagnostics));
}

/// Validates the demo's configuration with a check.
#[track_caller]
fn check<const N: usize>(stated: [(&str, Value); N], expected: &str) {
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("health_check", health_check(stated));
    let found = validate(group(), &config);
    let lines: Vec<String> =
        found.iter().map(|found| format!("{}: {}", found.path.clone().unwrap_or_default(), found.summary)).collect();
    assert_eq!(lines.join("; "), expected);
    assert!(!format!("{found:?}").contains("marker"), "{found:?}");
}

#[test]
fn wrong_checks_are_refused_with_their_path() {
    let text = |text: &str| Value::from(text);
    check([], "");
    check([("timeout", text("3s"))], "");
    check([("url", text("https://127.0.0.1:8443/"))], "");
    for url in
        ["{host}/health", "ftp://{host}/", "https://user:marker@{host}/", "https://{hostname}/", "https://{host}/#a"]
    {
        check([("url", text(url))], "health_check.url: Invalid address");
    }
    check([("status", Value::integer(99))], "health_check.status: Invalid status");
    check([("status", Value::integer(600))], "health_check.status: Invalid status");
    check([("contains", text(""))], "health_check.contains: Empty text");
    check([("timeout", text("soon"))], "health_check.timeout: Invalid duration");
    check([("interval", text("0s"))], "health_check.interval: Invalid duration");
    let longer = "health_check.interval: Interval longer than the wait";
    check([("interval", text("10s")), ("timeout", text("5s"))], longer);
    check([("interval", text("6m"))], longer);
    check([("interval", text("10s")), ("timeout", Value::Unknown)], "");
    check([("ca_certificate", text("ca.pem"))], "health_check.ca_certificate: Invalid certificate");
    let http = ("url", text("http://{host}/"));
    check(
        [http, ("insecure_skip_verify", Value::Bool(true))],
        "health_check.insecure_skip_verify: Setting of HTTPS without HTTPS",
    );
}
