//! Hosts that are away, stopped or new, and what Read tells.

use expect_test::expect;

use crate::backend::facts::{Adfs, Database};
use crate::plan::View;
use crate::plan::adfs::decide;
use crate::plan::adfs::tests::{FARM, FOUR, at, check, farm, install, of, run, wanted};
use crate::plan::fixtures::{policy, registration, text};

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
    // A gap that an earlier run left open does not wait for the host.
    let mut views = farm(&FARM, "6.3.1.1");
    views.insert(FARM[1].to_owned(), off());
    at(&mut views, "adfs01", |adfs| adfs.policy = Some(Vec::new()));
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs01: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)
            2. adfs02: by hand: make adfs02 reachable
            -> waiting reaches_pin=false
            warning: adfs-eu waits, by hand: make adfs02 reachable"#]],
    );
    // Without an exchange the others go on.
    let mut desired = of(&FOUR, "7.0.0.9");
    desired.last_versions.insert(FOUR[2].to_owned(), desired.pin.clone());
    let batches: Vec<Vec<String>> = desired.hosts.chunks(2).map(<[String]>::to_vec).collect();
    let mut views = farm(&FOUR, "7.0.0.9");
    views.insert(FOUR[2].to_owned(), off());
    install(&mut views, "adfs04", "6.3.1.1");
    expect![[r#"
        1. adfs04: traffic is not managed; take the host out of the balancer yourself
        2. adfs04: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02 or mfa01
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
    // In a SQL farm any host can close a gap that an earlier run left open.
    for name in ["adfs01", "adfs02"] {
        at(&mut views, name, |adfs| (adfs.database, adfs.role, adfs.primary) = (Database::Sql, None, None));
    }
    at(&mut views, "adfs02", |adfs| {
        (adfs.providers, adfs.policy) = (Some(vec![registration("6.3.1.1")]), Some(Vec::new()));
    });
    check(
        &wanted("7.0.0.9"),
        &views,
        &expect![[r#"
            1. adfs02: put WindowsAzureMultiFactorAuthentication into the global policy (users are asked for the second factor again)
            2. adfs01: by hand: start the service adfssrv on adfs01
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
        12. adfs02.contoso.com: traffic is not managed; take the host out of the balancer yourself
        15. adfs02.contoso.com: bring MultiFactorAuthenticationAdfsAdapterSetup64.msi, Register-MultiFactorAuthenticationAdfsAdapter.ps1, Unregister-MultiFactorAuthenticationAdfsAdapter.ps1, MultiFactorAuthenticationAdfsAdapter.config 7.0.0.9 from mfa02.contoso.com or mfa01.contoso.com
        16. adfs02.contoso.com: install the AD FS adapter 7.0.0.9
        17. adfs02.contoso.com: restart AD FS
        19. adfs02.contoso.com: verify that the AD FS adapter runs 7.0.0.9 and is registered"#]].assert_eq(&there.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"));
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
            12. adfs01: put AzureMfaServerAuthentication into the global policy (users are asked for the second factor again)
            13. adfs01: take the guard away
            14. adfs02: adopt, and upgrade to 7.0.0.9 when below
            15. adfs01: verify that the AD FS adapter runs 7.0.0.9 and is registered
            16. adfs01: delete the exported configuration
            -> current reaches_pin=true
            warning: adfs-eu: adfs_mfa_gap"#]],
    );
}
