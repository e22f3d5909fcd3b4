//! Runs that take up what an earlier one left.

use expect_test::{Expect, expect};

use crate::plan::adfs::tests::{FARM, at, check, desired_at, details, farm, install, run, wanted};
use crate::plan::adfs::{NEW_NAME, OLD_NAME};
use crate::plan::fixtures::{group, registration, text};
use crate::plan::{Desired, Views};

/// How far a run came before it broke off, after the package on the first host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    Installed,
    Disabled,
    Unregistered,
    Registered,
    Restarted,
    Enabled,
    SecondInstalled,
}

/// The demo's farm as a run to 7.0.0.9 left it.
pub fn left_at(reached: Reached) -> Views {
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    at(&mut views, "adfs01", |adfs| {
        if reached >= Reached::Disabled {
            adfs.policy = Some(vec!["CertificateAuthentication".to_owned()]);
        }
        if reached >= Reached::Unregistered {
            adfs.providers = Some(Vec::new());
        }
        if reached >= Reached::Registered {
            adfs.providers = Some(vec![registration("7.0.0.9")]);
            adfs.restarted_since_registration = Some(false);
        }
        if reached >= Reached::Restarted {
            adfs.restarted_since_install = Some(true);
            adfs.restarted_since_registration = Some(true);
        }
        if reached >= Reached::Enabled {
            adfs.policy = Some(vec![NEW_NAME.to_owned()]);
        }
    });
    if reached >= Reached::SecondInstalled {
        install(&mut views, "adfs02", "7.0.0.9");
    }
    views
}

#[track_caller]
fn check_left(desired: &Desired, reached: Reached, expected: &Expect) {
    check(desired, &left_at(reached), expected);
}

