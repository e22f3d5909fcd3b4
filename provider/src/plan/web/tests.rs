//! Tables: what is seen of portals and mobile app web services, and the steps it gives.

use expect_test::{Expect, expect};

use crate::backend::facts::{HostFacts, WebComponent, WebKind};
use crate::plan::fixtures::{change, desired, group, host, policy, server, text, views, web};
use crate::plan::web::{WebSet, decide};
use crate::plan::{Acknowledgement, Decision, Desired, Installable, Policy, View, Views};

const PORTALS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];
const APP: [&str; 1] = ["app01.dmz.contoso.com"];

fn portals() -> WebSet {
    WebSet { kind: WebKind::UserPortal, virtual_directory: None }
}

fn mobile() -> WebSet {
    WebSet { kind: WebKind::MobileAppWebService, virtual_directory: None }
}

/// Two portal hosts at a version.
fn estate(version: &str) -> Views {
    views(PORTALS.map(|name| (name, with(host(name), web(WebKind::UserPortal, version)))))
}

fn with(mut facts: HostFacts, component: WebComponent) -> HostFacts {
    facts.web.push(component);
    facts
}

/// The demo's portals, asked for a version that their whole group runs.
fn wanted(pin: &str) -> Desired {
    let mut desired = desired("portal-dmz", pin, &PORTALS);
    desired.after = vec![group(pin, pin, &["mfa02.contoso.com", "mfa01.contoso.com"])];
    desired
}

fn run(desired: &Desired, set: &WebSet, views: &Views) -> Decision {
    decide(desired, set, views, &policy())
}

#[track_caller]
fn check(desired: &Desired, set: &WebSet, views: &Views, expected: &Expect) {
    expected.assert_eq(&text(&run(desired, set, views)));
}

