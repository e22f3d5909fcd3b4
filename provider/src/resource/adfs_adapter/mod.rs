//! `azuremfa_adfs_adapter`: the MFA adapter of an AD FS farm.

use crate::address::HostAddress;
use crate::backend::facts::Database;
use crate::backend::step::Step;
use crate::plan::adfs::farm::Farm;
use crate::plan::adfs::{self, registration, standing};
use crate::plan::evidence::{Evidence, Gap};
use crate::plan::token::SetKind;
use crate::plan::traffic::Out;
use crate::plan::version::Version;
use crate::plan::{Decision, Desired, Policy, Views};
use crate::resource::adfs_adapter::batches::{batches, check, describe_batches};
use crate::resource::set::{HostSet, names};
use crate::tf::diagnostic::Diagnostics;
use crate::tf::path::Path;
use crate::tf::schema::{Attribute, Kind};
use crate::tf::value::Value;

pub mod batches;

#[cfg(test)]
mod tests;

/// The kind of set.
pub struct AdfsAdapter;

impl HostSet for AdfsAdapter {
    fn kind(&self) -> SetKind {
        SetKind::AdfsAdapter
    }

    fn type_name(&self) -> &'static str {
        "azuremfa_adfs_adapter"
    }

    fn description(&self) -> &'static str {
        DESCRIPTION
    }

    fn attributes(&self) -> Vec<Attribute> {
        vec![
            Attribute::required("batches", Kind::List(Box::new(Kind::strings())), BATCHES),
            Attribute::computed("database", Kind::String, "Where the farm keeps its configuration: `wid` or `sql`."),
            Attribute::computed(
                "primary",
                Kind::String,
                "The host that is the primary of the farm. Null in a farm with a SQL database, where all are equal.",
            ),
            Attribute::computed(
                "registered_providers",
                Kind::strings(),
                "The MFA Server providers that are registered in the farm. One is right.",
            ),
            Attribute::computed(
                "policy",
                Kind::strings(),
                "The providers in the farm's global additional authentication policy, those of others included.",
            ),
        ]
    }

    fn import_grammar(&self) -> &'static str {
        "NAME=HOST,HOST;HOST,HOST, with a semicolon between the two batches"
    }

    fn deciders(&self) -> &'static [&'static str] {
        &["batches"]
    }

    fn addresses(&self, own: &Value) -> Option<Vec<HostAddress>> {
        Some(batches(own.attribute("batches"))?.concat())
    }

    fn host_path(&self, own: &Value, index: usize) -> Path {
        let mut left = index;
        for (position, batch) in batches(own.attribute("batches")).unwrap_or_default().iter().enumerate() {
            if left < batch.len() {
                return Path::of("batches").index(position).index(left);
            }
            left -= batch.len();
        }
        Path::of("batches")
    }

    fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        check(config.attribute("batches"), diagnostics);
    }

    fn evidence(&self, own: &Value, host: &str, views: &Views) -> Option<Evidence> {
        adfs::evidence(&self.hosts(own).unwrap_or_default(), views, host)
    }

    fn gaps(&self, _own: &Value, hosts: &[String], views: &Views, pin: &Version) -> Vec<Gap> {
        adfs::gaps(hosts, views, pin)
    }

    fn decide(&self, desired: &Desired, own: &Value, views: &Views, policy: &Policy) -> Decision {
        let batches = batches(own.attribute("batches")).unwrap_or_default();
        let batches: Vec<Vec<String>> = batches.iter().map(|batch| names(batch)).collect();
        adfs::decide(desired, &batches, views, policy)
    }

    fn traffic_report(&self, hosts: &[String], views: &Views, out: &Out) -> Option<String> {
        standing::report(hosts, views, out)
    }

    fn facts(&self, own: &Value, hosts: &[String], views: &Views) -> Vec<(&'static str, Value)> {
        facts_after(own, hosts, views, &[])
    }

    /// Every change of the registration and of the policy stands in the steps. What an added host adds to them does not.
    fn planned_facts(
        &self,
        own: &Value,
        hosts: &[String],
        views: &Views,
        decision: &Decision,
    ) -> Vec<(&'static str, Value)> {
        let is_unknown = hosts.iter().any(|host| decision.adopts(host));
        let facts = facts_after(own, hosts, views, &decision.steps).into_iter();
        facts.map(|(name, value)| (name, if is_unknown { Value::Unknown } else { value })).collect()
    }

    fn parse_import(&self, rest: &str) -> Result<Vec<(&'static str, Value)>, String> {
        Ok(vec![("batches", batches::parse_import(rest)?)])
    }

    fn import_rest(&self, own: &Value) -> Option<String> {
        Some(format!("={}", describe_batches(&batches(own.attribute("batches"))?)))
    }
}

/// What the farm is like once steps have been performed. What nobody can tell now is what was told last.
fn facts_after(own: &Value, hosts: &[String], views: &Views, steps: &[Step]) -> Vec<(&'static str, Value)> {
    let farm = Farm::of(hosts, views);
    let registry = farm.registry();
    let database = farm.seen().next().map(|(_, adfs)| adfs.database);
    let primary = match database {
        Some(Database::Sql) => Some(Value::Null),
        _ => farm.primaries().first().copied().or_else(|| farm.named_primary()).map(Value::from),
    };
    let database = database.map(|database| match database {
        Database::Wid => Value::from("wid"),
        Database::Sql => Value::from("sql"),
    });
    let registered = registry.and_then(|adfs| registration::registered_after(adfs, steps)).map(Value::strings);
    let policy = registry.and_then(|adfs| registration::policy_after(adfs, steps)).map(Value::strings);
    [("database", database), ("primary", primary), ("registered_providers", registered), ("policy", policy)]
        .into_iter()
        .map(|(name, found)| (name, found.unwrap_or_else(|| own.attribute(name).clone())))
        .collect()
}

const BATCHES: &str = "The hosts of the farm in one or two batches, each a list. The first batch is upgraded and \
    restarted while the second serves, then the second; the primary of a farm with a WID database stands in the first. \
    With one batch the farm is out of service meanwhile. A host may be named with its port, as \
    `adfs01.contoso.com:5985`.";

const DESCRIPTION: &str = "\
The MFA adapter of an AD FS farm. It is installed on every host and registered once, on the primary.

The provider's name and type change with the version, so the registration is exchanged: the old one leaves the global \
policy and is unregistered, the new one is registered with the old one's configuration, AD FS restarts on the first \
batch, and the new one enters the policy. **In between users are not asked for the second factor**; a plan that opens \
this gap needs the acknowledgement `adfs_mfa_gap`. A run that fails in it leaves by itself: back while the old \
provider is still registered, forward after that. When the primary hears nothing of a run for five minutes in it, \
because the machine of the run or the way to it is gone, the primary takes the same ways by itself: a guard, a \
scheduled task that looks every minute, is there from before the gap until after it, and without one the gap is not \
opened (guide `adfs_gap`). Authentication rules that name the old provider are found and need the acknowledgement \
`adfs_rules_old_name`.

With a `drain` the batches leave and enter the balancer in turn, and never are both out. They change places in that gap, \
with orders that are given twice at most; a balancer that refuses ends the run, and the gap is closed without it. Hosts \
are only taken out where one is left that can serve, so the hosts of a farm with one batch stay in traffic. See the guide \
`traffic`.

Adapters come after their server group and their portals: name their `ready` in `after`.";
