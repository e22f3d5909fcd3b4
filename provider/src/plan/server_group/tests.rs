//! Tables: what is seen of a group, and the steps it gives.

use expect_test::{Expect, expect};

use crate::backend::facts::{RoleEvidence, WebKind};
use crate::plan::fixtures::{desired, drained, fresh_backups, out, policy, server, views, web};
use crate::plan::server_group::{DeclaredSdk, Group, decide};
use crate::plan::{Acknowledgement, Decision, Desired, Views};
use crate::tf::diagnostic::Severity;

const HOSTS: [&str; 3] = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"];

fn group(master: &str) -> Group {
    Group { master: Some(format!("{master}.contoso.com")), sdk: DeclaredSdk::Anywhere }
}

/// The group of the demo: three servers with their SDKs, a portal on the third.
fn estate(versions: [&str; 3]) -> Views {
    views(HOSTS.into_iter().zip(versions).map(|(host, version)| {
        let mut facts = server(host, version);
        facts.web.push(web(WebKind::WebServiceSdk, version));
        if host.starts_with("mfa03") {
            facts.web.push(web(WebKind::UserPortal, "6.3.1.1"));
        }
        (host, facts)
    }))
}

fn change(views: &mut Views, host: &str, change: impl FnOnce(&mut crate::backend::facts::HostFacts)) {
    match views.get_mut(&format!("{host}.contoso.com")) {
        Some(crate::plan::View::Seen(facts)) => change(facts),
        _ => panic!("{host} is not in the estate"),
    }
}

fn run(desired: &Desired, group: &Group, views: &Views) -> Decision {
    decide(desired, group, views, &policy())
}

/// Steps, outcome and diagnostics as one text.
fn text(decision: &Decision) -> String {
    let mut lines = decision.lines();
    lines.push(format!("-> {} reaches_pin={}", decision.status.as_str(), decision.reaches_pin));
    lines.extend(decision.then.iter().map(|then| format!("then {then}")));
    lines.extend(decision.diagnostics.iter().map(|found| {
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity}: {}", found.summary)
    }));
    lines.join("\n").replace(".contoso.com", "")
}

#[track_caller]
fn check(group: &Group, views: &Views, expected: &Expect) {
    expected.assert_eq(&text(&run(&desired("mfa-eu", "7.0.0.9", &HOSTS), group, views)));
}

