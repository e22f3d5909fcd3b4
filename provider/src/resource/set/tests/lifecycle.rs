//! Import, two stages with the promotion between them, rest, drift.

use expect_test::expect;

use crate::resource::set::testing::summaries;
use crate::resource::set::tests::{HOSTS, estate, imported, wanted};

#[tokio::test]
async fn an_estate_is_upgraded_in_two_stages() {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    assert_eq!(workspace.text("version"), "6.3.1.1");

    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    expect!["warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa02, mfa03; then promote one of them by hand"]
        .assert_eq(&summaries(&planned.diagnostics));
    expect![[r#"
        allow_major_upgrade: null -> true
        master: null -> "mfa01"
        ready: "server_group/mfa-eu pin=6.3.1.1 lowest=6.3.1.1 wave=1 whole=yes at_pin=mfa01,mfa02,mfa03" -> "server_group/mfa-eu pin=7.0.0.9 lowest=6.3.1.1 wave=1 whole=no at_pin=mfa02,mfa03"
        steps: [] -> ["1. mfa01: back up the data folder (C:\\Program Files\\Multi-Factor Authentication Server\\Data)", "2. mfa02: traffic is not managed; take the host out of the balancer yourself", "3. mfa02: back up the Web Service SDK (C:\\inetpub\\wwwroot\\MultiFactorAuthWebServiceSdk)", "4. mfa02: fetch the server setup 7.0.0.9 and check its hash", "5. mfa02: run the server setup 7.0.0.9 in place", "6. mfa02: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk", "7. mfa02: put the Web Service SDK's old web.config back, or carry its values into the new one", "8. mfa02: set application pool MfaSdk to CLR v4.0", "9. mfa02: verify that MFA Server and its Web Service SDK run 7.0.0.9", "10. mfa02: close this upgrade's backup", "11. mfa03: traffic is not managed; take the host out of the balancer yourself", "12. mfa03: back up the Web Service SDK (C:\\inetpub\\wwwroot\\MultiFactorAuthWebServiceSdk)", "13. mfa03: fetch the server setup 7.0.0.9 and check its hash", "14. mfa03: run the server setup 7.0.0.9 in place", "15. mfa03: upgrade the Web Service SDK to 7.0.0.9 in the same virtual directory MultiFactorAuthWebServiceSdk", "16. mfa03: put the Web Service SDK's old web.config back, or carry its values into the new one", "17. mfa03: set application pool MfaSdk to CLR v4.0", "18. mfa03: verify that MFA Server and its Web Service SDK run 7.0.0.9", "19. mfa03: close this upgrade's backup", "20. mfa01: close this upgrade's backup", "21. mfa01: by hand: promote mfa02 or mfa03, then set master"]
        target_version: "6.3.1.1" -> "7.0.0.9"
        version_status: "current" -> "waiting"
        versions: {mfa01 = "6.3.1.1", mfa02 = "6.3.1.1", mfa03 = "6.3.1.1"} -> {mfa01 = "6.3.1.1", mfa02 = "7.0.0.9", mfa03 = "7.0.0.9"}
        web_service_sdk_versions: {mfa01 = "6.3.1.1", mfa02 = "6.3.1.1", mfa03 = "6.3.1.1"} -> {mfa01 = "6.3.1.1", mfa02 = "7.0.0.9", mfa03 = "7.0.0.9"}"#]].assert_eq(&planned.diff());
    let applied = workspace.apply(&planned).await;
    expect!["warning: mfa-eu, by hand: promote mfa02 or mfa03, then set master"].assert_eq(&summaries(&applied));
    assert_eq!(workspace.text("version"), "6.3.1.1", "a run that ends before the pin does not move the version");
    assert_eq!(workspace.version_of(HOSTS[1]), "7.0.0.9");

    // Nobody promoted: the plan says so again and is a change, so that the exit code is 2.
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert!(planned.changes());
    assert_eq!(planned.steps().len(), 1, "{:?}", planned.steps());

    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa02")).await;
    expect!["warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa01"].assert_eq(&summaries(&planned.diagnostics));
    let applied = workspace.apply(&planned).await;
    assert_eq!(summaries(&applied), "");
    assert_eq!(workspace.text("version"), "7.0.0.9");
    assert_eq!(workspace.text("version_status"), "current");

    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa02")).await;
    assert!(!planned.changes(), "{:#?}", planned.value);
    assert_eq!(summaries(&planned.diagnostics), "");
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa02")).await;
    assert!(!planned.changes(), "without refresh as well");
}

#[tokio::test]
async fn drift_is_a_change_of_the_version() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    workspace.apply(&planned).await;
    estate.change(HOSTS[2], |facts| {
        let server = facts.server.as_mut().expect("a server");
        server.product_version = Some("6.3.1.1".to_owned());
        server.file_version = Some("6.3.1.1".to_owned());
    });
    let planned = workspace.refresh_and_plan(&wanted("7.0.0.9", "mfa01")).await;
    assert_eq!(planned.prior.attribute("version").as_str(), Some("6.3.1.1"));
    assert_eq!(planned.value.attribute("version").as_str(), Some("7.0.0.9"));
    expect!["warning: Order 1: mfa-eu 6.3.1.1 -> 7.0.0.9 on mfa03"].assert_eq(&summaries(&planned.diagnostics));
    expect![[r#"
        1. mfa01.contoso.com: back up the data folder (C:\Program Files\Multi-Factor Authentication Server\Data)
        2. mfa03.contoso.com: traffic is not managed; take the host out of the balancer yourself
        3. mfa03.contoso.com: back up the Web Service SDK (C:\inetpub\wwwroot\MultiFactorAuthWebServiceSdk)
        4. mfa03.contoso.com: fetch the server setup 7.0.0.9 and check its hash
        5. mfa03.contoso.com: run the server setup 7.0.0.9 in place
        6. mfa03.contoso.com: verify that MFA Server and its Web Service SDK run 7.0.0.9
        7. mfa03.contoso.com: close this upgrade's backup
        8. mfa01.contoso.com: close this upgrade's backup"#]]
    .assert_eq(&planned.steps().join("\n"));
}
