//! Versions, holds, hosts that come and go, hosts that do not answer.

use std::sync::Arc;

use expect_test::{Expect, expect};

use crate::config::{ProviderConfig, Reaction};
use crate::resource::set::testing::backend::Estate;
use crate::resource::set::testing::{Planned, Workspace, summaries};
use crate::resource::set::tests::{HOSTS, estate, imported, wanted};
use crate::tf::value::Value;

/// A workspace whose estate is settled at a version.
async fn settled(estate: &Arc<Estate>, version: &str) -> Workspace<'static> {
    let mut workspace = imported(estate).await;
    let planned = workspace.plan(&wanted(version, "mfa01")).await;
    let applied = workspace.apply(&planned).await;
    assert!(!applied.has_errors(), "{applied:?}");
    workspace
}

fn set_server(estate: &Estate, host: &str, version: &str) {
    estate.change(host, |facts| {
        let server = facts.server.as_mut().expect("a server");
        server.product_version = Some(version.to_owned());
        server.file_version = Some(version.to_owned());
    });
}

#[track_caller]
fn check(planned: &Planned, expected: &Expect) {
    let steps = planned.steps().join("\n").replace(".contoso.com", "");
    let status = planned.value.attribute("version_status").as_str().unwrap_or("(unknown)");
    expected.assert_eq(&format!(
        "{status} changes={}\n{}\n{steps}",
        planned.changes(),
        summaries(&planned.diagnostics)
    ));
}

#[tokio::test]
async fn a_lowered_pin_is_refused_against_each_host() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    workspace.apply(&planned).await;
    // After stage one: the lowest is still 6.3.1.1, and going back is refused all the same.
    let planned = workspace.refresh_and_plan(&wanted("6.3.1.1", "mfa01")).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    expect![[r#"
        mfa-eu: 6.3.1.1 is lower than what runs
        mfa02.contoso.com runs 7.0.0.9, mfa03.contoso.com runs 7.0.0.9, and 6.3.1.1 was asked for. There is no in-place downgrade: the vendor's way back is to uninstall, restore the data from before the upgrade and run the older setup, by hand. Set version to 7.0.0.9, or go back by hand first."#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
}

#[tokio::test]
async fn an_imported_pin_that_is_lower_counts_as_lowered() {
    let estate = estate("7.0.0.9");
    set_server(&estate, HOSTS[0], "6.3.1.1");
    let workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("6.3.1.1", "mfa01")).await;
    expect!["error: mfa-eu: 6.3.1.1 is lower than what runs"].assert_eq(&summaries(&planned.diagnostics));
}

#[tokio::test]
async fn a_host_that_went_ahead_is_one_warning_and_no_change() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    set_server(&estate, HOSTS[2], "8.0.1.1");
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
        ahead changes=false
        warning: mfa-eu: ahead of 7.0.0.9
    "#]],
    );
    for host in HOSTS {
        set_server(&estate, host, "8.0.1.1");
    }
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
        ahead changes=false
        warning: mfa-eu: ahead of 7.0.0.9
    "#]],
    );
    workspace.provider = Arc::new(ProviderConfig::over(estate.clone()).with_on_ahead(Reaction::Error));
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert!(planned.diagnostics.has_errors());
}

#[tokio::test]
async fn a_major_version_needs_to_be_meant() {
    let estate = estate("6.3.1.1");
    estate.change(HOSTS[1], |facts| facts.dotnet_release = None);
    let workspace = imported(&estate).await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("allow_major_upgrade", Value::Null);
    let planned = workspace.plan(&config).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    expect!["mfa01.contoso.com runs 6.3.1.1, mfa02.contoso.com runs 6.3.1.1, mfa03.contoso.com runs 6.3.1.1, and 7.0.0.9 crosses a major version. Set allow_major_upgrade = true when that is meant. Before that: mfa02.contoso.com lacks .NET Framework 4.5 or later (found none; release 378389 is the least)."].assert_eq(&error.detail);
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    expect!["mfa02.contoso.com lacks .NET Framework 4.5 or later (found none; release 378389 is the least). Install what is missing, then plan again."].assert_eq(&error.detail);
}

#[tokio::test]
async fn phonefactor_agent_is_refused_with_the_vendors_advice() {
    let estate = estate("5.0.3");
    let workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["error: mfa-eu: PhoneFactor Agent cannot be upgraded in place"].assert_eq(&summaries(&planned.diagnostics));
}

