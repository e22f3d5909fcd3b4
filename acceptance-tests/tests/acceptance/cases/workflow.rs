//! Ways of working: targets, loops, JSON, unknowns, saved plans, parallelism, import.

use acceptance_tests::lab::estate::demo;
use acceptance_tests::tools::terraform::Release;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const PORTALS: [&str; 2] = ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"];

#[test]
fn a_target_plans_only_what_it_names() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[
        &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""),
        &hcl::portal("dmz", "7.0.0.9", &PORTALS, AFTER_GROUP),
    ]);
    let target = "-target=azuremfa_server_group.eu";
    case.workspace.plan("target.tfplan", &[target]).ended(2).does_not_say("azuremfa_user_portal.dmz will be");
    case.workspace.apply("target.tfplan").succeeded();
    assert!(case.journal().iter().all(|done| !done.contains("portal0")), "{:?}", case.journal());
}

#[test]
fn groups_in_a_loop() {
    let estate = demo::temporary().expect("the demo estate can be made");
    demo::server_host("us01.contoso.com", "mfa-us", "6.3.1.1").write(&estate).expect("a host can be made");
    let Some(case) = Case::new(estate) else { return };
    case.configure(&[r#"
locals {
  groups = {
    eu = { hosts = ["mfa01.contoso.com", "mfa02.contoso.com", "mfa03.contoso.com"], master = "mfa01.contoso.com" }
    us = { hosts = ["us01.contoso.com"], master = null }
  }
}

resource "azuremfa_server_group" "all" {
  for_each            = local.groups
  name                = "mfa-${each.key}"
  version             = "6.3.1.1"
  hosts               = each.value.hosts
  master              = each.value.master
  web_service_sdk     = {}
  allow_major_upgrade = true
}

output "versions" {
  value = { for key, group in azuremfa_server_group.all : key => group.version }
}
"#]);
    case.converge();
    case.settled();
    let text = std::fs::read_to_string(case.workspace.path().join("main.tf")).expect("the case is there");
    case.configure(&[&text.replace("\"6.3.1.1\"", "\"7.0.0.9\"")]);
    case.converge();
    // A group of one has no gate.
    assert_eq!(case.workspace.attributes("azuremfa_server_group.all[\"us\"]")["version"], "7.0.0.9");
    assert_eq!(case.workspace.attributes("azuremfa_server_group.all[\"eu\"]")["version"], "6.3.1.1");
}

#[test]
fn a_configuration_in_json() {
    let Some(case) = Case::demo() else { return };
    case.workspace.write(
        "main.tf.json",
        r#"{"resource": {"azuremfa_user_portal": {"dmz": {
            "name": "dmz", "version": "6.3.1.1", "hosts": ["portal01.dmz.contoso.com", "portal02.dmz.contoso.com"],
            "timeouts": {"read": "5m"}
        }}}}"#,
    );
    case.workspace.init();
    case.converge();
    case.settled();
}

#[test]
fn an_unknown_version_or_after_is_refused_when_there_is_work() {
    let Some(case) = Case::demo() else { return };
    let unknown = "resource \"terraform_data\" \"pin\" {\n  input = \"7.0.0.9\"\n}\n";
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.configure(&[
        unknown,
        &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "").replace("\"7.0.0.9\"", "terraform_data.pin.output"),
    ]);
    case.plan().ended(1).says("version is not known yet").says("-target");
    let after = "after = [terraform_data.pin.output]";
    case.configure(&[unknown, &hcl::group("7.0.0.9", &SERVERS, SERVERS[0], after)]);
    case.plan().ended(1).says("after is not known yet");
}

#[test]
fn unknowns_in_validation_and_on_create_are_no_error() {
    let Some(case) = Case::demo() else { return };
    let block = hcl::portal("dmz", "6.3.1.1", &PORTALS, "");
    let resource = &block[block.find("resource").expect("there is a resource")..];
    case.configure(&[
        "resource \"terraform_data\" \"pin\" {\n  input = \"6.3.1.1\"\n}\n",
        &resource.replace("\"6.3.1.1\"", "terraform_data.pin.output"),
    ]);
    case.workspace.run(&["validate", "-no-color"]).succeeded();
    case.converge();
    case.settled();
}

#[test]
fn a_saved_plan_is_applied_later_and_refused_when_the_estate_has_changed() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], "")]);
    case.plan().ended(2);
    case.set_version(SERVERS[1], "7.0.0.9");
    case.workspace
        .apply("case.tfplan")
        .ended(1)
        .says("is not as it was when this plan was made")
        .says("mfa02.contoso.com");
    assert_eq!(case.journal(), Vec::<String>::new(), "nothing may have been done");
    case.converge();
}

