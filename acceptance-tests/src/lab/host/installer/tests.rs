//! What setup programs do to hosts, and what they refuse.

use serde_json::Value;

use super::*;
use crate::lab::estate::host_builder::{HostBuilder, Place};
use crate::lab::estate::{Estate, demo};
use crate::lab::host::native::script;
use crate::lab::host::product::adapter;
use crate::lab::host::product::web_config::LOCAL_PLACEHOLDER;

const PORTAL: &str = "portal01.dmz.contoso.com";
const FILE: &str = "C:\\Setup\\package.msi";
const QUIET: &[&str] = &["/qn", "/norestart"];

/// An estate of one host.
struct Fixture {
    estate: Estate,
    host: HostFolder,
}

impl Fixture {
    fn new(host: HostBuilder) -> Self {
        let estate = Estate::temporary().expect("an estate");
        let host = host.write(&estate).expect("a host");
        Self { estate, host }
    }

    #[track_caller]
    fn install(&self, package: &str, version: &str, arguments: &[&str]) -> Outcome {
        self.host.write(FILE, release::package(package, version)).expect("a package");
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        install(&self.host, &Order { file: FILE.to_owned(), arguments }, &|| true).expect("the lab works")
    }

    #[track_caller]
    fn check(&self, package: &str, version: &str, arguments: &[&str], expected: i32) {
        assert_eq!(self.install(package, version, arguments), Outcome::Exit(expected), "{package} {version}");
    }

    fn facts(&self) -> Value {
        facts(&self.host)
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.host.read(path).expect(path)).expect("a text")
    }
}

fn facts(host: &HostFolder) -> Value {
    let reply = script::run(host, "Get-HostFacts", "", "{}", &mut std::io::empty()).pop().expect("a reply");
    let reply: Value = serde_json::from_str(reply.trim_start_matches("AZUREMFA-REPLY:")).expect("JSON");
    assert_eq!(reply["ok"], true, "{reply}");
    reply["result"].clone()
}

#[test]
fn a_portal_is_replaced_in_its_directory_and_comes_with_placeholders() {
    let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1"));
    let theme = "C:\\inetpub\\wwwroot\\MultiFactorAuth\\App_Themes\\Default\\own.css";
    fixture.host.write(theme, "own").expect("a file");
    fixture.check("user_portal", "7.0.0.9", &["/qn", "TARGETVDIR=MultiFactorAuth", "TARGETSITE=/LM/W3SVC/1"], SUCCESS);
    let facts = fixture.facts();
    let web = facts["web"].as_array().expect("a list");
    assert_eq!(web.len(), 1);
    assert_eq!((&web[0]["product_version"], &web[0]["file_version"]), (&json!("7.0.0.9"), &json!("7.0.0.9")));
    assert_eq!(web[0]["placeholders"], json!(["pfup_pfwssdk_PfWsSdk"]));
    assert_eq!(web[0]["web_service_sdk_url"], LOCAL_PLACEHOLDER);
    // A package does not touch the settings of the pool.
    assert_eq!((&web[0]["pool_runtime"], &web[0]["pool_pipeline"]), (&json!("v2.0"), &json!("Classic")));
    assert!(!fixture.host.is_file(theme));
    let journal = fixture.host.journal().expect("a journal");
    assert_eq!((journal[0].what.as_str(), &journal[0].detail["exit_code"]), ("install", &json!(0)));
}

#[test]
fn a_directory_that_is_not_named_is_the_default_one() {
    let place = Place::new("mfa", "DefaultAppPool", "v2.0");
    let settings = crate::lab::host::product::web_config::Settings::shipped(Component::UserPortal);
    let portal = HostBuilder::new(PORTAL).visual_c(&["x64", "x86"]);
    let fixture = Fixture::new(portal.web(Component::UserPortal, "6.3.1.1", place, settings));
    fixture.check("user_portal", "7.0.0.9", QUIET, SUCCESS);
    let facts = fixture.facts();
    let found = |number: usize| {
        let web = &facts["web"][number];
        (web["virtual_directory"].clone(), web["file_version"].clone(), web["application_pool"].clone())
    };
    assert_eq!(found(0), (json!("mfa"), json!("6.3.1.1"), json!("DefaultAppPool")));
    assert_eq!(found(1), (json!("MultiFactorAuth"), json!("7.0.0.9"), json!("DefaultAppPool")));
}

