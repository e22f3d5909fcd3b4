//! Leases around a run: before it looks, in one order, until it has ended, and what becomes of it when another run has one.

use expect_test::expect;

use crate::backend::error::Cause;
use crate::backend::lease::{self, Holder};
use crate::resource::set::testing::backend::{Estate, Fault};
use crate::resource::set::testing::summaries;
use crate::resource::set::tests::{HOSTS, estate, imported, server_with_sdk, wanted};
use crate::tf::value::Value;

fn holder() -> Holder {
    Holder {
        owner: "alice@runner07, process 42".to_owned(),
        set: "mfa-eu".to_owned(),
        taken_at: "2026-11-01T02:00:00Z".to_owned(),
        renewed_at: "2026-11-01T02:10:00Z".to_owned(),
        expires_at: "2026-11-01T02:15:00Z".to_owned(),
    }
}

fn refused() -> Cause {
    lease::refused(Some(&holder()), "C:\\ProgramData\\terraform-provider-azuremfa\\lease.json")
}

fn leases(estate: &Estate) -> String {
    estate.leases().join("\n").replace(".contoso.com", "")
}

/// Only the hosts of the first stage but the one that is backed up: all three have a performed step.
#[tokio::test]
async fn a_run_leases_in_order_before_it_looks_and_gives_back_at_the_end() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9", "mfa01");
    // The order of the rollout is not that of the leases.
    config.set("hosts", Value::strings([HOSTS[2], HOSTS[0], HOSTS[1]]));
    let planned = workspace.plan(&config).await;
    estate.leases();
    assert!(!workspace.apply(&planned).await.has_errors());
    let done = leases(&estate);
    let (before, after) = done.split_once("\nmfa-eu gives").expect("they are given back");
    assert_eq!(
        before.lines().take(3).collect::<Vec<_>>(),
        ["mfa-eu leases mfa01", "mfa-eu leases mfa02", "mfa-eu leases mfa03"]
    );
    assert_eq!(
        before.lines().filter(|line| line.starts_with("look at")).count(),
        6,
        "before and after the run: {done}"
    );
    assert_eq!(after.lines().count(), 3, "{done}");
}

#[tokio::test]
async fn only_hosts_of_performed_steps_are_leased() {
    let estate = estate("6.3.1.1");
    for host in [HOSTS[0], HOSTS[2]] {
        estate.change(host, |facts| *facts = server_with_sdk(host, "7.0.0.9"));
    }
    let mut workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("master", HOSTS[0].into());
    let planned = workspace.plan(&config).await;
    estate.leases();
    assert!(!workspace.apply(&planned).await.has_errors());
    let done = leases(&estate);
    let leased: Vec<&str> = done.lines().filter(|line| line.contains("leases")).collect();
    let steps = planned.steps().join("\n");
    let hosts = ["mfa01", "mfa02", "mfa03"];
    let expected = hosts.iter().filter(|host| steps.contains(&format!("{host}.contoso.com: ")));
    assert_eq!(leased, expected.map(|host| format!("mfa-eu leases {host}")).collect::<Vec<_>>(), "{steps}");
    assert!(leased.len() < 3, "{steps}");
}

#[tokio::test]
async fn reads_and_runs_that_perform_nothing_take_none() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let cause = refused();
    HOSTS.iter().for_each(|host| estate.set_leased(host, cause.clone()));
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hold", "CHG-1".into());
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(planned.changes() && !planned.diagnostics.has_errors());
    assert!(!workspace.apply(&planned).await.has_errors());
    assert!(!leases(&estate).contains("leases"));
}

#[tokio::test]
async fn a_host_that_another_run_has_is_left_alone_with_all_others() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_leased(HOSTS[1], refused());
    estate.leases();
    let before = workspace.state.clone();
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu: another run is at work on mfa02.contoso.com
        On mfa02.contoso.com: another run is at work on it, for the set mfa-eu of alice@runner07, process 42. That run took the lease on the host at 2026-11-01T02:00:00Z and renewed it while this run waited, last at 2026-11-01T02:10:00Z (by the host's clock). Nothing was changed by this run.

        Wait for that run, and look for it where its owner says. Should it have ended without giving the lease back, the lease ends by itself when nobody renews it any more (as it stands, at 2026-11-01T02:15:00Z), and this run would have waited for that. Only when it has certainly ended, and as the last resort, delete C:\ProgramData\terraform-provider-azuremfa\lease.json on the host."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    assert_eq!(applied.iter().count(), 1);
    assert_eq!(workspace.state, before);
    assert!(estate.performed().is_empty());
    expect!["mfa-eu leases mfa01\nmfa-eu gives mfa01 back"].assert_eq(&leases(&estate));
}

