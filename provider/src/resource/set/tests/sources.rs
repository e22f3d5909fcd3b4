//! Whether the machine of the run may fetch what a plan has it fetch.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::backend::release::{Component, Delivery, Package, Release, Releases, Stated};
use crate::backend::windows::connection::Connections;
use crate::config::ProviderConfig;
use crate::resource::set::testing::summaries;
use crate::resource::set::tests::{estate, imported, wanted};

/// A release whose setup is on a server that nobody else has.
fn releases(delivery: Delivery) -> Releases {
    let setup = Package {
        source: Stated::Known("https://files.example:8443/Setup.exe?sig=marker".to_owned()),
        sha256: Stated::Known("0".repeat(64)),
        arguments: Stated::Known(Vec::new()),
        delivery: Stated::Known(delivery),
        publisher: Stated::Absent,
    };
    let sdk = Package { arguments: Stated::Known(Vec::new()), ..Package::default() };
    let packages = BTreeMap::from([(Component::ServerSetup, setup), (Component::WebServiceSdk, sdk)]);
    Releases::new(BTreeMap::from([("7.0.0.9".to_owned(), Release::new(packages))]))
}

/// What a plan says about it when these hosts may be reached.
async fn refused(delivery: Delivery, allowed: &str, version: &str) -> Option<String> {
    let estate = estate("6.3.1.1");
    let mut workspace = imported(&estate).await;
    let allowed = Some(allowed.split(',').map(|text| text.parse().expect("a pattern")).collect());
    let connections = Connections { allowed_hosts: allowed, undecided: true, ..Connections::default() };
    let provider = ProviderConfig::over(estate).with_connections(connections).with_releases(releases(delivery));
    workspace.provider = Arc::new(provider);
    let found = workspace.plan(&wanted(version, "mfa01")).await.diagnostics;
    let refusal = found.iter().find(|found| found.summary.contains("may not fetch"));
    assert_eq!(refusal.is_some(), found.has_errors(), "{}", summaries(&found));
    refusal.map(|found| format!("{}: {}", found.summary, found.detail))
}

#[tokio::test]
async fn a_server_that_this_machine_may_not_ask_is_refused_in_the_plan() {
    let hosts = "mfa0?.contoso.com";
    let message = refused(Delivery::Push, hosts, "7.0.0.9").await.expect("refused");
    let expected = "mfa-eu: this machine may not fetch the server setup 7.0.0.9 from files.example: files.example may not \
                    be reached: the environment variable AZUREMFA_ALLOWED_HOSTS allows only mfa0?.contoso.com.";
    assert!(message.starts_with(expected) && message.contains("delivery = \"pull\""), "{message}");
    assert!(!message.contains("marker"), "{message}");
    assert_eq!(refused(Delivery::Push, "mfa0?.contoso.com,files.example", "7.0.0.9").await, None);
    assert_eq!(refused(Delivery::Push, hosts, "6.3.1.1").await, None, "nothing is fetched");
    assert_eq!(refused(Delivery::Pull, hosts, "7.0.0.9").await, None, "the hosts fetch");
    assert_eq!(refused(Delivery::Auto, hosts, "7.0.0.9").await, None, "the hosts may");
}
