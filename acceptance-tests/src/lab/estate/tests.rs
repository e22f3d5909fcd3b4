//! Estates as they are made, and what operators do to them.

use serde_json::{Value, json};

use super::*;
use crate::lab::host::native::script;
use crate::lab::host::product::component::Component;

fn ask(host: &HostFolder, name: &str, arguments: &Value) -> Value {
    let reply = script::run(host, name, "", &arguments.to_string(), &mut std::io::empty()).pop().expect("a reply");
    let reply: Value = serde_json::from_str(reply.trim_start_matches("AZUREMFA-REPLY:")).expect("JSON");
    assert_eq!(reply["ok"], true, "{reply}");
    reply["result"].clone()
}

fn facts(estate: &Estate, host: &str) -> Value {
    ask(&estate.host(host).expect("a host"), "Get-HostFacts", &json!({}))
}

#[test]
fn the_demo_estate_is_whole() {
    let estate = demo::temporary().expect("an estate");
    let installed = estate.installed().expect("an inventory");
    assert_eq!(installed.len(), 12);
    for row in &installed {
        assert_eq!((row.version.as_str(), row.disagreement()), ("6.3.1.1", None), "{row:?}");
    }
    let roles: Vec<_> = ["mfa01", "mfa02", "mfa03"]
        .map(|host| facts(&estate, host)["server"]["role_evidence"].clone())
        .iter()
        .map(|evidence| (evidence["outbound"].as_i64(), evidence["inbound"].as_i64()))
        .collect();
    assert_eq!(roles, [(Some(0), Some(2)), (Some(1), Some(0)), (Some(1), Some(0))]);
    for host in ["mfa03", "portal01", "portal02", "app01"] {
        for web in facts(&estate, host)["web"].as_array().expect("a list") {
            assert_eq!((&web["pool_runtime"], &web["placeholders"]), (&json!("v2.0"), &json!([])), "{host}");
        }
    }
    let primary = facts(&estate, "adfs01")["adfs"].clone();
    assert_eq!(primary["policy"], json!(["WindowsAzureMultiFactorAuthentication", "CertificateAuthentication"]));
    assert_eq!(primary["providers"][0]["type_name"].as_str().map(|name| name.contains("6.3.0.17452")), Some(true));
    assert_eq!(primary["restarted_since_install"], true);
    let secondary = facts(&estate, "adfs02")["adfs"].clone();
    assert_eq!(
        (&secondary["role"], &secondary["primary"]),
        (&json!("SecondaryComputer"), &json!("adfs01.contoso.com"))
    );
    assert_eq!((&secondary["providers"], &secondary["synchronized"]), (&Value::Null, &json!(true)));
}

#[test]
fn a_promotion_turns_the_connections_around() {
    let estate = demo::temporary().expect("an estate");
    estate.promote("mfa02").expect("promoted");
    let evidence = |host| facts(&estate, host)["server"]["role_evidence"].clone();
    assert_eq!(evidence("mfa02"), json!({ "outbound": 0, "inbound": 2 }));
    assert_eq!(evidence("mfa01"), json!({ "outbound": 1, "inbound": 0 }));
    let journal = estate.journal().expect("a journal");
    assert_eq!((journal[0].host.as_str(), journal[0].what.as_str()), ("mfa02.contoso.com", "operator_promote"));
    assert!(estate.promote("portal01").is_err());
}

#[test]
fn versions_are_set_by_hand() {
    let estate = demo::temporary().expect("an estate");
    let version = |host: &str, component| estate.version_of(host, component).expect("an inventory");
    estate.set_version("mfa03", Some(Component::Server), "7.0.0.9").expect("set");
    assert_eq!(version("mfa03", Component::Server).as_deref(), Some("7.0.0.9"));
    assert_eq!(version("mfa03", Component::UserPortal).as_deref(), Some("6.3.1.1"));
    assert_eq!(version("mfa03", Component::AdfsAdapter), None);
    estate.set_version("adfs01", None, "7.0.0.9").expect("set");
    let adfs = facts(&estate, "adfs01")["adfs"].clone();
    assert_eq!((&adfs["adapter_product_version"], &adfs["restarted_since_install"]), (&json!("7.0.0.9"), &json!(true)));
    estate.set_file_version("portal01", Component::UserPortal, "7.0.0.9").expect("set");
    let portal = facts(&estate, "portal01")["web"][0].clone();
    assert_eq!((&portal["product_version"], &portal["file_version"]), (&json!("6.3.1.1"), &json!("7.0.0.9")));
    assert!(estate.table().expect("a table").contains("6.3.1.1  (file: 7.0.0.9)"));
    // 8.0 has no such component any more, so nothing of it can be set.
    assert!(estate.set_version("app01", None, "8.0.1.1").is_err());
}