#[tokio::test]
async fn another_failure_to_take_one_is_told_as_what_it_is() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_leased(HOSTS[0], Cause::Stopped);
    let applied = workspace.apply(&planned).await;
    expect!["error: mfa-eu was stopped while it waited for the lease on mfa01"].assert_eq(&summaries(&applied));
    let reason = "connection refused".to_owned();
    estate.set_leased(HOSTS[0], Cause::Unreachable { reason, advice: "Look at the listener".to_owned() });
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu: the lease on mfa01.contoso.com could not be taken
        mfa01.contoso.com: could not take its lease: connection refused. Look at the listener. Nothing was changed by this run."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
}

#[tokio::test]
async fn a_run_that_breaks_off_gives_back_as_well() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_fault(Some(Fault { step: "run the server setup", after: false }));
    estate.leases();
    assert!(workspace.apply(&planned).await.has_errors());
    assert_eq!(leases(&estate).matches("back").count(), 3);
    estate.set_fault(None);
    workspace.stop.cancel();
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.leases();
    assert!(workspace.apply(&planned).await.has_errors());
    assert_eq!(leases(&estate).matches("back").count(), 3);
}

#[tokio::test]
async fn a_run_whose_lease_another_one_got_stops_before_its_next_step() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    // Of a host that has its turn later: the run's order and limits hold for all of them or for none.
    estate.set_hook("mfa02.contoso.com: fetch the server setup", |estate| {
        estate.steal_lease(HOSTS[2], lease::lost(Some(&holder())));
    });
    let applied = workspace.apply(&planned).await;
    let error = applied.iter().next().expect("an error");
    expect![[r#"
        mfa-eu was stopped before step 5 of 21 on mfa02.contoso.com
        Step 5: mfa02.contoso.com: run the server setup 7.0.0.9 in place.
        On mfa03.contoso.com: the lease of this run ended, because it could not be renewed in time, and now another run has it, for the set mfa-eu of alice@runner07, process 42, since 2026-11-01T02:00:00Z. Wait until no other run is at work on the host, then plan and apply again. Look also at why the host did not answer for minutes.

        3 steps were done before it.
        Now mfa01.contoso.com runs 6.3.1.1. mfa02.contoso.com runs 6.3.1.1. Traffic is not managed by this run: a host you took out of the balancer is still out.
        The steps after it were not begun, because after one failure the rest stays untouched: nothing was changed on mfa03.contoso.com.

        What this run has done is done; the other run decided by what it found on the host. Steps that are done are recognised."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    let performed = estate.performed();
    assert!(performed.last().is_some_and(|step| step.contains("fetch the server setup")), "{performed:?}");
}

/// A setup has run: what makes the host whole is still done.
#[tokio::test]
async fn what_completes_a_change_is_done_without_the_lease() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    estate.set_hook("mfa02.contoso.com: upgrade the Web Service SDK", |estate| {
        estate.steal_lease(HOSTS[1], lease::lost(None));
    });
    assert!(workspace.apply(&planned).await.has_errors());
    let performed = estate.performed();
    let last = performed.last().expect("steps");
    assert!(last.contains("mfa02.contoso.com: close this upgrade's backup"), "{performed:?}");
}

/// A host that was added and is behind is seen in the fresh look only; then its lease comes first, and another look.
#[tokio::test]
async fn an_added_host_is_leased_before_its_steps() {
    let estate = estate("6.3.1.1");
    let mut workspace = crate::resource::set::testing::Workspace::new(crate::resource::set::tests::group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await;
    let planned = workspace.plan(&wanted("6.3.1.1", "mfa01")).await;
    estate.change(HOSTS[2], |facts| *facts = server_with_sdk(HOSTS[2], "6.3.0.1"));
    estate.leases();
    let applied = workspace.apply(&planned).await;
    let done = leases(&estate);
    expect![[r#"

        mfa-eu leases mfa01
        look at mfa01
        look at mfa02
        look at mfa03
        mfa-eu leases mfa03
        look at mfa01
        look at mfa02
        look at mfa03
        look at mfa01
        look at mfa02
        look at mfa03
        mfa-eu gives mfa01 back
        mfa-eu gives mfa03 back"#]]
    .assert_eq(&format!("{}\n{done}", summaries(&applied)));
}
