//! Wrong input is refused: with a place, what was found, what is accepted, and what to do.

use acceptance_tests::lab::estate::host_builder::{HostBuilder, Place};
use acceptance_tests::lab::estate::{Estate, demo};
use acceptance_tests::lab::host::error::LabError;
use acceptance_tests::lab::host::product::component::Component;
use acceptance_tests::lab::host::product::web_config::Settings;
use acceptance_tests::tools::terraform::Release;
use acceptance_tests::workspace::Run;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

/// The releases that the refusals run on.
const RELEASES: [Release; 3] = [Release::Installed, Release::Library, Release::OpenTofu];

/// Runs `validate` on a configuration over the demo estate, on each release.
#[track_caller]
fn check_invalid(blocks: &str, place: &str, sentences: &[&str]) {
    for release in RELEASES {
        let estate = demo::temporary().expect("the demo estate can be made");
        let Some(case) = Case::on(release, estate) else { continue };
        case.configure(&[blocks]);
        let run = case.workspace.run(&["validate", "-no-color"]).ended(1);
        says_all(run.says(place), sentences);
    }
}

/// Plans a configuration over an estate, on each release.
#[track_caller]
fn check_refused(estate: Estate, blocks: &str, sentences: &[&str]) {
    for release in RELEASES {
        let Some(case) = Case::on(release, estate.clone()) else { continue };
        case.configure(&[blocks]);
        says_all(case.plan().ended(1), sentences);
        assert_eq!(case.journal(), Vec::<String>::new(), "a refused plan may do nothing");
    }
}

#[track_caller]
fn says_all(run: Run, sentences: &[&str]) {
    sentences.iter().fold(run, |run, sentence| run.says(sentence));
}

fn demo_estate() -> Estate {
    demo::temporary().expect("the demo estate can be made")
}

/// The number of the line that holds a text, as the diagnostic prints it.
fn line_of(blocks: &str, text: &str) -> String {
    let line = blocks.lines().position(|line| line.contains(text)).expect("the text is there") + 1;
    format!("on main.tf line {line}")
}

#[test]
fn a_version_that_is_none_is_refused_at_its_line() {
    let blocks = hcl::group("8.x", &SERVERS, SERVERS[0], "");
    check_invalid(&blocks, &line_of(&blocks, "version  "), &["\"8.x\" is not a version", "8.0.1.1"]);
}

#[test]
fn a_master_outside_the_group_is_refused_at_its_line() {
    let blocks = hcl::group("7.0.0.9", &SERVERS, "mfa09.contoso.com", "");
    check_invalid(
        &blocks,
        &line_of(&blocks, "master  "),
        &["\"mfa09.contoso.com\" is not in hosts", "mfa01.contoso.com"],
    );
}

#[test]
fn the_same_host_twice_is_refused_at_its_line() {
    let blocks = hcl::group("7.0.0.9", &["mfa01.contoso.com", "MFA01.contoso.com"], "mfa01.contoso.com", "");
    check_invalid(&blocks, &line_of(&blocks, "hosts  "), &["twice"]);
}

#[test]
fn hosts_that_only_differ_in_their_port_are_refused_at_their_line() {
    let blocks = hcl::group("7.0.0.9", &["mfa01.contoso.com:5985", "mfa01.contoso.com:5986"], SERVERS[0], "");
    let sentence = "mfa01.contoso.com:5986 is there before as mfa01.contoso.com:5985";
    check_invalid(&blocks, &line_of(&blocks, "hosts  "), &[sentence]);
}

#[test]
fn a_host_that_is_none_is_refused_at_its_line() {
    let blocks = hcl::group("7.0.0.9", &["mfa01.contoso.com", "fd00::7:5986"], SERVERS[0], "");
    let sentences = ["\"fd00::7:5986\" is no host", "[fd00::7]:5986", "Accepted are a name or an IPv4 address"];
    check_invalid(&blocks, &line_of(&blocks, "hosts  "), &sentences);
}

#[test]
fn a_web_service_from_8_0_on_is_refused_at_its_line() {
    let blocks = hcl::web_service("app", "8.0.1.1", &["app01.dmz.contoso.com"], "");
    check_invalid(&blocks, &line_of(&blocks, "version  "), &["8.0"]);
}

#[test]
fn text_that_is_no_token_is_refused_at_its_line() {
    let blocks = hcl::portal("dmz", "7.0.0.9", &["portal01.dmz.contoso.com"], "after = [\"mfa-eu\"]");
    check_invalid(&blocks, &line_of(&blocks, "after"), &["ready"]);
}

#[test]
fn a_downgrade_is_refused() {
    check_refused(
        demo_estate(),
        &hcl::group("6.2.0.0", &SERVERS, SERVERS[0], ""),
        &["6.2.0.0", "6.3.1.1", "mfa01.contoso.com"],
    );
}

#[test]
fn a_major_version_needs_consent() {
    let blocks = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "").replace("allow_major_upgrade = true", "");
    check_refused(demo_estate(), &blocks, &["allow_major_upgrade = true", "6.3.1.1"]);
}