#[test]
fn after_the_package_the_exchange_follows() {
    check_left(
        &wanted("7.0.0.9"),
        Reached::Installed,
        &expect![[r#"
            1. adfs01: try the task by which this server would close the gap by itself
            2. adfs01: traffic is not managed; take the host out of the balancer yourself
            3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
            5. adfs01: carry the exported values into the new adapter configuration
            6. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            7. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
            8. adfs01: unregister WindowsAzureMultiFactorAuthentication
            9. adfs01: register AzureMfaServerAuthentication with the carried configuration
            10. adfs01: restart AD FS
            11. adfs02: traffic is not managed; take the host out of the balancer yourself
            12. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            13. adfs01: take the guard away
            14. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            15. adfs02: install the AD FS adapter 7.0.0.9
            16. adfs02: wait until this server has synchronised with the primary
            17. adfs02: restart AD FS
            18. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            19. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            20. adfs01: delete the exported configuration
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

/// Installing takes its time, so what was left out of the policy is put back first.
#[test]
fn what_stayed_out_of_the_policy_is_put_back_first() {
    check_left(
        &wanted("7.0.0.9"),
        Reached::Disabled,
        &expect![[r#"
            1. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)
            2. adfs01: try the task by which this server would close the gap by itself
            3. adfs01: traffic is not managed; take the host out of the balancer yourself
            4. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            5. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
            6. adfs01: carry the exported values into the new adapter configuration
            7. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            8. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
            9. adfs01: unregister WindowsAzureMultiFactorAuthentication
            10. adfs01: register AzureMfaServerAuthentication with the carried configuration
            11. adfs01: restart AD FS
            12. adfs02: traffic is not managed; take the host out of the balancer yourself
            13. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            14. adfs01: take the guard away
            15. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            16. adfs02: install the AD FS adapter 7.0.0.9
            17. adfs02: wait until this server has synchronised with the primary
            18. adfs02: restart AD FS
            19. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            20. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            21. adfs01: delete the exported configuration
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

/// Closing a gap needs no acknowledgement.
#[test]
fn after_unregistering_the_way_is_forward() {
    check_left(
        &desired_at("7.0.0.9"),
        Reached::Unregistered,
        &expect![[r#"
            1. adfs01: traffic is not managed; take the host out of the balancer yourself
            2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            3. adfs01: carry the exported values into the new adapter configuration
            4. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            5. adfs01: register AzureMfaServerAuthentication with the carried configuration
            6. adfs01: restart AD FS
            7. adfs02: traffic is not managed; take the host out of the balancer yourself
            8. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            9. adfs01: take the guard away
            10. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            11. adfs02: install the AD FS adapter 7.0.0.9
            12. adfs02: wait until this server has synchronised with the primary
            13. adfs02: restart AD FS
            14. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            15. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            16. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn what_is_registered_is_loaded_and_enabled() {
    check_left(
        &desired_at("7.0.0.9"),
        Reached::Registered,
        &expect![[r#"
            1. adfs01: traffic is not managed; take the host out of the balancer yourself
            2. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            3. adfs01: restart AD FS
            4. adfs02: traffic is not managed; take the host out of the balancer yourself
            5. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            6. adfs01: take the guard away
            7. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            8. adfs02: install the AD FS adapter 7.0.0.9
            9. adfs02: wait until this server has synchronised with the primary
            10. adfs02: restart AD FS
            11. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            12. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            13. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
    check_left(
        &desired_at("7.0.0.9"),
        Reached::Restarted,
        &expect![[r#"
            1. adfs02: traffic is not managed; take the host out of the balancer yourself
            2. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            3. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            4. adfs02: install the AD FS adapter 7.0.0.9
            5. adfs02: wait until this server has synchronised with the primary
            6. adfs02: restart AD FS
            7. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            8. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            9. adfs01: delete the exported configuration
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn the_second_batch_is_taken_up_where_it_was_left() {
    check_left(
        &desired_at("7.0.0.9"),
        Reached::Enabled,
        &expect![[r#"
        1. adfs02: traffic is not managed; take the host out of the balancer yourself
        2. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        3. adfs02: install the AD FS adapter 7.0.0.9
        4. adfs02: wait until this server has synchronised with the primary
        5. adfs02: restart AD FS
        6. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        7. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        8. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
    check_left(
        &desired_at("7.0.0.9"),
        Reached::SecondInstalled,
        &expect![[r#"
        1. adfs02: traffic is not managed; take the host out of the balancer yourself
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
            1. adfs01: traffic is not managed; take the host out of the balancer yourself
            2. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
            3. adfs01: unregister WindowsAzureMultiFactorAuthentication
            4. adfs01: restart AD FS
            5. adfs02: traffic is not managed; take the host out of the balancer yourself
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
        1. adfs01: try the task by which this server would close the gap by itself
        2. adfs01: traffic is not managed; take the host out of the balancer yourself
        3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02 or mfa01
        4. adfs01: export the configuration of AzureMfaServerAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
        7. adfs01: take AzureMfaServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
        8. adfs01: unregister AzureMfaServerAuthentication
        9. adfs01: register AzureMfaServerAuthentication with the carried configuration
        10. adfs01: restart AD FS
        11. adfs02: traffic is not managed; take the host out of the balancer yourself
        12. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        13. adfs01: take the guard away
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs02: restart AD FS
        16. adfs01: verify that the AD FS adapter runs 8.0.1.1 and is registered
        17. adfs02: verify that the AD FS adapter runs 8.0.1.1 and is registered
        18. adfs01: delete the exported configuration
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
    // Never registered: there is nothing to register it with.
    at(&mut views, "adfs01", |adfs| adfs.providers = Some(Vec::new()));
    assert_eq!(run(&desired, &views).steps.len(), 1);
    install(&mut views, "adfs01", "7.0.0.9");
    at(&mut views, "adfs01", |adfs| adfs.providers = Some(Vec::new()));
    check(
        &desired,
        &views,
        &expect![[r#"
            1. adfs01: carry the exported values into the new adapter configuration
            2. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            3. adfs01: register AzureMfaServerAuthentication with the carried configuration
            4. adfs01: restart AD FS
            5. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            6. adfs01: take the guard away
            7. adfs01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: adfs-eu waits for mfa-eu to run 7.0.0.9"#]],
    );
}

/// Of two that are registered, the one whose assembly is installed goes into the policy: the other cannot be loaded.
#[test]
fn a_gap_is_closed_with_what_can_be_loaded() {
    let mut desired = wanted("7.0.0.9");
    desired.after = vec![group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"])];
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(vec![registration("6.3.1.1"), registration("7.0.0.9")]);
        adfs.policy = Some(Vec::new());
    });
    let lines = run(&desired, &views).lines();
    assert!(lines[0].contains(&format!("put {NEW_NAME} into the global policy")), "{lines:?}");
}

#[test]
fn a_gap_that_a_plan_leaves_open_is_said() {
    let mut desired = wanted("7.0.0.9");
    desired.hold = Some("CHG-7 is not approved".to_owned());
    let mut views = farm(&FARM, "6.3.1.1");
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(Vec::new()));
    check(
        &desired,
        &views,
        &expect![[r#"
            -> held reaches_pin=false
            warning: adfs-eu is held (hold)
            warning: adfs-eu: users are not asked for the second factor"#]],
    );
    expect!["adfs01.contoso.com runs 6.3.1.1, adfs02.contoso.com runs 6.3.1.1; the pin is 7.0.0.9. Nothing is proposed while hold is set: CHG-7 is not approved\nThe global policy of the farm names no registered MFA Server provider, and this plan leaves it so. What would close the gap, by hand or in a plan that may go on: adfs01.contoso.com: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)."].assert_eq(&details(&run(&desired, &views)));
}
