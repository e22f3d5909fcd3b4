//! Hosts that are named with a port of their own, behind one connection.

use std::collections::BTreeMap;

use crate::support::case::Case;
use crate::support::hcl::{self, AFTER_GROUP, SERVERS};

const PORTAL: &str = "portal01.dmz.contoso.com";

/// The servers and the portal, each at a port; the connection knows none of them.
fn moved() -> Option<Case> {
    let case = Case::demo()?;
    for (host, port) in SERVERS.into_iter().chain([PORTAL]).zip(6001..) {
        case.lab.host(host).set_https_ports(&[port]);
    }
    Some(case)
}

/// A group at 6001, 6002 and 6003, or with another port of its first host, and a portal at 6004.
fn blocks(version: &str, first: u16, master: &str) -> [String; 2] {
    let hosts: Vec<String> =
        SERVERS.iter().zip([first, 6002, 6003]).map(|(host, port)| format!("{host}:{port}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let portal = hcl::portal("dmz", version, &[&format!("{PORTAL}:6004")], AFTER_GROUP);
    [hcl::group(version, &hosts, master, ""), portal]
}

fn configure(case: &Case, [group, portal]: [String; 2]) {
    case.configure(&[&group, &portal]);
}

/// What a saved plan changes, by the address of the resource.
fn changes(case: &Case) -> BTreeMap<String, Vec<String>> {
    let shown = case.workspace.run(&["show", "-json", "case.tfplan"]).succeeded();
    let plan: serde_json::Value = serde_json::from_str(&shown.stdout).expect("a plan in JSON");
    let resources = plan["resource_changes"].as_array().expect("changes");
    let of = |change: &serde_json::Value| {
        let (before, after) = (&change["change"]["before"], &change["change"]["after"]);
        let names = after.as_object().into_iter().flatten().filter(|(name, value)| before[name.as_str()] != **value);
        (change["address"].as_str().unwrap_or_default().to_owned(), names.map(|(name, _)| name.clone()).collect())
    };
    resources.iter().map(of).collect()
}

/// Servers are upgraded, and the portal's package comes from one of them, whose port stands in the group's token alone.
#[test]
fn an_estate_of_one_connection_is_upgraded_at_a_port_for_each_host() {
    let Some(case) = moved() else { return };
    configure(&case, blocks("7.0.0.9", 6001, SERVERS[0]));
    case.converge();
    case.promote(SERVERS[1]);
    configure(&case, blocks("7.0.0.9", 6001, SERVERS[1]));
    case.converge();
    case.settled();
    let group = case.workspace.attributes("azuremfa_server_group.eu");
    let names: Vec<&String> = group["versions"].as_object().expect("a map").keys().collect();
    assert_eq!(names, SERVERS);
    assert_eq!(group["hosts"][0], "mfa01.contoso.com:6001");
    assert_eq!(case.workspace.attributes("azuremfa_user_portal.dmz")["version"], "7.0.0.9");
    assert!(!group["steps"].to_string().contains(":600"), "{}", group["steps"]);
}

#[test]
fn another_port_alone_changes_texts_only() {
    let Some(case) = moved() else { return };
    configure(&case, blocks("6.3.1.1", 6001, SERVERS[0]));
    case.converge();
    case.settled();
    let host = case.lab.host(SERVERS[0]);
    host.set_https_ports(&[6001, 7001]);
    configure(&case, blocks("6.3.1.1", 7001, SERVERS[0]));
    case.plan().ended(2).does_not_say("Warning");
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [
        ("azuremfa_server_group.eu".to_owned(), text(&["hosts", "ready"])),
        ("azuremfa_user_portal.dmz".to_owned(), text(&["after"])),
    ];
    assert_eq!(changes(&case), BTreeMap::from(expected));
    case.workspace.apply("case.tfplan").succeeded();
    host.set_https_ports(&[7001]);
    case.settled();
    assert_eq!(case.journal(), Vec::<String>::new());

    // A listener that has moved already: state leads a read to the old port.
    host.set_https_ports(&[6001]);
    configure(&case, blocks("6.3.1.1", 6001, SERVERS[0]));
    case.plan().ended(1).says("State says port 7001.").says("apply once with -refresh=false");
    case.workspace.plan("moved.tfplan", &["-refresh=false"]).ended(2);
    case.workspace.apply("moved.tfplan").succeeded();
    case.settled();
}