#[test]
fn packages_refuse_what_they_cannot_do() {
    let portal = || demo::portal_host(PORTAL, "6.3.1.1");
    let check = |host: HostBuilder, package: &str, version: &str, arguments: &[&str], expected: i32| {
        let fixture = Fixture::new(host);
        let before = fixture.facts();
        fixture.check(package, version, arguments, expected);
        assert_eq!(fixture.facts(), before, "{package} {version} changed the host");
    };
    let bare = || HostBuilder::new(PORTAL);
    let without = |architecture| {
        let key = "HKLM:\\SOFTWARE\\Wow6432Node\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\";
        portal().state(|state| crate::lab::host::registry::remove(&mut state.registry, &format!("{key}{architecture}")))
    };
    check(without("x64"), "user_portal", "7.0.0.9", QUIET, FATAL);
    check(without("x86"), "user_portal", "7.0.0.9", QUIET, FATAL);
    check(portal().dotnet(None), "user_portal", "7.0.0.9", QUIET, FATAL);
    check(portal().dotnet(Some(378_388)), "user_portal", "7.0.0.9", QUIET, FATAL);
    check(bare().visual_c(&["x64", "x86"]), "user_portal", "7.0.0.9", QUIET, FATAL);
    check(bare().visual_c(&["x64", "x86"]), "adfs_adapter", "7.0.0.9", QUIET, FATAL);
    check(portal(), "user_portal", "7.0.0.9", &["/qn", "TARGETSITE=/LM/W3SVC/9"], FATAL);
    check(portal(), "user_portal", "7.0.0.9", &["/qn", "TARGETAPPPOOL=Other"], FATAL);
    check(portal(), "user_portal", "6.0.0.0", QUIET, OTHER_VERSION);
    check(bare().phonefactor_agent("5.8.0.1"), "server", "7.0.0.9", QUIET, FATAL);
    check(bare().dotnet(None), "server", "7.0.0.9", QUIET, FATAL);
    check(bare(), "nothing_known", "1.0", QUIET, NO_PACKAGE);
}

#[test]
fn the_reason_stands_in_the_log() {
    let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1").state(|state| state.registry.clear()));
    fixture.check("user_portal", "6.3.1.1", &["/qn", "/l*v", "C:\\x.log", "SECRET=M4rk3r"], SUCCESS);
    fixture.check("user_portal", "7.0.0.9", &["/qn", "/l*v", "C:\\x.log", "SECRET=M4rk3r"], FATAL);
    let log = fixture.text("C:\\x.log");
    assert!(log.contains("Microsoft .NET Framework 4.5 or higher is required"), "{log}");
    assert!(log.contains("SECRET=M4rk3r"), "what was given stands in a log, as in life");
}

#[test]
fn a_package_that_would_ask_waits_for_ever() {
    let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1"));
    assert_eq!(fixture.install("user_portal", "7.0.0.9", &["/norestart"]), Outcome::Hangs);
    assert_eq!(fixture.host.journal().expect("a journal"), []);
}

#[test]
fn only_one_installs_at_a_time() {
    let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1"));
    fixture.host.write(FILE, release::package("user_portal", "7.0.0.9")).expect("a package");
    let order = Order { file: FILE.to_owned(), arguments: vec!["/qn".to_owned()] };
    let second = || {
        assert!(is_busy(&fixture.host));
        assert_eq!(install(&fixture.host, &order, &|| true).expect("the lab works"), Outcome::Exit(BUSY));
        true
    };
    assert_eq!(install(&fixture.host, &order, &second).expect("the lab works"), Outcome::Exit(SUCCESS));
    assert!(!is_busy(&fixture.host));
    assert_eq!(install(&fixture.host, &order, &|| false).expect("the lab works"), Outcome::Ended);
}

#[test]
fn a_server_is_replaced_in_place() {
    let folder = "C:\\Program Files\\PhoneFactor\\";
    let server = demo::server_host("mfa01.contoso.com", "mfa-eu", "6.3.1.1").state(|state| {
        let key = crate::lab::host::registry::PRODUCT;
        crate::lab::host::registry::set(&mut state.registry, key, "InstallPath", folder);
    });
    let fixture = Fixture::new(server);
    fixture.host.write("C:\\Program Files\\PhoneFactor\\Data\\PhoneFactor.pfdata", "users").expect("data");
    let before = fixture.facts();
    fixture.check("server", "7.0.0.9", &["/quiet"], SUCCESS);
    let after = fixture.facts();
    let server = &after["server"];
    assert_eq!(server["install_path"], folder);
    assert_eq!((&server["product_version"], &server["file_version"]), (&json!("7.0.0.9"), &json!("7.0.0.9")));
    assert_eq!(server["service_state"], "Running");
    assert_eq!(server["replication_port"], before["server"]["replication_port"]);
    assert_eq!(fixture.text("C:\\Program Files\\PhoneFactor\\Data\\PhoneFactor.pfdata"), "users");
    assert_eq!((&after["vc_redist_x64"], &after["vc_redist_x86"]), (&json!("14.0.24215"), &json!("14.0.24215")));
    // The SDK beside it is another package's.
    assert_eq!(after["web"], before["web"]);
    let packages = server["packages"].as_array().expect("a list");
    assert!(packages.contains(&json!("MultiFactorAuthenticationMobileAppWebServiceSetup64.msi")));
    let package = fixture.host.read(&format!("{folder}MultiFactorAuthenticationUserPortalSetup64.msi")).expect("there");
    assert_eq!(release::read(&package).expect("a package").version, "7.0.0.9");
    fixture.check("server", "8.0.1.1", &["/quiet"], SUCCESS);
    let packages = fixture.facts()["server"]["packages"].clone();
    let packages = packages.as_array().expect("a list");
    assert!(!packages.contains(&json!("MultiFactorAuthenticationMobileAppWebServiceSetup64.msi")));
}