#[tokio::test]
async fn a_hold_silences_and_says_so() {
    let estate = estate("6.3.1.1");
    let mut workspace = settled(&estate, "6.3.1.1").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hold", "CHG-7 is not approved".into());
    let planned = workspace.refresh_and_plan(&config).await;
    check(
        &planned,
        &expect![[r#"
        held changes=true
        warning: mfa-eu is held
    "#]],
    );
    assert!(!workspace.apply(&planned).await.has_errors());
    let planned = workspace.refresh_and_plan(&config).await;
    check(
        &planned,
        &expect![[r#"
        held changes=false
        warning: mfa-eu is held
    "#]],
    );
    assert!(!planned.changes());
    assert!(estate.performed().is_empty());
}

#[tokio::test]
async fn an_unreachable_host_is_an_error_or_left_out() {
    let estate = estate("6.3.1.1");
    let mut workspace = settled(&estate, "6.3.1.1").await;
    estate.set_unreachable(HOSTS[1], true);
    expect!["error: mfa-eu: mfa02 could not be read"].assert_eq(&summaries(&workspace.refresh().await));
    workspace.provider = Workspace::lenient(&estate);
    expect!["warning: mfa-eu: mfa02 could not be reached"].assert_eq(&summaries(&workspace.refresh().await));
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
            waiting changes=true
            warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa03; then bring mfa02 back
            1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
            2. mfa03: traffic is not managed; take the host out of the balancer yourself
            3. mfa03: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
            4. mfa03: fetch the server setup 7.0.0.9 and check its hash
            5. mfa03: run the server setup 7.0.0.9 in place
            6. mfa03: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
            7. mfa03: put the Web Service SDK's old web.config back, or carry its values into the new one
            8. mfa03: set application pool MfaSdk to CLR v4.0
            9. mfa03: verify that MFA Server and its Web Service SDK run 7.0.0.9
            10. mfa03: close this upgrade's backup
            11. mfa01: close this upgrade's backup
            12. mfa01: by hand: make mfa02 reachable again: subordinates are upgraded before the master"#]],
    );
    assert_eq!(planned.value.attribute("version").as_str(), Some("6.3.1.1"));
    let applied = workspace.apply(&planned).await;
    expect!["warning: mfa-eu, by hand: make mfa02 reachable again: subordinates are upgraded before the master"]
        .assert_eq(&summaries(&applied));
    assert_eq!(workspace.version_of(HOSTS[1]), "6.3.1.1");
    assert_eq!(workspace.version_of(HOSTS[2]), "7.0.0.9");
    estate.set_unreachable(HOSTS[1], false);
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
        waiting changes=true
        warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa02; then promote one of them by hand
        1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa02: traffic is not managed; take the host out of the balancer yourself
        3. mfa02: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        4. mfa02: fetch the server setup 7.0.0.9 and check its hash
        5. mfa02: run the server setup 7.0.0.9 in place
        6. mfa02: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
        7. mfa02: put the Web Service SDK's old web.config back, or carry its values into the new one
        8. mfa02: set application pool MfaSdk to CLR v4.0
        9. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        10. mfa02: close this upgrade's backup
        11. mfa01: close this upgrade's backup
        12. mfa01: by hand: promote mfa02 or mfa03, then set master"#]],
    );
}

#[tokio::test]
async fn a_quiet_set_stays_quiet_while_a_host_is_away() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    workspace.provider = Workspace::lenient(&estate);
    estate.set_unreachable(HOSTS[1], true);
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
        current changes=false

    "#]],
    );
}

