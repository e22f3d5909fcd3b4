//! Hosts that are named with a port: it says where they are reached, and is no part of who they are.

use std::sync::Arc;

use crate::plan::fixtures::server;
use crate::resource::set::testing::backend::Estate;
use crate::resource::set::testing::{Workspace, summaries, validate};
use crate::resource::set::tests::{HOSTS, estate, group, wanted};
use crate::tf::value::Value;

/// The demo's hosts, each with its port; 0 stands for none.
fn at(ports: [u16; 3]) -> Vec<String> {
    let text = |(host, port)| if port == 0 { String::from(host) } else { format!("{host}:{port}") };
    HOSTS.into_iter().zip(ports).map(text).collect()
}

fn wanted_at(version: &str, master: &str, ports: [u16; 3]) -> Value {
    let mut config = wanted(version, master);
    config.set("hosts", Value::strings(at(ports)));
    config
}

async fn imported(estate: &Arc<Estate>, ports: [u16; 3]) -> Workspace<'static> {
    let mut workspace = Workspace::new(group(), estate);
    let diagnostics = workspace.import(&format!("mfa-eu={}", at(ports).join(","))).await;
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    workspace
}

#[tokio::test]
async fn every_call_goes_to_the_port_and_every_name_is_without_it() {
    let estate = estate("6.3.1.1");
    let ports = [5001, 5002, 0];
    let mut workspace = imported(&estate, ports).await;
    let reached = at(ports);
    assert_eq!(estate.reached(), reached);
    let planned = workspace.plan(&wanted_at("7.0.0.9", "mfa01", ports)).await;
    assert!(planned.steps().iter().all(|step| !step.contains(":500")), "{:?}", planned.steps());
    assert!(!workspace.apply(&planned).await.has_errors());
    let planned = workspace.refresh_and_plan(&wanted_at("7.0.0.9", "mfa02", ports)).await;
    assert!(!workspace.apply(&planned).await.has_errors());
    assert_eq!(estate.reached(), reached);
    assert_eq!(workspace.text("version"), "7.0.0.9");
    assert_eq!(workspace.version_of(HOSTS[0]), "7.0.0.9");
    let token = "server_group/mfa-eu pin=7.0.0.9 lowest=7.0.0.9 wave=1 whole=yes \
                 at_pin=mfa01.contoso.com:5001,mfa02.contoso.com:5002,mfa03.contoso.com";
    assert_eq!(workspace.text("ready"), token);
    let planned = workspace.refresh_and_plan(&wanted_at("7.0.0.9", "mfa02", ports)).await;
    assert!(!planned.changes(), "{}", planned.diff());
}

#[tokio::test]
async fn another_port_alone_is_another_text_and_nothing_else() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate, [0; 3]).await;
    let planned = workspace.plan(&wanted("7.0.0.9", "mfa01")).await;
    workspace.apply(&planned).await;
    let private = workspace.private.clone();
    for ports in [[5001, 0, 0], [5002, 5002, 5002], [0; 3]] {
        let planned = workspace.refresh_and_plan(&wanted_at("7.0.0.9", "mfa01", ports)).await;
        let changed: Vec<String> =
            planned.diff().lines().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(changed, ["hosts", "ready"]);
        assert_eq!(summaries(&planned.diagnostics), "");
        assert_eq!(summaries(&workspace.apply(&planned).await), "");
        assert_eq!(workspace.private, private);
        estate.reached();
        let planned = workspace.refresh_and_plan(&wanted_at("7.0.0.9", "mfa01", ports)).await;
        assert!(!planned.changes(), "{}", planned.diff());
        assert_eq!(estate.reached(), at(ports));
    }
    assert!(estate.performed().is_empty());
}

#[tokio::test]
async fn a_host_keeps_its_version_when_its_port_changes_with_its_letters() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate, [0; 3]).await;
    let mut config = wanted_at("7.0.0.9", "mfa01", [0, 5002, 0]);
    let planned = workspace.plan(&config).await;
    workspace.apply(&planned).await;
    config.set("hosts", Value::strings([HOSTS[0], "MFA02.contoso.com:5003", HOSTS[2]]));
    let planned = workspace.plan(&config).await;
    assert_eq!(summaries(&planned.diagnostics), "", "nothing is added or forgotten");
    assert!(planned.steps().is_empty());
}

