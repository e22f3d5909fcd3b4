//! What stands against a run, and what is only told.

use expect_test::expect;

use crate::backend::facts::Rule;
use crate::plan::adfs::tests::{
    FARM, acknowledged, at, check, desired_at, details, farm, install, one_by_one, run, wanted,
};
use crate::plan::adfs::{NEW_NAME, OLD_NAME, decide};
use crate::plan::fixtures::{change, group, host, text};
use crate::plan::{Desired, Installable, Policy, View, Views};

#[test]
fn the_gap_must_be_acknowledged() {
    let mut desired = wanted("7.0.0.9");
    desired.acknowledged = Vec::new();
    let decision = run(&desired, &farm(&FARM, "6.3.1.1"));
    expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: adfs_mfa_gap (acknowledge)
        While the adapter is exchanged, the global policy names no MFA Server provider: from the step that takes WindowsAzureMultiFactorAuthentication out of it to the one that puts AzureMfaServerAuthentication into it, users of this farm are not asked for the second factor. In between AD FS restarts on adfs01.contoso.com. To let it pass, state who decided so and until when: acknowledge = [{ check = "adfs_mfa_gap", reason = "…", until = "2026-12-31T00:00:00Z" }]"#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // Nothing is exchanged, so there is no gap.
    let mut views = farm(&FARM, "7.0.0.9");
    install(&mut views, "adfs02", "7.0.0.9");
    assert!(!run(&desired_at("7.0.0.9"), &views).diagnostics.has_errors());
}

#[test]
fn rules_that_name_the_old_provider_must_be_acknowledged() {
    let rules = |name: &str| {
        Some(vec![
            Rule { scope: "global".to_owned(), provider_names: vec!["AzureMfaAuthentication".to_owned()] },
            Rule { scope: "relying party Office 365".to_owned(), provider_names: vec![name.to_ascii_lowercase()] },
        ])
    };
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs01", |adfs| adfs.rules = rules(OLD_NAME));
    let mut desired = wanted("7.0.0.9");
    let decision = run(&desired, &views);
    expect![[r#"
        While the adapter is exchanged, the global policy names no MFA Server provider: from the step that takes WindowsAzureMultiFactorAuthentication out of it to the one that puts AzureMfaServerAuthentication into it, users of this farm are not asked for the second factor. In between AD FS restarts on adfs01.contoso.com. Acknowledged: CHG-1
        Authentication rules name a provider that this run removes: relying party Office 365 names windowsazuremultifactorauthentication. They stop matching when it is unregistered. The new name is AzureMfaServerAuthentication; change the rules right after the run, by hand. To let it pass, state who decided so and until when: acknowledge = [{ check = "adfs_rules_old_name", reason = "…", until = "2026-12-31T00:00:00Z" }]"#]].assert_eq(&details(&decision));
    assert!(decision.diagnostics.has_errors());
    desired.acknowledged.push(acknowledged("adfs_rules_old_name"));
    assert!(!run(&desired, &views).diagnostics.has_errors());
    // The new name is right, before and after.
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs01", |adfs| adfs.rules = rules(NEW_NAME));
    assert!(!run(&wanted("8.0.1.1"), &views).diagnostics.has_errors());
    check(&wanted("7.0.0.9"), &views, &expect!["-> current reaches_pin=true"]);
    // What nobody changed after the run is said.
    at(&mut views, "adfs01", |adfs| adfs.rules = rules(OLD_NAME));
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> current reaches_pin=true
        warning: adfs-eu: authentication rules name an adapter that is gone"#]],
    );
}

#[test]
fn the_primary_stands_in_the_first_batch() {
    let views = farm(&[FARM[1], FARM[0]], "6.3.1.1");
    let decision = run(&wanted("7.0.0.9"), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: the primary adfs02 has to be in the first batch (batches)
        adfs02.contoso.com is the primary of the farm and stands in the second batch. The adapter is registered there, and that needs the new one installed, so the primary is upgraded first. Write: batches = [["adfs02.contoso.com"], ["adfs01.contoso.com"]]"#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // A farm that has nothing to do is only told.
    let views = farm(&[FARM[1], FARM[0]], "7.0.0.9");
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> current reaches_pin=true
        warning: adfs-eu: the primary adfs02 has to be in the first batch (batches)"#]],
    );
    // Its primary is not there at all.
    let elsewhere = ["adfs09.contoso.com", FARM[0], FARM[1]];
    let mut views = farm(&elsewhere, "6.3.1.1");
    views.remove(elsewhere[0]);
    let decision = run(&wanted("7.0.0.9"), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: its primary is not among its hosts (batches)
        The primary of the farm, adfs09.contoso.com, is not among the hosts, and the adapter is registered there. Add it to the first batch."#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // And nobody names one.
    for host in ["adfs01", "adfs02"] {
        at(&mut views, host, |adfs| adfs.primary = None);
    }
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: its primary is not among its hosts (batches)"#]],
    );
    // Two farms in one.
    let mut views = farm(&FARM, "6.3.1.1");
    views.extend(farm(&FARM[1..], "6.3.1.1"));
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: its hosts are of several farms (batches)"#]],
    );
}

