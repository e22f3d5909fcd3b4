//! The batches of a farm and their balancer.

use expect_test::expect;

use crate::backend::health::HealthCheck;
use crate::plan::adfs::decide;
use crate::plan::adfs::tests::{FARM, FOUR, at, check, farm, install, of, run, wanted};
use crate::plan::fixtures::{drained, out, policy};

/// The first batch is back and the second one out before the new provider is in the policy, and nobody waits in the gap.
#[test]
fn the_batches_change_places_in_the_gap() {
    let mut desired = drained(wanted("7.0.0.9"));
    check(
        &desired,
        &farm(&FARM, "6.3.1.1"),
        &expect![[r#"
        1. adfs01: take it out of balancer f5, and wait 30 s
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        5. adfs01: carry the exported values into the new adapter configuration
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        7. adfs01: unregister WindowsAzureMultiFactorAuthentication
        8. adfs01: register AzureMfaServerAuthentication with the carried configuration
        9. adfs01: restart AD FS
        10. adfs01: put it back into balancer f5
        11. adfs02: take it out of balancer f5
        12. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        13. adfs02: take it out of balancer f5, and wait 30 s
        14. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        15. adfs02: install the AD FS adapter 7.0.0.9
        16. adfs02: wait until this server has synchronised with the primary
        17. adfs02: restart AD FS
        18. adfs02: put it back into balancer f5
        19. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        20. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        21. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
    // Only who is whole and has passed is put back, but for the first batch, which cannot be asked in the gap.
    desired.health_check = Some(HealthCheck::new(Some("https://{host}/adfs/probe".to_owned())));
    let lines = run(&desired, &farm(&FARM, "6.3.1.1")).lines().join("\n").replace(".contoso.com", "");
    let shown: Vec<&str> = lines
        .lines()
        .filter(|line| ["balancer", "policy", "restart", "wait until"].iter().any(|word| line.contains(word)))
        .collect();
    expect![[r#"
        1. adfs01: take it out of balancer f5, and wait 30 s
        6. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        9. adfs01: restart AD FS
        10. adfs01: put it back into balancer f5
        11. adfs02: take it out of balancer f5
        12. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        13. adfs01: wait until https://adfs01/adfs/probe answers 200
        14. adfs02: take it out of balancer f5, and wait 30 s
        17. adfs02: wait until this server has synchronised with the primary
        18. adfs02: restart AD FS
        19. adfs02: wait until https://adfs02/adfs/probe answers 200
        20. adfs02: put it back into balancer f5"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn a_batch_of_two_is_out_as_a_whole() {
    let desired = drained(of(&FOUR, "7.0.0.9"));
    let batches = [
        FOUR[..2].iter().map(|host| (*host).to_owned()).collect(),
        FOUR[2..].iter().map(|host| (*host).to_owned()).collect(),
    ];
    let decision = decide(&desired, &batches, &farm(&FOUR, "6.3.1.1"), &policy());
    let lines = decision.lines().join("\n").replace(".contoso.com", "");
    let shown: Vec<&str> = lines
        .lines()
        .filter(|line| ["balancer", "policy", "install", "restart"].iter().any(|word| line.contains(word)))
        .collect();
    expect![[r#"
        1. adfs01: take it out of balancer f5, and wait 30 s
        3. adfs01: install the AD FS adapter 7.0.0.9
        4. adfs02: take it out of balancer f5, and wait 30 s
        6. adfs02: install the AD FS adapter 7.0.0.9
        9. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        13. adfs01: restart AD FS
        14. adfs02: restart AD FS
        15. adfs01: put it back into balancer f5
        16. adfs02: put it back into balancer f5
        17. adfs03: take it out of balancer f5
        18. adfs04: take it out of balancer f5
        19. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        20. adfs03: take it out of balancer f5, and wait 30 s
        22. adfs03: install the AD FS adapter 7.0.0.9
        24. adfs03: restart AD FS
        25. adfs03: put it back into balancer f5
        26. adfs04: take it out of balancer f5, and wait 30 s
        28. adfs04: install the AD FS adapter 7.0.0.9
        30. adfs04: restart AD FS
        31. adfs04: put it back into balancer f5"#]].assert_eq(&shown.join("\n"));
}

/// The run before broke off in the gap, before the batches changed places: the first one is back before the second is out.
#[test]
fn a_farm_is_never_out_as_a_whole() {
    let mut desired = drained(wanted("7.0.0.9"));
    desired.out = out(FARM[0]);
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(Vec::new()));
    at(&mut views, "adfs02", |adfs| adfs.restarted_since_registration = Some(false));
    check(
        &desired,
        &views,
        &expect![[r#"
        1. adfs01: put it back into balancer f5
        2. adfs02: take it out of balancer f5
        3. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        4. adfs02: take it out of balancer f5, and wait 30 s
        5. adfs02: wait until this server has synchronised with the primary
        6. adfs02: restart AD FS
        7. adfs02: put it back into balancer f5
        8. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        9. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        10. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
}

/// A run that opens no gap asks and waits as elsewhere.
#[test]
fn without_a_gap_each_host_is_back_after_its_check() {
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs02", |adfs| adfs.restarted_since_registration = Some(false));
    check(
        &drained(wanted("7.0.0.9")),
        &views,
        &expect![[r#"
        1. adfs02: take it out of balancer f5, and wait 30 s
        2. adfs02: wait until this server has synchronised with the primary
        3. adfs02: restart AD FS
        4. adfs02: put it back into balancer f5
        5. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        6. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        7. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn hosts_that_were_left_out_are_put_back() {
    let mut desired = drained(wanted("7.0.0.9"));
    desired.out = FARM.iter().flat_map(|host| out(host)).collect();
    check(
        &desired,
        &farm(&FARM, "7.0.0.9"),
        &expect![[r#"
        1. adfs01: put it back into balancer f5
        2. adfs02: put it back into balancer f5
        3. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        4. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        5. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
}

/// The run before broke off after the first batch was taken out and installed.
#[test]
fn a_run_that_broke_off_takes_the_first_batch_out_again() {
    let mut desired = drained(wanted("7.0.0.9"));
    desired.out = out(FARM[0]);
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    check(
        &desired,
        &views,
        &expect![[r#"
        1. adfs01: take it out of balancer f5, and wait 30 s
        2. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        3. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        4. adfs01: carry the exported values into the new adapter configuration
        5. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        6. adfs01: unregister WindowsAzureMultiFactorAuthentication
        7. adfs01: register AzureMfaServerAuthentication with the carried configuration
        8. adfs01: restart AD FS
        9. adfs01: put it back into balancer f5
        10. adfs02: take it out of balancer f5
        11. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        12. adfs02: take it out of balancer f5, and wait 30 s
        13. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        14. adfs02: install the AD FS adapter 7.0.0.9
        15. adfs02: wait until this server has synchronised with the primary
        16. adfs02: restart AD FS
        17. adfs02: put it back into balancer f5
        18. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        19. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        20. adfs01: delete the exported configuration
        -> current reaches_pin=true
        warning: adfs-eu: adfs_mfa_gap"#]],
    );
}
