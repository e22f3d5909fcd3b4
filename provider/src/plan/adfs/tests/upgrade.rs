//! Whole upgrades, farm by farm.

use expect_test::expect;

use crate::backend::facts::Database;
use crate::backend::health::HealthCheck;
use crate::plan::adfs::tests::{FARM, FOUR, at, check, farm, of, run, wanted};
use crate::plan::adfs::{OLD_NAME, decide};
use crate::plan::fixtures::{change, policy, registration, server, text};

#[test]
fn a_farm_is_upgraded_in_two_batches() {
    check(
        &wanted("7.0.0.9"),
        &farm(&FARM, "6.3.1.1"),
        &expect![[r#"
            1. adfs01: try the task by which this server would close the gap by itself
            2. adfs01: traffic is not managed; take the host out of the balancer yourself
            3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            4. adfs01: install the AD FS adapter 7.0.0.9
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

#[test]
fn secondaries_of_both_batches_are_waited_for() {
    let desired = of(&FOUR, "7.0.0.9");
    let batches: Vec<Vec<String>> = desired.hosts.chunks(2).map(<[String]>::to_vec).collect();
    let decision = decide(&desired, &batches, &farm(&FOUR, "6.3.1.1"), &policy());
    expect![[r#"
        1. adfs01: try the task by which this server would close the gap by itself
        2. adfs01: traffic is not managed; take the host out of the balancer yourself
        3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        4. adfs01: install the AD FS adapter 7.0.0.9
        5. adfs02: traffic is not managed; take the host out of the balancer yourself
        6. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        7. adfs02: install the AD FS adapter 7.0.0.9
        8. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        9. adfs01: carry the exported values into the new adapter configuration
        10. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
        11. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        12. adfs01: unregister WindowsAzureMultiFactorAuthentication
        13. adfs01: register AzureMfaServerAuthentication with the carried configuration
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs01: restart AD FS
        16. adfs02: restart AD FS
        17. adfs03: traffic is not managed; take the host out of the balancer yourself
        18. adfs04: traffic is not managed; take the host out of the balancer yourself
        19. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        20. adfs01: take the guard away
        21. adfs03: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        22. adfs03: install the AD FS adapter 7.0.0.9
        23. adfs03: wait until this server has synchronised with the primary
        24. adfs03: restart AD FS
        25. adfs04: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        26. adfs04: install the AD FS adapter 7.0.0.9
        27. adfs04: wait until this server has synchronised with the primary
        28. adfs04: restart AD FS
        29. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        30. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        31. adfs03: verify that the AD FS adapter runs 7.0.0.9 and is registered
        32. adfs04: verify that the AD FS adapter runs 7.0.0.9 and is registered
        33. adfs01: delete the exported configuration
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
            1. adfs01: try the task by which this server would close the gap by itself
            2. adfs01: traffic is not managed; take the host out of the balancer yourself
            3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02 or mfa01
            4. adfs01: install the AD FS adapter 8.0.1.1
            5. adfs01: export the configuration of AzureMfaServerAuthentication to a protected file
            6. adfs01: carry the exported values into the new adapter configuration
            7. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
            8. adfs01: take AzureMfaServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
            9. adfs01: unregister AzureMfaServerAuthentication
            10. adfs01: register AzureMfaServerAuthentication with the carried configuration
            11. adfs01: restart AD FS
            12. adfs02: traffic is not managed; take the host out of the balancer yourself
            13. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            14. adfs01: take the guard away
            15. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 8.0.1.1 from mfa02 or mfa01
            16. adfs02: install the AD FS adapter 8.0.1.1
            17. adfs02: wait until this server has synchronised with the primary
            18. adfs02: restart AD FS
            19. adfs01: verify that the AD FS adapter runs 8.0.1.1 and is registered
            20. adfs02: verify that the AD FS adapter runs 8.0.1.1 and is registered
            21. adfs01: delete the exported configuration
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
        5. adfs01.contoso.com: export the configuration of AzureMFAServerAuthentication to a protected file
        8. adfs01.contoso.com: take AzureMFAServerAuthentication out of the global policy (users are NOT asked for the second factor from here)
        9. adfs01.contoso.com: unregister AzureMFAServerAuthentication"#]].assert_eq(&exchanged.join("\n"));
}

#[test]
fn a_farm_beside_mfa_servers_needs_nothing_brought() {
    let mut views = farm(&FARM, "6.3.1.1");
    change(&mut views, "adfs01", |facts| facts.server = server(FARM[0], "7.0.0.9").server);
    let decision = run(&wanted("7.0.0.9"), &views);
    let brought: Vec<String> = decision.lines().into_iter().filter(|line| line.contains("bring")).collect();
    expect!["14. adfs02.contoso.com: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02.contoso.com or mfa01.contoso.com"].assert_eq(&brought.join("\n"));
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
            1. adfs01: try the task by which this server would close the gap by itself
            2. adfs01: traffic is not managed; take the host out of the balancer yourself
            3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
            4. adfs01: install the AD FS adapter 7.0.0.9
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
            17. adfs02: restart AD FS
            18. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            19. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
            20. adfs01: delete the exported configuration
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}

#[test]
fn one_batch_is_an_outage() {
    let desired = wanted("7.0.0.9");
    let decision = decide(&desired, std::slice::from_ref(&desired.hosts), &farm(&FARM, "6.3.1.1"), &policy());
    expect![[r#"
        1. adfs01: try the task by which this server would close the gap by itself
        2. adfs01: traffic is not managed; take the host out of the balancer yourself
        3. adfs01: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        4. adfs01: install the AD FS adapter 7.0.0.9
        5. adfs02: traffic is not managed; take the host out of the balancer yourself
        6. adfs02: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
        7. adfs02: install the AD FS adapter 7.0.0.9
        8. adfs01: export the configuration of WindowsAzureMultiFactorAuthentication to a protected file
        9. adfs01: carry the exported values into the new adapter configuration
        10. adfs01: set up a guard: when this server hears nothing of the run for 5 minutes, it closes the gap by itself
        11. adfs01: take WindowsAzureMultiFactorAuthentication out of the global policy (users are NOT asked for the second factor from here)
        12. adfs01: unregister WindowsAzureMultiFactorAuthentication
        13. adfs01: register AzureMfaServerAuthentication with the carried configuration
        14. adfs02: wait until this server has synchronised with the primary
        15. adfs01: restart AD FS
        16. adfs02: restart AD FS
        17. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        18. adfs01: take the guard away
        19. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        20. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        21. adfs01: delete the exported configuration
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

/// Nobody waits for an answer while users are not asked for the second factor.
#[test]
fn a_batch_is_checked_once_the_gap_is_closed() {
    let mut desired = wanted("7.0.0.9");
    desired.health_check = Some(HealthCheck::new(Some("https://{host}/adfs/probe".to_owned())));
    let lines = run(&desired, &farm(&FARM, "6.3.1.1")).lines();
    let shown: Vec<&str> = lines[8..].iter().map(String::as_str).filter(|line| !line.contains("bring")).collect();
    expect![[r#"
        9. adfs01: unregister WindowsAzureMultiFactorAuthentication
        10. adfs01: register AzureMfaServerAuthentication with the carried configuration
        11. adfs01: restart AD FS
        12. adfs02: traffic is not managed; take the host out of the balancer yourself
        13. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
        14. adfs01: take the guard away
        15. adfs01: wait until https://adfs01/adfs/probe answers 200
        17. adfs02: install the AD FS adapter 7.0.0.9
        18. adfs02: wait until this server has synchronised with the primary
        19. adfs02: restart AD FS
        20. adfs02: wait until https://adfs02/adfs/probe answers 200
        21. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        22. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        23. adfs01: delete the exported configuration"#]].assert_eq(&shown.join("\n").replace(".contoso.com", ""));
    desired.to_pass.insert(FARM[0].to_owned());
    check(
        &desired,
        &farm(&FARM, "7.0.0.9"),
        &expect![[r#"
        1. adfs01: wait until https://adfs01/adfs/probe answers 200
        2. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
        3. adfs02: verify that the AD FS adapter runs 7.0.0.9 and is registered
        4. adfs01: delete the exported configuration
        -> current reaches_pin=true"#]],
    );
    desired.health_check = None;
    check(&desired, &farm(&FARM, "7.0.0.9"), &expect!["-> current reaches_pin=true"]);
}
