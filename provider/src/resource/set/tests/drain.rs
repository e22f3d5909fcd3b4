//! `drain`: where a host stands in the traffic while a run goes on and after it broke off.

use std::sync::Arc;

use crate::backend::balancer::{Balancers, Declared};
use crate::backend::error::Cause;
use crate::backend::windows::connection::Connections;
use crate::config::{ProviderConfig, Reaction};
use crate::resource::set::testing::backend::{Estate, Fault};
use crate::resource::set::testing::balancers::{balancer, provider};
use crate::resource::set::testing::{Planned, Workspace, releases, summaries};
use crate::resource::set::tests::{HOSTS, estate, group, health_check, imported, server_with_sdk, wanted};
use crate::tf::value::Value;
use expect_test::expect;

const ONE: &str = "mfa-eu=mfa01.contoso.com";

/// The demo's group behind a balancer, imported.
async fn behind(estate: &Arc<Estate>) -> Workspace<'static> {
    let mut workspace = imported(estate).await;
    workspace.provider = Arc::new(provider(estate, [balancer("lb", 30)]));
    workspace
}

fn drained(version: &str) -> Value {
    let mut config = wanted(version, "mfa01");
    config.set("drain", "lb".into());
    config
}

/// One server that is below its pin, with its configuration, behind a balancer.
async fn single(version: &str) -> (Arc<Estate>, Workspace<'static>, Value) {
    let estate = estate(version);
    let mut workspace = Workspace::new(group(), &estate);
    workspace.import(ONE).await;
    workspace.provider = Arc::new(provider(&estate, [balancer("lb", 30), balancer("nlb", 300)]));
    let mut config = drained("7.0.0.9");
    config.set("hosts", Value::strings([HOSTS[0]]));
    (estate, workspace, config)
}

/// The same after a run that broke off at the last step.
async fn left_out() -> (Arc<Estate>, Workspace<'static>, Value) {
    let (estate, mut workspace, config) = single("6.3.1.1").await;
    let planned = workspace.plan(&config).await;
    estate.set_fault(fail("put it back"));
    assert!(workspace.apply(&planned).await.has_errors());
    estate.set_fault(None);
    (estate, workspace, config)
}

fn fail(step: &'static str) -> Option<Fault> {
    Some(Fault { step, after: false })
}

/// The planned steps about traffic, without the domain.
fn traffic(planned: &Planned) -> Vec<String> {
    let steps = planned.steps().into_iter().filter(|step| step.contains("balancer"));
    steps.map(|step| step.replace(".contoso.com", "")).collect()
}

/// The message of a run that broke off.
fn message(diagnostics: &crate::tf::diagnostic::Diagnostics) -> String {
    let error = diagnostics.iter().next().expect("an error");
    format!("{}\n{}", error.summary, error.detail)
}

