//! `azuremfa_server_group`: a replication group of MFA Servers, with their Web Service SDKs.

use std::collections::BTreeMap;

use crate::address::{HostAddress, is_same_host};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::server_group::{self, DeclaredSdk, Group, sdk};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, Views, component};
use crate::resource::set::{HostSet, desired, import, names, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

/// The kind of set.
pub struct ServerGroup;

impl HostSet for ServerGroup {
    fn kind(&self) -> SetKind {
        SetKind::ServerGroup
    }

    fn type_name(&self) -> &'static str {
        "azuremfa_server_group"
    }

    fn description(&self) -> &'static str {
        DESCRIPTION
    }

    fn attributes(&self) -> Vec<Attribute> {
        vec![
            schema::hosts(),
            Attribute::optional(
                "master",
                Kind::String,
                "The host that is master of the group now: a statement of yours, checked against the replication \
                 connections. Required when a group of two or more has work to do. After a promotion by hand, change it. \
                 The name is enough where `hosts` gives a port.",
            )
            .check(schema::check_address),
            Attribute::optional(
                "web_service_sdk",
                Kind::Object(vec![
                    Attribute::optional_computed(
                        "virtual_directory",
                        Kind::String,
                        "The virtual directory that it keeps, the same on all hosts. Found when there is one.",
                    )
                    .check(schema::check_virtual_directory),
                ]),
                "Declares that the Web Service SDK is on servers of the group. It is upgraded right after its server.",
            ),
            Attribute::computed(
                "web_service_sdk_versions",
                Kind::string_map(),
                "The version of the Web Service SDK on each host that has one.",
            ),
        ]
    }

    fn import_grammar(&self) -> &'static str {
        "NAME=HOST,HOST"
    }

    fn deciders(&self) -> &'static [&'static str] {
        &["hosts", "master"]
    }

    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        let (Some(hosts), Some(master)) = (self.addresses(config), master(config)) else { return };
        match hosts.iter().find(|host| is_same_host(host.name(), master.name())) {
            None => diagnostics.error_at(
                Path::of("master"),
                "The master is not among the hosts",
                format!("{:?} is not in hosts. Name one of {}.", master.name(), names(&hosts).join(", ")),
            ),
            Some(host) if master.port().is_some() && master.port() != host.port() => diagnostics.error_at(
                Path::of("master"),
                "Another port than in hosts",
                format!("{master} stands in hosts as {host}, and is reached as that says. Write {}.", host.name()),
            ),
            Some(_) => {}
        }
    }

    fn evidence(&self, _own: &Value, host: &str, views: &Views) -> Option<Evidence> {
        server_group::evidence(views, host)
    }

    fn lowest(&self, _own: &Value, host: &str, views: &Views) -> Option<Version> {
        server_group::lowest(views, host)
    }

    fn gaps(&self, _own: &Value, hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
        server_group::gaps(hosts, views, pin)
    }

    fn decide(&self, desired: &Desired, own: &Value, views: &Views, policy: &Policy) -> Decision {
        server_group::decide(desired, &group(own), views, policy)
    }

    fn facts(&self, own: &Value, hosts: &[String], views: &Views) -> Vec<(&'static str, Value)> {
        vec![
            ("web_service_sdk", with_directory(own.attribute("web_service_sdk"), hosts, views)),
            ("web_service_sdk_versions", Value::Map(sdk_versions(own, hosts, views))),
        ]
    }

    fn planned_facts(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        decision: &Decision,
    ) -> Vec<(&'static str, Value)> {
        let pin = own.attribute("version");
        // After the run the pin is what was last asked for, and versions are spelled as it is.
        let mut asked = own.clone();
        asked.set("target_version", pin.clone());
        let mut versions = sdk_versions(&asked, hosts, views);
        for (_, version) in versions.iter_mut().filter(|(host, _)| decision.finished.contains(*host)) {
            *version = pin.clone();
        }
        let is_known = hosts.iter().all(|host| views.contains_key(host));
        vec![
            ("web_service_sdk", with_directory(own.attribute("web_service_sdk"), hosts, views)),
            ("web_service_sdk_versions", if is_known { Value::Map(versions) } else { Value::Unknown }),
        ]
    }

    fn adopt(&self, state: &mut Value, views: &Views) {
        let hosts = self.hosts(state).unwrap_or_default();
        if !directories(&hosts, views).is_empty() && state.attribute("web_service_sdk").is_null() {
            let declared = Value::object([("virtual_directory", Value::Null)]);
            state.set("web_service_sdk", with_directory(&declared, &hosts, views));
        }
    }

    fn parse_import(&self, rest: &str) -> Result<Vec<(&'static str, Value)>, String> {
        let text = rest.strip_prefix('=').ok_or("a server group has no virtual directory in its id")?;
        Ok(vec![("hosts", Value::strings(import::texts(&import::hosts(text)?)))])
    }

    fn import_rest(&self, own: &Value) -> Option<String> {
        Some(format!("={}", import::texts(&self.addresses(own)?).join(",")))
    }
}

const DESCRIPTION: &str = "\
A replication group of MFA Servers, upgraded as one: the data folder is backed up on the master, then every subordinate \
is upgraded in the order of `hosts`, each with its Web Service SDK. The master comes last, after you have promoted an \
upgraded subordinate by hand and set `master` to it. No role is part of the resource's address, so a promotion moves \
nothing.

A run that ends before the master is upgraded keeps `version` at the lowest version and says in `steps` what is waited \
for; the plan after that goes on.";

/// What is declared of the group.
fn group(own: &Value) -> Group {
    let declared = own.attribute("web_service_sdk");
    let sdk = match (declared, declared.attribute("virtual_directory").as_str()) {
        (Value::Null, _) => DeclaredSdk::None,
        (Value::Unknown, _) => DeclaredSdk::Unknown,
        (_, Some(directory)) => DeclaredSdk::At(directory.to_owned()),
        (_, None) => DeclaredSdk::Anywhere,
    };
    Group { master: master(own).map(|master| master.name().to_owned()), sdk }
}

/// Who is said to be master; none when it is not said, not known or no host.
fn master(own: &Value) -> Option<HostAddress> {
    own.attribute("master").as_str()?.parse().ok()
}

fn sdk_versions(own: &Value, hosts: &[String], views: &Views) -> BTreeMap<String, Value> {
    let version_of = |host: &String| {
        let component = sdk::all(server_group::facts(views, host)?).next()?;
        Some((host.clone(), desired::spelled(own, &component::evidence(component)?.lowest)))
    };
    hosts.iter().filter_map(version_of).collect()
}

/// The virtual directories that hold an SDK on any host.
fn directories(hosts: &[String], views: &Views) -> Vec<String> {
    let found = hosts.iter().filter_map(|host| server_group::facts(views, host)).flat_map(sdk::all);
    component::distinct_directories(found)
}

/// The declaration with its directory, when it was left out and there is one.
fn with_directory(declared: &Value, hosts: &[String], views: &Views) -> Value {
    let mut declared = declared.clone();
    if declared.as_map().is_some() && declared.attribute("virtual_directory").is_null() {
        let mut found = directories(hosts, views).into_iter();
        let only = found.next().filter(|_| found.next().is_none());
        declared.set("virtual_directory", only.into());
    }
    declared
}
