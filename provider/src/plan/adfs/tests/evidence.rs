//! Evidence and end-state facts, as Read tells them.

use expect_test::{Expect, expect};

use crate::plan::adfs::tests::{FARM, at, farm, install};
use crate::plan::adfs::{NEW_NAME, evidence, gaps};
use crate::plan::fixtures::{change, registration};
use crate::plan::{View, Views};

/// What is told of the farm at a pin.
#[track_caller]
fn told(views: &Views, pin: &str, expected: &Expect) {
    let hosts: Vec<String> = FARM.iter().map(|host| (*host).to_owned()).collect();
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
    expected.assert_eq(&lines.join("\n").replace(".contoso.com", ""));
}

#[test]
fn what_is_registered_is_held_against_what_is_installed() {
    told(
        &farm(&FARM, "6.3.1.1"),
        "6.3.1.1",
        &expect![[r#"
        adfs01: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)"#]],
    );
    let mut views = farm(&FARM, "6.3.1.1");
    install(&mut views, "adfs01", "7.0.0.9");
    told(
        &views,
        "7.0.0.9",
        &expect![[r#"
        adfs01: 7.0.0.9 agrees=false (uninstall entry 7.0.0.9, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs01 lacks: AD FS has not been restarted since the adapter was installed
        adfs01 lacks: WindowsAzureMultiFactorAuthentication is still registered
        adfs01 lacks: AzureMfaServerAuthentication is not registered
        adfs01 lacks: the global policy does not name AzureMfaServerAuthentication"#]],
    );
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(Vec::new());
        adfs.policy = Some(Vec::new());
    });
    told(
        &views,
        "7.0.0.9",
        &expect![[r#"
        adfs01: 7.0.0.9 agrees=false (uninstall entry 7.0.0.9, nothing registered)
        adfs02: 6.3.1.1 agrees=false (uninstall entry 6.3.1.1, nothing registered)
        adfs01 lacks: AD FS has not been restarted since the adapter was installed
        adfs01 lacks: AzureMfaServerAuthentication is not registered
        adfs01 lacks: the global policy does not name AzureMfaServerAuthentication, so users are not asked for the second factor"#]],
    );
    at(&mut views, "adfs01", |adfs| {
        adfs.providers = Some(vec![registration("7.0.0.9"), registration("6.3.1.1")]);
        adfs.policy = Some(vec![NEW_NAME.to_owned()]);
        adfs.restarted_since_install = Some(true);
        adfs.restarted_since_registration = Some(false);
    });
    told(
        &views,
        "7.0.0.9",
        &expect![[r#"
        adfs01: 7.0.0.9 agrees=true (uninstall entry 7.0.0.9, registered AzureMfaServerAuthentication of assembly 7.0.0.9 and WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, registered AzureMfaServerAuthentication of assembly 7.0.0.9 and WindowsAzureMultiFactorAuthentication of assembly 6.3.0.17452)
        adfs01 lacks: AD FS has not been restarted since the adapter was registered
        adfs01 lacks: WindowsAzureMultiFactorAuthentication is still registered"#]],
    );
}

#[test]
fn what_nobody_can_tell_is_not_held_against_a_host() {
    let mut views = farm(&FARM, "6.3.1.1");
    views.insert(FARM[0].to_owned(), View::Unreachable { reason: "it is off".to_owned() });
    told(
        &views,
        "7.0.0.9",
        &expect![[r#"
        adfs01: none
        adfs02: 6.3.1.1 agrees=true (uninstall entry 6.3.1.1, assembly 6.3.0.17452 (what is registered could not be read))"#]],
    );
    let mut views = farm(&FARM, "7.0.0.9");
    at(&mut views, "adfs02", |adfs| {
        adfs.adapter_product_version = None;
        adfs.service_state = Some("Stopped".to_owned());
    });
    change(&mut views, "adfs01", |facts| facts.adfs = None);
    told(
        &views,
        "7.0.0.9",
        &expect![[r#"
        adfs01: none
        adfs02: 7.0.0.9 agrees=false (uninstall entry missing, assembly 7.0.0.9 (what is registered could not be read))
        adfs02 lacks: the service adfssrv is Stopped"#]],
    );
}
