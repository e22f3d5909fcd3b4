//! What the resources of User Portals and Mobile App Web Services have in common.

use std::collections::BTreeMap;

use crate::backend::facts::{WebComponent, WebKind};
use crate::backend::step::{Action, Step};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::web::{self, WebSet};
use crate::plan::{Decision, Desired, Policy, Views, component};
use crate::resource::set::{HostSet, import, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

#[cfg(test)]
mod tests;

/// A kind of set of web components.
pub struct WebResource {
    pub kind: WebKind,
    pub type_name: &'static str,
    /// What the reference page says, in Markdown.
    pub description: &'static str,
    /// Checks that only this kind has.
    pub validate: fn(&Value, &mut Diagnostics),
}

const APPLICATION_POOLS: &str = "application_pools";
const SDK_URLS: &str = "web_service_sdk_urls";

impl HostSet for WebResource {
    fn kind(&self) -> SetKind {
        WebSet { kind: self.kind, virtual_directory: None }.set_kind()
    }

    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn attributes(&self) -> Vec<Attribute> {
        vec![
            schema::hosts(),
            Attribute::optional_computed(
                "virtual_directory",
                Kind::String,
                "The virtual directory that it keeps, the same on all hosts. Found when there is one; required when a host \
                 has several.",
            )
            .check(schema::check_virtual_directory),
            Attribute::computed(APPLICATION_POOLS, Kind::string_map(), "The application pool on each host."),
            Attribute::computed(
                SDK_URLS,
                Kind::string_map(),
                "The address of the Web Service SDK that web.config names, on each host.",
            ),
        ]
    }

    fn import_grammar(&self) -> &'static str {
        "NAME=HOST,HOST, or NAME@VIRTUAL_DIRECTORY=HOST,HOST where a host has several"
    }

    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        (self.validate)(config, diagnostics);
    }

    fn evidence(&self, own: &Value, host: &str, views: &Views) -> Option<Evidence> {
        web::evidence(&self.set(own), views, host)
    }

    fn gaps(&self, own: &Value, hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
        web::gaps(&self.set(own), hosts, views, pin)
    }

    fn decide(&self, desired: &Desired, own: &Value, views: &Views, policy: &Policy) -> Decision {
        web::decide(desired, &self.set(own), views, policy)
    }

    fn facts(&self, own: &Value, hosts: &[String], views: &Views) -> Vec<(&'static str, Value)> {
        let pool = |component: &WebComponent| Some(component.application_pool.clone());
        let address = |component: &WebComponent| component.web_service_sdk_url.clone();
        vec![
            ("virtual_directory", self.virtual_directory(own, hosts, views)),
            (APPLICATION_POOLS, self.by_host(own, hosts, views, APPLICATION_POOLS, pool)),
            (SDK_URLS, self.by_host(own, hosts, views, SDK_URLS, address)),
        ]
    }

    /// The directory, its pool and the address of the SDK stay. An address that the vendor ships does not: which one
    /// takes its place is found when web.config is merged. What an added host has is not known at all.
    fn planned_facts(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        decision: &Decision,
    ) -> Vec<(&'static str, Value)> {
        let adopts = hosts.iter().any(|host| decision.adopts(host));
        let set = self.set(own);
        let is_shipped = |step: &&Step| {
            let facts = web::facts(views, &step.host);
            let found = facts.and_then(|facts| set.candidates(facts).into_iter().next());
            found.is_some_and(|component| !component.placeholders.is_empty())
                && matches!(step.action, Action::MergeWebConfig { .. })
        };
        let mut facts = self.facts(own, hosts, views);
        for (name, value) in &mut facts {
            match *name {
                SDK_URLS | APPLICATION_POOLS if adopts => *value = Value::Unknown,
                SDK_URLS => {
                    decision.steps.iter().filter(is_shipped).for_each(|step| value.set(&step.host, Value::Unknown));
                }
                _ if adopts && value.is_null() => *value = Value::Unknown,
                _ => {}
            }
        }
        facts
    }

    fn parse_import(&self, rest: &str) -> Result<Vec<(&'static str, Value)>, String> {
        let (directory, hosts) = import::virtual_directory_and_hosts(rest)?;
        if let Some(name) = &directory {
            let mut found = Diagnostics::default();
            schema::check_virtual_directory(&Value::from(name.as_str()), &Path::root(), &mut found);
            if found.has_errors() {
                return Err(format!("{name:?} is no virtual directory"));
            }
        }
        Ok(vec![("virtual_directory", directory.into()), ("hosts", Value::strings(import::texts(&hosts)))])
    }

    fn import_rest(&self, own: &Value) -> Option<String> {
        let hosts = import::texts(&self.addresses(own)?).join(",");
        let directory = own.attribute("virtual_directory").as_str().map(|directory| format!("@{directory}"));
        Some(format!("{}={hosts}", directory.unwrap_or_default()))
    }
}

impl WebResource {
    fn set(&self, own: &Value) -> WebSet {
        let virtual_directory = own.attribute("virtual_directory").as_str().map(str::to_owned);
        WebSet { kind: self.kind, virtual_directory }
    }

    /// What is declared or was found before, else the one directory that all hosts have.
    fn virtual_directory(&self, own: &Value, hosts: &[String], views: &Views) -> Value {
        let stated = own.attribute("virtual_directory");
        if !stated.is_null() {
            return stated.clone();
        }
        let set = self.set(own);
        let seen = hosts.iter().filter_map(|host| web::facts(views, host));
        let mut names = component::distinct_directories(seen.flat_map(|facts| set.candidates(facts))).into_iter();
        names.next().filter(|_| names.next().is_none()).into()
    }

    /// A fact of each host's component; of hosts that were not seen, what `own` says.
    fn by_host(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        attribute: &str,
        fact: impl Fn(&WebComponent) -> Option<String>,
    ) -> Value {
        let set = self.set(own);
        let known = |host: &String| own.attribute(attribute).attribute(host).as_str().map(str::to_owned);
        let entries: BTreeMap<String, Value> = hosts
            .iter()
            .filter_map(|host| {
                let found = match web::facts(views, host) {
                    Some(facts) => set.candidates(facts).first().and_then(|component| fact(component)),
                    None => known(host),
                };
                Some((host.clone(), Value::from(found?)))
            })
            .collect();
        Value::Map(entries)
    }
}
