//! What the resources of User Portals and Mobile App Web Services have in common.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::facts::{WebComponent, WebKind};
use crate::backend::step::Action;
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::version::Version;
use crate::plan::web::{self, WebSet};
use crate::plan::{Decision, Desired, Policy, Views};
use crate::resource::set::{HostSet, import, schema};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

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

    /// The directory and its pool stay; an address is what web.config says once it has been put back or merged.
    fn planned_facts(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        decision: &Decision,
    ) -> Vec<(&'static str, Value)> {
        if hosts.iter().any(|host| decision.adopts(host)) {
            let directory = self.virtual_directory(own, hosts, views);
            return vec![
                ("virtual_directory", if directory.is_null() { Value::Unknown } else { directory }),
                (APPLICATION_POOLS, Value::Unknown),
                (SDK_URLS, Value::Unknown),
            ];
        }
        let merges = decision.steps.iter().any(|step| matches!(step.action, Action::MergeWebConfig { .. }));
        let unless_merged = |name, value| if merges && name == SDK_URLS { Value::Unknown } else { value };
        self.facts(own, hosts, views).into_iter().map(|(name, value)| (name, unless_merged(name, value))).collect()
    }

    fn parse_import(&self, rest: &str) -> Result<Vec<(&'static str, Value)>, String> {
        let (directory, hosts) = import::virtual_directory_and_hosts(rest)?;
        Ok(vec![("virtual_directory", directory.into()), ("hosts", Value::strings(hosts))])
    }

    fn import_rest(&self, own: &Value) -> Option<String> {
        let hosts = self.hosts(own)?.join(",");
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
        let names: BTreeSet<String> = seen
            .flat_map(|facts| set.candidates(facts))
            .map(|component| component.virtual_directory.trim_matches('/').to_owned())
            .collect();
        let mut names = names.into_iter();
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