#[track_caller]
fn check_parallelism(number: &str) {
    let Some(case) = Case::demo() else { return };
    case.configure(&[
        &hcl::group("6.3.1.1", &SERVERS, SERVERS[0], ""),
        &hcl::portal("dmz", "6.3.1.1", &PORTALS, AFTER_GROUP),
        &hcl::portal("internal", "6.3.1.1", &["mfa03.contoso.com"], AFTER_GROUP),
        &hcl::adapter("6.3.1.1", AFTER_GROUP),
    ]);
    let parallelism = format!("-parallelism={number}");
    case.workspace.plan("case.tfplan", &[&parallelism]).ended(2);
    case.workspace.run(&["apply", "-no-color", "-input=false", &parallelism, "case.tfplan"]).succeeded();
    case.workspace.plan("case.tfplan", &[&parallelism]).ended(0);
}

#[test]
fn one_at_a_time() {
    check_parallelism("1");
}

#[test]
fn ten_at_a_time() {
    check_parallelism("10");
}

/// Every kind is imported, its configuration written by Terraform itself, and planned to no change.
#[track_caller]
fn check_generated(release: Release) {
    let estate = demo::temporary().expect("the demo estate can be made");
    let Some(case) = Case::on(release, estate) else { return };
    case.configure(&[r#"
import {
  to = azuremfa_server_group.eu
  id = "mfa-eu=mfa01.contoso.com,mfa02.contoso.com,mfa03.contoso.com"
}
import {
  to = azuremfa_user_portal.dmz
  id = "dmz@MultiFactorAuth=portal01.dmz.contoso.com,portal02.dmz.contoso.com"
}
import {
  to = azuremfa_mobile_app_web_service.app
  id = "app=app01.dmz.contoso.com"
}
import {
  to = azuremfa_adfs_adapter.eu
  id = "adfs-eu=adfs01.contoso.com;adfs02.contoso.com"
}
"#]);
    case.workspace.plan("case.tfplan", &["-generate-config-out=generated.tf"]).says("4 to import");
    case.workspace.apply("case.tfplan").succeeded();
    case.settled();
    assert_eq!(case.journal(), Vec::<String>::new(), "an import may do nothing");
}

#[test]
fn every_kind_is_imported_with_generated_configuration() {
    check_generated(Release::Installed);
}

#[test]
fn every_kind_is_imported_on_terraform_1_15() {
    check_generated(Release::Library);
}

#[test]
fn every_kind_is_imported_on_opentofu_1_6() {
    check_generated(Release::OpenTofu);
}

/// The older way to import says the same as the import block.
#[test]
fn the_import_command_and_the_import_block_agree() {
    let Some(case) = Case::demo() else { return };
    let block = hcl::portal("dmz", "6.3.1.1", &PORTALS, "");
    let resource = &block[block.find("resource").expect("there is a resource")..];
    case.configure(&[resource]);
    let id = format!("dmz={}", PORTALS.join(","));
    case.workspace.run(&["import", "-no-color", "-input=false", "azuremfa_user_portal.dmz", &id]).succeeded();
    let by_command = case.workspace.attributes("azuremfa_user_portal.dmz");
    case.workspace.run(&["state", "rm", "azuremfa_user_portal.dmz"]).succeeded();
    case.configure(&[&block]);
    case.converge();
    let mut by_block = case.workspace.attributes("azuremfa_user_portal.dmz");
    // What only a configuration says is not in an import.
    by_block["allow_major_upgrade"] = by_command["allow_major_upgrade"].clone();
    by_block["steps"] = by_command["steps"].clone();
    assert_eq!(by_block, by_command);
    case.workspace.run(&["import", "-no-color", "-input=false", "azuremfa_user_portal.dmz", "dmz"]).ended(1);
}

#[test]
fn create_adopts_what_runs_the_pin_and_else_prints_the_import_block() {
    let Some(case) = Case::demo() else { return };
    let block = hcl::portal("dmz", "7.0.0.9", &PORTALS, AFTER_GROUP);
    let resource = &block[block.find("resource").expect("there is a resource")..];
    case.configure(&[&hcl::group("7.0.0.9", &SERVERS, SERVERS[0], ""), resource]);
    case.plan().ended(1).says("import {").says("id = \"dmz=portal01.dmz.contoso.com,portal02.dmz.contoso.com\"");
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], ""), &resource.replace("7.0.0.9", "6.3.1.1")]);
    case.converge();
    case.settled();
}

#[test]
fn destroy_forgets_and_says_so() {
    let Some(case) = Case::demo() else { return };
    case.configure(&[&hcl::group("6.3.1.1", &SERVERS, SERVERS[0], "")]);
    case.converge();
    case.workspace.run(&["destroy", "-no-color", "-input=false", "-auto-approve"]).succeeded().says("mfa-eu");
    assert_eq!(case.journal(), Vec::<String>::new(), "nothing may be done to any host");
}
