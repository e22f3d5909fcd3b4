//! Tables: what is seen of a farm, and the steps it gives.

use expect_test::{Expect, expect};

use crate::backend::facts::{Adfs, Database, Rule};
use crate::plan::adfs::{NEW_NAME, OLD_NAME, decide, evidence, gaps};
use crate::plan::fixtures::{adfs, assembly, change, desired, group, host, policy, registration, server, text, views};
use crate::plan::{Acknowledgement, Decision, Desired, Installable, Policy, View, Views};

const FARM: [&str; 2] = ["adfs01.contoso.com", "adfs02.contoso.com"];
const FOUR: [&str; 4] = ["adfs01.contoso.com", "adfs02.contoso.com", "adfs03.contoso.com", "adfs04.contoso.com"];

/// The demo's farm, asked for a version that its whole group runs, the gap acknowledged.
fn wanted(pin: &str) -> Desired {
    of(&FARM, pin)
}

fn of(hosts: &[&str], pin: &str) -> Desired {
    let mut desired = desired("adfs-eu", pin, hosts);
    desired.after = vec![group(pin, pin, &["mfa02.contoso.com", "mfa01.contoso.com"])];
    desired.acknowledged = vec![acknowledged("adfs_mfa_gap")];
    desired
}

fn acknowledged(check: &str) -> Acknowledgement {
    Acknowledgement { check: check.to_owned(), reason: "CHG-1".to_owned(), until: None, ended: false }
}