#[tokio::test]
async fn every_changed_host_is_out_while_it_is_changed() {
    let workspace = behind(&estate("6.3.1.1")).await;
    let mut config = drained("7.0.0.9");
    config.set("health_check", health_check([]));
    let planned = workspace.plan(&config).await;
    let steps = planned.steps().into_iter().filter(|step| !step.contains("back up") && !step.contains("by hand"));
    let on_second: Vec<String> = steps.filter(|step| step.contains("mfa02")).collect();
    expect![[r#"
        2. mfa02.contoso.com: take it out of balancer lb, and wait 30 s
        4. mfa02.contoso.com: fetch the server setup 7.0.0.9 and check its hash
        5. mfa02.contoso.com: run the server setup 7.0.0.9 in place
        6. mfa02.contoso.com: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
        7. mfa02.contoso.com: put the Web Service SDK's old web.config back, or carry its values into the new one
        8. mfa02.contoso.com: set application pool MfaSdk to CLR v4.0
        9. mfa02.contoso.com: verify that MFA Server and its Web Service SDK run 7.0.0.9
        10. mfa02.contoso.com: close this upgrade's backup
        11. mfa02.contoso.com: wait until https://mfa02.contoso.com/MultiFactorAuthWebServiceSdk/ answers 200
        12. mfa02.contoso.com: put it back into balancer lb"#]]
    .assert_eq(&on_second.join("\n"));
    assert_eq!(traffic(&planned).len(), 4, "{:?}", planned.steps());
}

#[tokio::test]
async fn a_host_whose_run_broke_off_stays_out_until_one_finishes_it() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let planned = workspace.plan(&drained("7.0.0.9")).await;
    estate.set_fault(fail("mfa02.contoso.com: upgrade the Web Service SDK"));
    let applied = workspace.apply(&planned).await;
    let told = message(&applied);
    assert!(
        told.contains("Out of its balancer: mfa02.contoso.com (lb). The run that finishes a host puts it back."),
        "{told}"
    );
    let performed = estate.performed();
    assert!(!performed.iter().any(|step| step.contains("put it back") || step.contains("mfa03")), "{performed:?}");
    estate.set_fault(None);
    let planned = workspace.refresh_and_plan(&drained("7.0.0.9")).await;
    assert_eq!(
        traffic(&planned)[..2],
        ["2. mfa02: take it out of balancer lb, and wait 30 s", "9. mfa02: put it back into balancer lb"]
    );
    assert!(!workspace.apply(&planned).await.has_errors());
    let back: Vec<String> = estate.performed().into_iter().filter(|step| step.contains("put it back")).collect();
    assert_eq!(back, HOSTS[1..].iter().map(|host| format!("{host}: put it back into balancer lb")).collect::<Vec<_>>());
    assert_eq!(workspace.text("version_status"), "waiting");
}

/// All hosts run the pin, and one is not back: the set is not whole, and what comes after it waits.
#[tokio::test]
async fn a_set_whose_host_is_still_out_is_not_whole() {
    let (estate, mut workspace, config) = left_out().await;
    assert_eq!((workspace.text("version"), workspace.text("version_status")), ("7.0.0.9", "incomplete"));
    let read = workspace.refresh().await;
    expect!["On mfa01.contoso.com: it has not been put back into its balancer since it was taken out."]
        .assert_eq(&read.iter().next().expect("a warning").detail);
    let planned = workspace.plan(&config).await;
    expect![[r#"
        1. mfa01.contoso.com: verify that MFA Server and its Web Service SDK run 7.0.0.9
        2. mfa01.contoso.com: put it back into balancer lb"#]]
    .assert_eq(&planned.steps().join("\n"));
    let ready = workspace.text("ready").to_owned();
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version_status"), "current");
    assert_ne!(workspace.text("ready"), ready, "it was not ready before");
    assert_eq!(estate.performed().last().map(String::as_str), Some("mfa01.contoso.com: put it back into balancer lb"));
    assert!(!workspace.refresh_and_plan(&config).await.changes());
}

/// A balancer that gave no answer may have done it all the same.
#[tokio::test]
async fn a_host_that_may_be_out_counts_as_out() {
    let (estate, mut workspace, config) = single("6.3.1.1").await;
    let planned = workspace.plan(&config).await;
    estate.set_fault(fail("take it out"));
    let told = message(&workspace.apply(&planned).await);
    let expected = "May be out of its balancer: mfa01.contoso.com (lb). The run that finishes a host puts it back.";
    assert!(told.contains(expected) && !told.contains(" Out of"), "{told}");
    assert!(!estate.performed().iter().any(|step| step.contains("setup")), "{:?}", estate.performed());
    estate.set_fault(None);
    // Somebody upgrades it by hand: nothing is left to do on it but that.
    estate.change(HOSTS[0], |facts| {
        *facts = server_with_sdk(HOSTS[0], "7.0.0.9");
    });
    let planned = workspace.refresh_and_plan(&config).await;
    assert_eq!(traffic(&planned), ["2. mfa01: put it back into balancer lb"]);
}

/// Nothing was sent, or the balancer said no: the host is in, and is no case for the next run.
#[tokio::test]
async fn a_host_that_was_surely_not_taken_out_counts_as_in() {
    let refused = || Cause::Balancer { reason: "balancer lb was asked once".to_owned(), may_be_done: false };
    for cause in [refused(), Cause::Settings("it has no headers".to_owned()), Cause::Local("no TLS".to_owned())] {
        let (estate, mut workspace, config) = single("6.3.1.1").await;
        let planned = workspace.plan(&config).await;
        estate.set_fault(fail("take it out"));
        estate.set_cause(cause);
        let told = message(&workspace.apply(&planned).await);
        assert!(told.contains("No host is out of its balancer."), "{told}");
        estate.set_fault(None);
        estate.change(HOSTS[0], |facts| *facts = server_with_sdk(HOSTS[0], "7.0.0.9"));
        assert!(traffic(&workspace.refresh_and_plan(&config).await).is_empty());
    }
    // A run that is stopped before it begins.
    let (estate, mut workspace, config) = single("6.3.1.1").await;
    let planned = workspace.plan(&config).await;
    estate.set_stop_after("back up the data folder", workspace.stop.clone());
    let told = message(&workspace.apply(&planned).await);
    assert!(told.contains("No host is out of its balancer."), "{told}");
}

/// A lost answer to the order to put it back leaves it in doubt as well; a refusal does not.
#[tokio::test]
async fn a_host_that_may_be_back_counts_as_out() {
    for (may_be_done, expected) in [(true, "May be out of its balancer: "), (false, "Out of its balancer: ")] {
        let (estate, mut workspace, config) = single("6.3.1.1").await;
        let planned = workspace.plan(&config).await;
        estate.set_fault(fail("put it back"));
        estate.set_cause(Cause::Balancer { reason: "balancer lb was asked once".to_owned(), may_be_done });
        let told = message(&workspace.apply(&planned).await);
        assert!(told.contains(&format!(" {expected}mfa01.contoso.com (lb).")), "{told}");
        estate.set_fault(None);
        assert_eq!(traffic(&workspace.refresh_and_plan(&config).await), ["2. mfa01: put it back into balancer lb"]);
    }
}

/// A host that cannot be read is no host that is back.
#[tokio::test]
async fn a_host_that_is_out_is_waited_for_while_it_is_away() {
    let (estate, mut workspace, config) = left_out().await;
    estate.set_unreachable(HOSTS[0], true);
    let lenient = provider(&estate, [balancer("lb", 30)]).with_on_unreachable(Reaction::Warn);
    workspace.provider = Arc::new(lenient);
    let planned = workspace.refresh_and_plan(&config).await;
    assert_eq!(planned.steps(), ["1. mfa01.contoso.com: by hand: make mfa01.contoso.com reachable again"]);
}

/// What no run of this plan puts back is said, whatever holds it.
#[tokio::test]
async fn a_host_that_a_run_leaves_out_is_told() {
    let (estate, mut workspace, mut config) = left_out().await;
    let told = "warning: mfa-eu: out of a balancer, and not put back by this run: mfa01 (lb)";
    assert!(!summaries(&workspace.refresh_and_plan(&config).await.diagnostics).contains(told));
    config.set("hold", "CHG-7 is not approved".into());
    let held = workspace.refresh_and_plan(&config).await;
    assert_eq!(summaries(&held.diagnostics), format!("warning: mfa-eu is held\n{told}"));
    config.set("hold", Value::Null);
    estate.change(HOSTS[0], |facts| *facts = server_with_sdk(HOSTS[0], "8.0.1.1"));
    let ahead = workspace.refresh_and_plan(&config).await;
    assert!(summaries(&ahead.diagnostics).contains(told), "{:?}", ahead.diagnostics);
}

#[tokio::test]
async fn another_balancer_does_not_lose_the_first() {
    let (_estate, mut workspace, mut config) = left_out().await;
    config.set("drain", "nlb".into());
    let planned = workspace.refresh_and_plan(&config).await;
    assert_eq!(traffic(&planned), ["2. mfa01: put it back into balancer lb"]);
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version_status"), "current");
}

#[tokio::test]
async fn a_balancer_that_is_gone_is_missed_while_a_host_is_out_of_it() {
    let (estate, mut workspace, mut config) = left_out().await;
    workspace.provider = Arc::new(provider(&estate, [balancer("nlb", 300)]));
    config.set("drain", "nlb".into());
    let refused = workspace.refresh_and_plan(&config).await.diagnostics;
    expect![[r#"
        mfa-eu: balancer lb is not declared
        An earlier run has taken mfa01.contoso.com out of it, and the run that finishes it puts it back. The provider's balancers are "nlb". Declare "lb" until that is done. Or put the host back yourself and leave `drain` out for one apply, which forgets it."#]]
    .assert_eq(&message(&refused));
    // A set that is held asks no balancer, and is planned.
    config.set("hold", "CHG-7 is not approved".into());
    let held = workspace.refresh_and_plan(&config).await.diagnostics;
    assert!(!held.has_errors(), "{held:?}");
    assert!(summaries(&held).contains("warning: mfa-eu: balancer lb is not declared"), "{held:?}");
}

/// Without `drain` nobody puts a host back, and it is said once who should.
#[tokio::test]
async fn without_drain_a_host_that_is_out_is_told_and_forgotten() {
    let (_estate, mut workspace, mut config) = left_out().await;
    config.set("drain", Value::Null);
    let planned = workspace.refresh_and_plan(&config).await;
    expect!["warning: mfa-eu: out of a balancer, and no run puts it back: mfa01 (lb)"]
        .assert_eq(&summaries(&planned.diagnostics));
    assert!(planned.changes() && planned.steps().is_empty());
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version_status"), "current");
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(!planned.changes() && summaries(&planned.diagnostics).is_empty());
}

#[tokio::test]
async fn who_forgets_a_host_that_is_out_is_told() {
    let (_estate, mut workspace, mut config) = left_out().await;
    let told = "An earlier run has left out of a balancer: mfa01.contoso.com (lb). Put it back yourself.";
    let (destroyed, _) = workspace.destroy().await;
    assert!(message(&destroyed).contains(told), "{destroyed:?}");
    let (_estate, mut workspace, _config) = left_out().await;
    config.set("hosts", Value::strings([HOSTS[1]]));
    config.set("master", HOSTS[1].into());
    workspace.refresh().await;
    let planned = workspace.plan(&config).await;
    let removed = planned.diagnostics.iter().find(|found| found.summary.contains("is forgotten"));
    assert!(removed.is_some_and(|found| found.detail.contains(told)), "{:?}", planned.diagnostics);
}

#[tokio::test]
async fn settings_of_balancers_alone_make_no_steps() {
    let (estate, mut workspace, mut config) = single("7.0.0.9").await;
    for (drain, wait) in
        [(Value::from("lb"), 30), (Value::from("lb"), 600), (Value::from("nlb"), 600), (Value::Null, 30)]
    {
        workspace.provider = Arc::new(provider(&estate, [balancer("lb", wait), balancer("nlb", wait)]));
        config.set("drain", drain.clone());
        let planned = workspace.refresh_and_plan(&config).await;
        assert!(planned.steps().is_empty(), "{drain:?} {wait}: {:?}", planned.steps());
        assert!(!workspace.apply(&planned).await.has_errors());
    }
}

/// How long is waited is the provider's to say: while it is not known the line is not known either, and nothing is refused.
#[tokio::test]
async fn a_wait_that_is_not_known_yet_is_shown_as_that() {
    let estate = estate("6.3.1.1");
    let mut workspace = behind(&estate).await;
    let config = drained("7.0.0.9");
    let known = workspace.plan(&config).await.steps();
    let later = |name: &str| (name.to_owned(), Declared::NotKnown);
    let unknown = ProviderConfig::over(estate.clone()).with_releases(releases()).with_balancers(Balancers::unknown());
    for provider in [provider(&estate, [later("lb")]), unknown] {
        workspace.provider = Arc::new(provider);
        let planned = workspace.plan(&config).await;
        assert!(!planned.diagnostics.has_errors(), "{:?}", planned.diagnostics);
        let lines = planned.value.attribute("steps").as_list().expect("steps").to_vec();
        let expected = known.iter().map(|line| match line.contains("take it out") {
            true => Value::Unknown,
            false => Value::from(line.as_str()),
        });
        assert_eq!(lines, expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_balancer_that_cannot_be_asked_is_refused_in_the_plan() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let mut config = drained("7.0.0.9");
    let lacking = ("lb".to_owned(), Declared::Unusable("It has no headers.".to_owned()));
    let connections = || {
        let allowed = Some(vec!["mfa0?.contoso.com".parse().expect("a pattern")]);
        let mut connections = Connections { allowed_hosts: allowed, undecided: true, ..Connections::default() };
        connections.connections.clear();
        connections
    };
    for (drain, provider, expected) in [
        (
            "lb2",
            provider(&estate, [balancer("lb", 30), balancer("nlb", 30)]),
            expect![[r#"
                mfa-eu: balancer lb2 is not declared
                Found "lb2". The provider's balancers are "lb", "nlb". Correct the name, or declare it in the provider's `balancers`."#]],
        ),
        (
            "lb",
            provider(&estate, []),
            expect![[r#"
                mfa-eu: balancer lb is not declared
                Found "lb". The provider's settings have no balancers. Correct the name, or declare it in the provider's `balancers`."#]],
        ),
        (
            "lb",
            provider(&estate, [lacking]),
            expect![[r#"
                mfa-eu: balancer lb cannot be used
                It has no headers."#]],
        ),
        (
            "lb",
            provider(&estate, [balancer("lb", 30)]).with_connections(connections()),
            expect![[r#"
                mfa-eu: balancer lb may not be asked at lb.contoso.com
                lb.contoso.com may not be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only mfa0?.contoso.com. The variable counts for balancers as it does for hosts."#]],
        ),
    ] {
        workspace.provider = Arc::new(provider);
        config.set("drain", drain.into());
        let refused = workspace.plan(&config).await.diagnostics;
        expected.assert_eq(&message(&refused));
        assert_eq!(refused.iter().next().and_then(|found| found.path.clone()).unwrap_or_default().to_string(), "drain");
        let summary = &refused.iter().next().expect("an error").summary;
        if summary.contains("cannot be used") {
            continue;
        }
        // Who only adopts asks none yet.
        let mut created = Workspace::new(group(), &estate);
        created.provider = Arc::clone(&workspace.provider);
        assert!(created.plan(&config).await.diagnostics.iter().any(|found| found.summary == *summary));
    }
}

/// Who only looks for drift needs no token.
#[tokio::test]
async fn a_balancer_that_is_not_asked_needs_no_token() {
    let (estate, mut workspace, config) = single("7.0.0.9").await;
    let lacking = ("lb".to_owned(), Declared::Unusable("It has no headers.".to_owned()));
    workspace.provider = Arc::new(provider(&estate, [lacking]));
    assert_eq!(summaries(&workspace.plan(&config).await.diagnostics), "");
    let (estate, mut workspace, config) = left_out().await;
    let lacking = ("lb".to_owned(), Declared::Unusable("It has no headers.".to_owned()));
    workspace.provider = Arc::new(provider(&estate, [lacking]));
    let refused = workspace.refresh_and_plan(&config).await.diagnostics;
    assert!(summaries(&refused).contains("error: mfa-eu: balancer lb cannot be used"), "{refused:?}");
}

/// Every step fails once, before and after its effect; the next run puts everybody back.
#[tokio::test]
async fn a_failure_at_any_step_leaves_nobody_out_in_the_end() {
    let (_, workspace, config) = single("6.3.1.1").await;
    let steps = workspace.plan(&config).await.steps();
    let places = steps.iter().map(|step| step.split_once(": ").expect("a host and a step").1.to_owned());
    let mut tried = 0;
    for place in places {
        for after in [false, true] {
            let (estate, mut workspace, config) = single("6.3.1.1").await;
            let planned = workspace.plan(&config).await;
            estate.set_fault_once(Fault { step: place.clone().leak(), after });
            assert!(workspace.apply(&planned).await.has_errors(), "{place}");
            let planned = workspace.refresh_and_plan(&config).await;
            assert!(!workspace.apply(&planned).await.has_errors(), "{place}");
            let last = estate.performed().into_iter().rfind(|step| step.contains("balancer"));
            assert_eq!(last.as_deref(), Some("mfa01.contoso.com: put it back into balancer lb"), "{place}");
            assert!(!workspace.refresh_and_plan(&config).await.changes(), "{place}");
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
}

/// A run that is to stop puts a host back that is whole, and leaves one out that is not.
#[tokio::test]
async fn a_run_that_is_stopped_leaves_no_whole_host_out() {
    for (after, is_back) in [("close this upgrade", true), ("fetch the server setup", false)] {
        let (estate, mut workspace, config) = single("6.3.1.1").await;
        let planned = workspace.plan(&config).await;
        estate.set_stop_after(after, workspace.stop.clone());
        workspace.apply(&planned).await;
        let was_put_back = estate.performed().iter().any(|step| step.contains("put it back"));
        assert_eq!(was_put_back, is_back, "{after}: {:?}", estate.performed());
    }
}