#[test]
fn subordinates_go_first_and_the_run_ends_at_the_promotion() {
    check(
        &group("mfa01"),
        &estate(["6.3.1.1"; 3]),
        &expect![[r#"
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
            11. mfa03: traffic is not managed; take the host out of the balancer yourself
            12. mfa03: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
            13. mfa03: back up the co-hosted User Portal (C:\inetpub\wwwroot\MultiFactorAuth)
            14. mfa03: fetch the server setup 7.0.0.9 and check its hash
            15. mfa03: run the server setup 7.0.0.9 in place
            16. mfa03: check the co-hosted User Portal's web.config; put it back if setup replaced it
            17. mfa03: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
            18. mfa03: put the Web Service SDK's old web.config back, or carry its values into the new one
            19. mfa03: set application pool MfaSdk to CLR v4.0
            20. mfa03: verify that MFA Server and its Web Service SDK run 7.0.0.9
            21. mfa03: close this upgrade's backup
            22. mfa01: close this upgrade's backup
            23. mfa01: by hand: promote mfa02 or mfa03, then set master
            -> waiting reaches_pin=false
            then promote one of them by hand
            warning: mfa-eu: a User Portal lives on mfa03"#]],
    );
}

#[test]
fn without_a_promotion_nothing_is_left_to_do_but_that() {
    check(
        &group("mfa01"),
        &estate(["6.3.1.1", "7.0.0.9", "7.0.0.9"]),
        &expect![[r#"
        1. mfa01: by hand: promote mfa02 or mfa03, then set master
        -> waiting reaches_pin=false
        then promote one of them by hand
        warning: mfa-eu waits, by hand: promote mfa02 or mfa03, then set master"#]],
    );
}

#[test]
fn the_old_master_follows_once_another_is_master() {
    check(
        &group("mfa02"),
        &estate(["6.3.1.1", "7.0.0.9", "7.0.0.9"]),
        &expect![[r#"
            1. mfa02: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
            2. mfa01: traffic is not managed; take the host out of the balancer yourself
            3. mfa01: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
            4. mfa01: fetch the server setup 7.0.0.9 and check its hash
            5. mfa01: run the server setup 7.0.0.9 in place
            6. mfa01: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
            7. mfa01: put the Web Service SDK's old web.config back, or carry its values into the new one
            8. mfa01: set application pool MfaSdk to CLR v4.0
            9. mfa01: verify that MFA Server and its Web Service SDK run 7.0.0.9
            10. mfa01: close this upgrade's backup
            11. mfa02: close this upgrade's backup
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_half_done_install_is_repaired() {
    let mut views = estate(["7.0.0.9"; 3]);
    change(&mut views, "mfa02", |facts| {
        facts.server.as_mut().expect("a server").file_version = Some("6.3.1.1".to_owned());
    });
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
            1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
            2. mfa02: traffic is not managed; take the host out of the balancer yourself
            3. mfa02: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
            4. mfa02: fetch the server setup 7.0.0.9 and check its hash
            5. mfa02: run the server setup 7.0.0.9 in place
            6. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
            7. mfa02: close this upgrade's backup
            8. mfa01: close this upgrade's backup
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn an_sdk_left_behind_is_brought_along_on_the_master_too() {
    let mut views = estate(["7.0.0.9"; 3]);
    change(&mut views, "mfa01", |facts| facts.web = vec![web(WebKind::WebServiceSdk, "6.3.1.1")]);
    change(&mut views, "mfa02", |facts| facts.web[0].pool_runtime = "v2.0".to_owned());
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
        1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa02: set application pool MfaSdk to CLR v4.0
        3. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        4. mfa01: traffic is not managed; take the host out of the balancer yourself
        5. mfa01: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        6. mfa01: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
        7. mfa01: put the Web Service SDK's old web.config back, or carry its values into the new one
        8. mfa01: set application pool MfaSdk to CLR v4.0
        9. mfa01: verify that MFA Server and its Web Service SDK run 7.0.0.9
        10. mfa01: close this upgrade's backup
        -> current reaches_pin=true"#]],
    );
}

#[test]
fn a_stopped_service_is_for_a_person() {
    let mut views = estate(["7.0.0.9"; 3]);
    change(&mut views, "mfa03", |facts| {
        facts.server.as_mut().expect("a server").service_state = Some("Stopped".to_owned());
    });
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
        1. mfa03: by hand: start the service MultiFactorAuth on mfa03
        -> waiting reaches_pin=false
        then start MultiFactorAuth on mfa03 by hand
        warning: mfa-eu waits, by hand: start the service MultiFactorAuth on mfa03"#]],
    );
}

#[test]
fn a_group_of_one_has_no_gate() {
    let views = views([(HOSTS[0], server(HOSTS[0], "6.3.1.1"))]);
    let group = Group { master: None, sdk: DeclaredSdk::None };
    let decision = run(&desired("mfa-lab", "7.0.0.9", &HOSTS[..1]), &group, &views);
    expect![[r#"
        1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa01: traffic is not managed; take the host out of the balancer yourself
        3. mfa01: fetch the server setup 7.0.0.9 and check its hash
        4. mfa01: run the server setup 7.0.0.9 in place
        5. mfa01: verify that MFA Server runs 7.0.0.9
        6. mfa01: close this upgrade's backup
        -> current reaches_pin=true"#]]
    .assert_eq(&text(&decision));
}

#[test]
fn an_added_host_is_adopted_in_its_place() {
    let mut views = estate(["7.0.0.9"; 3]);
    views.remove(HOSTS[1]);
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
            1. mfa01: back up the data folder, if an added host has to be upgraded (C:\Program Files\Multi-Factor Authentication Server\Data)
            2. mfa02: adopt, and upgrade to 7.0.0.9 when below
            3. mfa01: close this upgrade's backup
            -> current reaches_pin=true"#]],
    );
}

#[test]
fn the_master_must_be_named_and_not_contradicted() {
    let nobody = Group { master: None, sdk: DeclaredSdk::Anywhere };
    check(
        &nobody,
        &estate(["6.3.1.1"; 3]),
        &expect![[r#"
        -> behind reaches_pin=false
        error: mfa-eu: who is master?"#]],
    );
    let mut views = estate(["6.3.1.1"; 3]);
    change(&mut views, "mfa02", |facts| {
        facts.server.as_mut().expect("a server").role_evidence = RoleEvidence { outbound: 0, inbound: 2 };
    });
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        error: mfa-eu: mfa01 does not look like the master"#]],
    );
}

#[test]
fn what_is_not_declared_is_refused_with_the_line_to_add() {
    let none = Group { sdk: DeclaredSdk::None, ..group("mfa01") };
    let decision = run(&desired("mfa-eu", "7.0.0.9", &HOSTS), &none, &estate(["6.3.1.1"; 3]));
    let error = decision.diagnostics.iter().next().expect("a diagnostic");
    expect![[r#"The Web Service SDK is installed on mfa01.contoso.com in the virtual directory MultiFactorAuthWebServiceSdk, and has to be upgraded right after its server. Add this line: web_service_sdk = { virtual_directory = "MultiFactorAuthWebServiceSdk" }"#]].assert_eq(&error.detail);
    let elsewhere = Group { sdk: DeclaredSdk::At("Sdk".to_owned()), ..group("mfa01") };
    check(
        &elsewhere,
        &estate(["7.0.0.9", "7.0.0.9", "7.0.0.9"]),
        &expect![[r#"
        -> current reaches_pin=true
        error: mfa-eu: the Web Service SDK on mfa01 is elsewhere
        error: mfa-eu: the Web Service SDK on mfa02 is elsewhere
        error: mfa-eu: the Web Service SDK on mfa03 is elsewhere"#]],
    );
}

#[test]
fn a_shared_application_pool_needs_an_acknowledgement() {
    let mut views = estate(["6.3.1.1"; 3]);
    change(&mut views, "mfa03", |facts| {
        facts.web.iter_mut().for_each(|component| component.application_pool = "DefaultAppPool".to_owned());
    });
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
            -> behind reaches_pin=false
            then promote one of them by hand
            error: mfa-eu: shared_application_pool
            warning: mfa-eu: a User Portal lives on mfa03"#]],
    );
    let acknowledged = Acknowledgement {
        check: "shared_application_pool".to_owned(),
        reason: "CHG-1042".to_owned(),
        until: Some("2026-12-01T00:00:00Z".to_owned()),
        ended: false,
    };
    let mut wanted = desired("mfa-eu", "7.0.0.9", &HOSTS);
    wanted.acknowledged.push(acknowledged);
    assert!(!run(&wanted, &group("mfa01"), &views).diagnostics.has_errors());
    wanted.acknowledged[0].ended = true;
    assert!(run(&wanted, &group("mfa01"), &views).diagnostics.has_errors());
}

#[test]
fn a_release_that_does_not_say_how_it_is_installed_is_refused() {
    let mut policy = policy();
    policy.installable.server_setup = false;
    policy.installable.web_service_sdk = false;
    let decision = decide(&desired("mfa-eu", "7.0.0.9", &HOSTS), &group("mfa01"), &estate(["6.3.1.1"; 3]), &policy);
    let error = decision.diagnostics.iter().find(|found| found.severity == Severity::Error).expect("an error");
    expect![[r#"
        mfa-eu: release 7.0.0.9 does not say how it is installed
        What is run on the hosts, and with which arguments it runs silently, is for you to state: nobody has documented it. In the provider's configuration, under releases = { "7.0.0.9" = { … } }, add: server_setup = { source = "https://…/MultiFactorAuthenticationServerSetup.exe", sha256 = "…", arguments = ["…"] }; web_service_sdk = { arguments = ["TARGETVDIR={virtual_directory}", …] }"#]].assert_eq(&format!("{}\n{}", error.summary, error.detail));
    assert!(decision.steps.is_empty(), "a refused run has no steps");
}

#[test]
fn a_master_without_its_data_is_refused() {
    let mut views = estate(["6.3.1.1"; 3]);
    change(&mut views, "mfa01", |facts| facts.server.as_mut().expect("a server").data_file_exists = false);
    check(
        &group("mfa01"),
        &views,
        &expect![[r#"
        -> behind reaches_pin=false
        then promote one of them by hand
        warning: mfa-eu: a User Portal lives on mfa03
        error: mfa-eu: the master has no data file"#]],
    );
}

#[test]
fn an_earlier_backup_is_superseded_only_while_nothing_can_have_been_replaced() {
    #[track_caller]
    fn check(views: &Views, expected: &[&str]) {
        let decision = run(&desired("mfa-eu", "7.0.0.9", &HOSTS), &group("mfa01"), views);
        assert_eq!(fresh_backups(&decision), expected);
    }
    let changed = |host: &str, alter: fn(&mut crate::backend::facts::HostFacts)| {
        let mut views = estate(["6.3.1.1"; 3]);
        change(&mut views, host, alter);
        views
    };
    let (data, portal) = ("mfa01 the data folder", "mfa03 the co-hosted User Portal");
    let (second, third) = ("mfa02 the Web Service SDK", "mfa03 the Web Service SDK");
    check(&estate(["6.3.1.1"; 3]), &[data, second, third, portal]);
    // One server is done: its data format may be in the folder by now.
    check(&estate(["6.3.1.1", "7.0.0.9", "6.3.1.1"]), &[third, portal]);
    // A setup that runs, or broke off, may have replaced anything on its host.
    check(
        &changed("mfa02", |facts| facts.running_installation = Some("server_setup-7.0.0.9".to_owned())),
        &[third, portal],
    );
    check(
        &changed("mfa03", |facts| {
            facts.server.as_mut().expect("a server").file_version = Some("7.0.0.9".to_owned());
        }),
        &[second],
    );
    check(&changed("mfa02", |facts| facts.web[0].file_version = Some("7.0.0.9".to_owned())), &[data, third, portal]);
    check(&changed("mfa03", |facts| facts.web[1].placeholders = vec!["x".to_owned()]), &[data, second, third]);
    // The server's setup has run before the package of its SDK.
    check(&changed("mfa02", |facts| *facts = server_with_old_sdk()), &[third, portal]);
}

fn server_with_old_sdk() -> crate::backend::facts::HostFacts {
    let mut facts = server(HOSTS[1], "7.0.0.9");
    facts.web.push(web(WebKind::WebServiceSdk, "6.3.1.1"));
    facts
}

#[test]
fn a_lone_sdk_package_needs_visual_c_on_its_host() {
    #[track_caller]
    fn check(versions: [&str; 3], expected: &[&str]) {
        let mut views = estate(versions);
        change(&mut views, "mfa02", |facts| {
            facts.web[0] = web(WebKind::WebServiceSdk, "6.3.1.1");
            facts.vc_redist_x64 = Some("14.0.23026".to_owned());
            facts.vc_redist_x86 = None;
        });
        let decision = run(&desired("mfa-eu", "7.0.0.9", &HOSTS), &group("mfa01"), &views);
        let errors: Vec<&str> = decision
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| found.detail.as_str())
            .collect();
        assert_eq!(errors, expected);
    }
    check(
        ["7.0.0.9"; 3],
        &[
            "mfa02.contoso.com lacks the Visual C++ 2015 Update 1 redistributable or later, x64 (found 14.0.23026; 14.0.23506 \
           is the least); mfa02.contoso.com lacks the Visual C++ 2015 Update 1 redistributable or later, x86 (found none; \
           14.0.23506 is the least). MultiFactorAuthenticationWebServiceSdkSetup64.msi needs them there, and the server setup, \
           which would bring them, has run before. Install what is missing, then plan again.",
        ],
    );
    // Here the server setup runs and brings both.
    check(["7.0.0.9", "6.3.1.1", "7.0.0.9"], &[]);
}

/// The SDK's upgrade takes a server out as the server's own does; the last put back comes after the master's backup is closed.
#[test]
fn servers_are_out_of_their_balancer_while_they_are_changed() {
    let desired = drained(desired("mfa-eu", "7.0.0.9", &HOSTS));
    let mut views = estate(["6.3.1.1", "6.3.1.1", "7.0.0.9"]);
    change(&mut views, "mfa03", |facts| {
        for sdk in facts.web.iter_mut().filter(|web| web.component == WebKind::WebServiceSdk) {
            *sdk = web(WebKind::WebServiceSdk, "6.3.1.1");
        }
    });
    let found = text(&run(&desired, &group("mfa01"), &views));
    expect![[r#"
        1. mfa01: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa02: take it out of balancer lb, and wait 30 s
        3. mfa02: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        4. mfa02: fetch the server setup 7.0.0.9 and check its hash
        5. mfa02: run the server setup 7.0.0.9 in place
        6. mfa02: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
        7. mfa02: put the Web Service SDK's old web.config back, or carry its values into the new one
        8. mfa02: set application pool MfaSdk to CLR v4.0
        9. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        10. mfa02: close this upgrade's backup
        11. mfa02: put it back into balancer lb
        12. mfa03: take it out of balancer lb, and wait 30 s
        13. mfa03: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        14. mfa03: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk
        15. mfa03: put the Web Service SDK's old web.config back, or carry its values into the new one
        16. mfa03: set application pool MfaSdk to CLR v4.0
        17. mfa03: verify that MFA Server and its Web Service SDK run 7.0.0.9
        18. mfa03: close this upgrade's backup
        19. mfa01: close this upgrade's backup
        20. mfa03: put it back into balancer lb
        21. mfa01: by hand: promote mfa02 or mfa03, then set master
        -> waiting reaches_pin=false
        then promote one of them by hand"#]]
    .assert_eq(&found);
}

#[test]
fn a_server_that_was_left_out_is_put_back() {
    let mut desired = drained(desired("mfa-eu", "7.0.0.9", &HOSTS));
    desired.out = out(HOSTS[1]);
    let whole = estate(["7.0.0.9", "7.0.0.9", "7.0.0.9"]);
    let found = text(&run(&desired, &group("mfa01"), &whole));
    expect![[r#"
        1. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9
        2. mfa02: put it back into balancer lb
        -> current reaches_pin=true"#]]
    .assert_eq(&found);
}