#[test]
fn a_restart_ends_what_ran() {
    let estate = demo::temporary().expect("an estate");
    let host = estate.host("portal01").expect("a host");
    let bytes = crate::lab::host::product::release::package("user_portal", "7.0.0.9");
    host.write("C:\\Setup\\p.msi", &bytes).expect("a package");
    estate.set_installer_time(60_000).expect("set");
    let start = json!({
        "installation_id": "one", "file": "C:\\Setup\\p.msi", "arguments": ["/qn"], "timeout_minutes": 5,
        "sha256": crate::lab::host::product::release::sha256(&bytes),
    });
    assert_eq!(ask(&host, "Start-Installer", &start)["started"], true);
    let state = || ask(&host, "Get-InstallerState", &json!({ "installation_id": "one" }))["state"].clone();
    assert_eq!((state(), &facts(&estate, "portal01")["running_installation"]), (json!("running"), &json!("one")));
    estate.reboot("portal01").expect("restarted");
    assert_eq!(state(), "interrupted");
    assert_eq!(facts(&estate, "portal01")["web"][0]["product_version"], "6.3.1.1");
}

#[test]
fn an_installation_runs_to_its_end() {
    let estate = demo::temporary().expect("an estate");
    let host = estate.host("portal01").expect("a host");
    let bytes = crate::lab::host::product::release::package("user_portal", "7.0.0.9");
    host.write("C:\\Setup\\p.msi", &bytes).expect("a package");
    estate.set_installer_time(50).expect("set");
    let sha256 = crate::lab::host::product::release::sha256(&bytes);
    let start = |id: &str| {
        json!({ "installation_id": id, "file": "C:\\Setup\\p.msi", "timeout_minutes": 5, "sha256": sha256,
                "arguments": ["/qn", "TARGETVDIR=MultiFactorAuth"] })
    };
    ask(&host, "Start-Installer", &start("one"));
    let id = json!({ "installation_id": "one" });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while ask(&host, "Get-InstallerState", &id)["state"] == "running" && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(ask(&host, "Get-InstallerState", &id), json!({ "state": "finished", "exit_code": 0 }));
    let log = ["Installation completed successfully", "MainEngineThread is returning 0"];
    let complete = json!({ "exit_code": 0, "reboot_required": false, "log": log });
    assert_eq!(ask(&host, "Complete-Installer", &id), complete);
    assert_eq!(host.state().expect("a state").scheduled_tasks, std::collections::BTreeMap::new());
    assert_eq!(ask(&host, "Start-Installer", &start("one"))["started"], false);
}

#[test]
fn hosts_are_found_by_their_short_names() {
    let estate = demo::temporary().expect("an estate");
    assert!(estate.host("MFA01").is_ok());
    assert!(estate.host("mfa01.CONTOSO.com").is_ok());
    let error = estate.host("mfa09").expect_err("no such host");
    assert!(error.to_string().contains("mfa01.contoso.com"), "{error}");
}

#[test]
fn a_copy_is_an_estate_of_its_own() {
    let estate = demo::temporary().expect("an estate");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let copy = estate.duplicate().expect("a copy");
    assert_eq!(facts(&copy, "adfs01"), facts(&estate, "adfs01"));
    copy.set_version("mfa03", None, "7.0.0.9").expect("set");
    assert_eq!(estate.version_of("mfa03", Component::Server).expect("an inventory").as_deref(), Some("6.3.1.1"));
    assert_eq!(copy.settings().expect("settings"), estate.settings().expect("settings"));
}

#[test]
fn a_secondary_loads_what_it_has_synchronised() {
    let estate = demo::temporary().expect("an estate");
    // Nobody waits that long: what is registered now is not synchronised during this test.
    estate.update_farm(demo::FARM, |farm| farm.poll_seconds = 1_000_000).expect("set");
    let (primary, secondary) = (estate.host("adfs01").expect("a host"), estate.host("adfs02").expect("a host"));
    let old = json!({ "provider_name": "WindowsAzureMultiFactorAuthentication" });
    ask(&primary, "Set-AuthenticationPolicy", &json!({ "disable": [old["provider_name"]] }));
    ask(&primary, "Unregister-Adapter", &old);
    estate.set_version("adfs02", Some(Component::AdfsAdapter), "7.0.0.9").expect("set");
    let errors = |host| ask(host, "Restart-AdfsService", &json!({}))["load_errors"].clone();
    assert_eq!(errors(&primary), json!([]));
    assert!(errors(&secondary)[0].as_str().is_some_and(|text| text.contains("6.3.0.17452")));
    estate.update_farm(demo::FARM, |farm| farm.poll_seconds = 1).expect("set");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(errors(&secondary), json!([]));
}

#[test]
fn the_example_states_the_hashes_of_the_releases() {
    let estate = demo::temporary().expect("an estate");
    let example = crate::paths::root().join("examples/estate/variables.tf");
    let example = std::fs::read_to_string(example).expect("the example");
    for version in demo::RELEASES {
        let stated = format!("\"{version}\" = \"{}\"", estate.server_setup(version).sha256);
        assert!(example.contains(&stated), "the example does not state {stated}");
    }
}
