//! A set of hosts that is upgraded as one: what differs between the four kinds.
//!
//! Everything else (schema, validation, reading, planning, applying, import) is declared once, in
//! the modules beside this one, over any [`HostSet`].

pub mod actual;
pub mod added;
pub mod apply;
pub mod changes;
pub mod create;
pub mod desired;
pub mod drain;
pub mod duration;
pub mod execute;
pub mod failure;
pub mod health;
pub mod import;
pub mod lease;
pub mod observe;
pub mod order;
pub mod plan;
pub mod private;
pub mod read;
pub mod recover;
pub mod resource;
pub mod schema;
pub mod sources;
#[cfg(test)]
pub mod testing;
pub mod timeouts;
pub mod token;
pub mod validate;

use crate::address::{HostAddress, is_same_host};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::traffic::Out;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, Views};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Mode};
use crate::tf::value::Value;

/// A kind of set.
///
/// `own` is always a whole resource value of the kind: the state in Read, the proposed new state in Plan. Every part
/// of it may be null or unknown. All methods are pure.
pub trait HostSet: Send + Sync {
    /// The kind in tokens; with the provider's prefix, the resource type.
    fn kind(&self) -> SetKind;

    /// The full resource type, such as `azuremfa_server_group`.
    fn type_name(&self) -> &'static str;

    /// What the reference page says, in Markdown.
    fn description(&self) -> &'static str;

    /// The kind's own attributes, its hosts among them.
    fn attributes(&self) -> Vec<Attribute>;

    /// The form of its import id, such as `NAME=HOST,HOST`.
    fn import_grammar(&self) -> &'static str;

    /// Own attributes that decide what is done: with work pending their being unknown is a plan error.
    fn deciders(&self) -> &'static [&'static str] {
        &["hosts"]
    }

    /// The hosts in the order of the rollout, as they are reached; none while any of them is unknown.
    fn addresses(&self, own: &Value) -> Option<Vec<HostAddress>> {
        addresses(own.attribute("hosts"))
    }

    /// Their names, by which everything but a connection knows them.
    fn hosts(&self, own: &Value) -> Option<Vec<String>> {
        Some(names(&self.addresses(own)?))
    }

    /// Where the host at a position of [`HostSet::hosts`] stands.
    fn host_path(&self, _own: &Value, index: usize) -> Path {
        Path::of("hosts").index(index)
    }

    /// Checks of the kind's own attributes; the common ones (names, versions, tokens, duplicate hosts) have run.
    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics);

    /// What is found on a host. None when the component is not installed there, or the host was not seen.
    fn evidence(&self, own: &Value, host: &str, views: &Views) -> Option<Evidence>;

    /// The lowest version that what comes after has to reckon with; differs from the evidence where a set holds more
    /// than one component (a server and its SDK).
    fn lowest(&self, own: &Value, host: &str, views: &Views) -> Option<Version> {
        self.evidence(own, host, views).map(|evidence| evidence.lowest)
    }

    /// End-state facts that do not hold, on hosts that were seen and run at least `pin`.
    fn gaps(&self, own: &Value, hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap>;

    /// Decides what a run does. Begin with [`crate::plan::checks::survey`], which holds what all kinds share.
    fn decide(&self, desired: &Desired, own: &Value, views: &Views, policy: &Policy) -> Decision;

    /// What a person has to know of the traffic after a run that broke off, besides who is out.
    fn traffic_report(&self, _hosts: &[String], _views: &Views, _out: &Out) -> Option<String> {
        None
    }

    /// The kind's own computed attributes as they are now. Every computed and every optional+computed own attribute
    /// must be among them (one nested in an object: the whole object). What is set or unknown in `own` is kept; null
    /// is filled with what was found.
    fn facts(&self, own: &Value, hosts: &[String], views: &Views) -> Vec<(&'static str, Value)>;

    /// The same as they will be after a run: what a run may change is unknown, unless the kind knows better.
    fn planned_facts(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        decision: &Decision,
    ) -> Vec<(&'static str, Value)> {
        let facts = self.facts(own, hosts, views);
        let stays = !decision.steps.iter().any(|step| step.action.is_performed());
        if stays && hosts.iter().all(|host| views.contains_key(host)) {
            return facts;
        }
        let attributes = self.attributes();
        let is_computed =
            |name: &str| attributes.iter().any(|attribute| attribute.name == name && attribute.mode == Mode::Computed);
        facts.into_iter().map(|(name, value)| (name, if is_computed(name) { Value::Unknown } else { value })).collect()
    }

    /// Fills what the user may set and an import can find, in a state that was just imported.
    fn adopt(&self, _state: &mut Value, _views: &Views) {}

    /// Reads the part of an import id after `NAME`, with its separator: the own attributes it stands for. The error
    /// says what is wrong, without a trailing dot.
    fn parse_import(&self, rest: &str) -> Result<Vec<(&'static str, Value)>, String>;

    /// The import id's part after `NAME` for a configuration; none while it is not known.
    fn import_rest(&self, own: &Value) -> Option<String>;
}

/// A known list of known hosts.
pub fn addresses(value: &Value) -> Option<Vec<HostAddress>> {
    value.as_list()?.iter().map(|item| item.as_str().map(address)).collect()
}

/// A host as a configuration or a state names it. What is none has been refused by validation, and is then its own name.
pub fn address(text: &str) -> HostAddress {
    text.parse().unwrap_or_else(|_| HostAddress::named(text))
}

/// The names of hosts.
pub fn names(addresses: &[HostAddress]) -> Vec<String> {
    addresses.iter().map(|address| address.name().to_owned()).collect()
}

/// Where a host is reached that these sets name.
pub fn address_of(addresses: &[HostAddress], host: &str) -> HostAddress {
    let known = addresses.iter().find(|address| is_same_host(address.name(), host));
    known.cloned().unwrap_or_else(|| HostAddress::named(host))
}

#[cfg(test)]
mod tests;