/// Nothing else is to be done, and the plan is no empty one: a host is below its pin.
#[tokio::test]
async fn a_host_that_is_away_below_the_pin_is_waited_for() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    set_server(&estate, HOSTS[1], "6.3.1.1");
    workspace.refresh().await;
    workspace.provider = Workspace::lenient(&estate);
    estate.set_unreachable(HOSTS[1], true);
    let config = wanted("7.0.0.9", "mfa01");
    for _ in 0..2 {
        let planned = workspace.refresh_and_plan(&config).await;
        check(
            &planned,
            &expect![[r#"
                waiting changes=true
                warning: mfa-eu waits, by hand: make mfa02 reachable again
                1. mfa02: by hand: make mfa02 reachable again"#]],
        );
        assert!(!workspace.apply(&planned).await.has_errors());
    }
    let mut held = config.clone();
    held.set("hold", "CHG-7 is not approved".into());
    let planned = workspace.refresh_and_plan(&held).await;
    assert_eq!(planned.steps(), Vec::<String>::new());
    estate.set_unreachable(HOSTS[1], false);
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version_status"), "current");
}

#[tokio::test]
async fn an_added_host_below_the_pin_is_adopted_and_upgraded() {
    let estate = estate("7.0.0.9");
    set_server(&estate, HOSTS[2], "6.3.1.1");
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    assert!(!workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await.has_errors());
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    check(
        &planned,
        &expect![[r#"
            current changes=true
            warning: mfa-eu: mfa03 is added
            warning: Order 1: mfa-eu adopted at 7.0.0.9 on mfa03
            1. mfa01: back up the data folder, if an added host has to be upgraded (C:\Program Files\Multi-Factor Authentication Server\Data)
            2. mfa03: adopt, and upgrade to 7.0.0.9 when below
            3. mfa01: close this upgrade's backup"#]],
    );
    assert_eq!(planned.value.attribute("versions").attribute(HOSTS[2]), &Value::Unknown);
    let applied = workspace.apply(&planned).await;
    assert_eq!(summaries(&applied), "");
    assert_eq!(workspace.version_of(HOSTS[2]), "7.0.0.9");
    expect![[r#"
        mfa01.contoso.com: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        mfa03.contoso.com: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        mfa03.contoso.com: fetch the server setup 7.0.0.9 and check its hash
        mfa03.contoso.com: run the server setup 7.0.0.9 in place
        mfa03.contoso.com: verify that MFA Server and its Web Service SDK run 7.0.0.9
        mfa03.contoso.com: close this upgrade's backup
        mfa01.contoso.com: close this upgrade's backup"#]]
    .assert_eq(&estate.performed().join("\n"));
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn an_added_host_above_the_pin_is_refused() {
    let estate = estate("7.0.0.9");
    set_server(&estate, HOSTS[2], "8.0.1.1");
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect![[r#"
        error: mfa-eu: 7.0.0.9 is lower than what runs
        warning: mfa-eu: mfa03 is added"#]]
    .assert_eq(&summaries(&planned.diagnostics));
}

#[tokio::test]
async fn a_removed_host_is_forgotten() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hosts", Value::strings(HOSTS[..2].to_vec()));
    let planned = workspace.refresh_and_plan(&config).await;
    expect!["warning: mfa-eu: mfa03 is forgotten"].assert_eq(&summaries(&planned.diagnostics));
    assert!(!workspace.apply(&planned).await.has_errors());
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(!planned.changes(), "{}", planned.diff());
    assert!(estate.performed().is_empty());
}

#[tokio::test]
async fn a_set_cannot_be_renamed() {
    let estate = estate("7.0.0.9");
    let workspace = settled(&estate, "7.0.0.9").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("name", "mfa-us".into());
    expect!["error: A set cannot be renamed"].assert_eq(&summaries(&workspace.plan(&config).await.diagnostics));
}

#[tokio::test]
async fn the_users_spelling_of_a_version_is_kept() {
    let estate = estate("7.0.0.0");
    let mut workspace = settled(&estate, "7.0").await;
    assert_eq!(workspace.text("version"), "7.0");
    assert_eq!(workspace.version_of(HOSTS[0]), "7.0");
    let planned = workspace.refresh_and_plan(&wanted("7.0", "mfa01")).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn a_host_added_to_a_held_set_is_only_read() {
    let estate = estate("7.0.0.9");
    set_server(&estate, HOSTS[2], "6.3.1.1");
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hold", "CHG-7 is not approved".into());
    let planned = workspace.plan(&config).await;
    check(
        &planned,
        &expect![[r#"
        (unknown) changes=true
        warning: mfa-eu is held
        warning: mfa-eu: mfa03 is added
    "#]],
    );
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.version_of(HOSTS[2]), "6.3.1.1");
    assert!(estate.performed().is_empty());
    let planned = workspace.refresh_and_plan(&config).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn a_host_ahead_does_not_keep_another_from_its_upgrade() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    set_server(&estate, HOSTS[1], "8.0.1.1");
    set_server(&estate, HOSTS[2], "6.3.1.1");
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert_eq!(planned.value.attribute("version_status").as_str(), Some("ahead"));
    let applied = workspace.apply(&planned).await;
    assert_eq!(summaries(&applied), "");
    assert_eq!(workspace.version_of(HOSTS[2]), "7.0.0.9");
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn a_host_that_was_away_since_the_import_is_left_out() {
    let estate = estate("6.3.1.1");
    estate.set_unreachable(HOSTS[2], true);
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    workspace.provider = Workspace::lenient(&estate);
    assert!(!workspace.import(crate::resource::set::tests::ID).await.has_errors());
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    let applied = workspace.apply(&planned).await;
    expect!["warning: mfa-eu, by hand: make mfa03 reachable again: subordinates are upgraded before the master"]
        .assert_eq(&summaries(&applied));
    assert_eq!(workspace.version_of(HOSTS[1]), "7.0.0.9");
    assert_eq!(workspace.version_of(HOSTS[2]), "(none)");
}

/// A host that only a person can finish is at its pin and incomplete, not behind: the run that leaves it ends as planned.
#[tokio::test]
async fn a_stopped_service_waits_for_a_person_beside_an_upgrade() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    set_server(&estate, HOSTS[2], "6.3.1.1");
    estate.change(HOSTS[1], |facts| {
        facts.server.as_mut().expect("a server").service_state = Some("Stopped".to_owned());
    });
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa03; then start MultiFactorAuth on mfa02 by hand"]
        .assert_eq(&summaries(&planned.diagnostics));
    let applied = workspace.apply(&planned).await;
    expect!["warning: mfa-eu, by hand: start the service MultiFactorAuth on mfa02"].assert_eq(&summaries(&applied));
    assert_eq!(workspace.text("version_status"), "waiting");
    assert!(workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await.changes());
}

#[tokio::test]
async fn a_master_left_half_done_waits_for_its_promotion() {
    let estate = estate("6.3.1.1");
    estate.change(HOSTS[0], |facts| {
        facts.server.as_mut().expect("a server").product_version = Some("7.0.0.9".to_owned());
    });
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["warning: mfa-eu, by hand: promote mfa02 or mfa03, then set master"]
        .assert_eq(&summaries(&workspace.apply(&planned).await));
    assert_eq!(workspace.text("version_status"), "waiting");
}

/// Stage one is done, and the only server that could be promoted is away.
#[tokio::test]
async fn a_promotion_waits_for_whom_it_needs() {
    let estate = estate("6.3.1.1");
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await;
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hosts", Value::strings(HOSTS[..2].to_vec()));
    let planned = workspace.plan(&config).await;
    assert!(!workspace.apply(&planned).await.has_errors());
    workspace.provider = Workspace::lenient(&estate);
    estate.set_unreachable(HOSTS[1], true);
    let planned = workspace.refresh_and_plan(&config).await;
    check(
        &planned,
        &expect![[r#"
            waiting changes=true
            warning: mfa-eu waits, by hand: make mfa02 reachable again: another server is promoted before the master is upgraded
            1. mfa01: by hand: make mfa02 reachable again: another server is promoted before the master is upgraded"#]],
    );
}

#[tokio::test]
async fn a_host_written_in_other_cases_is_the_same_host() {
    let estate = Arc::new(Estate::new(
        ["MFA01.contoso.com", "mfa01.contoso.com"].map(|host| (host, crate::plan::fixtures::server(host, "6.3.1.1"))),
    ));
    let mut workspace = Workspace::new(crate::resource::set::tests::group(), &estate);
    assert!(!workspace.import("mfa-eu=MFA01.contoso.com").await.has_errors());
    let mut config = wanted("6.3.1.1", "mfa01");
    config.set("hosts", Value::strings([HOSTS[0]]));
    config.set("web_service_sdk", Value::Null);
    let planned = workspace.plan(&config).await;
    assert_eq!(summaries(&planned.diagnostics), "", "neither forgotten nor added");
    assert_eq!(planned.value.attribute("versions").attribute(HOSTS[0]).as_str(), Some("6.3.1.1"));
    assert!(!workspace.apply(&planned).await.has_errors());
    assert!(!workspace.refresh_and_plan(&config).await.changes());
    assert!(estate.performed().is_empty());
}

/// What is not touched is spelled as the new pin spells it, in the plan as afterwards.
#[tokio::test]
async fn an_sdk_is_spelled_like_the_pin_everywhere() {
    let estate = estate("7.0.0.0");
    set_server(&estate, HOSTS[2], "6.3.1.1");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0", "mfa01")).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    let versions = workspace.state.attribute("web_service_sdk_versions").clone();
    assert_eq!(versions.attribute(HOSTS[0]).as_str(), Some("7.0"));
    assert!(!workspace.refresh_and_plan(&wanted("7.0", "mfa01")).await.changes());
}

#[tokio::test]
async fn the_next_upgrade_goes_in_the_new_order_without_a_new_address() {
    let estate = estate("7.0.0.9");
    let mut workspace = settled(&estate, "7.0.0.9").await;
    let planned = workspace.refresh_and_plan(&wanted("8.0.1.1", "mfa02")).await;
    expect!["warning: Order 1: mfa-eu 7.0.0.9 -> 8.0.1.1 on mfa01, mfa03; then promote one of them by hand"]
        .assert_eq(&summaries(&planned.diagnostics));
    assert!(!workspace.apply(&planned).await.has_errors());
    let planned = workspace.refresh_and_plan(&wanted("8.0.1.1", "mfa03")).await;
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(workspace.text("version"), "8.0.1.1");
}