/// A farm at a version.
fn farm(hosts: &[&'static str], version: &str) -> Views {
    views(hosts.iter().map(|name| (*name, adfs(name, hosts, version))))
}

/// One host in each batch.
fn one_by_one(desired: &Desired) -> Vec<Vec<String>> {
    desired.hosts.iter().map(|host| vec![host.clone()]).collect()
}

fn run(desired: &Desired, views: &Views) -> Decision {
    decide(desired, &one_by_one(desired), views, &policy())
}

#[track_caller]
fn check(desired: &Desired, views: &Views, expected: &Expect) {
    expected.assert_eq(&text(&run(desired, views)));
}

fn at(views: &mut Views, host: &str, alter: impl FnOnce(&mut Adfs)) {
    change(views, host, |facts| alter(facts.adfs.as_mut().expect("AD FS is on it")));
}

/// The package of a version has run on a host, and nothing after it.
fn install(views: &mut Views, host: &str, version: &str) {
    at(views, host, |adfs| {
        adfs.adapter_product_version = Some(version.to_owned());
        adfs.adapter_assembly = Some(assembly(version));
        adfs.restarted_since_install = Some(false);
    });
}

/// The details of all diagnostics.
fn details(decision: &Decision) -> String {
    decision.diagnostics.iter().map(|found| found.detail.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_farm_is_upgraded_in_two_batches() {
    check(
        &wanted("7.0.0.9"),
        &farm(&FARM, "6.3.1.1"),
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister WindowsAzureMultiFactorAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        11. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        12. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        13. adfs02: install the AD FS adapter 7.0.0.9
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs02: restart AD FS
        16. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        17. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        18. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

#[test]
fn secondaries_of_both_batches_are_waited_for() {
    let desired = of(&FOUR, "7.0.0.9");
    let batches: Vec<Vec<String>> = desired.hosts.chunks(2).map(<[String]>::to_vec).collect();
    let decision = decide(&desired, &batches, &farm(&FOUR, "6.3.1.1"), &policy());
    expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        5. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        6. adfs02: install the AD FS adapter 7.0.0.9
        7. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        8. adfs01: carry the exported values into the new adapter configuration
        9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        10. adfs01: unregister WindowsAzureMultiFactorAuthentication
        11. adfs01: register AzureMfaServerAuthentication with the carried configuration
        12. adfs02: wait until this server has synchronised with the primary
        13. adfs01: restart AD FS
        14. adfs02: restart AD FS
        15. adfs03: traffic is not managed (no drain is set); take the host out of the balancer yourself
        16. adfs04: traffic is not managed (no drain is set); take the host out of the balancer yourself
        17. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        18. adfs03: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        19. adfs03: install the AD FS adapter 7.0.0.9
        20. adfs03: wait until this server has synchronised with the primary
        21. adfs03: restart AD FS
        22. adfs04: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        23. adfs04: install the AD FS adapter 7.0.0.9
        24. adfs04: wait until this server has synchronised with the primary
        25. adfs04: restart AD FS
        26. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        27. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        28. adfs03: verify that the AD FS adapter runs 7.0.0.9 and is registered
        29. adfs04: verify that the AD FS adapter runs 7.0.0.9 and is registered
        30. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]].assert_eq(&text(&decision));
}

/// The name stays from 7.0 on, and the type does not.
#[test]
fn the_same_name_is_registered_anew() {
    check(
        &wanted("8.0.1.1"),
        &farm(&FARM, "7.0.0.9"),
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02
        3. adfs01: install the AD FS adapter 8.0.1.1
        4. adfs01: export the configuration of AzureMfaServerAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take AzureMfaServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister AzureMfaServerAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        11. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        12. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02
        13. adfs02: install the AD FS adapter 8.0.1.1
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs02: restart AD FS
        16. adfs01: verify that the AD FS adapter runs 8.0.1.1 and is registered
        17. adfs02: verify that the AD FS adapter runs 8.0.1.1 and is registered
        18. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

#[test]
fn names_are_taken_as_the_farm_spells_them() {
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs01", |adfs| {
        adfs.providers.as_mut().expect("providers")[0].name = "AzureMFAServerAuthentication".to_owned();
        adfs.policy = Some(vec!["azuremfaserverauthentication".to_owned()]);
    });
    check(&wanted("7.0.0.9"), &views, &expect!["-> current reaches_pin=true"]);
    let decision = run(&wanted("8.0.1.1"), &views);
    let exchanged: Vec<String> = decision.lines().into_iter().filter(|line| line.contains("AzureMFAServer")).collect();
    expect![[r#"
        4. adfs01.contoso.com: export the configuration of AzureMFAServerAuthentication to a protected file
        6. adfs01.contoso.com: take AzureMFAServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01.contoso.com: unregister AzureMFAServerAuthentication"#]].assert_eq(&exchanged.join("\n"));
}

#[test]
fn a_farm_beside_mfa_servers_needs_nothing_brought() {
    let mut views = farm(&FARM, "6.3.1.1");
    change(&mut views, "adfs01", |facts| facts.server = server(FARM[0], "7.0.0.9").server);
    let decision = run(&wanted("7.0.0.9"), &views);
    let brought: Vec<String> = decision.lines().into_iter().filter(|line| line.contains("bring")).collect();
    expect!["11. adfs02.contoso.com: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02.contoso.com"].assert_eq(&brought.join("\n"));
}

#[test]
fn a_sql_farm_has_no_primary() {
    let mut views = farm(&FARM, "6.3.1.1");
    for name in ["adfs01", "adfs02"] {
        at(&mut views, name, |adfs| {
            adfs.database = Database::Sql;
            adfs.role = None;
            adfs.primary = None;
            adfs.synchronized = None;
            adfs.providers = Some(vec![registration("6.3.1.1")]);
            adfs.policy = Some(vec![OLD_NAME.to_owned()]);
            adfs.rules = Some(Vec::new());
        });
    }
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister WindowsAzureMultiFactorAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        11. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        12. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        13. adfs02: install the AD FS adapter 7.0.0.9
        14. adfs02: restart AD FS
        15. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        16. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        17. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

#[test]
fn one_batch_is_an_outage() {
    let desired = wanted("7.0.0.9");
    let decision = decide(&desired, std::slice::from_ref(&desired.hosts), &farm(&FARM, "6.3.1.1"), &policy());
    expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        5. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        6. adfs02: install the AD FS adapter 7.0.0.9
        7. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        8. adfs01: carry the exported values into the new adapter configuration
        9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        10. adfs01: unregister WindowsAzureMultiFactorAuthentication
        11. adfs01: register AzureMfaServerAuthentication with the carried configuration
        12. adfs02: wait until this server has synchronised with the primary
        13. adfs01: restart AD FS
        14. adfs02: restart AD FS
        15. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        16. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        17. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        18. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap
        warning: adfs-eu: one batch is an outage (batches)"#]].assert_eq(&text(&decision));
}

#[test]
fn a_done_farm_has_no_steps() {
    check(&wanted("7.0.0.9"), &farm(&FARM, "7.0.0.9"), &expect!["-> current reaches_pin=true"]);
    let mut old = wanted("6.3.1.1");
    old.after = Vec::new();
    check(&old, &farm(&FARM, "6.3.1.1"), &expect!["-> current reaches_pin=true"]);
}

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

fn desired_at(pin: &str) -> Desired {
    Desired { acknowledged: Vec::new(), ..wanted(pin) }
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
        error: adfs-eu: its primary adfs09 is not among its hosts (batches[0])
        Its hosts name adfs09.contoso.com as the primary, which is not among them. The adapter is registered there. Add it to the first batch."#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
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

/// Every place where a run may have broken off, in order.
#[test]
fn an_interrupted_exchange_is_finished() {
    let desired = wanted("7.0.0.9");
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    // Nothing but the package has run.
    check(
        &desired,
        &views,
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        4. adfs01: carry the exported values into the new adapter configuration
        5. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        6. adfs01: unregister WindowsAzureMultiFactorAuthentication
        7. adfs01: register AzureMfaServerAuthentication with the carried configuration
        8. adfs01: restart AD FS
        9. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        10. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        11. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        12. adfs02: install the AD FS adapter 7.0.0.9
        13. adfs02: wait until this server has synchronised with the primary
        14. adfs02: restart AD FS
        15. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        16. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        17. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
    // The old name is out of the policy, and stayed out: first the way back.
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(vec!["CertificateAuthentication".to_owned()]));
    check(
        &desired,
        &views,
        &expect![[r#"
        1. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)
        2. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister WindowsAzureMultiFactorAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        11. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        12. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        13. adfs02: install the AD FS adapter 7.0.0.9
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs02: restart AD FS
        16. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        17. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        18. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
    // Unregistered: only the way forward is left, and it needs no acknowledgement.
    at(&mut views, "adfs01", |adfs| adfs.providers = Some(Vec::new()));
    check(
        &desired_at("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: carry the exported values into the new adapter configuration
        4. adfs01: register AzureMfaServerAuthentication with the carried configuration
        5. adfs01: restart AD FS
        6. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        7. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        8. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        9. adfs02: install the AD FS adapter 7.0.0.9
        10. adfs02: wait until this server has synchronised with the primary
        11. adfs02: restart AD FS
        12. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        13. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        14. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
    // Registered, not restarted.
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(vec![registration("7.0.0.9")]);
        adfs.restarted_since_registration = Some(false);
    });
    check(
        &desired_at("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
            2. adfs01: restart AD FS
            3. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
            4. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            5. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
            6. adfs02: install the AD FS adapter 7.0.0.9
            7. adfs02: wait until this server has synchronised with the primary
            8. adfs02: restart AD FS
            9. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            10. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            11. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
    // Restarted, not in the policy.
    at(&mut views, "adfs01", |adfs| {
        adfs.restarted_since_install = Some(true);
        adfs.restarted_since_registration = Some(true);
    });
    check(
        &desired_at("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
            2. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            3. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
            4. adfs02: install the AD FS adapter 7.0.0.9
            5. adfs02: wait until this server has synchronised with the primary
            6. adfs02: restart AD FS
            7. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            8. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            9. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
    // In the policy; batch 2 is left.
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(vec![NEW_NAME.to_owned()]));
    check(
        &desired_at("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
            2. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
            3. adfs02: install the AD FS adapter 7.0.0.9
            4. adfs02: wait until this server has synchronised with the primary
            5. adfs02: restart AD FS
            6. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            7. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            8. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
    // Installed there, not restarted.
    install(&mut views, "adfs02", "7.0.0.9");
    check(
        &desired_at("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
            2. adfs02: wait until this server has synchronised with the primary
            3. adfs02: restart AD FS
            4. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            5. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            6. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn an_old_provider_beside_the_new_one_goes() {
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs01", |adfs| {
        adfs.providers.as_mut().expect("providers").push(registration("6.3.1.1"));
        adfs.policy.as_mut().expect("a policy").push(OLD_NAME.to_owned());
    });
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
            2. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
            3. adfs01: unregister WindowsAzureMultiFactorAuthentication
            4. adfs01: restart AD FS
            5. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
            6. adfs02: wait until this server has synchronised with the primary
            7. adfs02: restart AD FS
            8. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            9. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            10. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_type_of_another_release_is_exchanged() {
    let mut views = farm(&FARM, "8.0.1.1");
    at(&mut views, "adfs01", |adfs| adfs.providers = Some(vec![registration("7.0.0.9")]));
    let decision = run(&wanted("8.0.1.1"), &views);
    expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02
        3. adfs01: export the configuration of AzureMfaServerAuthentication to a protected file
        4. adfs01: carry the exported values into the new adapter configuration
        5. adfs01: take AzureMfaServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
        6. adfs01: unregister AzureMfaServerAuthentication
        7. adfs01: register AzureMfaServerAuthentication with the carried configuration
        8. adfs01: restart AD FS
        9. adfs02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        10. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        11. adfs02: wait until this server has synchronised with the primary
        12. adfs02: restart AD FS
        13. adfs01: verify that the AD FS adapter runs 8.0.1.1 and is registered
        14. adfs02: verify that the AD FS adapter runs 8.0.1.1 and is registered
        15. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]].assert_eq(&text(&decision));
    // Where AD FS does not show types, the name has to do.
    at(&mut views, "adfs01", |adfs| adfs.providers.as_mut().expect("providers")[0].type_name = String::new());
    check(&wanted("8.0.1.1"), &views, &expect!["-> current reaches_pin=true"]);
}

#[test]
fn a_gap_is_closed_even_while_the_farm_waits() {
    let mut desired = wanted("7.0.0.9");
    desired.after = vec![group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"])];
    let mut views = farm(&FARM, "6.3.1.1");
    check(
        &desired,
        &views,
        &expect![[r#"
            1. adfs01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
    );
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(Vec::new()));
    check(
        &desired,
        &views,
        &expect![[r#"
            1. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)
            2. adfs01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
    );
    install(&mut views, "adfs01", "7.0.0.9");
    at(&mut views, "adfs01", |adfs| adfs.providers = Some(Vec::new()));
    check(
        &desired,
        &views,
        &expect![[r#"
            1. adfs01: carry the exported values into the new adapter configuration
            2. adfs01: register AzureMfaServerAuthentication with the carried configuration
            3. adfs01: restart AD FS
            4. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            5. adfs01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
    );
}

#[test]
fn hosts_that_do_not_answer_stop_an_exchange() {
    let off = || View::Unreachable { reason: "it is off".to_owned() };
    let mut views = farm(&FARM, "6.3.1.1");
    views.insert(FARM[1].to_owned(), off());
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs02: by hand: make adfs02 reachable
        -> waiting reaches_pin=false
        warning: adfs-eu waits, by hand: make adfs02 reachable"#]],
    );
    let mut views = farm(&FARM, "6.3.1.1");
    views.insert(FARM[0].to_owned(), off());
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: by hand: make adfs01 reachable
        -> waiting reaches_pin=false
        warning: adfs-eu waits, by hand: make adfs01 reachable"#]],
    );
    // Without an exchange the others go on.
    let mut desired = of(&FOUR, "7.0.0.9");
    desired.last_versions.insert(FOUR[2].to_owned(), desired.pin.clone());
    let batches: Vec<Vec<String>> = desired.hosts.chunks(2).map(<[String]>::to_vec).collect();
    let mut views = farm(&FOUR, "7.0.0.9");
    views.insert(FOUR[2].to_owned(), off());
    install(&mut views, "adfs04", "6.3.1.1");
    expect![[r#"
        1. adfs04: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs04: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs04: install the AD FS adapter 7.0.0.9
        4. adfs04: wait until this server has synchronised with the primary
        5. adfs04: restart AD FS
        6. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        7. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        8. adfs04: verify that the AD FS adapter runs 7.0.0.9 and is registered
        9. adfs01: delete the exported configuration
        -> current reaches_pin=false"#]].assert_eq(&text(&decide(&desired, &batches, &views, &policy())));
}

#[test]
fn stopped_services_are_started_by_hand() {
    let stop = |adfs: &mut Adfs| {
        adfs.service_state = Some("Stopped".to_owned());
        (adfs.role, adfs.providers, adfs.policy, adfs.rules) = (None, None, None, None);
    };
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs01", stop);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: by hand: start the service adfssrv on adfs01
        -> waiting reaches_pin=false
        warning: adfs-eu waits, by hand: start the service adfssrv on adfs01"#]],
    );
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs02", stop);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: by hand: start the service adfssrv on adfs02
            -> waiting reaches_pin=false"#]],
    );
    // The run restarts it anyway.
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs02", stop);
    let lines = run(&wanted("7.0.0.9"), &views).lines();
    let there: Vec<&String> = lines.iter().filter(|line| line.contains("adfs02")).collect();
    expect![[r#"
        10. adfs02.contoso.com: traffic is not managed (no drain is set); take the host out of the balancer yourself
        12. adfs02.contoso.com: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02.contoso.com
        13. adfs02.contoso.com: install the AD FS adapter 7.0.0.9
        14. adfs02.contoso.com: restart AD FS
        16. adfs02.contoso.com: verify that the AD FS adapter runs 7.0.0.9 and is registered"#]].assert_eq(&there.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"));
}

#[test]
fn added_hosts_have_their_place() {
    let mut views = farm(&FARM, "7.0.0.9");
    views.remove(FARM[1]);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: adopt, and upgrade to 7.0.0.9 when below
            -> current reaches_pin=true"#]],
    );
    let mut views = farm(&FARM, "7.0.0.9");
    views.remove(FARM[0]);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: adopt, and upgrade to 7.0.0.9 when below
        -> current reaches_pin=true"#]],
    );
    let mut views = farm(&FARM, "6.3.1.1");
    views.remove(FARM[1]);
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
        1. adfs01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister WindowsAzureMultiFactorAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        11. adfs02: adopt, and upgrade to 7.0.0.9 when below
        12. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        13. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
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

/// Evidence and gaps as Read tells them.
#[test]
fn read_tells_what_proves_a_version_and_what_is_missing() {
    let hosts: Vec<String> = FARM.iter().map(|host| (*host).to_owned()).collect();
    let told = |views: &Views, pin: &str| {
        let mut lines: Vec<String> = hosts
            .iter()
            .map(|host| {
                evidence(&hosts, views, host).map_or_else(
                    || format!("{host}: none"),
                    |found| format!("{host}: {} agrees={} ({})", found.lowest, found.agrees, found.detail),
                )
            })
            .collect();
        let gaps = gaps(&hosts, views, &pin.parse().expect("a version"));
        lines.extend(gaps.into_iter().map(|gap| format!("{} lacks: {}", gap.host, gap.what)));
        lines.join("\n").replace(".contoso.com", "")
    };
    expect![[r#"
        adfs01: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)"#]].assert_eq(&told(&farm(&FARM, "6.3.1.1"), "6.3.1.1"));
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    expect![[r#"
        adfs01: 7.0.0.9 agrees=false (uninstall entry 7.0.0.9, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs01 lacks: AD FS has not been restarted since the adapter was installed
        adfs01 lacks: WindowsAzureMultiFactorAuthentication is still registered
        adfs01 lacks: AzureMfaServerAuthentication is not registered
        adfs01 lacks: the global policy does not name AzureMfaServerAuthentication"#]].assert_eq(&told(&views, "7.0.0.9"));
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(Vec::new());
        adfs.policy = Some(Vec::new());
    });
    expect![[r#"
        adfs01: 7.0.0.9 agrees=false (uninstall entry 7.0.0.9, nothing registered)
        adfs02: 6.3.1.1 agrees=false (uninstall entry 6.3.1.1, nothing registered)
        adfs01 lacks: AD FS has not been restarted since the adapter was installed
        adfs01 lacks: AzureMfaServerAuthentication is not registered
        adfs01 lacks: the global policy does not name AzureMfaServerAuthentication, so users are not asked for the second factor"#]].assert_eq(&told(&views, "7.0.0.9"));
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(vec![registration("7.0.0.9"), registration("6.3.1.1")]);
        adfs.policy = Some(vec![NEW_NAME.to_owned()]);
        adfs.restarted_since_install = Some(true);
        adfs.restarted_since_registration = Some(false);
    });
    expect![[r#"
        adfs01: 7.0.0.9 agrees=true (uninstall entry 7.0.0.9, registered AzureMfaServerAuthentication of assembly 7.0.0.9 and WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered AzureMfaServerAuthentication of assembly 7.0.0.9 and WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs01 lacks: AD FS has not been restarted since the adapter was registered
        adfs01 lacks: WindowsAzureMultiFactorAuthentication is still registered"#]].assert_eq(&told(&views, "7.0.0.9"));
    views.insert(FARM[0].to_owned(), View::Unreachable { reason: "it is off".to_owned() });
    expect![[r#"
        adfs01: none
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, assembly 6.3.0.17452 (what is registered could not be read))"#]].assert_eq(&told(&views, "7.0.0.9"));
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs02", |adfs| {
        adfs.adapter_product_version = None;
        adfs.service_state = Some("Stopped".to_owned());
    });
    change(&mut views, "adfs01", |facts| facts.adfs = None);
    expect![[r#"
        adfs01: none
        adfs02: 7.0.0.9 agrees=false (uninstall entry missing, assembly 7.0.0.9 (what is registered could not be read))
        adfs02 lacks: the service adfssrv is Stopped"#]]
    .assert_eq(&told(&views, "7.0.0.9"));
}