/// The details of all diagnostics.
fn details(decision: &Decision) -> String {
    decision.diagnostics.iter().map(|found| found.detail.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn portals_go_one_after_the_other() {
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &estate("6.3.1.1"),
        &expect![[r#"
        1. portal01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. portal01: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal01: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02
        4. portal01: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        5. portal01: put the User Portal's old web.config back, or carry its values into the new one
        6. portal01: set application pool MfaPortal to CLR v4.0
        7. portal01: compare App_Themes\Default with its backup
        8. portal01: verify that the User Portal runs 7.0.0.9
        9. portal01: close this upgrade's backup
        10. portal02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        11. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        12. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02
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
        1. portal01: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. portal01: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal01: bring MultiFactorAuthenticationUserPortalSetup64.msi 8.0.1.1 from mfa02
        4. portal01: upgrade the User Portal to 8.0.1.1 in the same virtual directory MultiFactorAuth
        5. portal01: put the User Portal's old web.config back, or carry its values into the new one
        6. portal01: compare App_Themes\Default with its backup
        7. portal01: verify that the User Portal runs 8.0.1.1
        8. portal01: close this upgrade's backup
        9. portal02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        10. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        11. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 8.0.1.1 from mfa02
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
        1. app01: traffic is not managed (no drain is set); take the host out of the balancer yourself
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
        1. mfa03: traffic is not managed (no drain is set); take the host out of the balancer yourself
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
        1. portal02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02
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
fn the_virtual_directory_is_found_or_declared() {
    let elsewhere = |name: &str| {
        let mut component = web(WebKind::UserPortal, "6.3.1.1");
        component.virtual_directory = name.to_owned();
        component.application_pool = name.to_owned();
        component
    };
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal02", |facts| facts.web.push(elsewhere("mfa")));
    let decision = run(&wanted("7.0.0.9"), &portals(), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: several User Portals on portal02 (virtual_directory)
        Virtual directories MultiFactorAuth and mfa on portal02.dmz.contoso.com all hold one. Say which is meant: virtual_directory = "MultiFactorAuth""#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // Said which is meant, the other one is nobody's business.
    let declared = WebSet { virtual_directory: Some("multifactorauth".to_owned()), ..portals() };
    let decision = run(&wanted("7.0.0.9"), &declared, &views);
    assert!(!decision.diagnostics.has_errors(), "{:?}", decision.diagnostics);
    // Declared, and found elsewhere.
    let declared = WebSet { virtual_directory: Some("portal".to_owned()), ..portals() };
    let decision = run(&wanted("7.0.0.9"), &declared, &estate("6.3.1.1"));
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: the User Portal on portal01 is elsewhere (virtual_directory)
        error: portal-dmz: the User Portal on portal02 is elsewhere (virtual_directory)
        portal is declared, and on portal01.dmz.contoso.com the User Portal was found in MultiFactorAuth. The upgrade keeps the directory. Write: virtual_directory = "MultiFactorAuth"
        portal is declared, and on portal02.dmz.contoso.com the User Portal was found in MultiFactorAuth. The upgrade keeps the directory. Write: virtual_directory = "MultiFactorAuth""#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // One on each host, and not the same.
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal02", |facts| facts.web = vec![elsewhere("mfa")]);
    let decision = run(&wanted("7.0.0.9"), &portals(), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: its hosts have several virtual directories (virtual_directory)
        Found MultiFactorAuth on portal01.dmz.contoso.com, mfa on portal02.dmz.contoso.com. A set has one. Declare one resource for each virtual directory, with the hosts that have it."#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // The same name on two sites of one host.
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal02", |facts| {
        let mut second = web(WebKind::UserPortal, "6.3.1.1");
        (second.site, second.site_id) = ("Second".to_owned(), 2);
        facts.web.push(second);
    });
    let declared = WebSet { virtual_directory: Some("MultiFactorAuth".to_owned()), ..portals() };
    let decision = run(&wanted("7.0.0.9"), &declared, &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: MultiFactorAuth is on several sites of portal02 (virtual_directory)
        Sites Default Web Site and Second on portal02.dmz.contoso.com each hold a User Portal in MultiFactorAuth, and a set has one per host. Remove by hand the one that is not used."#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
}

#[test]
fn a_shared_pool_is_a_finding() {
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal01", |facts| {
        let mut mobile = web(WebKind::MobileAppWebService, "6.3.1.1");
        mobile.application_pool = "mfaportal".to_owned();
        facts.web.push(mobile);
    });
    let mut desired = wanted("7.0.0.9");
    let decision = run(&desired, &portals(), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: shared_application_pool (acknowledge)
        On portal01.dmz.contoso.com, application pool MfaPortal is shared by the User Portal in MultiFactorAuth and the Mobile App Web Service in MultiFactorAuthMobileAppWebService. It moves to CLR v4.0 with the User Portal, and the Mobile App Web Service fails from then until its own upgrade. Give the Mobile App Web Service a pool of its own first. To let it pass, state who decided so and until when: acknowledge = [{ check = "shared_application_pool", reason = "…", until = "2026-12-31T00:00:00Z" }]"#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    desired.acknowledged = vec![acknowledged("shared_application_pool")];
    assert!(!run(&desired, &portals(), &views).diagnostics.has_errors());
    // What shares the pool is of the new generation already.
    desired.acknowledged = Vec::new();
    change(&mut views, "portal01", |facts| {
        facts.web[1].product_version = Some("7.0.0.9".to_owned());
        facts.web[1].file_version = Some("7.0.0.9".to_owned());
    });
    assert!(!run(&desired, &portals(), &views).diagnostics.has_errors());
}

#[test]
fn prerequisites_and_statements_are_asked_for() {
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal01", |facts| facts.vc_redist_x86 = Some("14.0.23026".to_owned()));
    change(&mut views, "portal02", |facts| facts.dotnet_release = None);
    let decision = run(&wanted("7.0.0.9"), &portals(), &views);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: prerequisites are missing
        portal01.dmz.contoso.com lacks the Visual C++ 2015 Update 1 redistributable or later, x86 (found 14.0.23026; 14.0.23506 is the least); portal02.dmz.contoso.com lacks .NET Framework 4.5 or later (found none; release 378389 is the least). Install what is missing, then plan again."#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    let nothing = Policy { ahead_is_error: false, installable: Installable::default() };
    let decision = decide(&wanted("7.0.0.9"), &portals(), &estate("6.3.1.1"), &nothing);
    expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: release 7.0.0.9 is not declared (version)
        With which arguments the User Portal's package keeps its place and runs silently is for you to state: nobody has documented it. In the provider's configuration, under releases = { "7.0.0.9" = { … } }, add: user_portal = { arguments = ["TARGETVDIR={virtual_directory}", "TARGETSITE=/LM/W3SVC/{site_id}", "TARGETAPPPOOL={application_pool}"] }"#]].assert_eq(&format!("{}\n{}", text(&decision), details(&decision)));
    // What only has to be finished needs no package.
    let mut views = estate("7.0.0.9");
    change(&mut views, "portal02", |facts| facts.web[0].pool_runtime = "v2.0".to_owned());
    assert!(!decide(&wanted("7.0.0.9"), &portals(), &views, &nothing).diagnostics.has_errors());
}

#[test]
fn hosts_that_were_not_read_have_their_place() {
    let mut views = estate("6.3.1.1");
    views.remove(PORTALS[0]);
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        1. portal01: adopt, and upgrade to 7.0.0.9 when below
        2. portal02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        3. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        4. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02
        5. portal02: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        6. portal02: put the User Portal's old web.config back, or carry its values into the new one
        7. portal02: set application pool MfaPortal to CLR v4.0
        8. portal02: compare App_Themes\Default with its backup
        9. portal02: verify that the User Portal runs 7.0.0.9
        10. portal02: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
    views.insert(PORTALS[0].to_owned(), View::Unreachable { reason: "it is off".to_owned() });
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        1. portal02: traffic is not managed (no drain is set); take the host out of the balancer yourself
        2. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02
        4. portal02: upgrade the User Portal to 7.0.0.9 in the same virtual directory MultiFactorAuth
        5. portal02: put the User Portal's old web.config back, or carry its values into the new one
        6. portal02: set application pool MfaPortal to CLR v4.0
        7. portal02: compare App_Themes\Default with its backup
        8. portal02: verify that the User Portal runs 7.0.0.9
        9. portal02: close this upgrade's backup
        -> behind reaches_pin=false"#]],
    );
    views.insert(PORTALS[0].to_owned(), View::Seen(Box::new(host(PORTALS[0]))));
    check(
        &wanted("7.0.0.9"),
        &portals(),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: portal-dmz: nothing to upgrade on portal01"#]],
    );
}

fn acknowledged(check: &str) -> Acknowledgement {
    Acknowledgement { check: check.to_owned(), reason: "CHG-1".to_owned(), until: None, ended: false }
}
