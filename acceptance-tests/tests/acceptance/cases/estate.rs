//! The whole estate: the demo on every release of Terraform and OpenTofu, the vendor's order, and the next upgrade after it.

use std::collections::BTreeMap;
use std::fs;

use acceptance_tests::demo::{self, Demo};
use acceptance_tests::lab::estate::demo as demo_estate;
use acceptance_tests::lab::estate::inventory::Installed;
use acceptance_tests::lab::server::Mode;
use acceptance_tests::paths;
use acceptance_tests::tools::terraform::Release;
use acceptance_tests::workspace::Workspace;

use crate::support::case::{Case, cli};
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

/// The demo holds its own promises; here it runs where a user might run it.
#[track_caller]
fn check_demo(release: Release) {
    let Some(cli) = cli(release) else { return };
    let mut out = Vec::new();
    let result = demo::run(Demo { cli: &cli, out: &mut out, colour: false, keep: false });
    assert!(result.is_ok(), "{result:?}\n{}", String::from_utf8_lossy(&out));
}

#[test]
fn the_demo_runs_on_the_installed_terraform() {
    check_demo(Release::Installed);
}

#[test]
fn the_demo_runs_on_terraform_1_15() {
    check_demo(Release::Library);
}

#[test]
fn the_demo_runs_on_opentofu_1_6() {
    check_demo(Release::OpenTofu);
}

#[test]
fn the_demo_runs_on_opentofu_1_12() {
    check_demo(Release::OpenTofuFromSource);
}

/// The estate's resources at a version, with the web service at its own.
fn everything(version: &str, web_service: &str, master: &str) -> String {
    [
        hcl::group(version, &SERVERS, master, ""),
        hcl::portal("internal", version, &["mfa03.contoso.com"], AFTER_GROUP),
        hcl::portal("dmz", version, &["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"], AFTER_GROUP),
        hcl::web_service("app", web_service, &["app01.dmz.contoso.com"], AFTER_GROUP),
        hcl::adapter(
            version,
            &format!(
                "after = [azuremfa_server_group.eu.ready, azuremfa_user_portal.dmz.ready, azuremfa_user_portal.internal.ready]\n  {}",
                hcl::GAP
            ),
        ),
    ]
    .concat()
}

/// Upgrades the whole estate in two stages; `second` is promoted between them.
#[track_caller]
fn upgrade(case: &Case, version: &str, web_service: &str, first: &str, second: &str) {
    case.configure(&[&everything(version, web_service, first)]);
    case.converge().says("by hand: promote");
    case.plan().ended(2).says("by hand: promote");
    case.promote(second);
    case.configure(&[&everything(version, web_service, second)]);
    case.converge();
    case.settled();
}

/// What a person would check on the hosts: who did what, in which order, by the hosts' own record.
#[track_caller]
fn check_order(journal: &[String], before: &str, after: &str) {
    let position = |entry: &str| {
        journal
            .iter()
            .position(|done| done == entry)
            .unwrap_or_else(|| panic!("{entry} is not in\n{}", journal.join("\n")))
    };
    assert!(position(before) < position(after), "{before} comes after {after}:\n{}", journal.join("\n"));
}

fn check_vendor_order(journal: &[String]) {
    for (before, after) in [
        ("mfa01.contoso.com backup_directory", "mfa02.contoso.com install"),
        ("mfa02.contoso.com backup_directory", "mfa02.contoso.com install"),
        ("mfa02.contoso.com install", "mfa03.contoso.com install"),
        ("mfa03.contoso.com install", "mfa01.contoso.com install"),
        ("mfa01.contoso.com install", "portal01.dmz.contoso.com install"),
        ("portal01.dmz.contoso.com backup_directory", "portal01.dmz.contoso.com install"),
        ("portal01.dmz.contoso.com install", "portal01.dmz.contoso.com web_config"),
        ("portal01.dmz.contoso.com install", "portal02.dmz.contoso.com install"),
        ("portal02.dmz.contoso.com install", "adfs01.contoso.com install"),
        ("adfs01.contoso.com install", "adfs01.contoso.com adapter_policy"),
        ("adfs01.contoso.com adapter_policy", "adfs01.contoso.com adapter_unregister"),
        ("adfs01.contoso.com adapter_unregister", "adfs01.contoso.com adapter_register"),
        ("adfs01.contoso.com adapter_register", "adfs01.contoso.com service_restart"),
        ("adfs01.contoso.com service_restart", "adfs02.contoso.com install"),
        ("adfs02.contoso.com install", "adfs02.contoso.com service_restart"),
    ] {
        check_order(journal, before, after);
    }
}

