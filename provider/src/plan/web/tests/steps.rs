//! The steps that what was seen gives.

use expect_test::expect;

use crate::backend::facts::{HostFacts, WebKind};
use crate::backend::health::HealthCheck;
use crate::plan::fixtures::{change, desired, drained, fresh_backups, group, host, out, server, views, web};
use crate::plan::web::tests::{APP, PORTALS, check, estate, mobile, portals, run, wanted, with};
#[test]
fn portals_go_one_after_the_other() {
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
        1. portal01: traffic is not managed; take the host out of the balancer yourself
        2. portal01: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal01: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02 or mfa01
        4. portal01: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        5. portal01: put the User Portal's old web.config back, or carry its values into the new one
        6. portal01: set application pool MfaPortal to CLR v4.0
        7. portal01: compare App_Themes\Default with its backup
        8. portal01: verify that the User Portal runs 7.0.0.9
        9. portal01: close this upgrade's backup
        10. portal02: traffic is not managed; take the host out of the balancer yourself
        11. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        12. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02 or mfa01
        13. portal02: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        14. portal02: put the User Portal's old web.config back, or carry its values into the new one
        15. portal02: set application pool MfaPortal to CLR v4.0
        16. portal02: compare App_Themes\Default with its backup
        17. portal02: verify that the User Portal runs 7.0.0.9
        18. portal02: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn within_a_generation_the_pool_stays() {
    check(
        &wanted("8.0.1.1"),
        &portals(),
        &estate("7.0.0.9"),
        &expect![[r#"
        1. portal01: traffic is not managed; take the host out of the balancer yourself
        2. portal01: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal01: bring MultiFactorAuthenticationUserPortalSetup64.msi 8.0.1.1 from mfa02 or mfa01
        4. portal01: upgrade the User Portal to 8.0.1.1 in the same virtual directory MultiFactorAuth
        5. portal01: put the User Portal's old web.config back, or carry its values into the new one
        6. portal01: compare App_Themes\Default with its backup
        7. portal01: verify that the User Portal runs 8.0.1.1
        8. portal01: close this upgrade's backup
        9. portal02: traffic is not managed; take the host out of the balancer yourself
        10. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        11. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 8.0.1.1 from mfa02 or mfa01
        12. portal02: upgrade the User Portal to 8.0.1.1 in the same virtual directory MultiFactorAuth
        13. portal02: put the User Portal's old web.config back, or carry its values into the new one
        14. portal02: compare App_Themes\Default with its backup
        15. portal02: verify that the User Portal runs 8.0.1.1
        16. portal02: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_done_set_has_no_steps() {
    check(&wanted("7.0.0.9"), &portals(), &estate("7.0.0.9"), &expect!["-> current reaches_pin=true"]);
}

#[test]
fn a_mobile_app_web_service_has_no_theme() {
    let mut desired = desired("app-dmz", "7.0.0.9", &APP);
    desired.after = vec![group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com"])];
    let views = views(APP.map(|name| (name, with(host(name), web(WebKind::MobileAppWebService, "6.3.1.1")))));
    check(
        &desired,
        &mobile(),
        &views,
        &expect![[r#"
        1. app01: traffic is not managed; take the host out of the balancer yourself
        2. app01: back up the Mobile App Web Service (C:\inetpub\wwwroot\MultiFactorAuthMobileAppWebService)
        3. app01: bring MultiFactorAuthenticationMobileAppWebServiceSetup64.msi 7.0.0.9 from mfa02
        4. app01: upgrade the Mobile App Web Service to 7.0.0.9 in the same virtual directory MultiFactorAuthMobileAppWebService
        5. app01: put the Mobile App Web Service's old web.config back, or carry its values into the new one
        6. app01: set application pool MfaMobile to CLR v4.0
        7. app01: verify that the Mobile App Web Service runs 7.0.0.9
        8. app01: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_mobile_app_web_service_stays_when_its_servers_go_beyond_it() {
    let mut desired = desired("app-dmz", "7.0.0.9", &APP);
    desired.after = vec![group("8.0.1.1", "7.0.0.9", &["mfa02.contoso.com"])];
    let at = |version| views(APP.map(|name| (name, with(host(name), web(WebKind::MobileAppWebService, version)))));
    check(
        &desired,
        &mobile(),
        &at("7.0.0.9"),
        &expect![[r#"
        -> current reaches_pin=true
        warning: app-dmz: the Mobile App Web Service is no longer needed"#]],
    );
    // Its package is gone with the servers that had it.
    check(
        &desired,
        &mobile(),
        &at("6.3.1.1"),
        &expect![[r#"
            1. app01: waits for mfa-eu to be whole at 7.0.0.9
            -> waiting reaches_pin=false
            warning: app-dmz waits for mfa-eu to be whole at 7.0.0.9
            warning: app-dmz: the Mobile App Web Service is no longer needed
            error: app-dmz: no MFA Server has the packages of 7.0.0.9 (version)"#]],
    );
}

/// A portal beside the MFA Server of its own host takes the package from there.
#[test]
fn a_co_hosted_portal_needs_nothing_brought() {
    let name = "mfa03.contoso.com";
    let mut desired = desired("portal-internal", "7.0.0.9", &[name]);
    desired.after = vec![group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com"])];
    let mut facts = with(server(name, "7.0.0.9"), web(WebKind::UserPortal, "6.3.1.1"));
    // The server setup brings these itself.
    facts.vc_redist_x64 = None;
    facts.vc_redist_x86 = None;
    check(
        &desired,
        &portals(),
        &views([(name, facts.clone())]),
        &expect![[r#"
        1. mfa03: traffic is not managed; take the host out of the balancer yourself
        2. mfa03: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. mfa03: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        4. mfa03: put the User Portal's old web.config back, or carry its values into the new one
        5. mfa03: set application pool MfaPortal to CLR v4.0
        6. mfa03: compare App_Themes\Default with its backup
        7. mfa03: verify that the User Portal runs 7.0.0.9
        8. mfa03: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
    // Upgraded earlier in this very run: what was read is older than what will be there.
    let alone = run(&desired, &portals(), &views([(name, facts.clone())])).steps;
    desired.after = vec![group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com", "MFA03.contoso.com"])];
    facts.server = server(name, "6.3.1.1").server;
    assert_eq!(run(&desired, &portals(), &views([(name, facts.clone())])).steps, alone);
    // And by then the SDK's upgrade may have moved a shared pool.
    facts.web[0].pool_runtime = "v4.0".to_owned();
    assert_eq!(run(&desired, &portals(), &views([(name, facts)])).steps, alone);
}

#[test]
fn a_server_of_another_version_has_no_package() {
    let name = "mfa03.contoso.com";
    let mut desired = desired("portal-internal", "7.0.0.9", &[name]);
    desired.after = vec![group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com"])];
    let facts = with(server(name, "8.0.1.1"), web(WebKind::UserPortal, "6.3.1.1"));
    let decision = run(&desired, &portals(), &views([(name, facts)]));
    assert!(decision.lines().iter().any(|line| line.contains("bring")), "{:?}", decision.lines());
}

#[test]
fn a_set_waits_for_its_servers() {
    let mut desired = wanted("7.0.0.9");
    desired.after = vec![group("7.0.0.9", "6.3.1.1", &["mfa02.contoso.com"])];
    check(
        &desired,
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
            1. portal01: waits for mfa-eu to run 7.0.0.9
            -> waiting reaches_pin=false
            warning: portal-dmz waits for mfa-eu to run 7.0.0.9"#]],
    );
    desired.after = vec![group("6.3.1.1", "6.3.1.1", &["mfa02.contoso.com"])];
    check(
        &desired,
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: its server group is pinned lower (after[0])"#]],
    );
    desired.after = Vec::new();
    check(
        &desired,
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: no server group before it (after)"#]],
    );
    // Another order of versions: the servers have gone further than the portal is to go.
    desired.after = vec![group("8.0.1.1", "8.0.1.1", &["mfa02.contoso.com"])];
    check(
        &desired,
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: no MFA Server has the packages of 7.0.0.9 (version)"#]],
    );
}

#[test]
fn what_is_missing_at_the_pin_is_finished() {
    let mut views = estate("7.0.0.9");
    change(&mut views, "portal02", |facts| {
        facts.web[0].placeholders = vec!["pfup_pfwssdk_PfWsSdk".to_owned()];
        facts.web[0].pool_runtime = "v2.0".to_owned();
    });
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        1. portal02: put the User Portal's old web.config back, or carry its values into the new one
        2. portal02: set application pool MfaPortal to CLR v4.0
        3. portal02: compare App_Themes\Default with its backup
        4. portal02: verify that the User Portal runs 7.0.0.9
        5. portal02: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
    let mut views = estate("7.0.0.9");
    change(&mut views, "portal01", |facts| facts.web[0].pool_runtime = "v2.0".to_owned());
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        1. portal01: set application pool MfaPortal to CLR v4.0
        2. portal01: verify that the User Portal runs 7.0.0.9
        -> current reaches_pin=true"#]],
    );
    let mut views = estate("7.0.0.9");
    change(&mut views, "portal01", |facts| facts.web[0].web_config_exists = false);
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
            1. portal01: by hand: put a web.config back into C:\inetpub\wwwroot\MultiFactorAuth on portal01, from its backup or another host
            -> waiting reaches_pin=false"#]],
    );
}

#[test]
fn disagreeing_evidence_is_repaired_by_the_package() {
    let mut views = estate("7.0.0.9");
    change(&mut views, "portal02", |facts| facts.web[0].file_version = Some("6.3.1.1".to_owned()));
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        1. portal02: traffic is not managed; take the host out of the balancer yourself
        2. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02 or mfa01
        4. portal02: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        5. portal02: put the User Portal's old web.config back, or carry its values into the new one
        6. portal02: set application pool MfaPortal to CLR v4.0
        7. portal02: compare App_Themes\Default with its backup
        8. portal02: verify that the User Portal runs 7.0.0.9
        9. portal02: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_pool_on_the_old_runtime_is_right_for_an_old_pin() {
    let mut desired = wanted("6.3.1.1");
    desired.after = Vec::new();
    check(&desired, &portals(), &estate("6.3.1.1"), &expect!["-> current reaches_pin=true"]);
}

#[test]
fn an_earlier_backup_is_superseded_only_while_nothing_can_have_been_replaced() {
    let check = |alter: fn(&mut HostFacts), expected: &[&str]| {
        let mut views = estate("6.3.1.1");
        change(&mut views, "portal02", alter);
        assert_eq!(fresh_backups(&run(&wanted("7.0.0.9"), &portals(), &views)), expected);
    };
    let (first, second) = ("portal01 the User Portal", "portal02 the User Portal");
    check(|_| {}, &[first, second]);
    check(|facts| facts.running_installation = Some("user_portal-7.0.0.9-MultiFactorAuth".to_owned()), &[first]);
    check(|facts| facts.web[0].file_version = Some("7.0.0.9".to_owned()), &[first]);
    check(|facts| facts.web[0].placeholders = vec!["pfup_pfwssdk_PfWsSdk".to_owned()], &[first]);
    check(|facts| facts.web[0].web_config_exists = false, &[first]);
}

#[test]
fn each_portal_is_checked_before_the_next_one() {
    let mut desired = wanted("7.0.0.9");
    desired.health_check = Some(HealthCheck::new(Some("https://{host}/MultiFactorAuth/".to_owned())));
    let lines = run(&desired, &portals(), &estate("6.3.1.1")).lines().join("\n").replace(".dmz.contoso.com", "");
    let shown: Vec<&str> =
        lines.lines().filter(|line| ["verify", "close", "wait until"].iter().any(|word| line.contains(word))).collect();
    expect![[r#"
        8. portal01: verify that the User Portal runs 7.0.0.9
        9. portal01: close this upgrade's backup
        10. portal01: wait until https://portal01/MultiFactorAuth/ answers 200
        18. portal02: verify that the User Portal runs 7.0.0.9
        19. portal02: close this upgrade's backup
        20. portal02: wait until https://portal02/MultiFactorAuth/ answers 200"#]]
    .assert_eq(&shown.join("\n"));
    desired.to_pass.insert(PORTALS[1].to_owned());
    check(
        &desired,
        &portals(),
        &estate("7.0.0.9"),
        &expect![[r#"
        1. portal02: verify that the User Portal runs 7.0.0.9
        2. portal02: wait until https://portal02/MultiFactorAuth/ answers 200
        -> current reaches_pin=true"#]],
    );
}

/// Out before anything else, back after the check, and not before.
#[test]
fn a_portal_is_out_of_its_balancer_while_it_is_changed() {
    let mut desired = drained(wanted("7.0.0.9"));
    desired.health_check = Some(HealthCheck::new(Some("https://{host}/MultiFactorAuth/".to_owned())));
    let lines = run(&desired, &portals(), &estate("6.3.1.1")).lines().join("\n").replace(".dmz.contoso.com", "");
    let shown: Vec<&str> = lines
        .lines()
        .filter(|line| ["balancer", "back up", "upgrade", "wait until"].iter().any(|word| line.contains(word)))
        .collect();
    expect![[r#"
        1. portal01: take it out of balancer lb, and wait 30 s
        2. portal01: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        4. portal01: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        9. portal01: close this upgrade's backup
        10. portal01: wait until https://portal01/MultiFactorAuth/ answers 200
        11. portal01: put it back into balancer lb
        12. portal02: take it out of balancer lb, and wait 30 s
        13. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        15. portal02: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        20. portal02: close this upgrade's backup
        21. portal02: wait until https://portal02/MultiFactorAuth/ answers 200
        22. portal02: put it back into balancer lb"#]]
    .assert_eq(&shown.join("\n"));
}

/// The portal of the demo that is at the pin and was left out of the balancer has nothing else to do.
#[test]
fn a_portal_that_was_left_out_is_put_back() {
    let mut desired = drained(wanted("7.0.0.9"));
    desired.out = out(PORTALS[1]);
    check(
        &desired,
        &portals(),
        &estate("7.0.0.9"),
        &expect![[r#"
        1. portal02: verify that the User Portal runs 7.0.0.9
        2. portal02: put it back into balancer lb
        -> current reaches_pin=true"#]],
    );
    desired.drain = None;
    check(&desired, &portals(), &estate("7.0.0.9"), &expect!["-> current reaches_pin=true"]);
    desired = drained(desired);
    desired.hold = Some("CHG-7".to_owned());
    check(
        &desired,
        &portals(),
        &estate("7.0.0.9"),
        &expect![[r#"
        -> held reaches_pin=false
        warning: portal-dmz is held (hold)"#]],
    );
}
