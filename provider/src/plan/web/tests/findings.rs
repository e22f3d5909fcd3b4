//! What stands against a run, and hosts that are away or new.

use expect_test::expect;

use crate::backend::facts::WebKind;
use crate::plan::fixtures::{change, group, host, policy, text, web};
use crate::plan::web::tests::{PORTALS, acknowledged, check, details, estate, portals, run, wanted};
use crate::plan::web::{WebSet, decide};
use crate::plan::{Installable, Policy, View};

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
        2. portal02: traffic is not managed; take the host out of the balancer yourself
        3. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        4. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02 or mfa01
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
        1. portal02: traffic is not managed; take the host out of the balancer yourself
        2. portal02: back up the User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
        3. portal02: bring MultiFactorAuthenticationUserPortalSetup64.msi 7.0.0.9 from mfa02 or mfa01
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

#[test]
fn a_set_that_waits_foretells_what_its_turn_would_be_refused_for() {
    let mut desired = wanted("7.0.0.9");
    desired.after = vec![group("7.0.0.9", "6.3.1.1", &[])];
    desired.allow_major_upgrade = false;
    let mut views = estate("6.3.1.1");
    change(&mut views, "portal02", |facts| {
        facts.vc_redist_x86 = None;
        facts.administrator = false;
    });
    change(&mut views, "portal01", |facts| {
        let mut other = web(WebKind::MobileAppWebService, "6.3.1.1");
        other.application_pool.clone_from(&facts.web[0].application_pool);
        facts.web.push(other);
    });
    let bare = Policy { installable: Installable::default(), ..policy() };
    let decision = decide(&desired, &portals(), &views, &bare);
    expect![[r#"
        1. portal01: waits for mfa-eu to run 7.0.0.9
        -> waiting reaches_pin=false
        warning: portal-dmz waits for mfa-eu to run 7.0.0.9
        warning: portal-dmz: its turn will be refused for 4 reasons"#]]
    .assert_eq(&text(&decision));
    let told = details(&decision);
    for part in [
        "- no administrator rights on portal02",
        "- 7.0.0.9 is another major version: ",
        "allow_major_upgrade = true",
        "portal02.dmz.contoso.com lacks the Visual C++ 2015 Update 1 redistributable or later, x86",
        "- shared_application_pool: ",
        "- release 7.0.0.9 is not declared: ",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    // At its turn they are errors.
    desired.after = vec![group("7.0.0.9", "7.0.0.9", &["mfa02.contoso.com"])];
    assert!(decide(&desired, &portals(), &views, &bare).diagnostics.has_errors());
}
