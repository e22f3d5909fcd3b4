//! What is asked of a set, decoded from a resource value that may hold unknowns.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{HostAddress, is_same_host};
use crate::plan::checks::acknowledgement;
use crate::plan::token::Token;
use crate::plan::traffic::Out;
use crate::plan::version::Version;
use crate::plan::{Acknowledgement, Desired};
use crate::resource::set::{HostSet, drain, health};
use crate::tf::value::Value;

/// What a value asks for, and which deciders are not known yet.
pub struct Wanted {
    /// None while the version or the hosts are unknown. Other unknown deciders count as not set.
    pub desired: Option<Desired>,
    pub unknown: Vec<&'static str>,
}

/// Decodes the common attributes. `state` is the prior state, null when there is none.
pub fn wanted(set: &dyn HostSet, own: &Value, state: &Value, now: jiff::Timestamp) -> Wanted {
    let deciders = ["version", "after", "hold"].into_iter().chain(set.deciders().iter().copied());
    let mut unknown: Vec<&'static str> = deciders.filter(|name| !own.attribute(name).is_wholly_known()).collect();
    // Their parts may come later, but whether hosts are checked or drained at all has to be reviewed.
    unknown.extend([health::NAME, drain::NAME].into_iter().filter(|name| own.attribute(name).is_unknown()));
    let hosts = set.hosts(own);
    let pin = version(own.attribute("version"));
    let name = own.attribute("name").as_str().or_else(|| state.attribute("name").as_str()).unwrap_or_default();
    let desired = pin.zip(hosts).map(|(pin, hosts)| Desired {
        name: name.to_owned(),
        pin,
        last_pin: version(state.attribute("target_version")),
        last_versions: spelled_as(versions(state), &hosts),
        hosts,
        after: tokens(own.attribute("after")),
        // Not a decider: unknown counts as allowed, because apply plans again when it is known.
        allow_major_upgrade: own.attribute("allow_major_upgrade").as_bool() == Some(true)
            || own.attribute("allow_major_upgrade").is_unknown(),
        hold: own.attribute("hold").as_str().map(str::to_owned),
        acknowledged: acknowledged(own.attribute("acknowledge"), now),
        health_check: health::decode(own),
        to_pass: BTreeSet::new(),
        drain: drain::decode(own),
        out: Out::new(),
        rehearsal: false,
    });
    Wanted { desired, unknown }
}

/// A version attribute; none when it is null, unknown or no version.
pub fn version(value: &Value) -> Option<Version> {
    value.as_str()?.parse().ok()
}

/// The versions by host that a state holds.
pub fn versions(state: &Value) -> BTreeMap<String, Version> {
    let entries = state.attribute("versions").as_map().into_iter().flatten();
    entries.filter_map(|(host, value)| Some((host.clone(), version(value)?))).collect()
}

/// What is known by host, under the names as they are written now: a host whose name is written in other letters of the
/// alphabet's two cases is the same one.
pub fn spelled_as<T>(known: BTreeMap<String, T>, hosts: &[String]) -> BTreeMap<String, T> {
    let spell = |name: String| hosts.iter().find(|host| is_same_host(host, &name)).cloned().unwrap_or(name);
    known.into_iter().map(|(host, value)| (spell(host), value)).collect()
}

/// The tokens of `after`; what is unknown or no token is left out.
pub fn tokens(after: &Value) -> Vec<Token> {
    after.as_list().into_iter().flatten().filter_map(|item| item.as_str()?.parse().ok()).collect()
}

/// A found version as state writes it: in the spelling of the version last asked for, when it is that one.
pub fn spelled(own: &Value, found: &Version) -> Value {
    let target = version(own.attribute("target_version")).filter(|target| target == found);
    Value::from(target.as_ref().unwrap_or(found).as_str())
}

/// The first host that stands there before, by its position and in a sentence without the last dot.
pub fn duplicate(hosts: &[HostAddress]) -> Option<(usize, String)> {
    let earlier = |index: usize| hosts[..index].iter().find(|host| is_same_host(host.name(), hosts[index].name()));
    let (index, earlier) = (1..hosts.len()).find_map(|index| Some((index, earlier(index)?)))?;
    let host = &hosts[index];
    let found = if host.port() == earlier.port() {
        format!("{} is there twice", host.name())
    } else {
        format!("{host} is there before as {earlier}, and a port makes no other host of it")
    };
    Some((index, found))
}

/// The hosts that `own` names and `other` does not.
pub fn missing_from(set: &dyn HostSet, own: &Value, other: &Value) -> Vec<String> {
    let there = set.hosts(other).unwrap_or_default();
    let is_there = |host: &String| there.iter().any(|known| is_same_host(known, host));
    set.hosts(own).unwrap_or_default().into_iter().filter(|host| !is_there(host)).collect()
}

fn acknowledged(value: &Value, now: jiff::Timestamp) -> Vec<Acknowledgement> {
    if !value.is_wholly_known() && value.as_list().is_none_or(|items| items.iter().any(unknown_check)) {
        // Not a decider: any finding may turn out to be acknowledged, and apply plans again when that is known.
        return acknowledgement::NAMES.iter().map(|name| later(name)).collect();
    }
    value.as_list().into_iter().flatten().filter_map(|item| one(item, now)).collect()
}

fn unknown_check(item: &Value) -> bool {
    item.is_unknown() || item.attribute("check").is_unknown()
}

fn one(item: &Value, now: jiff::Timestamp) -> Option<Acknowledgement> {
    let until = item.attribute("until").as_str().map(str::to_owned);
    let ended = until.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok()).is_some_and(|end| end < now);
    Some(Acknowledgement {
        check: item.attribute("check").as_str()?.to_owned(),
        reason: item.attribute("reason").as_str().unwrap_or("(known after apply)").to_owned(),
        until,
        ended,
    })
}

fn later(name: &str) -> Acknowledgement {
    Acknowledgement { check: name.to_owned(), reason: "(known after apply)".to_owned(), until: None, ended: false }
}