#[test]
fn a_host_ahead_stops_the_farm() {
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs02", "8.0.1.1");
    let mut desired = wanted("7.0.0.9");
    desired.last_pin = Some(desired.pin.clone());
    check(
        &desired,
        &views,
        &expect![[r#"
        -> incomplete reaches_pin=false
        warning: adfs-eu: ahead of 7.0.0.9
        error: adfs-eu: adfs02 is ahead of the others (version)"#]],
    );
}

#[test]
fn prerequisites_and_statements_are_asked_for() {
    let mut views = farm(&FARM, "6.3.1.1");
    change(&mut views, "adfs02", |facts| facts.vc_redist_x64 = None);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: prerequisites are missing"#]],
    );
    let nothing = Policy { ahead_is_error: false, installable: Installable::default() };
    let desired = wanted("7.0.0.9");
    let decision = decide(&desired, &one_by_one(&desired), &farm(&FARM, "6.3.1.1"), &nothing);
    expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: release 7.0.0.9 is not declared (version)
        warning: adfs-eu: adfs_mfa_gap"#]]
    .assert_eq(&text(&decision));
    let mut views = farm(&FARM, "6.3.1.1");
    views.insert(FARM[1].to_owned(), View::Seen(Box::new(host(FARM[1]))));
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: adfs-eu: nothing to upgrade on adfs02"#]],
    );
    let mut beyond = wanted("7.0.0.9");
    beyond.after = vec![group("8.0.1.1", "6.3.1.1", &[])];
    check(
        &beyond,
        &farm(&FARM, "6.3.1.1"),
        &expect![[r#"
            1. adfs01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9
            error: adfs-eu: no MFA Server has the packages of 7.0.0.9 (version)"#]],
    );
}

#[test]
fn a_farm_that_waits_foretells_what_its_turn_would_be_refused_for() {
    let mut desired = desired_at("7.0.0.9");
    desired.after = vec![group("7.0.0.9", "6.3.1.1", &[])];
    let mut views = farm(&FARM, "6.3.1.1");
    change(&mut views, "adfs02", |facts| facts.vc_redist_x64 = None);
    let told = |desired: &Desired, views: &Views| {
        let decision = run(desired, views);
        assert!(!decision.diagnostics.has_errors(), "{}", text(&decision));
        details(&decision)
    };
    let both = told(&desired, &views);
    for part in ["adfs02.contoso.com lacks the Visual C++ 2015", "- adfs_mfa_gap: ", "acknowledge = "] {
        assert!(both.contains(part), "{part} is not in {both}");
    }
    desired.acknowledged = vec![acknowledged("adfs_mfa_gap")];
    assert!(!told(&desired, &farm(&FARM, "6.3.1.1")).contains("after the wait"));
}