#[test]
fn a_server_setup_keeps_what_replicates() {
    let estate = demo::temporary().expect("an estate");
    for (name, outbound, inbound) in [("mfa01.contoso.com", 0, 2), ("mfa02.contoso.com", 1, 0)] {
        let host = estate.host(name).expect("a host");
        let fixture = Fixture { estate: estate.clone(), host };
        fixture.check("server", "7.0.0.9", &["/quiet"], SUCCESS);
        let evidence = fixture.facts()["server"]["role_evidence"].clone();
        assert_eq!(evidence, json!({ "outbound": outbound, "inbound": inbound }), "{name}");
    }
}

#[test]
fn a_portal_beside_the_server_loses_its_settings_when_told() {
    let estate = demo::temporary().expect("an estate");
    let host = estate.host("mfa03").expect("a host");
    let fixture = Fixture { estate, host };
    let file = "C:\\inetpub\\wwwroot\\MultiFactorAuth\\web.config";
    let before = fixture.text(file);
    fixture.check("server", "7.0.0.9", &["/quiet"], SUCCESS);
    assert_eq!(fixture.text(file), before);
    fixture.estate.fault("mfa03", |faults| faults.replace_cohosted_web_config = true).expect("a fault");
    fixture.check("server", "7.0.0.9", &["/quiet"], SUCCESS);
    assert!(fixture.text(file).contains("targetFramework"));
}

#[test]
fn an_adapter_is_files_only() {
    let estate = demo::temporary().expect("an estate");
    let host = estate.host("adfs01").expect("a host");
    let fixture = Fixture { estate, host };
    let before = fixture.facts();
    fixture.check("adfs_adapter", "7.0.0.9", QUIET, SUCCESS);
    let after = fixture.facts()["adfs"].clone();
    assert_eq!(after["adapter_product_version"], "7.0.0.9");
    assert_eq!(after["adapter_assembly"], adapter::assembly_name("7.0.0.9"));
    assert_eq!(after["providers"], before["adfs"]["providers"]);
    assert_eq!(after["policy"], before["adfs"]["policy"]);
}

#[test]
fn faults_happen_before_half_way_or_after() {
    let check = |when: Moment, exit_code: i32, product: &str, file: &str| {
        let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1"));
        let fault = InstallerFault { exit_code, when, package: Some("user_portal".to_owned()), times: 1 };
        fixture.estate.fault(PORTAL, |faults| faults.installer.push(fault)).expect("a fault");
        fixture.check("user_portal", "7.0.0.9", QUIET, exit_code);
        let found = fixture.facts()["web"][0].clone();
        assert_eq!((&found["product_version"], &found["file_version"]), (&json!(product), &json!(file)), "{when:?}");
        fixture.check("user_portal", "7.0.0.9", QUIET, SUCCESS);
        assert_eq!(fixture.facts()["web"][0]["product_version"], "7.0.0.9");
    };
    check(Moment::Before, 1603, "6.3.1.1", "6.3.1.1");
    check(Moment::Half, 1603, "6.3.1.1", "7.0.0.9");
    check(Moment::After, 3010, "7.0.0.9", "7.0.0.9");
}

#[test]
fn a_restart_finishes_an_installation_that_needs_one() {
    let fixture = Fixture::new(demo::portal_host(PORTAL, "6.3.1.1"));
    let fault = InstallerFault { exit_code: 3010, when: Moment::After, package: None, times: 1 };
    fixture.estate.fault(PORTAL, |faults| faults.installer.push(fault)).expect("a fault");
    fixture.check("user_portal", "7.0.0.9", QUIET, 3010);
    assert_eq!(fixture.facts()["pending_reboot"], json!(["pending_file_rename"]));
    fixture.estate.reboot(PORTAL).expect("restarted");
    assert_eq!(fixture.facts()["pending_reboot"], json!([]));
}

#[test]
fn a_redistributable_makes_way_for_packages() {
    let bare = demo::portal_host(PORTAL, "6.3.1.1").state(|state| {
        let key = "HKLM:\\SOFTWARE\\Wow6432Node\\Microsoft\\VisualStudio";
        crate::lab::host::registry::remove(&mut state.registry, key);
    });
    let fixture = Fixture::new(bare);
    fixture.check("user_portal", "7.0.0.9", QUIET, FATAL);
    fixture.check("vc_redist_x64", "14.0.24215.1", &["/install", "/quiet"], SUCCESS);
    fixture.check("vc_redist_x86", "14.0.24215.1", &["/install", "/quiet"], SUCCESS);
    fixture.check("vc_redist_x86", "14.0.23026.0", &["/install", "/quiet"], OTHER_VERSION);
    fixture.check("user_portal", "7.0.0.9", QUIET, SUCCESS);
}