/// 6.3.1.1 to 7.0.0.9, then 8.0.1.1 with the new master; the web service stays behind from 8.0 on, as the vendor has it.
#[test]
fn two_upgrades_follow_each_other() {
    let Some(case) = Case::demo() else { return };
    upgrade(&case, "7.0.0.9", "7.0.0.9", "mfa01.contoso.com", "mfa02.contoso.com");
    check_vendor_order(&case.journal());
    upgrade(&case, "8.0.1.1", "7.0.0.9", "mfa02.contoso.com", "mfa03.contoso.com");
    assert_eq!(case.workspace.attributes("azuremfa_mobile_app_web_service.app")["version"], "7.0.0.9");
    assert_eq!(case.workspace.attributes("azuremfa_server_group.eu")["versions"]["mfa01.contoso.com"], "8.0.1.1");
}

/// The text that would run on Windows has run: the same estate, every script under a real PowerShell, and both ways of
/// answering agree on the plans, on what was done in which order, and on what is there afterwards.
#[test]
fn powershell_and_native_hosts_are_upgraded_alike() {
    let told = [Mode::PowerShell, Mode::Native].map(|mode| {
        let estate = demo_estate::temporary().expect("the demo estate can be made");
        let case = Case::in_mode(estate, mode)?;
        upgrade(&case, "7.0.0.9", "7.0.0.9", "mfa01.contoso.com", "mfa02.contoso.com");
        check_vendor_order(&case.journal());
        Some(Told::by(&case))
    });
    if let [Some(powershell), Some(native)] = told {
        assert_eq!(powershell, native);
    }
}

/// What a mode leaves to compare.
#[derive(Debug, PartialEq)]
struct Told {
    /// What was done to each host, in order. Sets of one wave run side by side, so only each host's own order counts.
    journal: BTreeMap<String, Vec<String>>,
    installed: Vec<Installed>,
    /// The whole state of Terraform, without what holds times.
    state: String,
}

impl Told {
    fn by(case: &Case) -> Self {
        let mut journal: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for done in case.journal() {
            let (host, what) = done.split_once(' ').expect("a host and what was done");
            journal.entry(host.to_owned()).or_default().push(what.to_owned());
        }
        let installed = case.lab.estate().installed().expect("the hosts can be read");
        let state = case.workspace.state()["values"]["root_module"]["resources"].to_string();
        Self { journal, installed, state }
    }
}

/// Windows PowerShell 4.0 is found out by the first thing sent, with what to install.
#[test]
fn a_host_below_the_powershell_floor_is_named_with_what_to_install() {
    for mode in [Mode::Native, Mode::PowerShell] {
        let estate = demo_estate::temporary().expect("the demo estate can be made");
        let host = "portal09.dmz.contoso.com";
        demo_estate::portal_host(host, "6.3.1.1").powershell("4.0").write(&estate).expect("a host can be made");
        let Some(case) = Case::in_mode(estate, mode) else { continue };
        case.configure(&[&hcl::portal("dmz", "6.3.1.1", &[host], "")]);
        case.plan().ended(1).says(host).says("4.0").says("Windows Management Framework 5.1");
    }
}

/// Every example is what a user may copy: formatted, valid, and planned against the demo estate. The demo itself plans
/// and applies `examples/estate`.
#[test]
fn every_example_is_formatted_and_planned() {
    let Some(case) = Case::demo() else { return };
    let examples = paths::root().join("examples");
    case.workspace
        .run(&["fmt", "-check", "-diff", "-recursive", "-no-color", &examples.display().to_string()])
        .succeeded();
    // The resources' examples refer to each other, as a user's would.
    for example in fs::read_dir(examples.join("resources")).expect("there are examples") {
        let folder = example.expect("an entry").path();
        let kind = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        for file in ["main.tf", "import.tf"] {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{kind}/{file}: {error}"));
            case.workspace.write(&format!("{kind}-{file}"), &text);
        }
    }
    case.workspace.init();
    case.plan().ended(2).says("4 to import");

    let alone = Workspace::new(&case.cli, &[]);
    alone.copy(&examples.join("provider"));
    alone.init();
    alone.run(&["validate", "-no-color"]).succeeded();
}
