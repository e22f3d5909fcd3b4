//! What `version` means: drift, hosts that come and go, pins that move, evidence that disagrees.

use acceptance_tests::lab::host::installer::web;
use acceptance_tests::lab::host::product::component::Component;

use crate::support::case::Case;
use crate::support::hcl::{self, SERVERS};

const GROUP: &str = "azuremfa_server_group.eu";

/// The demo's group, imported and settled at the version it runs.
fn adopted() -> Option<Case> {
    let case = Case::demo()?;
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.settled();
    Some(case)
}

/// Brings the group to 7.0.0.9 in two stages.
fn upgrade(case: &Case) {
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[1], "")]);
    case.converge();
    case.settled();
}

#[test]
fn a_server_set_back_is_drift() {
    let Some(case) = adopted() else { return };
    upgrade(&case);
    case.set_version(SERVERS[2], "6.3.1.1");
    case.plan().ended(2).says(r#"version = "6.3.1.1" -> "7.0.0.9""#).says("mfa03.contoso.com");
    case.converge();
    case.settled();
}

#[test]
fn a_run_that_ends_before_the_pin_keeps_version_and_says_what_is_waited_for() {
    let Some(case) = adopted() else { return };
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.converge().says("promote mfa02 or mfa03");
    let group = case.workspace.attributes(GROUP);
    assert_eq!(group["version"], "6.3.1.1");
    assert_eq!(group["versions"]["mfa01.contoso.com"], "6.3.1.1");
    assert_eq!(group["versions"]["mfa02.contoso.com"], "7.0.0.9");
    assert_eq!(group["target_version"], "7.0.0.9");
    assert_eq!(group["version_status"], "waiting");
    // A pipeline must see that something is still to be done.
    case.plan().ended(2).says("by hand: promote mfa02 or mfa03");
}

#[test]
fn a_pin_lowered_after_stage_one_is_refused_with_the_way_out() {
    let Some(case) = adopted() else { return };
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(1).says("mfa02.contoso.com").says("7.0.0.9");
}

#[test]
fn a_host_that_went_ahead_by_itself_is_a_warning_or_an_error() {
    let Some(case) = adopted() else { return };
    case.set_version(SERVERS[1], "7.0.0.9");
    case.plan().says("ahead");
    case.provider("on_ahead = \"error\"");
    case.plan().ended(1).says("mfa02.contoso.com");
}

#[test]
fn a_host_added_below_the_pin_is_adopted_and_upgraded() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS[..2], SERVERS[0], "")]);
    case.converge();
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS[..2], SERVERS[0], "")]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS[..2], SERVERS[1], "")]);
    case.converge();
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[1], "")]);
    case.plan().ended(2).says("adopt, and upgrade to 7.0.0.9 when below").says("6.3.1.1");
    case.workspace.apply("case.tfplan").succeeded();
    case.settled();
    assert_eq!(case.workspace.attributes(GROUP)["versions"]["mfa03.contoso.com"], "7.0.0.9");
}

#[test]
fn a_host_removed_from_a_set_is_forgotten_and_left_alone() {
    let Some(case) = adopted() else { return };
    let done = case.journal().len();
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS[..2], SERVERS[0], "")]);
    case.plan().ended(2).says("mfa03.contoso.com is forgotten");
    case.workspace.apply("case.tfplan").succeeded();
    case.settled();
    assert_eq!(case.journal().len(), done, "nothing may be done to any host");
}

#[test]
fn a_half_done_install_is_incomplete_and_repaired() {
    let Some(case) = adopted() else { return };
    upgrade(&case);
    case.lab.estate().set_file_version(SERVERS[2], Component::Server, "6.3.1.1").expect("a file can be replaced");
    case.plan().ended(2).says("the evidence disagrees").says("incomplete");
    case.converge();
    case.settled();
}

#[test]
fn a_portal_whose_merge_was_undone_by_hand_is_incomplete_and_finished() {
    let Some(case) = Case::demo() else { return };
    let portal = ["portal01.dmz.contoso.com"];
    let estate = |version: &str, master: &str| {
        [hcl::group(version, &SERVERS, master, ""), hcl::portal("dmz", version, &portal, hcl::AFTER_GROUP)].concat()
    };
    case.configure(&[&estate("7.0.0.9", SERVERS[0])]);
    case.converge();
    case.promote(SERVERS[1]);
    case.configure(&[&estate("7.0.0.9", SERVERS[1])]);
    case.converge();
    case.settled();
    reset_web_config(&case, portal[0]);
    case.plan().ended(2).says("incomplete").says("web.config");
    case.converge();
    case.settled();
}

/// Does what a person does who reinstalls a portal by hand and forgets the merge.
fn reset_web_config(case: &Case, host: &str) {
    let host = case.lab.estate().host(host).expect("the host is there");
    let state = host.state().expect("the host has a state");
    web::reset_portals(&host, &state, "7.0.0.9").expect("a web.config can be replaced");
}