#[test]
fn a_release_without_files_is_refused() {
    check_refused(demo_estate(), &hcl::group("7.9.9.9", &SERVERS, SERVERS[0], ""), &["7.9.9.9", "releases"]);
}

#[test]
fn a_phonefactor_agent_is_refused_with_the_vendors_advice() {
    let estate = Estate::temporary().expect("an estate can be made");
    HostBuilder::new("mfa01.contoso.com").phonefactor_agent("5.1.3.0").write(&estate).expect("a host can be made");
    let blocks = hcl::group("7.0.0.9", &["mfa01.contoso.com"], "mfa01.contoso.com", "");
    check_refused(estate, &blocks, &["PhoneFactor Agent", "uninstall"]);
}

#[test]
fn an_undeclared_sdk_is_refused_with_the_line_to_add() {
    let blocks = hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "").replace("web_service_sdk     = {}", "");
    check_refused(
        demo_estate(),
        &blocks,
        &["web_service_sdk = { virtual_directory = \"MultiFactorAuthWebServiceSdk\" }"],
    );
}

#[test]
fn missing_prerequisites_are_named_with_host_and_package() {
    let estate = demo_estate();
    let host = "portal09.dmz.contoso.com";
    let place = Place::new("MultiFactorAuth", "DefaultAppPool", "v2.0").classic();
    let settings = Settings::configured(demo::SDK_ACCOUNT, demo::MARKER_PASSWORD, demo::SDK_URL);
    let builder = HostBuilder::new(host).visual_c(&["x64"]).web(Component::UserPortal, demo::VERSION, place, settings);
    builder.write(&estate).expect("a host can be made");
    let Some(case) = Case::new(estate) else { return };
    let configure = |master: &str| {
        let portal = hcl::portal("dmz", "7.0.0.9", &[host], AFTER_GROUP);
        case.configure(&[&hcl::group("7.0.0.9", &SERVERS, master, ""), &portal]);
    };
    // While it waits for its servers the portal is refused nothing, and says what its turn would be.
    configure(SERVERS[0]);
    says_all(case.plan().ended(2), &["its turn will be refused for one reason", host, "Visual C++ 2015", "x86"]);
    case.workspace.apply("case.tfplan").succeeded();
    case.promote(SERVERS[1]);
    configure(SERVERS[1]);
    says_all(case.plan().ended(1), &["prerequisites are missing", host, "Visual C++ 2015", "x86"]);
}

#[test]
fn a_portal_after_nothing_is_refused() {
    check_refused(
        demo_estate(),
        &hcl::portal("dmz", "7.0.0.9", &["portal01.dmz.contoso.com"], ""),
        &["after", "azuremfa_server_group"],
    );
}

#[test]
fn the_gap_of_the_second_factor_needs_an_acknowledgement() {
    let blocks = [hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), hcl::adapter("7.0.0.9", AFTER_GROUP)].concat();
    let Some(case) = Case::demo() else { return };
    // The adapter's turn comes when the group is ready.
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&blocks.replace("master              = \"mfa01", "master              = \"mfa02")]);
    case.plan().ended(1).says("adfs_mfa_gap").says("acknowledge");
}

#[test]
fn a_host_without_connection_is_refused() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    let settings = std::fs::read_to_string(case.workspace.path().join("provider.tf")).expect("the settings are there");
    case.workspace
        .write("provider.tf", &settings.replace("default = {", "dmz = {\n      hosts = [\"*.dmz.contoso.com\"]"));
    case.plan().ended(1).says("mfa01.contoso.com").says("connection");
}

#[test]
fn a_host_with_two_equal_connections_is_refused() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    let settings = std::fs::read_to_string(case.workspace.path().join("provider.tf")).expect("the settings are there");
    let two =
        "connections = {\n    one = { hosts = [\"mf*1.contoso.com\"] }\n    two = { hosts = [\"*fa*.contoso.com\"] }\n";
    case.workspace.write("provider.tf", &settings.replace("connections = {\n", two));
    case.plan().ended(1).says("mfa01.contoso.com").says("one").says("two");
}

#[test]
fn an_application_pool_of_both_generations_is_a_finding() {
    let estate = demo_estate();
    // SDK and portal in one pool: between server and portal, one of them fails.
    move_portal_to_pool(&estate, "mfa03.contoso.com", "MfaSdk");
    check_refused(
        estate,
        &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""),
        &["shared_application_pool", "MfaSdk", "mfa03"],
    );
}

fn move_portal_to_pool(estate: &Estate, host: &str, pool: &str) {
    let host = estate.host(host).expect("the host is there");
    let moved = host.update(|state| {
        let sites = state.iis.iter_mut().flat_map(|iis| &mut iis.sites);
        let applications = sites.flat_map(|site| &mut site.applications);
        for application in applications.filter(|application| application.path == "/MultiFactorAuth") {
            pool.clone_into(&mut application.application_pool);
        }
        Ok::<_, LabError>(())
    });
    moved.expect("the portal can be moved");
}