#[tokio::test]
async fn a_port_that_moved_is_corrected_without_a_read() {
    let estate = estate("7.0.0.9");
    let mut workspace = imported(&estate, [5001, 0, 0]).await;
    let planned = workspace.plan(&wanted_at("7.0.0.9", "mfa01", [5001, 0, 0])).await;
    workspace.apply(&planned).await;
    estate.set_unreachable(HOSTS[0], true);
    let diagnostics = workspace.refresh().await;
    let error = diagnostics.iter().next().expect("an error");
    assert!(error.detail.contains("State says port 5001.") && error.detail.contains("-refresh=false"), "{error:?}");
    estate.set_unreachable(HOSTS[0], false);
    let planned = workspace.plan(&wanted_at("7.0.0.9", "mfa01", [5009, 0, 0])).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    estate.reached();
    assert_eq!(summaries(&workspace.refresh().await), "");
    assert_eq!(estate.reached(), at([5009, 0, 0]));
}

#[tokio::test]
async fn an_added_host_is_looked_at_by_its_port() {
    let estate = Arc::new(Estate::new(HOSTS.map(|host| (host, server(host, "7.0.0.9")))));
    let mut workspace = Workspace::new(group(), &estate);
    workspace.import("mfa-eu=mfa01.contoso.com,mfa02.contoso.com").await;
    let mut config = wanted_at("7.0.0.9", "mfa01", [0, 0, 5003]);
    config.set("web_service_sdk", Value::Null);
    estate.reached();
    let planned = workspace.plan(&config).await;
    assert!(summaries(&planned.diagnostics).contains("warning: mfa-eu: mfa03 is added"), "{:?}", planned.diagnostics);
    assert_eq!(estate.reached(), ["mfa03.contoso.com:5003"]);
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(estate.reached(), at([0, 0, 5003]));
}

#[tokio::test]
async fn a_new_resource_adopts_and_shows_an_id_with_the_ports() {
    let behind = estate("6.3.1.1");
    let ports = [5001, 0, 5003];
    let planned = Workspace::new(group(), &behind).plan(&wanted_at("7.0.0.9", "mfa01", ports)).await;
    let error = planned.diagnostics.iter().next().expect("an error");
    assert!(error.detail.contains(&format!("id = \"mfa-eu={}\"", at(ports).join(","))), "{}", error.detail);
    let whole = estate("7.0.0.9");
    let mut workspace = Workspace::new(group(), &whole);
    let planned = workspace.plan(&wanted_at("7.0.0.9", "mfa01", ports)).await;
    assert_eq!(summaries(&workspace.apply(&planned).await), "");
    assert_eq!(whole.reached(), at(ports));
}

/// What is refused, where, and a part of why.
#[track_caller]
fn check(hosts: [&str; 2], master: &str, expected: &str) {
    let mut config = wanted("7.0.0.9", "mfa01");
    config.set("hosts", Value::strings(hosts));
    config.set("master", master.into());
    let found = validate(group(), &config);
    let found: Vec<String> = found
        .iter()
        .map(|found| format!("{}: {}: {}", found.path.clone().unwrap_or_default(), found.summary, found.detail))
        .collect();
    let found = found.join("; ");
    assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{found}");
}

#[test]
fn the_name_alone_tells_hosts_apart() {
    check(["mfa01:5001", "mfa02"], "mfa01", "");
    check(["mfa01:5001", "mfa02"], "MFA01:5001", "");
    check(["[fd00::1]:5001", "[fd00::2]"], "[fd00:0::1]", "");
    check(
        ["mfa01:5001", "mfa02"],
        "mfa01:5002",
        "master: Another port than in hosts: mfa01:5002 stands in hosts as mfa01:5001",
    );
    check(["mfa01", "mfa02"], "mfa01:5002", "master: Another port than in hosts");
    check(["mfa01", "mfa02"], "mfa03:5001", "master: The master is not among the hosts: \"mfa03\"");
    check(
        ["mfa01:5001", "MFA01:5002"],
        "mfa01",
        "hosts[1]: The same host twice: MFA01:5002 is there before as mfa01:5001",
    );
    check(["mfa01:5001", "mfa01"], "mfa01", "hosts[1]: The same host twice: mfa01 is there before as mfa01:5001");
    check(["mfa01:5001", "mfa01:5001"], "mfa01", "hosts[1]: The same host twice: mfa01 is there twice");
    check(["[fd00::1]:1", "[FD00:0::1]:2"], "[fd00::1]", "hosts[1]: The same host twice");
}

#[test]
fn other_texts_are_refused_where_they_stand() {
    for host in ["mfa02:0", "mfa02:65536", "mfa02:", "", "fd00::2:5985", "https://mfa02", "mfa02/wsman", "[fd00::2"] {
        check(["mfa01", host], "mfa01", "hosts[1]: Invalid host: ");
        check(["mfa01", "mfa02"], host, "master: Invalid host: ");
    }
    check(["mfa01", "fd00::2:5985"], "mfa01", "write [fd00::2:5985] or [fd00::2]:5985. Accepted are a name");
}
